"""Two people on one PostgreSQL: budget and jobs are shared, both see every end, and a restart of it loses nothing."""

import asyncio
import time
from bisect import bisect_right
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from itertools import pairwise

import pytest

from jobdeck.apis.targets import parse_target
from jobdeck.app.context import AppContext
from jobdeck.cli.headless import SettledCheck, run_headless
from jobdeck.config.credentials import SecretRef
from jobdeck.config.team import TeamSettings, WhenAway
from jobdeck.domain.exchange import Exchange
from jobdeck.domain.job import Job
from jobdeck.engine.clock import SystemClock
from jobdeck.engine.engine import Engine
from jobdeck.engine.subscription import ChangeSet
from jobdeck.simulator.demo import demo_targets
from jobdeck.simulator.scenario import JobScript, Resource, Scenario
from jobdeck.simulator.server import SimulatorServer
from jobdeck.store.models import RequestState
from jobdeck.store.postgres import ServerAddress, migrate, open_team_store
from tests.engine.running import PATIENCE, settings_for
from tests.store.postgres.database import new_database
from tests.support.postgres import NAMED, PostgresServer, running_server

JOBS, LIMIT = 20, 300
SCENARIO = Scenario(
    jobs=tuple(
        JobScript(
            id=f"job_{number}",
            resource=(Resource.ENRICHMENT, Resource.OPERATION, Resource.SEARCH)[number % 3],
            duration=2.0 + 0.4 * number,
        )
        for number in range(JOBS)
    )
)


def context_of(api: str, store: str, user: str) -> AppContext:
    team = TeamSettings(SecretRef("env:JOBDECK_STORE_URL", "JOBDECK_STORE_URL"), WhenAway.WAIT, user)
    settings = replace(settings_for(api, LIMIT), team=team)
    return AppContext({"JOBDECK_STORE_URL": store}, settings=settings, clock=SystemClock())


async def watch(api: str, store: str, user: str) -> tuple[Job, ...]:
    """Follow every job to its end, as one person among others does."""
    context = context_of(api, store, user)
    targets = [parse_target(text, context.registry) for text in demo_targets(SCENARIO)]
    settled = SettledCheck(context.clock)

    def enough(engine: Engine, _: ChangeSet) -> bool:
        return settled.all_of(engine)

    return await run_headless(context, targets, enough)


async def polls_of(store: str) -> list[Exchange]:
    """Return the polls that were answered, in the order in which they began."""
    context = context_of("http://127.0.0.1:9", store, "reader")
    opened = await open_team_store(
        store, "reader", user="reader", scopes=context.settings.scopes, now_us=lambda: time.time_ns() // 1_000
    )
    records = await opened.store.all_requests(limit=100_000)
    await opened.store.close()
    answered = (record.exchange for record in records if record.state is RequestState.ANSWERED)
    return sorted((one for one in answered if one.job is not None), key=lambda one: one.started.us)


@pytest.fixture
async def store() -> AsyncIterator[str]:
    async with new_database() as url:
        yield url


async def test_two_people_share_budget_and_jobs_and_both_see_every_end(store: str) -> None:
    async with SimulatorServer(SCENARIO) as server, asyncio.timeout(PATIENCE):
        seen = await asyncio.gather(*(watch(server.url, store, user) for user in ("ann", "bob")))
        at = sorted(record.at for record in server.requests)
        refused = [record for record in server.requests if record.status == 429]
    for jobs in seen:
        assert len(jobs) == JOBS
        assert {job.phase.value for job in jobs} == {"succeeded"}
    assert not refused
    assert max(bisect_right(at, moment + 60.0) - place for place, moment in enumerate(at)) <= LIMIT
    polls = await polls_of(store)
    for job in {poll.job for poll in polls}:
        of_job = [poll for poll in polls if poll.job == job]
        assert all(first.started.us + first.duration * 1e6 <= second.started.us for first, second in pairwise(of_job))


@pytest.fixture
def server_of_its_own(monkeypatch: pytest.MonkeyPatch) -> Iterator[PostgresServer]:
    monkeypatch.delenv(NAMED, raising=False)
    with running_server() as server:
        yield server


async def test_a_database_that_is_restarted_stops_the_polls_and_loses_no_end(
    server_of_its_own: PostgresServer,
) -> None:
    database = server_of_its_own
    await migrate(ServerAddress.parse(database.url), new=True)
    async with SimulatorServer(SCENARIO) as server, asyncio.timeout(PATIENCE):
        watching = asyncio.gather(*(watch(server.url, database.url, user) for user in ("ann", "bob")))
        while len(server.requests) < JOBS:
            await asyncio.sleep(0.01)
        await asyncio.to_thread(database.stop)
        # What had been granted before may still be sent.
        await asyncio.sleep(1.0)
        while_away = len(server.requests)
        await asyncio.sleep(1.5)
        assert len(server.requests) == while_away
        await asyncio.to_thread(database.start)
        back = time.monotonic()
        while len(server.requests) == while_away:
            await asyncio.sleep(0.01)
        assert time.monotonic() - back < 10.0, "five seconds, and as many for a busy machine"
        for jobs in await watching:
            assert {job.phase.value for job in jobs} == {"succeeded"}
        assert not [record for record in server.requests if record.status == 429]
