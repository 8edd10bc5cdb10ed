"""The engine against the simulator, over loopback HTTP."""

import asyncio
import json
from dataclasses import replace
from types import MappingProxyType
from typing import Any

import pytest

from jobdeck.app.context import AppContext, ListPolicy
from jobdeck.config import ConfigError, Settings
from jobdeck.config.credentials import SecretRef
from jobdeck.domain.attention import unreachable
from jobdeck.domain.events import OutageBegan, OutageEnded, PhaseChanged, ProfileHalted, SleepNoticed
from jobdeck.domain.instant import Instant
from jobdeck.domain.job import JobKey, Target
from jobdeck.domain.phase import Phase
from jobdeck.domain.problem import Problem, ProblemKind
from jobdeck.engine.coordinator import Denied, NullCoordinator, Permit, RateLimits, Request
from jobdeck.engine.engine import Engine
from jobdeck.engine.worker import MAX_IN_FLIGHT, ProfileWorker
from jobdeck.http.base import PollResult
from jobdeck.scheduling.outlook import Health
from jobdeck.simulator.demo import demo_scenario
from jobdeck.simulator.scenario import (
    Api,
    Credentials,
    Fault,
    FaultKind,
    JobScript,
    Outcome,
    Resource,
    Scenario,
    StageScript,
)
from jobdeck.simulator.server import SimulatorServer
from tests.builders import make_profile, make_target
from tests.engine.running import Sight, settings_for, sight, until
from tests.support.clocks import FastClock

ENDLESS = replace(JobScript(id="op_endless"), outcome=Outcome.NEVER, duration=1e6)


def enrichments(count: int, **changes: object) -> tuple[JobScript, ...]:
    jobs = (JobScript(id=f"en_{number}", resource=Resource.ENRICHMENT) for number in range(count))
    return tuple(replace(job, **{"duration": 20.0, **changes}) for job in jobs)


def ends(seen: Sight) -> list[PhaseChanged]:
    return [event for event in seen.events if isinstance(event, PhaseChanged) and event.after.terminal]


async def test_jobs_of_both_apis_are_followed_to_their_ends() -> None:
    stages = (StageScript("import"), StageScript("enrichment"))
    prospect = JobScript(Api.SONARLY, Resource.PROSPECTING, "a" * 24, stages=stages, duration=30.0)
    jobs = (
        *enrichments(3),
        replace(enrichments(1)[0], id="en_bad", outcome=Outcome.FAILED),
        replace(enrichments(1)[0], id="en_half", outcome=Outcome.PARTIAL_SUCCESS),
        JobScript(id="se_1", resource=Resource.SEARCH, duration=15.0),
        prospect,
        replace(prospect, id="b" * 24, outcome=Outcome.CANCELLED),
    )
    async with sight(Scenario(jobs=jobs)) as seen:
        await seen.until(lambda: len(ends(seen)) >= len(jobs) and all(job.terminal for job in seen.jobs))
        phases = {job.key.id: job.phase for job in seen.jobs}
        assert phases["en_bad"] is Phase.FAILED
        assert phases["en_half"] is Phase.PARTIAL
        assert phases["b" * 24] is Phase.CANCELLED
        assert {phases[id_] for id_ in ("en_0", "en_1", "en_2", "se_1", "a" * 24)} == {Phase.SUCCEEDED}
        assert [record.stage.name for record in seen.job("a" * 24).stages] == ["import", "enrichment"]
        assert seen.server.stats.refused.total() == 0
        assert len(ends(seen)) == len(jobs)


async def test_every_request_is_on_record_with_the_servers_request_id() -> None:
    async with sight(Scenario(jobs=enrichments(2))) as seen:
        await seen.until(lambda: all(job.terminal for job in seen.jobs))
        served = {record.request_id for record in seen.server.requests}
        await seen.until(lambda: served <= {item.request_id for item in seen.exchanges})
        of_jobs = {item.request_id for job in seen.jobs for item in seen.engine.exchanges(job.key)}
        assert {item.request_id for item in seen.exchanges if item.job is not None} <= of_jobs


