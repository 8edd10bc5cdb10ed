"""Rule 17: two jobdecks at once share one budget, ask for no job twice at the same moment, and both see every end."""

import asyncio
from bisect import bisect_right
from itertools import pairwise
from pathlib import Path

from jobdeck.apis.targets import parse_target
from jobdeck.app.context import AppContext
from jobdeck.app.data_store import DATABASE
from jobdeck.cli.headless import SettledCheck, run_headless
from jobdeck.domain.exchange import Exchange
from jobdeck.domain.job import Job, JobKey
from jobdeck.engine.engine import Engine
from jobdeck.engine.subscription import ChangeSet
from jobdeck.simulator.demo import demo_targets
from jobdeck.simulator.scenario import JobScript, Resource, Scenario
from jobdeck.simulator.server import SimulatorServer
from jobdeck.store import open_store
from jobdeck.store.models import RequestRecord, RequestState
from jobdeck.store.protocol import LEASE_SECONDS
from tests.engine.running import PATIENCE, settings_for
from tests.support.clocks import FastClock

JOBS = 60
LIMIT = 120
SPEED = 60.0
SCENARIO = Scenario(
    jobs=tuple(
        JobScript(
            id=f"job_{number}",
            resource=(Resource.ENRICHMENT, Resource.OPERATION, Resource.SEARCH)[number % 3],
            duration=10.0 + 2.0 * number,
        )
        for number in range(JOBS)
    )
)


async def watch(clock: FastClock, url: str, data: Path) -> tuple[Job, ...]:
    """Follow every job to its end, as one jobdeck among others does."""
    context = AppContext({"JOBDECK_DATA_DIR": str(data)}, settings=settings_for(url, LIMIT), clock=clock)
    targets = [parse_target(text, context.registry) for text in demo_targets(SCENARIO)]

    settled = SettledCheck(clock)

    def enough(engine: Engine, _: ChangeSet) -> bool:
        return settled.all_of(engine)

    return await run_headless(context, targets, enough)


async def test_two_watches_share_budget_and_jobs_and_both_see_every_end(tmp_path: Path) -> None:
    clock = FastClock(SPEED)
    async with SimulatorServer(SCENARIO, clock=lambda: clock.now().us / 1e6) as server, asyncio.timeout(PATIENCE):
        seen = await asyncio.gather(*(watch(clock, server.url, tmp_path) for _ in range(2)))
        at = sorted(record.at for record in server.requests)
        refused = [record for record in server.requests if record.status == 429]
    for jobs in seen:
        assert len(jobs) == JOBS
        assert {job.phase.value for job in jobs} == {"succeeded"}
    assert not refused
    assert max(bisect_right(at, moment + 60.0) - place for place, moment in enumerate(at)) <= LIMIT
    polls = await _polls(tmp_path)
    assert len({record.client for record in polls}) == 2
    by_job: dict[JobKey | None, list[Exchange]] = {}
    for record in polls:
        by_job.setdefault(record.exchange.job, []).append(record.exchange)
    for exchanges in by_job.values():
        in_order = sorted(exchanges, key=lambda exchange: exchange.started.us)
        assert all(_alone_until_us(first) <= second.started.us for first, second in pairwise(in_order))


async def _polls(folder: Path) -> list[RequestRecord]:
    store = open_store(folder / DATABASE, "a reader").store
    try:
        records = await store.all_requests(limit=100_000)
    finally:
        await store.close()
    return [one for one in records if one.exchange.job is not None and one.state is RequestState.ANSWERED]


def _alone_until_us(exchange: Exchange) -> float:
    """To its end, and no longer than its lease, which is a tenth of a second here and began before it was sent."""
    return exchange.started.us + min(exchange.duration, LEASE_SECONDS / 2) * 1e6
