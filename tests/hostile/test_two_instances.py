"""Rule 17: two jobdecks at once share one budget, ask for no job twice at the same moment, and both see every end."""

import asyncio
from bisect import bisect_right
from itertools import pairwise
from pathlib import Path

from jobdeck.apis.targets import parse_target
from jobdeck.app.context import AppContext
from jobdeck.app.data_store import DATABASE
from jobdeck.app.store_coordinator import LEASE_SECONDS
from jobdeck.cli.headless import Settled, run_headless
from jobdeck.domain.job import Job
from jobdeck.engine.engine import Engine
from jobdeck.engine.subscription import ChangeSet
from jobdeck.simulator.demo import demo_targets
from jobdeck.simulator.scenario import JobScript, Resource, Scenario
from jobdeck.simulator.server import SimulatorServer
from jobdeck.store import open_store
from jobdeck.store.records import LedgerEntry, LedgerState
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

    settled = Settled(clock)

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
    polls = _polls(tmp_path)
    assert len({entry.actor for entry in polls}) == 2
    by_job = {entry.key: [other for other in polls if other.key == entry.key] for entry in polls}
    for entries in by_job.values():
        in_order = sorted(entries, key=_begun_us)
        assert all(_alone_until_us(first) <= _begun_us(second) for first, second in pairwise(in_order))


def _polls(folder: Path) -> list[LedgerEntry]:
    store = open_store(folder / DATABASE, "a reader").store
    try:
        entries = store.all_exchanges(limit=100_000)
    finally:
        store.close()
    return [entry for entry in entries if entry.key is not None and entry.state is LedgerState.ANSWERED]


def _begun_us(entry: LedgerEntry) -> int:
    assert entry.started_us is not None
    return entry.started_us


def _alone_until_us(entry: LedgerEntry) -> float:
    """To its end, and no longer than its lease, which is less than a second here and began before it was sent."""
    assert entry.duration is not None
    return _begun_us(entry) + min(entry.duration, LEASE_SECONDS / 2) * 1e6
