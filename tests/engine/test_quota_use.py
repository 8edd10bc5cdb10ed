"""What a budget is spent on, as a script sees it."""

import asyncio
from pathlib import Path

import pytest

from jobdeck.apis.targets import parse_target
from jobdeck.app.context import AppContext
from jobdeck.app.json_shapes import budget_object
from jobdeck.cli.commands.watch import BUDGET_SECONDS, ChangePrinter
from jobdeck.domain.job import Target
from jobdeck.engine.subscription import ChangeSet
from jobdeck.simulator.scenario import JobScript, Resource, Scenario
from tests.engine.running import settings_for, sight
from tests.support.clocks import FastClock

JOBS = tuple(JobScript(id=f"en_{number}", resource=Resource.ENRICHMENT, duration=1e5) for number in range(30))


async def test_a_list_that_covers_the_jobs_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    async with sight(Scenario(jobs=JOBS)) as seen:
        await seen.until(lambda: seen.engine.quotas()["hog"].covered == len(JOBS))
        printer = ChangePrinter(seen.clock, as_json=True)
        begun = seen.clock.now()
        while seen.clock.now().since(begun) < BUDGET_SECONDS:
            await asyncio.sleep(0.01)
        # On a busy machine a page is late now and then, and a job is then asked about by itself.
        await seen.until(lambda: seen.engine.quotas()["hog"].covered == len(JOBS))
        printer.show(seen.engine, ChangeSet())
        told = budget_object(seen.engine.quotas()["hog"], seen.clock.now())
        assert told["jobs_by_list"] == len(JOBS)
        assert told["jobs_one_by_one"] == 0
        assert told["list_pages"] > 0
    line = capsys.readouterr().out
    assert '"event": "budget"' in line
    assert '"profile": "hog"' in line


async def test_what_was_learnt_of_durations_is_remembered_by_the_next_run(tmp_path: Path) -> None:
    clock = FastClock(40.0)
    env = {"JOBDECK_DATA_DIR": str(tmp_path)}
    context = AppContext(env, settings=settings_for("http://127.0.0.1:9"), clock=clock)
    running = await context.open()
    running.engine.add(_targets(context))
    lane = running.engine._workers["hog"]
    for _ in range(9):
        lane.scheduler._estimates.add_sample("enrichment", 20.0)
    await running.engine.aclose()
    again = await context.open()
    again.engine.add(_targets(context))
    assert again.engine._workers["hog"].scheduler.export_estimates() == lane.scheduler.export_estimates() != {}
    await again.engine.aclose()


def _targets(context: AppContext) -> list[Target]:
    return [parse_target("/api/enrichments/en_1", context.registry)]
