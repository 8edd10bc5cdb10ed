"""Following jobs headless: what counts as having seen the end."""

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from jobdeck.cli.follow import follow, hopeless, told
from jobdeck.domain.job import Job
from jobdeck.engine.batch import Batch
from jobdeck.engine.engine import Engine
from jobdeck.providers.targets import parse_target
from jobdeck.simulator.demo import demo_targets
from jobdeck.simulator.faultscript import Fault, FaultKind
from jobdeck.simulator.scenario import JobFailure, JobScript, Outcome, Resource, Scenario, StageScript
from jobdeck.simulator.server import SimulatorServer
from jobdeck.simulator.vocabulary import Api
from jobdeck.wiring import Running, Wiring
from tests.cli.harness import GROUP
from tests.engine.running import PATIENCE, FastClock, settings_for


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
        wiring = Wiring(env or {}, settings=settings_for(server.url), clock=clock, keep=env is not None)
        targets = [parse_target(text, wiring.directory) for text in demo_targets(scenario)]

        def enough(engine: Engine, _: Batch) -> bool:
            return all(told(job) or hopeless(engine, job) for job in engine.jobs.values())

        async with asyncio.timeout(PATIENCE):
            return await follow(wiring, targets, enough)


async def test_an_end_that_a_list_showed_is_told_with_its_error_and_stages() -> None:
    jobs = await followed(Scenario(jobs=tuple(failing(number) for number in range(1, 6))))
    assert {job.error.code if job.error else None for job in jobs} == {"IMPORT_FAILED"}
    assert all(any(record.stage.phase.terminal for record in job.stages) for job in jobs)


async def test_when_the_rest_cannot_be_had_the_end_alone_has_to_do() -> None:
    scripts = tuple(failing(number) for number in range(1, 4))
    fault = Fault(FaultKind.STATUS, job=scripts[0].id, status=500)
    jobs = await followed(Scenario(jobs=scripts, faults=(fault,)))
    assert [job.phase.value for job in jobs] == ["failed"] * 3
    assert [job.error is None for job in jobs] == [True, False, False]


async def test_a_disk_that_fails_meanwhile_is_told_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    opened = Wiring.open

    def failing_soon(self: Wiring, **how: Any) -> Running:
        running = opened(self, **how)
        running.store._store._db._session.connection.pragma("query_only", True)  # type: ignore[attr-defined] - SQLite's own
        return running

    monkeypatch.setattr(Wiring, "open", failing_soon)
    scenario = Scenario(jobs=tuple(failing(number) for number in range(1, 3)))
    jobs = await followed(scenario, {"JOBDECK_DATA_DIR": str(tmp_path)})
    assert [job.phase.value for job in jobs] == ["failed"] * 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "Going on in memory" in line