async def test_at_most_eight_requests_are_in_flight_for_a_profile() -> None:
    async with sight(Scenario(jobs=enrichments(40, duration=1e5))) as seen:
        seen.server.pause()
        await until(lambda: seen.server.stats.in_flight == MAX_IN_FLIGHT)
        seen.server.resume()
        await seen.until(lambda: all(job.observed for job in seen.jobs))
        assert seen.server.stats.max_in_flight == MAX_IN_FLIGHT


async def test_the_body_of_an_ended_job_is_fetched_again_to_be_saved() -> None:
    async with sight(Scenario(jobs=enrichments(2, duration=1.0))) as seen:
        await seen.until(lambda: all(job.terminal and job.result for job in seen.jobs))
        first, second = seen.jobs
        asked = len(seen.server.requests)
        pieces: list[bytes] = []
        assert await seen.engine.download(first.key, pieces.append) is None
        saved = json.loads(b"".join(pieces))
        assert (saved["id"], saved["status"]) == (first.key.id, first.status)
        assert len(seen.server.requests) > asked
        await seen.until(lambda: {item.request_id for item in seen.exchanges} >= {seen.server.requests[-1].request_id})
        seen.engine.pause()
        waiting = asyncio.create_task(seen.engine.download(second.key, pieces.append))
        await asyncio.sleep(0)
        seen.engine.remove([second.key])
        with pytest.raises(asyncio.CancelledError):
            await waiting
        seen.engine.resume()
        await seen.server.stop()
        problem = await seen.engine.download(first.key, pieces.append)
        assert problem is not None
        assert problem.kind is ProblemKind.NETWORK


async def test_a_dead_server_makes_jobs_blind_and_a_revived_one_is_seen_again() -> None:
    jobs = (*enrichments(5, duration=1e5), ENDLESS)
    async with sight(Scenario(jobs=jobs), speed=150.0) as seen:
        # An answer that tells of a beginning may be on its way when the server dies.
        await seen.until(lambda: all(job.phase is Phase.RUNNING for job in seen.jobs))
        before = {job.key: (job.phase, job.status, job.created_us) for job in seen.jobs}
        await seen.server.stop()
        await seen.until(lambda: all(unreachable(job) for job in seen.jobs))
        assert {job.key: (job.phase, job.status, job.created_us) for job in seen.jobs} == before
        assert {problem.kind for job in seen.jobs if (problem := job.problem or job.outage)} == {ProblemKind.NETWORK}
        await seen.until(lambda: any(isinstance(event, OutageBegan) for event in seen.events))
        await seen.server.start()
        await seen.until(lambda: any(isinstance(event, OutageEnded) for event in seen.events))
        await seen.until(lambda: not any(job.failures or unreachable(job) for job in seen.jobs))
        revived = seen.clock.now()
        await seen.until(lambda: all(job.observed and job.observed.mono > revived.mono for job in seen.jobs))
        (began,) = (event for event in seen.events if isinstance(event, OutageBegan))
        (ended,) = (event for event in seen.events if isinstance(event, OutageEnded))
        assert (began.profile, began.problem.kind) == ("hog", ProblemKind.NETWORK)
        assert ended.seconds == pytest.approx(ended.at.since(began.at))


async def test_an_outage_that_becomes_another_is_shown_with_its_newest_reason() -> None:
    busy = Fault(FaultKind.STATUS, status=503, start=30.0)
    async with sight(Scenario(jobs=enrichments(5, duration=1e5), faults=(busy,)), speed=50.0) as seen:
        await seen.until(lambda: {job.outage and job.outage.http_status for job in seen.jobs} == {503})
        assert seen.engine.next_probe_at("hog") is not None
        await seen.server.stop()
        seen.engine.poll_all_now()
        await seen.until(lambda: {job.outage and job.outage.kind for job in seen.jobs} == {ProblemKind.NETWORK})
        assert sum(isinstance(event, OutageBegan) for event in seen.events) == 1


