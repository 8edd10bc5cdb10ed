"""Cancelling through the engine: one request within the budget, which changes no job by itself, never repeated."""

import asyncio
from pathlib import Path
from unittest import mock

import pytest

from jobdeck.apis.targets import parse_target
from jobdeck.app.context import AppContext
from jobdeck.domain.cancel import CancelOutcome, CancelResult
from jobdeck.domain.exchange import Exchange
from jobdeck.domain.instant import Instant
from jobdeck.domain.job import JobKey, Target
from jobdeck.domain.phase import Phase
from jobdeck.domain.problem import Problem, ProblemKind
from jobdeck.engine.coordinator import Denied, NullCoordinator, Permit, Request
from jobdeck.engine.engine import Engine
from jobdeck.http.base import PollResult
from jobdeck.recording.reader import read_recording
from jobdeck.recording.recorder import Recorder
from jobdeck.recording.replay import ReplayEngine
from jobdeck.scheduling.actions import CancelJob, ListPage
from jobdeck.simulator.scenario import Api, Endpoint, Fault, FaultKind, JobScript, Resource, Scenario, StageScript
from jobdeck.simulator.server import SimulatorServer
from tests.engine.running import Sight, settings_for, sight, until
from tests.support.clocks import FastClock
from tests.tui.world import GROUP

IDS = ["a" * 24, "b" * 24, "c" * 24]
FOREVER = {"arrival": -50.0, "duration": 1e7}
JOBS = tuple(
    JobScript(Api.SONARLY, Resource.PROSPECTING, id_, GROUP, stages=(StageScript("import"),), **FOREVER)  # type: ignore[arg-type]
    for id_ in IDS
)


def key(id_: str) -> JobKey:
    return JobKey("sonarly", GROUP, id_)


def posts(server: SimulatorServer) -> int:
    return sum(record.method == "POST" for record in server.requests)


async def test_a_refusal_or_a_broken_answer_changes_no_job_and_is_not_sent_again() -> None:
    faults = (
        Fault(FaultKind.STATUS, job=IDS[0], endpoint=Endpoint.CANCEL, status=409),
        Fault(FaultKind.RESET_BEFORE, job=IDS[1], endpoint=Endpoint.CANCEL),
    )
    async with sight(Scenario(jobs=JOBS, faults=faults)) as seen:
        engine = seen.engine
        await seen.until(lambda: len(seen.jobs) == 3 and all(job.phase is Phase.RUNNING for job in seen.jobs))
        results = [await engine.cancel(key(id_)) for id_ in IDS]
        assert [result.outcome for result in results] == [
            CancelOutcome.REFUSED,
            CancelOutcome.UNKNOWN,
            CancelOutcome.ACCEPTED,
        ]
        assert all(job.failures == 0 and job.problem is None for job in seen.jobs)
        await seen.until(lambda: engine.jobs[key(IDS[2])].phase is Phase.CANCELLED)
        await seen.until(lambda: all(any(one.method == "POST" for one in engine.exchanges(key(id_))) for id_ in IDS))
        assert [engine.jobs[key(id_)].phase for id_ in IDS[:2]] == [Phase.RUNNING] * 2
        assert posts(seen.server) == 3
        assert engine.cancel_obstacle(key(IDS[2])) == "already finished (cancelled)"


async def test_nothing_is_sent_while_polling_is_paused_or_for_a_job_that_nobody_watches() -> None:
    async with sight(Scenario(jobs=JOBS[:1])) as seen:
        await seen.until(lambda: any(job.phase is Phase.RUNNING for job in seen.jobs))
        seen.engine.pause()
        paused = await seen.engine.cancel(key(IDS[0]))
        seen.engine.resume()
        strange = await seen.engine.cancel(key(IDS[1]))
        assert [(one.outcome, one.describe()) for one in (paused, strange)] == [
            (CancelOutcome.NOT_SENT, "not sent: polling is paused: press p to resume, then cancel again"),
            (CancelOutcome.NOT_SENT, "not sent: not watched"),
        ]
        assert posts(seen.server) == 0


async def test_it_waits_for_the_budget_but_not_for_a_quarter_of_an_hour() -> None:
    limited = Fault(FaultKind.STATUS, job=IDS[0], endpoint=Endpoint.CANCEL, status=429, retry_after="600")
    async with sight(Scenario(jobs=JOBS[:2], faults=(limited,))) as seen:
        await seen.until(lambda: len(seen.jobs) == 2 and all(job.phase is Phase.RUNNING for job in seen.jobs))
        first = await seen.engine.cancel(key(IDS[0]))
        assert (first.outcome, first.problem and first.problem.kind) == (CancelOutcome.REFUSED, ProblemKind.RATE_LIMIT)
        second = await seen.engine.cancel(key(IDS[1]))
        assert second.outcome is CancelOutcome.NOT_SENT
        assert second.describe().startswith("not sent: no requests until ")
        assert posts(seen.server) == 1


