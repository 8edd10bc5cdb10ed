"""Connections to a PostgreSQL server, the meaning of their errors, and the waiting while the server is away."""

import asyncio
import json
import logging
import os
import re
import ssl
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any, Final

import asyncpg

from jobdeck.domain.database_url import DatabaseUrl, parse_database_url
from jobdeck.domain.instant import Instant
from jobdeck.store.errors import (
    StoreClosedError,
    StoreError,
    StoreIOError,
    StoreReadOnlyError,
    StoreUnavailableError,
)
from jobdeck.store.models import Answer

OLDEST_SERVER: Final = 14

CONNECT_SECONDS: Final = 5.0
STATEMENT_SECONDS: Final = 10.0
"""When a statement takes longer, the server counts as away: none of ours takes a second."""

RETRY_SECONDS: Final = 1.0
"""Time between two attempts to reach a server that is away."""

MOST_CONNECTIONS: Final = 3
"""Connections of one client beside the one that listens. Fifty people make 200; the server's default limit is 100."""

_TRIES: Final = 5
_AGAIN: Final = (
    asyncpg.DeadlockDetectedError,
    asyncpg.SerializationError,
    # A plan that was prepared before a migration.
    asyncpg.InvalidCachedStatementError,
)
_AWAY: Final = (
    OSError,
    TimeoutError,
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    # What is met on a connection that is lost while it is given back.
    asyncpg.InternalClientError,
    asyncpg.CannotConnectNowError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.TooManyConnectionsError,
)
_NO_TEXT: Final = re.compile(r"\\u(?:0000|[dD][89a-fA-F])")

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ServerAddress:
    """The address of a database, and how to reach it."""

    url: DatabaseUrl

    @classmethod
    def parse(cls, text: str) -> "ServerAddress":
        """Return the address in a URL; raises `StoreIOError` for text that is not one."""
        url = parse_database_url(text)
        if url is None:
            raise StoreIOError("not a PostgreSQL URL: postgresql://USER:PASSWORD@HOST:PORT/DATABASE")
        return cls(url)

    @property
    def described(self) -> str:
        """Server and database, without user and password."""
        return self.url.described

    @property
    def tls(self) -> ssl.SSLContext | None:
        """The TLS settings: the certificate is verified, unless the URL says otherwise or the server is local.

        None leaves it to the URL's ``sslmode`` (without one: to the server).
        """
        return None if self.url.tls_mode is not None or self.url.is_local else ssl.create_default_context()


async def connect(
    address: ServerAddress, *, statement_seconds: float = STATEMENT_SECONDS
) -> "asyncpg.Connection[asyncpg.Record]":
    """Return a connection of its own, whose statements may take `statement_seconds`; raises `StoreError`.

    Statements are not prepared by name, which poolers do not always allow.
    """
    try:
        return await asyncpg.connect(
            address.url.text,
            ssl=address.tls,
            timeout=CONNECT_SECONDS,
            command_timeout=statement_seconds,
            statement_cache_size=0,
            server_settings={"application_name": "jobdeck"},
        )
    except (*_AWAY, asyncpg.PostgresError, ValueError) as error:
        raise translate_error(error, address) from error


async def close_connection(connection: "asyncpg.Connection[asyncpg.Record]") -> None:
    """Close a connection, whatever state it is in."""
    with suppress(*_AWAY, asyncpg.PostgresError):
        await connection.close(timeout=1.0)
    if not connection.is_closed():
        connection.terminate()
    # Its transport is closed in the loop's next round.
    await asyncio.sleep(0)