async def test_a_paused_engine_sends_nothing_until_it_resumes() -> None:
    async with sight(Scenario(jobs=(ENDLESS, *enrichments(2, duration=1e5)))) as seen:
        await seen.until(lambda: all(job.observed for job in seen.jobs))
        seen.engine.pause()
        paused = seen.clock.now()
        # What had its permit by then is still sent, on a busy machine much later.
        await until(lambda: seen.clock.now().since(paused) > 60)
        at = seen.clock.now()
        await until(lambda: seen.clock.now().since(at) > 60)
        resumed = seen.clock.now()
        seen.engine.resume()
        await seen.until(lambda: any(one.started.mono >= resumed.mono for one in seen.exchanges))
        assert not [one for one in seen.exchanges if at.mono < one.started.mono < resumed.mono]


async def test_a_removed_job_is_asked_no_more() -> None:
    async with sight(Scenario(jobs=enrichments(2, duration=1e5))) as seen:
        await seen.until(lambda: all(job.observed for job in seen.jobs))
        gone = seen.job("en_0").key
        seen.engine.remove([gone])
        asked = sum("en_0" in record.path for record in seen.server.requests)
        others = len(seen.server.requests)
        await until(lambda: len(seen.server.requests) >= others + 3)
        assert sum("en_0" in record.path for record in seen.server.requests) <= asked + 1
        assert gone not in seen.engine.jobs
        assert seen.engine.exchanges(gone) == ()


async def test_a_refused_key_halts_the_profile_with_one_event() -> None:
    scenario = Scenario(jobs=enrichments(30), credentials=(Credentials(Api.THEHOG, token="another_key"),))
    async with sight(scenario) as seen:
        await seen.until(lambda: any(isinstance(event, ProfileHalted) for event in seen.events))
        at = seen.clock.now()
        await until(lambda: seen.clock.now().since(at) > 60)
        assert len(seen.server.requests) <= MAX_IN_FLIGHT
        assert sum(isinstance(event, ProfileHalted) for event in seen.events) == 1
        assert seen.engine.halted()["hog"].kind is ProblemKind.AUTH
        seen.watch("op_newcomer")
        assert unreachable(seen.job("op_newcomer"))


async def test_a_key_refused_on_a_list_makes_every_job_blind_until_the_profile_is_released() -> None:
    refused = Fault(FaultKind.STATUS, status=401, start=30.0, end=60.0)
    async with sight(Scenario(jobs=enrichments(10, duration=1e5), faults=(refused,))) as seen:
        await seen.until(lambda: any(isinstance(event, ProfileHalted) for event in seen.events))
        await seen.until(lambda: all(unreachable(job) for job in seen.jobs))
        assert {problem.kind for job in seen.jobs if (problem := job.problem or job.outage)} == {ProblemKind.AUTH}
        assert {job.phase for job in seen.jobs} <= {Phase.QUEUED, Phase.RUNNING}
        at = seen.clock.now()
        await until(lambda: seen.clock.now().since(at) > 40)
        seen.engine.poll_all_now()
        await seen.until(lambda: not any(unreachable(job) for job in seen.jobs))


async def test_the_selected_job_is_asked_more_often() -> None:
    endless = JobScript(Api.SONARLY, Resource.PROSPECTING, stages=(StageScript("import"),), duration=1e6)
    jobs = tuple(replace(endless, id=f"{number}" * 24) for number in range(10))
    async with sight(Scenario(jobs=jobs), limit=60) as seen:
        seen.engine.set_selected(seen.job("7" * 24).key)
        await until(lambda: len(seen.server.requests) > 60)
        counts = [sum(record.path.endswith(job.id) for record in seen.server.requests) for job in jobs]
        assert counts[7] == max(counts)
        assert counts[7] > 2 * sorted(counts)[-2]


async def test_a_profile_opened_while_nobody_looks_is_asked_less_often_too() -> None:
    engine = AppContext({}, settings=settings_for("http://127.0.0.1:9"), keep=False).engine()
    engine.set_user_present(present=False)
    engine.add([make_target()])
    assert engine._workers["hog"].scheduler._table.interval_factor > 1.0
    await engine.aclose()


