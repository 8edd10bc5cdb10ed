"""The engine on a real database: what it keeps, what it shares, what it forgets."""

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from jobdeck.apis.targets import parse_target
from jobdeck.app import store_coordinator as coordinator_module
from jobdeck.app.context import AppContext, RunningEngine
from jobdeck.app.data_store import DATABASE
from jobdeck.domain.job import Source
from jobdeck.domain.phase import Phase
from jobdeck.simulator.scenario import Fault, FaultKind, JobScript, Resource, Scenario
from jobdeck.simulator.server import SimulatorServer
from jobdeck.store import open_store
from jobdeck.store.models import RequestState
from tests.engine.running import settings_for, until
from tests.store.steps import listed
from tests.support.clocks import FastClock

JOBS = tuple(JobScript(id=f"en_{number}", resource=Resource.ENRICHMENT, duration=30.0) for number in range(4))


@pytest.fixture
def env(tmp_path: Path) -> dict[str, str]:
    return {"JOBDECK_DATA_DIR": str(tmp_path)}


async def open_running(
    env: dict[str, str], url: str, clock: FastClock, *, listed: bool = True
) -> tuple[AppContext, RunningEngine]:
    context = AppContext(env, settings=settings_for(url), clock=clock)
    return context, await context.open(listed=listed)


async def test_a_restart_restores_the_watch_list_in_its_last_state_and_with_its_ledger(env: dict[str, str]) -> None:
    clock = FastClock(40.0)
    async with SimulatorServer(Scenario(jobs=JOBS), clock=lambda: clock.now().us / 1e6) as server:
        context, first = await open_running(env, server.url, clock)
        keys = first.engine.add(parse_target(f"/api/enrichments/{job.id}", context.registry) for job in JOBS)
        polling = asyncio.create_task(first.engine.run())
        await until(lambda: all(job.terminal for job in first.engine.jobs.values()))
        first.engine.acknowledge(keys[:1])
        first.engine.remove(keys[3:])
        polling.cancel()
        await asyncio.gather(polling, return_exceptions=True)
        await first.engine.aclose()
        asked = len(server.requests)

        context, again = await open_running(env, server.url, clock)
        again.engine.restore(await context.load_jobs(again.store, ()))
        assert set(again.engine.jobs) == set(keys[:3])
        assert {job.phase for job in again.engine.jobs.values()} == {Phase.SUCCEEDED}
        assert {job.source for job in again.engine.jobs.values()} == {Source.MEMORY}
        assert [again.engine.jobs[key].acknowledged for key in keys[:3]] == [True, False, False]
        again.engine.set_selected(keys[1])
        polling = asyncio.create_task(again.engine.run())
        await until(lambda: bool(again.engine.exchanges(keys[1])) and bool(again.engine.timeline(keys[1])))
        known = {record.request_id for record in server.requests}
        assert {item.request_id for item in again.engine.exchanges(keys[1])} <= known
        # Their IDs may have been used again meanwhile: each is polled once, and then left alone.
        await until(lambda: all(job.confirmed for job in again.engine.jobs.values()))
        at = clock.now()
        await until(lambda: clock.now().since(at) > 40)
        assert len(server.requests) == asked + 3
        polling.cancel()
        await asyncio.gather(polling, return_exceptions=True)
        await again.engine.aclose()


async def test_two_at_once_each_fetch_a_result_once_and_leave_an_ended_job_alone(env: dict[str, str]) -> None:
    clock = FastClock(40.0)
    async with SimulatorServer(Scenario(jobs=JOBS), clock=lambda: clock.now().us / 1e6) as server:
        both = [await open_running(env, server.url, clock) for _ in range(2)]
        for context, running in both:
            running.engine.add(parse_target(f"/api/enrichments/{job.id}", context.registry) for job in JOBS)
        polling = [asyncio.create_task(running.engine.run()) for _, running in both]
        await until(
            lambda: all(job.terminal and job.result for _, running in both for job in running.engine.jobs.values())
        )
        asked = len(server.requests)
        # What was under way may still arrive: on a busy machine a second is forty of this clock's.
        await until(lambda: server.jobs.now - server.requests[-1].at > 40)
        own = [record for record in server.requests[asked:] if record.endpoint != "list"]
        # An end that a list told is asked for once more, by each that saw the list.
        assert len(own) <= 2 * len(JOBS), own
        at, settled = clock.now(), len(server.requests)
        await until(lambda: clock.now().since(at) > 40)
        assert server.requests[settled:] == (), "nobody asks for a job that has ended"
        assert all(job.result for _, running in both for job in running.engine.jobs.values())
        for task in polling:
            task.cancel()
        await asyncio.gather(*polling, return_exceptions=True)
        for _, running in both:
            await running.engine.aclose()


