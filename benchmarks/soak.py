"""Hours of the engine in minutes, with the worst of servers and networks: `make soak`.

The simulator runs in another process, behind a proxy that corrupts responses; jobs come and go, and a simulated user
works with them. At the end it checks for false ends, growing memory, and leftovers.
"""

import argparse
import asyncio
import contextlib
import gc
import os
import random
import subprocess
import sys
import tempfile
import threading
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic

from tests.engine.running import settings_for
from tests.hostile.chaos import CALM, DARK, STORM, ChaosProxy
from tests.support.clocks import FastClock

from jobdeck.apis.client import ApiClient
from jobdeck.apis.targets import parse_target
from jobdeck.app.context import AppContext
from jobdeck.domain.events import OutageBegan, OutageEnded, PhaseChanged
from jobdeck.domain.job import JobKey
from jobdeck.engine.engine import Engine
from jobdeck.engine.subscription import ChangeSet
from jobdeck.simulator.demo import demo_targets
from jobdeck.simulator.scenario import (
    Api,
    Fault,
    FaultKind,
    JobScript,
    Outcome,
    RateLimit,
    Resource,
    Scenario,
    StageScript,
)

SPEED = 60.0
LIMIT = 240
EVERY = 20.0
"""Simulated seconds between two new jobs."""

KEPT = 300.0
"""Simulated seconds until a finished job is removed."""

WEATHERS = ((CALM, 300.0), (STORM, 300.0), (DARK, 90.0), (STORM, 200.0))
DEADLINE = 0.5
"""Real seconds that a response may take: half a minute on the fast clock."""

GROWTH = 8.0
"""MiB that the second half may add."""

PHASES = {
    Outcome.SUCCEEDED: "succeeded",
    Outcome.COMPLETED: "succeeded",
    Outcome.PARTIAL_SUCCESS: "partial",
    Outcome.FAILED: "failed",
    Outcome.CANCELLED: "cancelled",
}

SERVE = """
import asyncio, sys
from benchmarks.soak import scenario, SPEED
from jobdeck.simulator.server import SimulatorServer
from tests.support.clocks import FastClock

async def main():
    clock = FastClock(SPEED)
    async with SimulatorServer(scenario(float(sys.argv[1])), clock=lambda: clock.now().us / 1e6) as server:
        print(server.port, flush=True)
        await asyncio.to_thread(sys.stdin.read)
asyncio.run(main())
"""


@dataclass(slots=True)
class Tally:
    """The events of a run."""

    requests: int = 0
    problems: Counter[str] = field(default_factory=Counter)
    outages: int = 0
    recoveries: int = 0
    ended: int = 0
    false_ends: list[str] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    half: float = 0.0
    whole: float = 0.0


def scenario(seconds: float) -> Scenario:
    """Return jobs that arrive for `seconds` (simulated), and every kind of fault."""
    dice = random.Random(1)
    kinds = (
        (Api.THEHOG, Resource.OPERATION, Outcome.SUCCEEDED),
        (Api.THEHOG, Resource.OPERATION, Outcome.FAILED),
        (Api.THEHOG, Resource.ENRICHMENT, Outcome.PARTIAL_SUCCESS),
        (Api.THEHOG, Resource.SEARCH, Outcome.SUCCEEDED),
        (Api.SONARLY, Resource.PROSPECTING, Outcome.COMPLETED),
        (Api.SONARLY, Resource.PROSPECTING, Outcome.CANCELLED),
        (Api.THEHOG, Resource.OPERATION, Outcome.NEVER),
    )
    jobs = []
    for number in range(max(1, int(seconds / EVERY))):
        api, resource, outcome = kinds[number % len(kinds)]
        stages = (StageScript("import"), StageScript("enrichment")) if api is Api.SONARLY else ()
        took = dice.uniform(30.0, 900.0)
        jobs.append(
            JobScript(
                api, resource, f"job_{number}", arrival=EVERY * number, duration=took, outcome=outcome, stages=stages
            )
        )
    often = (
        *((FaultKind.STATUS, {"status": status}) for status in (500, 502, 503, 429)),
        (FaultKind.DELAY, {"seconds": 0.05}),
        (FaultKind.DRIP, {"seconds": 0.002}),
        (FaultKind.HUGE, {"size": 2**20}),
        (FaultKind.BOMB, {"size": 2**24}),
        (FaultKind.STATUS_WORD, {"text": "recalibrating"}),
        *((FaultKind(name), {}) for name in ("redirect", "reset_before", "reset_middle", "truncated", "html")),
        *((FaultKind(name), {}) for name in ("not_utf8", "empty", "wrong_id", "nan")),
    )
    faults = tuple(Fault(kind, probability=0.01, **more) for kind, more in often)
    limits = tuple(
        RateLimit(api, 300, bucket=bucket, others=60.0) for api in Api for bucket in ("general", "polling", "list")
    )
    return Scenario(jobs=tuple(jobs), faults=faults, limits=limits)


