"""Numbered SQL files bring a team's database to the newest schema."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg

from jobdeck.store.errors import NewerSchemaError, StoreIOError, StoreOutdatedError
from jobdeck.store.postgres.connect import OLDEST_SERVER, ServerAddress, close_connection, connect, translate_error

LOCK_CLASS = 1_785_684_580
"""First part of the keys of the locks that clients hold while they live, the second is the client's row; it stands in
the SQL as well."""

_WORK_CLASS = LOCK_CLASS + 1
"""The same of what one client does at a time: 0 is a purge, in the SQL, and 1 a migration."""

MIGRATION_SECONDS = 600.0
"""How long one step of a migration may take."""


SIZE = (
    "SELECT coalesce(sum(pg_total_relation_size(c.oid)), 0)::bigint FROM pg_class c"
    " WHERE c.relnamespace = 'jobdeck'::regnamespace AND c.relkind = 'r'"
)
"""Asks for the bytes that all tables and their indexes take."""

_CLIENTS = (
    "SELECT name, user_name, opened_us FROM jobdeck.clients WHERE has_session AND jobdeck.may_live(id) ORDER BY id"
)


@dataclass(frozen=True, slots=True)
class SchemaState:
    """What a database is: its server's version, its schema's (0: not set up), the newest known, and whose it is."""

    server: str
    found: int
    known: int
    role: str


def load_migrations() -> tuple[str, ...]:
    """Return the shipped migrations in order, numbered from 1."""
    folder = Path(__file__).with_name("migrations")
    return tuple(path.read_text("utf-8") for path in sorted(folder.glob("*.sql")))


async def read_state(connection: "asyncpg.Connection[asyncpg.Record]") -> SchemaState:
    """Return the state of a database; raises `asyncpg.PostgresError`."""
    server, role = await connection.fetchrow("SELECT current_setting('server_version'), current_user") or ("", "")
    exists = await connection.fetchval("SELECT to_regclass('jobdeck.meta') IS NOT NULL")
    found = 0
    if exists:
        found = int(await connection.fetchval("SELECT value FROM jobdeck.meta WHERE name = 'schema'") or 0)
    return SchemaState(server, found, len(load_migrations()), role)


def require_current(state: SchemaState, address: ServerAddress) -> None:
    """Raise a `StoreError` with the remedy for a database of another schema."""
    where = f"the database at {address.described}"
    if state.found == 0:
        raise StoreIOError(f"{where} is not set up for jobdeck: run 'jobdeck store init'")
    if state.found > state.known:
        raise NewerSchemaError(where, state.found, state.known)
    if state.found < state.known:
        raise StoreOutdatedError(
            f"{where} has schema version {state.found}, this jobdeck needs {state.known}: run 'jobdeck store migrate'"
        )


async def describe(address: ServerAddress) -> dict[str, Any]:
    """Return what `jobdeck store status` shows: versions, size in bytes, and the clients that are connected.

    Raises `StoreError`.
    """
    connection = await connect(address)
    try:
        state = await read_state(connection)
        current = state.found == state.known
        clients = await connection.fetch(_CLIENTS) if current else []
        encrypted = await connection.fetchval("SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()")
        return {
            "database": address.described,
            "server": state.server,
            "role": state.role,
            "tls": "encrypted" if encrypted else "not encrypted",
            "schema": state.found,
            "known_schema": state.known,
            "size": await connection.fetchval(SIZE) if current else None,
            "clients": [{"name": name, "user": user, "since_us": since_us} for name, user, since_us in clients],
        }
    except (asyncpg.PostgresError, OSError, TimeoutError) as error:
        raise translate_error(error, address) from error
    finally:
        await close_connection(connection)


async def migrate(address: ServerAddress, *, new: bool) -> tuple[int, int]:
    """Bring a database to the newest schema, in one transaction; returns the versions before and after.

    `new` says whether it may be one that is not set up yet. Two that migrate at once wait for each other. Raises
    `StoreError`.
    """
    connection = await connect(address, statement_seconds=MIGRATION_SECONDS)
    try:
        state = await read_state(connection)
        if int(state.server.partition(".")[0]) < OLDEST_SERVER:
            found = f"the database at {address.described} is PostgreSQL {state.server}"
            raise StoreIOError(f"{found}; jobdeck needs {OLDEST_SERVER} or newer")
        if state.found > state.known or (state.found == 0 and not new):
            require_current(state, address)
        async with connection.transaction():
            await connection.execute(f"SELECT pg_advisory_xact_lock({_WORK_CLASS}, 1)")
            await connection.execute("CREATE SCHEMA IF NOT EXISTS jobdeck")
            await connection.execute("SET LOCAL search_path = jobdeck, pg_temp")
            before = (await read_state(connection)).found
            for number, statements in enumerate(load_migrations()[before:], before + 1):
                await connection.execute(statements)
                await connection.execute(
                    "INSERT INTO meta VALUES ('schema', $1) ON CONFLICT (name) DO UPDATE SET value = $1", str(number)
                )
    except (asyncpg.PostgresError, OSError, TimeoutError) as error:
        raise translate_error(error, address) from error
    else:
        return before, state.known
    finally:
        await close_connection(connection)
