"""Stores to test: every engine passes the same tests."""

from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Protocol

import pytest

from jobdeck.domain.scope import Scope
from jobdeck.store import Store
from tests.store.engines import ENGINES, SHARED, Clock, Database
from tests.store.steps import prepare


class OpenClient(Protocol):
    """Opens another client on the database of the test."""

    async def __call__(
        self, name: str, *, scopes: Mapping[str, Scope] | None = None, keep_results: bool = False
    ) -> Store: ...


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run what needs a database once for each engine; what opens several clients, for those that can be shared."""
    if "database" in metafunc.fixturenames:
        engines = SHARED if "open_client" in metafunc.fixturenames else ENGINES
        metafunc.parametrize("database", list(engines), indirect=True)


@pytest.fixture(autouse=True)
def _no_renewal_by_real_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """The clock of a test may stand still for longer than leases are renewed after."""
    monkeypatch.setattr("jobdeck.store.leases.RENEW_SECONDS", 3_600.0)


@pytest.fixture
async def database(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Database]:
    """A new database of an engine."""
    async with ENGINES[request.param](tmp_path) as database:
        yield database


@pytest.fixture
def clock(database: Database) -> Clock:
    """The clock of the database, which shows NOW."""
    return database.clock


@pytest.fixture
def open_client(database: Database) -> OpenClient:
    """Open the database as another jobdeck would."""
    return database.open_client


@pytest.fixture
async def empty(database: Database) -> Store:
    """A store of the client "me", in which nothing is."""
    return await database.open_client("me")


@pytest.fixture
async def store(empty: Store) -> Store:
    """A store that watches `op_1` and has a budget that no test uses up."""
    return await prepare(empty)


@pytest.fixture
async def pair(open_client: OpenClient) -> tuple[Store, Store]:
    """Two jobdecks, "me" and "you", on one database that watches `op_1`."""
    return await prepare(await open_client("me")), await open_client("you")
