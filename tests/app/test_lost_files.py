"""An engine whose file fails it, or is deleted under it: its answers count, and what it watches is known again."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from jobdeck.app.context import AppContext, RunningEngine
from jobdeck.app.data_store import DATABASE
from jobdeck.domain.phase import Phase
from jobdeck.engine.engine import Engine
from jobdeck.simulator.scenario import JobScript, Scenario
from jobdeck.simulator.server import ThreadedSimulator
from jobdeck.store.models import Notice, NoticeKind
from tests.builders import make_target
from tests.cli.harness import environment, jobdeck

LIMIT = 60.0
"""Seconds after which something that must happen has not."""

RUNNING = make_target("op_running", "thehog")
ENDED = make_target("op_ended", "thehog")


@pytest.fixture
def env(tmp_path: Path) -> Iterator[dict[str, str]]:
    jobs = (
        JobScript(id="op_running", arrival=-1.0, duration=900.0),
        JobScript(id="op_ended", arrival=-60.0, duration=5),
    )
    with ThreadedSimulator(Scenario(jobs=jobs)) as running:
        env = environment(running.url, tmp_path)
        for _ in range(2):
            jobdeck("status", "op_ended", "op_running", env=env)
        yield env


@asynccontextmanager
async def polling(engine: Engine) -> AsyncIterator[None]:
    task = asyncio.create_task(engine.run())
    try:
        async with asyncio.timeout(LIMIT):
            yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await engine.aclose()


async def test_answers_count_although_the_store_fails_before_it_gave_any_leave(env: dict[str, str]) -> None:
    context = AppContext(env)
    running = await context.open(listed=True)
    (known,) = await context.load_jobs(running.store, [RUNNING])
    assert known.sequence > 0
    running.engine.restore([known])
    await running.store.close()
    async with polling(running.engine):
        async for _ in running.engine.subscribe():
            if running.engine.jobs[known.key].request_id != known.request_id:
                break
    assert running.engine.jobs[known.key].request_id != known.request_id


async def test_all_that_is_watched_is_known_again_in_the_file_that_is_begun_anew(
    env: dict[str, str], tmp_path: Path
) -> None:
    context = AppContext(env)
    told: list[Notice] = []
    running = await context.open(listed=True, on_incident=told.append)
    running.engine.add([RUNNING, ENDED])
    changes = running.engine.subscribe()
    async with polling(running.engine):
        async for _ in changes:
            if all(job.observed for job in running.engine.jobs.values()):
                break
        for file in (tmp_path / "data").glob(f"{DATABASE}*"):
            file.unlink()
        while not await is_watched_again(context, running):
            await asyncio.sleep(0.05)
    assert [notice.kind for notice in told] == [NoticeKind.REPLACED]


async def is_watched_again(context: AppContext, running: RunningEngine) -> bool:
    """Whether both jobs are on the new watch list, and the one that runs was answered about since."""
    if running.store.incident is None:
        return False
    phases = {job.key: job.phase for job in await running.store.watched(context.clock.now())}
    return phases.keys() == {RUNNING.key, ENDED.key} and phases[RUNNING.key] is Phase.RUNNING
