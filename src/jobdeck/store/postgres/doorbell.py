"""Hearing of changes at once: a connection that listens, and that shows by its lock that this client lives."""

import asyncio
import logging
from collections.abc import Callable

import asyncpg

from jobdeck.store.errors import StoreError
from jobdeck.store.postgres.connect import RETRY_SECONDS, ServerAddress, close_connection, connect
from jobdeck.store.postgres.migrate import LOCK_CLASS

CHANNEL = "jobdeck"

ECHO_SECONDS = 1.0
"""How long a notification of our own may take to come back, before a pooler is assumed that swallows them."""

CHECK_SECONDS = 30.0
"""How often it is looked whether the listening connection still lives."""

_log = logging.getLogger(__name__)


class Doorbell:
    """Listens for changes for as long as it is open; a connection that is lost is made again.

    `works` says whether notifications arrive: a pooler in transaction mode swallows them without a word, and gives no
    session to hold a lock in.
    """

    def __init__(self, address: ServerAddress, ring: Callable[[], object]) -> None:
        self._address = address
        self._ring = ring
        self._connection: asyncpg.Connection[asyncpg.Record] | None = None
        self._client = 0
        self._task: asyncio.Task[None] | None = None
        self._lost = asyncio.Event()
        self.works = True

    async def open(self) -> None:
        """Listen, and find out whether notifications arrive; raises `StoreError`."""
        self._connection = await self._listen()
        heard = asyncio.Event()
        echo = f"{CHANNEL}_echo_{id(self)}"
        await self._connection.add_listener(echo, lambda *_: heard.set())
        other = await connect(self._address)
        try:
            await other.execute("SELECT pg_notify($1, '')", echo)
        finally:
            await close_connection(other)
        try:
            async with asyncio.timeout(ECHO_SECONDS):
                await heard.wait()
        except TimeoutError:
            self.works = False

    async def hold(self, client: int) -> None:
        """Hold the lock of a client from now on, and go on listening when the connection is lost."""
        self._client = client
        if self.works and self._connection is not None:
            await self._connection.execute(f"SELECT pg_advisory_lock({LOCK_CLASS}, {client})")
        self._task = asyncio.get_running_loop().create_task(self._keep())

    async def close(self) -> None:
        """Listen no more, and let the lock go."""
        if self._task is not None:
            self._task.cancel()
        if self._connection is not None:
            await close_connection(self._connection)

    async def _listen(self) -> "asyncpg.Connection[asyncpg.Record]":
        connection = await connect(self._address)
        self._lost.clear()
        connection.add_termination_listener(lambda *_: self._lost.set())
        await connection.add_listener(CHANNEL, lambda *_: self._ring())
        return connection

    async def _keep(self) -> None:
        while True:
            try:
                async with asyncio.timeout(CHECK_SECONDS):
                    await self._lost.wait()
            except TimeoutError:
                if self._connection is not None and await self._is_alive(self._connection):
                    continue
            await self._listen_again()

    async def _is_alive(self, connection: "asyncpg.Connection[asyncpg.Record]") -> bool:
        try:
            await connection.fetchval("SELECT 1")
        except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError):
            await close_connection(connection)
            return False
        return True

    async def _listen_again(self) -> None:
        while True:
            await asyncio.sleep(RETRY_SECONDS)
            try:
                connection = await self._listen()
                if self.works:
                    # The lock of the connection that was lost may last until the server notices: who waits for our
                    # leases has their time to go by.
                    await connection.fetchval(f"SELECT pg_try_advisory_lock({LOCK_CLASS}, {self._client})")
            except (StoreError, asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError) as error:
                _log.info("not listening for changes of others: %s", error)
                continue
            lost, self._connection = self._connection, connection
            if lost is not None:
                await close_connection(lost)
            # What changed meanwhile was not heard.
            self._ring()
            return
