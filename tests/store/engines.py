"""What a database must be able to do to be tested: it is opened by several clients, and its clock is set by tests."""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Protocol

from jobdeck.domain.scope import Scope
from jobdeck.store import Store, open_store
from tests.builders import START
from tests.store.postgres.database import postgres


class Clock(Protocol):
    """The clock of a database, which stands still until it is set; `us` is what it shows."""

    us: int

    async def set(self, us: int) -> None: ...


class Database(Protocol):
    """One new database, with its clock."""

    knows_who_lives: bool
    """Whether the lease of a client that is gone ends with it."""

    sees_all_scopes: bool
    """Whether a client knows of scopes that are none of its profiles'."""

    @property
    def clock(self) -> Clock: ...

    async def open_client(
        self, name: str, *, scopes: Mapping[str, Scope] | None = None, keep_results: bool = False
    ) -> Store:
        """Open it as another client; it is closed at the end of the test."""
        ...


class LocalClock:
    """A clock within this process."""

    def __init__(self) -> None:
        self.us = START.us

    def now_us(self) -> int:
        return self.us

    async def set(self, us: int) -> None:
        self.us = us


class SqliteDatabase:
    """A file that every client opens, or the memory of one client."""

    knows_who_lives = False
    sees_all_scopes = True

    def __init__(self, path: Path | None) -> None:
        self.clock = LocalClock()
        self._path = path
        self._stores: list[Store] = []

    async def open_client(
        self, name: str, *, scopes: Mapping[str, Scope] | None = None, keep_results: bool = False
    ) -> Store:
        opened = open_store(
            self._path, name, now_us=self.clock.now_us, fallback=False, scopes=scopes, keep_results=keep_results
        )
        self._stores.append(opened.store)
        return opened.store

    async def close(self) -> None:
        for store in self._stores:
            await store.close()


@asynccontextmanager
async def sqlite_file(folder: Path) -> AsyncIterator[Database]:
    database = SqliteDatabase(folder / "data" / "jobdeck.db")
    yield database
    await database.close()


@asynccontextmanager
async def sqlite_memory(_: Path) -> AsyncIterator[Database]:
    database = SqliteDatabase(None)
    yield database
    await database.close()


Engine = Callable[[Path], AbstractAsyncContextManager[Database]]

SHARED: dict[str, Engine] = {"file": sqlite_file, "postgres": postgres}
"""Engines whose databases several clients can open."""

ENGINES: dict[str, Engine] = {**SHARED, "memory": sqlite_memory}