async def soak(seconds: float) -> Tally:
    """Run for this many real seconds."""
    tally = Tally()
    script = scenario(seconds * SPEED)
    scripts = {job.id: job for job in script.jobs}
    with tempfile.TemporaryDirectory() as folder, simulator(seconds * SPEED) as port:
        async with ChaosProxy(port, CALM) as proxy:
            clock = FastClock(SPEED)
            began = clock.now().mono
            context = AppContext({"JOBDECK_DATA_DIR": folder}, settings=settings_for(proxy.url, LIMIT), clock=clock)
            engine = (await context.open(listed=True)).engine
            tasks = [
                asyncio.create_task(engine.run()),
                asyncio.create_task(listen(engine, tally, scripts, began, clock)),
            ]
            people = [
                asyncio.create_task(weather(proxy, clock)),
                asyncio.create_task(person(engine, context, clock, script)),
            ]
            for part in ("half", "whole"):
                await asyncio.sleep(seconds / 2)
                gc.collect()
                setattr(tally, part, resident())
            for task in (*people, *tasks[:1]):
                task.cancel()
            for outcome in await asyncio.gather(*people, tasks[0], return_exceptions=True):
                if not isinstance(outcome, asyncio.CancelledError):
                    tally.faults.append(repr(outcome))
            await engine.aclose()
            await tasks[1]
    return tally