async def test_one_list_refreshes_many_jobs() -> None:
    async with sight(Scenario(jobs=enrichments(60, duration=600.0)), limit=60) as seen:
        await seen.until(lambda: all(job.observed for job in seen.jobs))
        at, sent = seen.clock.now(), len(seen.server.requests)
        await until(lambda: seen.clock.now().since(at) > 60)
        # A busy machine may hold everything for longer than 15 of these seconds.
        await until(lambda: all((job.age(seen.clock.now()) or 0.0) < 15.0 for job in seen.jobs))
        assert len(seen.server.requests) - sent <= seen.clock.now().since(at)
        assert seen.server.stats.refused.total() == 0


async def test_a_sleep_of_the_machine_is_noticed_and_everything_asked_once_more() -> None:
    async with sight(Scenario(jobs=enrichments(4, duration=1e7))) as seen:
        await seen.until(lambda: all(job.observed for job in seen.jobs))
        seen.clock.skipped = 3600.0
        await seen.until(lambda: any(isinstance(event, SleepNoticed) for event in seen.events))
        woken = seen.clock.now()
        await seen.until(lambda: all(job.observed and job.observed.mono > woken.mono for job in seen.jobs))
        assert seen.server.stats.refused.total() == 0


async def test_asking_now_looks_at_an_ended_job_again() -> None:
    async with sight(Scenario(jobs=enrichments(1, duration=1.0))) as seen:
        await seen.until(lambda: seen.job("en_0").terminal)
        before = len(seen.engine.exchanges(seen.job("en_0").key))
        seen.engine.poll_now(seen.job("en_0").key)
        await seen.until(lambda: len(seen.engine.exchanges(seen.job("en_0").key)) > before)


async def test_a_job_the_server_does_not_know_is_lost_and_the_others_go_on() -> None:
    async with sight(Scenario(jobs=enrichments(2, duration=60.0))) as seen:
        seen.watch("op_never_was")
        await seen.until(lambda: seen.job("op_never_was").not_found and seen.job("en_0").terminal)


async def test_bad_answers_of_every_sort_never_end_or_blind_the_others() -> None:
    kinds = (FaultKind.HTML, FaultKind.TRUNCATED, FaultKind.EMPTY, FaultKind.NOT_UTF8, FaultKind.WRONG_ID)
    faults = tuple(Fault(kind, job=f"en_{number}", count=2) for number, kind in enumerate(kinds))
    async with sight(Scenario(jobs=enrichments(7), faults=faults)) as seen:
        await seen.until(lambda: all(job.phase is Phase.SUCCEEDED for job in seen.jobs))


async def test_the_demo_earns_no_refusal() -> None:
    async with sight(demo_scenario(jobs=24), speed=100.0, limit=60) as seen:
        await until(lambda: len(seen.server.requests) > 120)
        assert seen.server.stats.refused.total() == 0


class BrokenProvider:
    profile_name = "hog"

    def url_of(self, asked: object) -> str:
        raise ZeroDivisionError

    async def poll(self, target: Target) -> PollResult:
        raise ZeroDivisionError(target.key.id)

    async def list_page(self, page: object) -> PollResult:
        raise ZeroDivisionError

    async def aclose(self) -> None: ...


async def test_a_provider_that_raises_is_a_problem_of_that_job_alone() -> None:
    async with sight(Scenario(jobs=enrichments(2, duration=30.0))) as seen:
        lane = seen.engine._workers["hog"]
        honest, lane._provider = lane._provider, BrokenProvider()
        await seen.until(lambda: any(job.problem is not None for job in seen.jobs))
        assert any("internal error (ZeroDivisionError)" in job.problem.message for job in seen.jobs if job.problem)
        lane._provider = honest
        await seen.until(lambda: all(job.terminal for job in seen.jobs))


async def test_of_targets_among_which_one_cannot_be_asked_none_is_watched() -> None:
    profiles = settings_for("http://127.0.0.1:9").profiles
    keyless = {
        **profiles,
        "sonarly": replace(profiles["sonarly"], secret_refs={"token": SecretRef("env:NOT_SET", "token")}),
    }
    engine = AppContext({}, settings=Settings(keyless, "hog", None)).engine()
    with pytest.raises(ConfigError, match="NOT_SET is not set"):
        engine.add([make_target("op_1"), make_target("j", "sonarly", "prospecting")])
    assert not engine.jobs
    await engine.aclose()


