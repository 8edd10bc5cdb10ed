"""Stores to test: every implementation passes the same tests."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from jobdeck.store import POLL, Store, open_store
from tests.builders import make_target
from tests.store.doing import NOW, PLENTY

Open = Callable[[str], Store]


@pytest.fixture
def open_file(tmp_path: Path) -> Iterator[Open]:
    """Open the same database file under a name, as another jobdeck would."""
    stores: list[Store] = []

    def open_(actor: str) -> Store:
        opened = open_store(tmp_path / "data" / "jobdeck.db", actor, now_us=NOW, fallback=False)
        stores.append(opened.store)
        return opened.store

    yield open_
    for store in stores:
        store.close()


@pytest.fixture(params=["file", "memory"])
def empty(request: pytest.FixtureRequest, open_file: Open) -> Iterator[Store]:
    """A new store of every implementation."""
    if request.param == "file":
        yield open_file("me")
        return
    store = open_store(None, "me", now_us=NOW).store
    yield store
    store.close()


@pytest.fixture
def store(empty: Store) -> Store:
    """A store that watches `op_1` and has a budget that no test uses up."""
    return prepared(empty)


@pytest.fixture
def pair(open_file: Open) -> tuple[Store, Store]:
    """Two jobdecks on one database, of every implementation that can be shared."""
    return prepared(open_file("me")), open_file("you")


def prepared(store: Store) -> Store:
    """Watch `op_1` with a budget that no test uses up."""
    store.watch([make_target()], NOW)
    store.set_limit("hog", POLL, PLENTY, NOW)
    return store