def drain(seen: Sight) -> float:
    """Spend what the profile may send now; returns when there is more."""
    scheduler = seen.engine._workers["sonarly"].scheduler
    while (ready := scheduler.ready(now := seen.clock.now().mono)) <= now:
        scheduler.mark_cancel_sent(now)
    return ready


async def test_it_goes_before_the_next_poll() -> None:
    async with sight(Scenario(jobs=JOBS), limit=60) as seen:
        await seen.until(lambda: len(seen.jobs) == 3 and all(job.phase is Phase.RUNNING for job in seen.jobs))
        drain(seen)
        await until(lambda: seen.engine._workers["sonarly"]._in_flight == 0)
        drain(seen)
        sent = len(seen.server.requests)
        for id_ in IDS:
            seen.engine.poll_now(key(id_))
        assert (await seen.engine.cancel(key(IDS[2]))).outcome is CancelOutcome.ACCEPTED
        await until(lambda: len(seen.server.requests) > sent + 1)
        assert [record.method for record in seen.server.requests[sent : sent + 2]] == ["POST", "GET"]


async def test_a_pause_while_it_waits_for_the_budget_ends_it() -> None:
    async with sight(Scenario(jobs=JOBS[:1]), limit=6) as seen:
        await seen.until(lambda: any(job.phase is Phase.RUNNING for job in seen.jobs))
        drain(seen)
        cancelling = asyncio.create_task(seen.engine.cancel(key(IDS[0])))
        await until(lambda: seen.engine._workers["sonarly"]._cancels_waiting == 1)
        seen.engine.pause()
        assert (await cancelling).describe() == "not sent: polling is paused: press p to resume, then cancel again"
        seen.engine.resume()
        await seen.until(lambda: len(seen.exchanges) > 3)
        assert posts(seen.server) == 0


async def test_nothing_is_sent_once_the_key_was_refused() -> None:
    refused = Fault(FaultKind.STATUS, job=IDS[0], endpoint=Endpoint.POLL, status=401, start=20.0)
    async with sight(Scenario(jobs=JOBS[:1], faults=(refused,))) as seen:
        await seen.until(lambda: "sonarly" in seen.engine.halted())
        result = await seen.engine.cancel(key(IDS[0]))
        assert (result.outcome, result.problem and result.problem.kind) == (CancelOutcome.NOT_SENT, ProblemKind.AUTH)
        assert result.describe().startswith(
            "not sent: API key rejected, polling stopped: run `jobdeck doctor`, press R"
        )
        assert posts(seen.server) == 0


class PausingCoordinator(NullCoordinator):
    """Takes its time with the permit to cancel a job: meanwhile polling is paused."""

    def __init__(self) -> None:
        super().__init__()
        self.engine: Engine | None = None
        self.abandoned: list[Permit] = []

    async def acquire(self, profile: str, request: Request | CancelJob, url: str, now: Instant) -> Permit | Denied:
        if self.engine is not None and isinstance(request, CancelJob):
            self.engine.pause()
        return await super().acquire(profile, request, url, now)

    async def abandon(self, permit: Permit, now: Instant) -> None:
        self.abandoned.append(permit)


class SlowCoordinator(NullCoordinator):
    """Takes a moment for each permit, and notes whether there is still room for it afterwards."""

    def __init__(self, clock: FastClock) -> None:
        super().__init__()
        self.clock = clock
        self.engine: Engine | None = None
        self.had_room: list[bool] = []

    async def acquire(self, profile: str, request: Request | CancelJob, url: str, now: Instant) -> Permit | Denied:
        await asyncio.sleep(0)
        assert self.engine is not None
        later = self.clock.now().mono
        self.had_room.append(self.engine._workers[profile].scheduler.ready(later) <= later)
        return await super().acquire(profile, request, url, now)


async def test_several_at_once_are_not_paid_with_the_same_token() -> None:
    clock = FastClock(40.0)
    coordinator = SlowCoordinator(clock)
    async with SimulatorServer(Scenario(jobs=JOBS), clock=lambda: clock.now().us / 1e6) as server:
        context = AppContext({}, settings=settings_for(server.url, 60), clock=clock, keep=False)
        engine = coordinator.engine = context.engine(coordinator)
        engine.add([Target(key(id_), "sonarly", "prospecting") for id_ in IDS])
        scheduler = engine._workers["sonarly"].scheduler
        while scheduler.ready(now := clock.now().mono) <= now:
            scheduler.mark_cancel_sent(now)
        await asyncio.gather(*(engine.cancel(key(id_)) for id_ in IDS))
        assert posts(server) == 3
        await engine.aclose()
    assert coordinator.had_room == [True] * 3


