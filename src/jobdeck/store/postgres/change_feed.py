"""Reads the changes of other clients by cursor, and the jobs on their screens."""

import asyncio
import logging
from collections.abc import Callable, Collection

import asyncpg

from jobdeck.domain.job import JobKey
from jobdeck.domain.text import clean
from jobdeck.store.errors import CursorLostError, StoreError
from jobdeck.store.models import Change, ChangeKind, Cursor
from jobdeck.store.postgres.connect import RETRY_SECONDS, Server, ServerAddress, ServerClock, close_connection, connect
from jobdeck.store.postgres.migrate import LOCK_CLASS
from jobdeck.store.postgres.queries import ProfileScopes

CHANNEL = "jobdeck"

ECHO_SECONDS = 1.0
"""How long our own notification may take to come back; after that a pooler must have dropped it."""

CHECK_SECONDS = 30.0
"""Time between two checks whether the listening connection still lives."""

_log = logging.getLogger(__name__)


class Doorbell:
    """Listens for changes while it is open, and reconnects when the connection is lost.

    `works` says whether notifications arrive: a pooler in transaction mode drops them silently, and has no session that
    could hold a lock.
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
        """Begin to listen, and test whether notifications arrive; raises `StoreError`."""
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
        """Take the lock by which others know that a client lives, and keep the connection alive."""
        self._client = client
        if self.works and self._connection is not None:
            await self._connection.execute(f"SELECT pg_advisory_lock({LOCK_CLASS}, {client})")
        self._task = asyncio.get_running_loop().create_task(self._keep())

    async def close(self) -> None:
        """Stop listening, and release the lock."""
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
                    # The lost connection may hold its lock until the server notices; clients that wait for our leases
                    # then wait until they end.
                    await connection.fetchval(f"SELECT pg_try_advisory_lock({LOCK_CLASS}, {self._client})")
            except (StoreError, asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError) as error:
                _log.info("not listening for other users' changes: %s", error)
                continue
            lost, self._connection = self._connection, connection
            if lost is not None:
                await close_connection(lost)
            # Notifications of the time between were lost.
            self._ring()
            return


FOCUS_US = 30_000_000
"""How long the jobs that a client shares as on its screen count; clients share them more often than that."""

_KEYS = "SELECT id, scope, profile, account_group, job_id FROM jobdeck.jobs WHERE id = ANY($1::bigint[])"
# One round trip in all, since fifty people read it five times a second.
_CHANGES = (
    "SELECT (SELECT value FROM jobdeck.meta WHERE name = 'database'), k.newest,"
    " (SELECT min(seq) FROM jobdeck.change_log), l.seq, l.at_us, l.kind, l.scope, c.name, l.jobs, l.seen, l.exchange"
    " FROM jobdeck.change_counter k LEFT JOIN LATERAL (SELECT * FROM jobdeck.change_log WHERE seq > $1"
    " AND (scope IS NULL OR scope = ANY($2::bigint[])) ORDER BY seq LIMIT $3) l ON true"
    " LEFT JOIN jobdeck.clients c ON c.id = l.client ORDER BY l.seq"
)
_SET_FOCUS = (
    "INSERT INTO jobdeck.focus SELECT $1, coalesce(array_agg(j.id), '{}'), jobdeck.now_us()"
    " FROM unnest($2::bigint[], $3::text[], $4::text[]) AS k (scope, account_group, job_id)"
    " JOIN jobdeck.jobs j USING (scope, account_group, job_id)"
    " ON CONFLICT (client) DO UPDATE SET jobs = excluded.jobs, at_us = excluded.at_us"
)
_FOCUS = (
    "SELECT DISTINCT f.job FROM (SELECT unnest(jobs) AS job FROM jobdeck.focus WHERE client <> $1"
    " AND at_us > jobdeck.now_us() - $3) f JOIN jobdeck.jobs j ON j.id = f.job WHERE j.scope = ANY($2::bigint[])"
)
_HEAD = "SELECT (SELECT value FROM jobdeck.meta WHERE name = 'database'), (SELECT newest FROM jobdeck.change_counter)"


class ChangeFeed:
    """Reads the change log of a client's scopes, and the jobs on the screens of others."""

    def __init__(self, server: Server, scopes: ProfileScopes, clock: ServerClock) -> None:
        self._server = server
        self._scopes = scopes
        self._clock = clock
        self._keys: dict[int, tuple[JobKey, ...]] = {}

    async def head(self) -> Cursor:
        """See `Store.head`."""
        database, newest = (await self._server.rows(_HEAD))[0]
        return Cursor(f"{database}:{newest}")

    async def changes(self, after: Cursor, limit: int = 500) -> tuple[tuple[Change, ...], Cursor]:
        """See `Store.changes`."""
        database, _, number = after.partition(":")
        place = int(number) if number.isascii() and number.isdigit() and len(number) < 19 else -1
        rows = await self._server.rows(_CHANGES, place, self._scopes.all, limit)
        here, newest, oldest = rows[0][:3]
        if database != here or not 0 <= place <= newest:
            raise CursorLostError("the change cursor belongs to another database")
        if place < newest and (oldest is None or place < oldest - 1):
            raise CursorLostError("changes after the cursor have been purged")
        page = [row[3:] for row in rows if row[3] is not None]
        await self._read_keys({id_ for *_, jobs, seen, _ in page for id_ in (*jobs, *seen)})
        found = tuple(
            Change(
                at_us=self._clock.here(at_us),
                kind=ChangeKind(kind),
                profile=next(iter(self._scopes.names.get(scope, ())), None),
                client=clean(client or "?"),
                keys=tuple(key for id_ in jobs for key in self._keys.get(id_, ())),
                seen=tuple(key for id_ in seen for key in self._keys.get(id_, ())),
                sequence=sequence,
            )
            for _, at_us, kind, scope, client, jobs, seen, sequence in page
        )
        # The cursor also passes the changes of other scopes: those within the page, and after the last page all.
        last = page[-1][0] if page else place
        return found, Cursor(f"{database}:{last if len(page) == limit else max(newest, last)}")

    async def _read_keys(self, ids: set[int]) -> None:
        """Read the keys of these rows of jobs, once, since they never change."""
        unknown = ids - self._keys.keys()
        if unknown:
            known = await self._server.rows(_KEYS, list(unknown))
            self._keys.update((row[0], self._scopes.keys(*row[1:])) for row in known)

    async def set_focus(self, client: int, keys: Collection[JobKey]) -> None:
        """See `Store.set_focus`."""
        await self._server.value(_SET_FOCUS, client, *self._scopes.parts(keys))

    async def focus(self, client: int) -> frozenset[JobKey]:
        """See `Store.focus`."""
        rows = await self._server.rows(_FOCUS, client, self._scopes.all, FOCUS_US)
        ids = {row[0] for row in rows}
        await self._read_keys(ids)
        return frozenset(key for id_ in ids for key in self._keys.get(id_, ()))
