"""What tests of SQLite alone need: a file, and a clock of their own."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from pathlib import Path

import pytest

from jobdeck.domain.scope import Scope
from jobdeck.store.sqlite.opening import open_store
from jobdeck.store.sqlite.store import SqliteStore
from tests.store.engines import LocalClock

OpenFile = Callable[..., Awaitable[SqliteStore]]


@pytest.fixture
def clock() -> LocalClock:
    """The clock of every store that `open_file` opens."""
    return LocalClock()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the database is, once it is opened."""
    return tmp_path / "jobdeck.db"


@pytest.fixture
async def open_file(path: Path, clock: LocalClock) -> AsyncIterator[OpenFile]:
    """Open the database as a client; it is closed at the end."""
    stores: list[SqliteStore] = []

    async def open_(client: str = "me", *, scopes: Mapping[str, Scope] | None = None) -> SqliteStore:
        store = open_store(path, client, now_us=clock.now_us, fallback=False, scopes=scopes).store
        stores.append(store)
        return store

    yield open_
    for store in stores:
        await store.close()