@contextlib.contextmanager
def simulator(seconds: float) -> Iterator[int]:
    """Run the simulator in another process; yields its port."""
    command = [sys.executable, "-c", SERVE, str(seconds)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        yield int(process.stdout.readline())
        process.communicate()


async def weather(proxy: ChaosProxy, clock: FastClock) -> None:
    """Cycle the network through calm, storm and dark."""
    while True:
        for kind, seconds in WEATHERS:
            proxy.heal()
            proxy.weather = kind
            await clock.wait(asyncio.Event(), seconds)


async def person(engine: Engine, context: AppContext, clock: FastClock, script: Scenario) -> None:
    """Act as a user: add jobs as they are accepted, remove finished ones, view, poll, pause."""
    dice = random.Random(2)
    texts = demo_targets(script)
    began = clock.now().mono
    added = 0
    gone: dict[JobKey, float] = {}
    while True:
        now = clock.now().mono - began
        while added < len(texts) and script.jobs[added].arrival + 5.0 <= now:
            engine.add([parse_target(texts[added], context.registry)])
            added += 1
        for job in engine.jobs.values():
            if job.terminal or job.elapsed(clock.now()) > 1_200.0:
                gone.setdefault(job.key, now)
        old = [key for key, since in gone.items() if now - since > KEPT and key in engine.jobs]
        engine.remove(old)
        for key in old:
            del gone[key]
        keys = list(engine.jobs)
        if keys:
            key = dice.choice(keys)
            engine.set_selected(key)
            engine.set_visible(keys[:30])
            engine.acknowledge([key], acknowledged=dice.random() < 0.5)
            for look in (
                engine.exchanges,
                engine.timeline,
                engine.newest_content,
                engine.next_poll,
                engine.progress_history,
            ):
                look(key)
            if dice.random() < 0.1:
                engine.poll_all_now()
        if dice.random() < 0.02:
            engine.pause()
            await clock.wait(asyncio.Event(), 20.0)
            engine.resume()
        engine.set_user_present(present=dice.random() < 0.8)
        await clock.wait(asyncio.Event(), 10.0)


async def listen(engine: Engine, tally: Tally, scripts: dict[str, JobScript], began: float, clock: FastClock) -> None:
    """Count the engine's events, and check every end."""
    async for batch in engine.subscribe():
        take(batch, tally, scripts, clock.now().mono - began)


def take(batch: ChangeSet, tally: Tally, scripts: dict[str, JobScript], now: float) -> None:
    tally.requests += len(batch.exchanges)
    tally.problems.update(exchange.problem.kind.value for exchange in batch.exchanges if exchange.problem is not None)
    for event in batch.events:
        match event:
            case OutageBegan():
                tally.outages += 1
            case OutageEnded():
                tally.recoveries += 1
            case PhaseChanged() if event.after.terminal:
                tally.ended += 1
                doubt(event, scripts[event.key.id], tally, now)


def doubt(event: PhaseChanged, script: JobScript, tally: Tally, now: float) -> None:
    """Record an end that is wrong or too early."""
    earliest = script.arrival + script.queued_for + script.run_seconds * script.done_at_end
    # The two clocks started at slightly different times.
    if event.after.value != PHASES.get(script.outcome) or now < earliest - 2.0 * SPEED:
        tally.false_ends.append(
            f"{event.key}: {event.after.value} at {now:.0f} s, true: {script.outcome} at {earliest:.0f} s"
        )


def resident() -> float:
    """Return the resident memory of this process in MiB."""
    statm = Path("/proc/self/statm")
    if statm.exists():
        return int(statm.read_text(encoding="ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20
    said = subprocess.run(["ps", "-o", "rss=", "-p", str(os.getpid())], capture_output=True, check=True)
    return int(said.stdout) / 1024


def open_files() -> int:
    return len(list(Path("/dev/fd").iterdir()))


async def measured(seconds: float) -> tuple[Tally, list[str]]:
    """Run, and list leftovers."""
    files, threads = open_files(), threading.active_count()
    tally = await soak(seconds)
    left = [task.get_name() for task in asyncio.all_tasks() if task is not asyncio.current_task()]
    # The loop's helper threads for blocking calls stay until it ends.
    left += [thread.name for thread in threading.enumerate() if not thread.name.startswith(("MainThread", "asyncio_"))]
    if threading.active_count() - threads > 4:
        left.append(f"{threading.active_count() - threads} threads")
    if open_files() > files:
        left.append(f"{open_files() - files} open files")
    return tally, left


def run(arguments: list[str]) -> int:
    """Run and report; returns 1 if a check failed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.soak", description=__doc__)
    parser.add_argument("--seconds", type=float, default=600.0, help="how long, in real seconds (%(default)g)")
    parser.add_argument("--short", action="store_true", help="three seconds: whether it works, not whether it holds")
    options = parser.parse_args(arguments)
    seconds = 3.0 if options.short else options.seconds
    ApiClient.__init__.__kwdefaults__["deadline"] = DEADLINE
    begun = monotonic()
    tally, left = asyncio.run(measured(seconds))
    grown = tally.whole - tally.half
    print(f"{seconds * SPEED / 3_600:.2f} simulated hours in {monotonic() - begun:.0f} s")
    print(f"requests      {tally.requests}")
    print(f"problems      {sum(tally.problems.values())}: {dict(tally.problems.most_common())}")
    print(f"outages       {tally.outages}, recoveries {tally.recoveries}")
    print(f"ends          {tally.ended}, false {len(tally.false_ends)}")
    print(f"memory        {tally.whole:.1f} MiB, {grown:+.1f} MiB in the second half (at most {GROWTH:g})")
    print(f"left over     {', '.join(left) or 'nothing'}")
    for line in (*tally.false_ends, *tally.faults):
        print(f"WRONG         {line}")
    bad = tally.false_ends or tally.faults or left or not tally.requests or (grown > GROWTH and not options.short)
    return int(bool(bad))


if __name__ == "__main__":
    sys.exit(run(sys.argv[1:]))
