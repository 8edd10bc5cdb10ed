"""Following jobs headless: what counts as having seen the end."""

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from jobdeck.apis.targets import parse_target
from jobdeck.app.context import AppContext, RunningEngine
from jobdeck.cli.commands.wait import describe_rest
from jobdeck.cli.exit_codes import ExitCode, job_code
from jobdeck.cli.headless import SettledCheck, run_headless
from jobdeck.cli.job_text import describe_summary
from jobdeck.domain.job import Job, Source
from jobdeck.engine.engine import Engine
from jobdeck.engine.subscription import ChangeSet
from jobdeck.simulator.demo import demo_targets
from jobdeck.simulator.scenario import (
    Api,
    Fault,
    FaultKind,
    JobFailure,
    JobScript,
    Outcome,
    Resource,
    Scenario,
    StageScript,
)
from jobdeck.simulator.server import SimulatorServer
from tests.cli.harness import GROUP
from tests.engine.running import PATIENCE, settings_for
from tests.support.clocks import FastClock


def failing(number: int) -> JobScript:
    return JobScript(
        Api.SONARLY,
        Resource.PROSPECTING,
        f"{number:024x}",
        GROUP,
        arrival=-1.0,
        duration=40.0,
        stages=(StageScript("import"), StageScript("enrichment")),
        outcome=Outcome.FAILED,
        error=JobFailure("IMPORT_FAILED", "bad rows"),
    )


async def followed(scenario: Scenario, env: Mapping[str, str] | None = None) -> tuple[Job, ...]:
    """Follow all jobs of a scenario, in fast time, until their ends are told."""
    clock = FastClock(40.0)
    async with SimulatorServer(scenario, clock=lambda: clock.now().us / 1e6) as server:
        context = AppContext(env or {}, settings=settings_for(server.url), clock=clock, keep=env is not None)
        targets = [parse_target(text, context.registry) for text in demo_targets(scenario)]

        settled = SettledCheck(clock)

        def enough(engine: Engine, _: ChangeSet) -> bool:
            return settled.all_of(engine)

        async with asyncio.timeout(PATIENCE):
            return await run_headless(context, targets, enough)


async def test_an_end_that_a_list_showed_is_told_with_its_error_and_stages() -> None:
    jobs = await followed(Scenario(jobs=tuple(failing(number) for number in range(1, 6))))
    assert {job.error.code if job.error else None for job in jobs} == {"IMPORT_FAILED"}
    assert all(any(record.stage.phase.terminal for record in job.stages) for job in jobs)


async def test_an_end_that_only_a_list_tells_is_not_relied_on_and_given_up_when_nothing_comes() -> None:
    scripts = tuple(failing(number) for number in range(1, 4))
    faults = tuple(
        Fault(FaultKind.STATUS, job=one.id, status=code) for one, code in zip(scripts, (500, 404), strict=False)
    )
    broken, gone, well = await followed(Scenario(jobs=scripts, faults=faults))
    assert [job.phase.value for job in (broken, gone, well)] == ["failed"] * 3
    assert [(job.source, job_code(job)) for job in (broken, gone, well)] == [
        (Source.LIST, ExitCode.UNREACHABLE),
        (Source.LIST, ExitCode.NOT_FOUND),
        (Source.ANSWER, ExitCode.FAILED),
    ]
    assert "failed: listed" not in "\n".join(describe_summary([well], brief=False))
    assert "failed according to a list, not confirmed by the job itself: not found" in "\n".join(
        describe_summary([gone, well], brief=False)
    )
    assert describe_rest((broken,)).startswith("1 of 1 finished but not confirmed (server error: ")


async def test_a_disk_that_fails_meanwhile_is_told_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    opened = AppContext.open

    async def failing_soon(self: AppContext, **how: Any) -> RunningEngine:
        running = await opened(self, **how)
        running.store._db._session.connection.pragma("query_only", True)  # type: ignore[attr-defined] - SQLite's own
        return running

    monkeypatch.setattr(AppContext, "open", failing_soon)
    scenario = Scenario(jobs=tuple(failing(number) for number in range(1, 3)))
    jobs = await followed(scenario, {"JOBDECK_DATA_DIR": str(tmp_path)})
    assert [job.phase.value for job in jobs] == ["failed"] * 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "Continuing in memory" in line
