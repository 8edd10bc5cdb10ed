"""PostgreSQL as an engine of the conformance suite: a database for each test, on a server of this process."""

import atexit
from collections.abc import AsyncIterator, Mapping
from contextlib import ExitStack, asynccontextmanager
from functools import cache
from itertools import count
from pathlib import Path

import pytest

from jobdeck.domain.scope import Scope
from jobdeck.store import Store
from tests.builders import START
from tests.support.postgres import PostgresServer, running_server

_numbers = count(1)
_made: set[str] = set()
_TEMPLATE = "jobdeck_template"
_CONFORMANCE = "jobdeck_conformance"
_CLOCK = (
    "CREATE TABLE public.test_clock (us bigint NOT NULL); INSERT INTO public.test_clock VALUES (0);"
    " CREATE OR REPLACE FUNCTION jobdeck.now_us() RETURNS bigint LANGUAGE sql VOLATILE"
    " SET search_path = jobdeck, pg_temp AS 'SELECT us FROM public.test_clock'"
)
_TABLES = (
    *("annotations", "notifications", "results", "timeline", "states", "watches", "observations", "exchanges"),
    *("focus", "list_leases", "budgets", "estimates", "preferences", "change_log", "jobs", "scopes", "clients"),
)
# Emptied and used again: a new database takes half a second.
_EMPTY = "; ".join(
    (
        *(f"DELETE FROM jobdeck.{table}" for table in _TABLES),
        "UPDATE jobdeck.change_counter SET newest = 0",
        "UPDATE public.test_clock SET us = {us}",
        "SELECT setval('jobdeck.exchanges_seq_seq', 1, false)",
    )
)
_PROFILES = {name: Scope("", name) for name in ("hog", "other", "sonarly", "thehog")}
"""What a client has configured unless a test says otherwise: here a person sees the scopes of his profiles alone."""


@cache
def server() -> PostgresServer:
    """Return the server of this process, which ends with it; skips the test where there is none."""
    stack = ExitStack()
    atexit.register(stack.close)
    return stack.enter_context(running_server())


class ServerClock:
    """The clock of a database, and of the clients on this side, which stand still until they are set."""

    def __init__(self, url: str) -> None:
        self.us = START.us
        self._url = url

    def now_us(self) -> int:
        return self.us

    async def set(self, us: int) -> None:
        self.us = us
        await _execute(self._url, f"UPDATE public.test_clock SET us = {us}")


class PostgresDatabase:
    """One new database; `url` is where it is."""

    knows_who_lives = True
    sees_all_scopes = False

    def __init__(self, url: str) -> None:
        self.url = url
        self.clock = ServerClock(url)
        self._stores: list[Store] = []

    async def open_client(
        self, name: str, *, scopes: Mapping[str, Scope] | None = None, keep_results: bool = False, user: str = "me"
    ) -> Store:
        from jobdeck.store.postgres.opening import open_team_store

        opened = await open_team_store(
            self.url,
            name,
            user=user,
            scopes=_PROFILES if scopes is None else scopes,
            now_us=self.clock.now_us,
            keep_results=keep_results,
        )
        self._stores.append(opened.store)
        return opened.store

    async def close(self) -> None:
        for store in self._stores:
            await store.close()


@asynccontextmanager
async def postgres(_: Path) -> AsyncIterator[PostgresDatabase]:
    """A database whose clock is set by the test, and in which nothing is."""
    here = server()
    await _set_up(here, _CONFORMANCE, _CLOCK)
    await _execute(here.database(_CONFORMANCE), _EMPTY.format(us=START.us))
    database = PostgresDatabase(here.database(_CONFORMANCE))
    yield database
    await database.close()


@asynccontextmanager
async def new_database() -> AsyncIterator[str]:
    """Make a database of its own that is set up, and drop it at the end; yields its URL."""
    here = server()
    await _set_up(here, _TEMPLATE)
    name = f"test_{next(_numbers)}"
    await _execute(here.url, f"CREATE DATABASE {name} TEMPLATE {_TEMPLATE}")
    yield here.database(name)
    await _execute(here.url, f"DROP DATABASE {name} WITH (FORCE)")


async def _set_up(here: PostgresServer, name: str, more: str = "") -> None:
    from jobdeck.store.postgres.connect import ServerAddress
    from jobdeck.store.postgres.migrate import migrate

    if name in _made:
        return
    await _execute(here.url, f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
    await _execute(here.url, f"CREATE DATABASE {name}")
    await migrate(ServerAddress.parse(here.database(name)), new=True)
    if more:
        await _execute(here.database(name), more)
    _made.add(name)


async def _execute(url: str, statements: str) -> None:
    import asyncpg

    connection = await asyncpg.connect(url)
    await connection.execute(statements)
    await connection.close()


def has_server() -> bool:
    """Whether a server can be had here."""
    try:
        server()
    except pytest.skip.Exception:
        return False
    return True