class Server:
    """Runs statements on a few connections, and knows whether the server responds.

    While it does not, statements raise `StoreUnavailableError`, and it is tried once a second until it responds. A
    statement that met a deadlock runs again.
    """

    def __init__(self, address: ServerAddress) -> None:
        self.address = address
        self.away: StoreUnavailableError | None = None
        self.on_change: Callable[[], object] = lambda: None
        """Called when the server stops responding, and when it is back."""

        self._pool: asyncpg.Pool[asyncpg.Record] | None = None
        self._returning: asyncio.Task[None] | None = None
        self._back = asyncio.Event()
        self._closed = False

    async def open(self, *, prepared: bool) -> None:
        """Make the first connection; `prepared` says whether statements may be prepared by name."""
        try:
            self._pool = await asyncpg.create_pool(
                self.address.url.text,
                min_size=1,
                max_size=MOST_CONNECTIONS,
                ssl=self.address.tls,
                timeout=CONNECT_SECONDS,
                command_timeout=STATEMENT_SECONDS,
                statement_cache_size=100 if prepared else 0,
                max_inactive_connection_lifetime=60.0,
                # Nothing of ours outlives its statement: asyncpg's own reset is a round trip more after each.
                reset=_leave_as_it_is,
                server_settings={"application_name": "jobdeck"},
            )
        except (*_AWAY, asyncpg.PostgresError, ValueError) as error:
            raise translate_error(error, self.address) from error

    async def rows(self, statement: str, *values: Any) -> list[asyncpg.Record]:
        """Return the rows of a query."""
        rows: list[asyncpg.Record] = await self._run(lambda connection: connection.fetch(statement, *values))
        return rows

    async def value(self, statement: str, *values: Any) -> Any:
        """Run a statement, and return the first value of its first row; each is a transaction of its own."""
        return await self._run(lambda connection: connection.fetchval(statement, *values))

    async def wait_until_back(self) -> None:
        """Wait until the server responds; raises `StoreClosedError` when closed meanwhile."""
        while self.away is not None:
            self._require_open()
            await self._back.wait()
        self._require_open()

    async def close(self) -> None:
        """Close every connection."""
        self._closed = True
        self._back.set()
        if self._returning is not None:
            self._returning.cancel()
        if self._pool is not None:
            try:
                async with asyncio.timeout(1.0):
                    await self._pool.close()
            except (*_AWAY, asyncpg.PostgresError):
                self._pool.terminate()
            await asyncio.sleep(0)

    async def _run(self, work: Callable[[Any], Any]) -> Any:
        self._require_open()
        if self.away is not None:
            raise self.away
        for again in range(_TRIES, 0, -1):
            try:
                return await self._once(work)
            except _AGAIN:
                if again == 1:
                    raise StoreIOError(f"{self.address.described}: conflicting writes") from None
            except _AWAY as error:
                raise self._note_away(error) from error
            except asyncpg.PostgresError as error:
                raise translate_error(error, self.address) from error
        raise AssertionError

    async def _once(self, work: Callable[[Any], Any]) -> Any:
        if self._pool is None:
            raise StoreClosedError("the store is not open")
        # Not the pool's own wait, which would hold a connection that a cancelled statement may still occupy.
        async with self._pool.acquire(timeout=CONNECT_SECONDS) as connection:
            return await work(connection)

    def _note_away(self, error: Exception) -> StoreUnavailableError:
        if self.away is None:
            translated = translate_error(error, self.address)
            self.away = StoreUnavailableError(str(translated))
            self._back.clear()
            _log.warning("team database unreachable: %s", self.away)
            self._returning = asyncio.get_running_loop().create_task(self._return())
            self.on_change()
        return self.away

    async def _return(self) -> None:
        while not self._closed:
            begun = time.monotonic()
            try:
                await self._once(lambda connection: connection.fetchval("SELECT 1"))
            except (*_AWAY, asyncpg.PostgresError):
                await asyncio.sleep(max(0.0, RETRY_SECONDS - (time.monotonic() - begun)))
            else:
                self.away = None
                self._back.set()
                self.on_change()
                return

    def _require_open(self) -> None:
        if self._closed:
            raise StoreClosedError("the store is closed")


async def _leave_as_it_is(connection: "asyncpg.Connection[asyncpg.Record]") -> None:
    """Do nothing to a returned connection."""