async def test_what_a_server_in_trouble_asked_one_process_for_holds_for_the_other(env: dict[str, str]) -> None:
    clock, wait = FastClock(10.0), 40.0
    trouble = Fault(FaultKind.STATUS, status=503, retry_after="40", count=1)
    scenario = Scenario(jobs=JOBS, faults=(trouble,))
    async with SimulatorServer(scenario, clock=lambda: clock.now().us / 1e6) as server:
        both = [await open_running(env, server.url, clock) for _ in range(2)]
        for (context, running), job in zip(both, JOBS, strict=False):
            running.engine.add([parse_target(f"/api/enrichments/{job.id}", context.registry)])
        (_, first), (_, second) = both
        polling = [asyncio.create_task(first.engine.run())]
        await until(lambda: any(job.problem for job in first.engine.jobs.values()))
        # Writes are done in turn: after this one the cooldown is on disk.
        await asyncio.sleep(0)
        await first.store.save_preference("after", "the cooldown")
        sent = len(server.requests)
        polling.append(asyncio.create_task(second.engine.run()))
        await until(lambda: all(job.observed for _, running in both for job in running.engine.jobs.values()))
        assert sent == 1
        assert min(record.at for record in server.requests[sent:]) >= server.requests[0].at + wait
        for task in polling:
            task.cancel()
        await asyncio.gather(*polling, return_exceptions=True)
        for _, running in both:
            await running.engine.aclose()


async def test_a_headless_look_leaves_the_watch_list_alone(env: dict[str, str]) -> None:
    clock = FastClock(40.0)
    context, running = await open_running(env, "http://127.0.0.1:9", clock, listed=False)
    running.engine.add([parse_target("op_1", context.registry)])
    await running.engine.aclose()
    _, again = await open_running(env, "http://127.0.0.1:9", clock)
    assert await listed(again.store) == ()
    await again.engine.aclose()


async def test_what_is_older_than_thirty_days_is_forgotten_in_a_longer_run(
    env: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(coordinator_module, "TIDY_AFTER_SECONDS", 0.0)
    monkeypatch.setattr(coordinator_module, "TIDY_EVERY_SECONDS", 0.1)
    clock = FastClock(1.0)
    context, running = await open_running(env, "http://127.0.0.1:9", clock, listed=False)
    target = parse_target("op_old", context.registry)
    long_ago_us = clock.now().us - 31 * 86_400 * 1_000_000
    scopes, path = context.settings.scopes, Path(env["JOBDECK_DATA_DIR"]) / DATABASE
    earlier = open_store(path, "an earlier run", scopes=scopes, now_us=lambda: long_ago_us).store
    running.engine.add([replace(target, key=replace(target.key, id="op_new"))])
    polling = asyncio.create_task(running.engine.run())

    async def left() -> set[str]:
        return {job.last.key.id for job in await running.store.jobs()}

    async with asyncio.timeout(100):
        for _ in ("soon", "and once more a day later"):
            await earlier.watch([target], listed=False)
            while await left() != {"op_new"}:
                await asyncio.sleep(0)
    await earlier.close()
    polling.cancel()
    await asyncio.gather(polling, return_exceptions=True)
    await running.engine.aclose()


async def test_a_request_that_is_never_answered_is_on_record_with_where_it_went(env: dict[str, str]) -> None:
    clock = FastClock(1.0)
    async with SimulatorServer(Scenario(jobs=JOBS), clock=lambda: clock.now().us / 1e6) as server:
        context, running = await open_running(env, server.url, clock)
        server.pause()
        (key,) = running.engine.add([parse_target("/api/enrichments/en_0", context.registry)])
        polling = asyncio.create_task(running.engine.run())
        await until(lambda: server.stats.in_flight == 1)
        (sent,) = await running.store.requests(key)
        polling.cancel()
        await asyncio.gather(polling, return_exceptions=True)
        (given_up,) = await running.store.requests(key)
        await running.engine.aclose()
    assert (sent.state, given_up.state) == (RequestState.SENT, RequestState.ABANDONED)
    assert {(one.exchange.method, one.exchange.url) for one in (sent, given_up)} == {
        ("GET", f"{server.url}/api/enrichments/en_0")
    }