async def test_unknown_keys_are_ignored() -> None:
    async with sight(Scenario(jobs=enrichments(1))) as seen:
        nobody = JobKey("nobody", None, "op_1")
        seen.engine.poll_now(nobody)
        seen.engine.remove([nobody])
        seen.engine.set_selected(nobody)
        assert seen.engine.next_poll(nobody) is None


async def test_looking_about_while_the_engine_ends_is_no_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    begun = asyncio.Event()

    async def look_about_at_the_end(engine: Engine) -> None:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            engine.set_selected(next(iter(engine.jobs)))

    monkeypatch.setattr(Engine, "_apply_external_updates", look_about_at_the_end)
    engine = AppContext({}, settings=settings_for("http://127.0.0.1:9"), keep=False).engine()
    engine.add([make_target()])
    running = asyncio.create_task(engine.run())
    await begun.wait()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    await engine.aclose()


@pytest.mark.parametrize("factory", [None, getattr(asyncio, "eager_task_factory", None)], ids=["lazy", "eager"])
async def test_a_lane_that_breaks_at_once_ends_the_engine_with_its_fault_alone(
    monkeypatch: pytest.MonkeyPatch, factory: Any
) -> None:
    """On the screen tasks begin where they are made, from Python 3.12 on."""

    async def break_at_once(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(ProfileWorker, "run", break_at_once)
    engine = AppContext({}, settings=settings_for("http://127.0.0.1:9"), keep=False).engine()
    engine.add([make_target()])
    asyncio.get_running_loop().set_task_factory(factory)
    with pytest.raises(ExceptionGroup) as caught:
        await engine.run()
    assert {type(error) for error in caught.value.exceptions} == {ZeroDivisionError}
    await asyncio.sleep(0)
    await engine.aclose()


class LateToSay(NullCoordinator):
    """Refuses the second request for ten minutes, by the limit that was assumed, when an answer has told another."""

    def __init__(self) -> None:
        super().__init__()
        self.told = asyncio.Event()
        self.asked = 0

    def set_limit(self, profile: str, limits: RateLimits, now: Instant, *, assumed: bool) -> None:
        if not assumed:
            self.told.set()

    async def acquire(self, profile: str, request: Request, url: str, now: Instant) -> Permit | Denied:
        self.asked += 1
        if self.asked != 2:
            return await super().acquire(profile, request, url, now)
        await self.told.wait()
        return Denied(now.later(600.0), budget_exhausted=True)


async def test_a_refusal_by_a_limit_that_no_longer_holds_is_asked_again_at_once() -> None:
    clock, ledger = FastClock(1.0), LateToSay()
    async with SimulatorServer(Scenario(jobs=(ENDLESS, replace(ENDLESS, id="op_other")))) as server:
        settings = settings_for(server.url)
        hog = replace(settings.profiles["hog"], profile=make_profile("hog", "thehog", base_url=server.url))
        context = AppContext({}, settings=replace(settings, profiles=MappingProxyType({"hog": hog})), clock=clock)
        engine = context.engine(ledger, ListPolicy.NONE)
        engine.add([make_target("op_endless"), make_target("op_other")])
        polling = asyncio.create_task(engine.run())
        await until(lambda: all(job.observed for job in engine.jobs.values()))
        polling.cancel()
        await asyncio.gather(polling, return_exceptions=True)
        await engine.aclose()
    assert ledger.told.is_set()


async def test_an_outage_noticed_later_than_the_answer_that_ends_it_lasted_no_time() -> None:
    context = AppContext({}, settings=settings_for("http://127.0.0.1:9"), keep=False)
    engine = context.engine()
    engine.add([make_target()])
    before = Health(outage=Problem(ProblemKind.NETWORK, "refused"), since=10.0)
    (ended,) = engine._workers["hog"].health_events(before, Instant(0, 9.5))
    assert isinstance(ended, OutageEnded)
    assert ended.seconds == 0.0
    await engine.aclose()