def translate_error(error: Exception, address: ServerAddress) -> StoreError:
    """Return an error of the driver as a `StoreError`, whose message names the server and never the password."""
    where = f"the database at {address.described}"
    match error:
        case StoreError():
            return error
        case asyncpg.InvalidPasswordError() | asyncpg.InvalidAuthorizationSpecificationError():
            return StoreIOError(f"{where} refused the user or password")
        case asyncpg.InvalidCatalogNameError():
            return StoreIOError(f"{where} does not exist")
        case asyncpg.InsufficientPrivilegeError():
            return StoreReadOnlyError(f"{where}: the role may not do this ({_words(error)}); see docs/team.md")
        case asyncpg.UndefinedTableError() | asyncpg.UndefinedFunctionError() | asyncpg.InvalidSchemaNameError():
            return StoreIOError(f"{where} is not set up for jobdeck: run 'jobdeck store init'")
        case asyncpg.ReadOnlySQLTransactionError():
            return StoreReadOnlyError(f"{where} is read-only")
        case ssl.SSLError():
            return StoreUnavailableError(f"{where}: TLS failed ({_words(error)})")
        case TimeoutError():
            return StoreUnavailableError(f"{where} does not respond")
        case _ if isinstance(error, _AWAY):
            return StoreUnavailableError(f"cannot reach {where}: {_words(error)}")
        case ValueError():
            return StoreIOError("the team database URL is not valid: postgresql://USER:PASSWORD@HOST:PORT/DATABASE")
        case _:
            return StoreIOError(f"{where}: {_words(error)}")


def _words(error: BaseException) -> str:
    if isinstance(error, OSError) and error.errno:
        return os.strerror(error.errno)
    return " ".join(str(error).split()) or type(error).__name__


def to_json(value: object) -> str:
    """Return JSON for a parameter, without NUL and lone surrogates, which PostgreSQL cannot store."""
    text = json.dumps(value, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    return text if _NO_TEXT.search(text) is None else json.dumps(_storable(value), allow_nan=False)


def storable(text: str) -> str:
    """Return text with the characters that PostgreSQL cannot store as escapes."""
    if "\0" not in text and text.isprintable():
        return text
    return text.replace("\0", "\\x00").encode("utf-8", "backslashreplace").decode()


def _storable(value: Any) -> Any:
    match value:
        case str():
            return storable(value)
        case dict():
            return {key: _storable(item) for key, item in value.items()}
        case list() | tuple():
            return [_storable(item) for item in value]
        case _:
            return value


STEADY_US = 100_000
"""Smaller differences come from the network, and do not change the offset."""


class ServerClock:
    """How far the server's clock is ahead of ours, in microseconds."""

    def __init__(self, now_us: Callable[[], int]) -> None:
        self.offset_us = 0
        self._now_us = now_us

    async def read(self, server: Server) -> int:
        """Return the server's time, and set the offset, assuming half of the round trip each way."""
        before = self._now_us()
        there = int(await server.value("SELECT jobdeck.now_us()"))
        offset = there - (before + self._now_us()) // 2
        if abs(offset - self.offset_us) > STEADY_US:
            self.offset_us = offset
        return there

    def there(self, us: int) -> int:
        """Return a moment of ours on the server's clock."""
        return us + self.offset_us

    def here(self, us: int) -> int:
        """Return a moment of the server's on our clock."""
        return us - self.offset_us

    def answer_there(self, answer: Answer) -> Answer:
        """Return an answer whose moments are on the server's clock."""
        if not self.offset_us:
            return answer
        exchange = answer.exchange
        started = Instant(self.there(exchange.started.us), exchange.started.mono)
        problem = exchange.problem
        if problem is not None and problem.retry_at_us is not None:
            problem = replace(problem, retry_at_us=self.there(problem.retry_at_us))
        return replace(answer, exchange=replace(exchange, started=started, problem=problem))
