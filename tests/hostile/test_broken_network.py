"""Rule 9 on a broken network: no answer that was spoiled ends a job, and a healed way is seen within one wait."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from jobdeck.apis.client import ApiClient
from jobdeck.apis.targets import parse_target
from jobdeck.app.context import AppContext, ListPolicy
from jobdeck.domain.events import OutageBegan, OutageEnded, PhaseChanged
from jobdeck.domain.instant import Instant
from jobdeck.domain.job import Job
from jobdeck.domain.problem import ProblemKind
from jobdeck.engine.engine import Engine
from jobdeck.scheduling.backoff import MAX_BACKOFF
from jobdeck.simulator.demo import demo_targets
from jobdeck.simulator.scenario import Api, JobScript, Outcome, Resource, Scenario
from jobdeck.simulator.server import SimulatorServer
from tests.engine.running import settings_for, until
from tests.hostile.chaos import DARK, STORM, ChaosProxy, Fate
from tests.support.clocks import FastClock

SPEED = 100.0
POLLS = 300
RESOURCES = (
    (Api.THEHOG, Resource.OPERATION),
    (Api.THEHOG, Resource.ENRICHMENT),
    (Api.THEHOG, Resource.SEARCH),
    (Api.SONARLY, Resource.PROSPECTING),
)
ENDLESS = Scenario(
    jobs=tuple(
        JobScript(api, resource, f"{resource}_{number}", duration=1e6, outcome=Outcome.NEVER)
        for number in range(10)
        for api, resource in RESOURCES
    )
)


class Watcher:
    """An engine behind a proxy, and every change of phase that it told of."""

    def __init__(self, engine: Engine, proxy: ChaosProxy, clock: FastClock) -> None:
        self.engine, self.proxy, self.clock = engine, proxy, clock
        self.ends: list[PhaseChanged] = []
        self.down: set[str] = set()
        self.failed: list[Instant] = []
        self.polls = 0

    async def listen(self) -> None:
        async for batch in self.engine.subscribe():
            self.polls += len(batch.exchanges)
            problems = [one for one in batch.exchanges if one.problem is not None]
            self.failed += [one.started for one in problems if one.problem.kind is not ProblemKind.TIMEOUT]
            for event in batch.events:
                match event:
                    case PhaseChanged() if event.after.terminal:
                        self.ends.append(event)
                    case OutageBegan():
                        self.down.add(event.profile)
                    case OutageEnded():
                        self.down.discard(event.profile)

    @property
    def jobs(self) -> list[Job]:
        return list(self.engine.jobs.values())


@asynccontextmanager
async def behind_a_proxy(scenario: Scenario, lists: ListPolicy = ListPolicy.NONE) -> AsyncIterator[Watcher]:
    clock = FastClock(SPEED)
    async with (
        SimulatorServer(scenario, clock=lambda: clock.now().us / 1e6) as server,
        ChaosProxy(server.port, STORM) as proxy,
    ):
        context = AppContext({}, settings=settings_for(proxy.url, 60_000), clock=clock)
        engine = context.engine(lists=lists)
        watcher = Watcher(engine, proxy, clock)
        listening = asyncio.create_task(watcher.listen())
        engine.add(parse_target(text, context.registry) for text in demo_targets(scenario))
        running = asyncio.create_task(engine.run())
        try:
            yield watcher
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
            await engine.aclose()
            await listening


async def test_no_spoiled_answer_ends_a_job_and_a_healed_way_is_seen_within_one_wait(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(ApiClient.__init__.__kwdefaults__, "deadline", 1.0)
    async with behind_a_proxy(ENDLESS) as watcher:
        engine, proxy = watcher.engine, watcher.proxy
        await until(lambda: watcher.polls >= POLLS)
        assert set(proxy.fates) == set(Fate), "every fate has struck"
        assert watcher.ends == []
        proxy.weather = DARK
        await until(lambda: watcher.down == {"hog", "sonarly"})
        proxy.heal()
        healed = watcher.clock.now()
        plans = [plan for job in watcher.jobs if (plan := engine.next_poll(job.key)) is not None]
        promised = max(plan.due for plan in plans) - healed.mono
        await until(lambda: all(job.observed is not None and job.observed.us > healed.us for job in watcher.jobs))
        # By what was planned and sent, not by the clock: a busy machine is slow to ask.
        assert promised <= MAX_BACKOFF
        assert [one for one in watcher.failed if one.us > healed.us] == [], "the first look after it succeeds"
        assert watcher.down == set()
        assert watcher.ends == []
        assert {job.phase.value for job in watcher.jobs} == {"running"}
        assert not [job for job in watcher.jobs if job.not_found]
        noted = {note for job in watcher.jobs for note in job.anomalies}
        assert all(note.startswith("malformed response, parsed leniently: ") for note in noted), noted
        assert not engine.halted()