async def test_nothing_is_paid_for_a_request_that_is_not_sent() -> None:
    clock, coordinator = FastClock(40.0), PausingCoordinator()
    async with SimulatorServer(Scenario(jobs=JOBS[:1]), clock=lambda: clock.now().us / 1e6) as server:
        context = AppContext({}, settings=settings_for(server.url), clock=clock, keep=False)
        engine = coordinator.engine = context.engine(coordinator)
        engine.add([parse_target(f"sonarly:{GROUP}/{IDS[0]}", context.registry)])
        scheduler = engine._workers["sonarly"].scheduler
        result = await engine.cancel(key(IDS[0]))
        assert result.describe() == "not sent: polling is paused: press p to resume, then cancel again"
        assert len(coordinator.abandoned) == 1
        assert scheduler.quota(clock.now().mono).used == 0
        assert posts(server) == 0
        await engine.aclose()


async def test_a_provider_that_raises_leaves_it_open_and_on_record(tmp_path: Path) -> None:
    context = AppContext({"JOBDECK_DATA_DIR": str(tmp_path)}, settings=settings_for("http://127.0.0.1:9"))
    target = parse_target(f"sonarly:{GROUP}/{IDS[0]}", context.registry)

    async def broken(_: Target) -> PollResult:
        raise ZeroDivisionError

    store = await context.open_store()
    async with context.direct_clients(["sonarly"], store=store) as clients:
        with mock.patch.object(clients["sonarly"]._provider, "cancel", broken):
            result = await clients["sonarly"].cancel(target)
        with mock.patch.object(clients["sonarly"]._provider, "list_page", broken), pytest.raises(ZeroDivisionError):
            await clients["sonarly"].list_page(ListPage("prospecting"))
    assert result.outcome is CancelOutcome.UNKNOWN
    assert "unknown whether the server accepted it: unexpected response: internal error" in result.describe()
    (entry,) = await store.store.requests(target.key, 10)
    assert (entry.exchange.method, entry.state.value) == ("POST", "answered")
    everything = await store.store.all_requests(limit=10)
    assert [one.state.value for one in everything] == ["abandoned", "answered"]
    await store.store.close()


async def test_a_recording_has_the_request(tmp_path: Path) -> None:
    clock, path = FastClock(40.0), tmp_path / "one.jobdeck"
    async with SimulatorServer(Scenario(jobs=JOBS[:1]), clock=lambda: clock.now().us / 1e6) as server:
        context = AppContext({}, settings=settings_for(server.url), clock=clock, keep=False)
        recorder = Recorder(path, {"sonarly": "sonarly"}, clock)
        engine = (await context.open(recorder=recorder)).engine
        engine.add([parse_target(f"sonarly:{GROUP}/{IDS[0]}", context.registry)])
        running = asyncio.create_task(engine.run())
        await until(lambda: engine.jobs[key(IDS[0])].phase is Phase.RUNNING)
        await engine.cancel(key(IDS[0]))
        await until(lambda: engine.jobs[key(IDS[0])].phase is Phase.CANCELLED)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await recorder.close()
        await engine.aclose()
    recording = read_recording(path)
    played = ReplayEngine(recording, at=recording.seconds)
    await anext(aiter(played.subscribe()))
    methods = [one.method for one in played.exchanges(key(IDS[0]))]
    assert methods.count("POST") == 1
    assert played.jobs[key(IDS[0])].phase is Phase.CANCELLED


@pytest.mark.parametrize(
    ("kind", "status", "outcome", "words"),
    [
        (None, 202, CancelOutcome.ACCEPTED, "cancel request accepted"),
        (ProblemKind.PROTOCOL, 422, CancelOutcome.REFUSED, "cannot be cancelled now: why"),
        (
            ProblemKind.PROTOCOL,
            408,
            CancelOutcome.UNKNOWN,
            "unknown whether the server accepted it: unexpected response: why",
        ),
        (ProblemKind.PERMISSION, 403, CancelOutcome.REFUSED, "permission denied: why"),
        (ProblemKind.NOT_FOUND, 404, CancelOutcome.REFUSED, "not found: why"),
        (ProblemKind.TIMEOUT, None, CancelOutcome.UNKNOWN, "unknown whether the server accepted it: timed out: why"),
        (
            ProblemKind.SERVER_ERROR,
            502,
            CancelOutcome.UNKNOWN,
            "unknown whether the server accepted it: server error: why",
        ),
        (
            ProblemKind.REDIRECT,
            303,
            CancelOutcome.UNKNOWN,
            "unknown whether the server accepted it: unexpected redirect: why",
        ),
        (
            ProblemKind.TOO_BIG,
            200,
            CancelOutcome.UNKNOWN,
            "unknown whether the server accepted it: response too large: why",
        ),
    ],
)
def test_only_a_clear_answer_is_a_yes_or_a_no(
    kind: ProblemKind | None, status: int | None, outcome: CancelOutcome, words: str
) -> None:
    problem = None if kind is None else Problem(kind, "why", http_status=status)
    result = CancelResult.of(Exchange("p", "POST", "https://x", Instant(0, 0.0), 0.1, None, status, problem=problem))
    assert (result.outcome, result.describe()) == (outcome, words)
