"""The cost of a poll: the engine with its store, compared to the same requests by httpx alone."""

import asyncio
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from time import process_time

from benchmarks.goal import Goal, Number
from benchmarks.terminal import environment
from jobdeck.domain.job import JobKey, Target

JOBS = 200
POLLS = 600
RUNS = 5
"""Ours and httpx alone in turn: on a shared machine one run of either may be a fifth slower than the next."""

SERVER = f"""
from jobdeck.simulator.scenario import Api, JobScript, Outcome, RateLimit, Resource, Scenario
from jobdeck.simulator.server import ThreadedSimulator
import sys
jobs = tuple(JobScript(id=f"en_{{n}}", resource=Resource.ENRICHMENT, outcome=Outcome.NEVER, duration=1e6)
    for n in range({JOBS}))
with ThreadedSimulator(Scenario(jobs=jobs, limits=(RateLimit(Api.THEHOG, 1_000_000),
    RateLimit(Api.THEHOG, 1_000_000, "polling")))) as simulator:
    print(simulator.url, flush=True)
    sys.stdin.read()
"""
COST = Goal("CPU time of a poll, saved and passed to the screen", 4.0, "ms")
OF_BARE = Goal("CPU time of a poll", 2.6, "×", "an httpx request")
GOALS = (COST, OF_BARE)


def measure() -> Iterator[Number]:
    """Poll a simulator that runs in another process."""
    runs: list[tuple[float, float]] = []
    with _server() as url:
        for _ in range(RUNS):
            with tempfile.TemporaryDirectory() as folder:
                env = environment(Path(folder), int(url.rsplit(":", 1)[1]))
                runs.append((asyncio.run(_polled(env)), asyncio.run(_bare(url))))
    ours, bare = (median(each) for each in zip(*runs, strict=True))
    yield COST.found(ours * 1e3, f"httpx alone {bare * 1e3:.1f} ms")
    yield OF_BARE.found(median(ours / bare for ours, bare in runs))


@contextmanager
def _server() -> Iterator[str]:
    pipe = subprocess.PIPE
    with subprocess.Popen([sys.executable, "-c", SERVER], stdin=pipe, stdout=pipe, text=True) as process:
        assert process.stdout is not None
        yield process.stdout.readline().strip()


async def _polled(env: dict[str, str]) -> float:
    from jobdeck.app.context import AppContext, ListPolicy

    running = await AppContext(env).open(lists=ListPolicy.NONE)
    engine = running.engine
    engine.add([Target(JobKey("hog", None, f"en_{n}"), "thehog", "enrichment") for n in range(JOBS)])
    task = asyncio.create_task(engine.run())
    begun, heard, first = 0.0, 0, 0
    async for batch in engine.subscribe():
        before = heard
        heard += len(batch.exchanges)
        assert all(exchange.problem is None for exchange in batch.exchanges)
        # The first poll of each job is excluded: it opens connections, and everything is new.
        if before < JOBS <= heard:
            begun, first = process_time(), heard
        if heard >= JOBS + POLLS:
            break
    cost = (process_time() - begun) / (heard - first)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await engine.aclose()
    return cost


async def _bare(url: str) -> float:
    import httpx

    async with httpx.AsyncClient(base_url=url, headers={"Authorization": "Bearer hog_live_benchmark"}) as client:
        begun = 0.0
        for number in range(JOBS + POLLS):
            if number == JOBS:
                begun = process_time()
            answer = await client.get(f"/api/enrichments/en_{number % JOBS}")
            json.loads(answer.content)
        assert answer.status_code == 200, answer.text
        return (process_time() - begun) / POLLS
