"""A real engine on the simulator, recorded: played back, its jobs are the same in every field."""

import asyncio
import gzip
from contextlib import AsyncExitStack
from dataclasses import asdict, replace
from pathlib import Path

from jobdeck.apis.targets import parse_target
from jobdeck.app.context import AppContext
from jobdeck.recording.reader import read_recording
from jobdeck.recording.recorder import Recorder
from jobdeck.recording.replay import ReplayEngine
from jobdeck.simulator.demo import demo_scenario, demo_targets
from jobdeck.simulator.scenario import Fault, FaultKind, Scenario
from jobdeck.simulator.server import SimulatorServer
from tests.builders import body_of
from tests.engine.running import settings_for, until
from tests.support.clocks import FastClock

SPEED = 60.0
SECONDS = 180.0
PER_HOUR = 2_300_000
"""Bytes for 100 jobs, at most, at the limits of the README's configuration, both used up: 300 and 60 a minute."""

FAULTS = (
    Fault(FaultKind.STATUS, probability=0.05, status=503),
    Fault(FaultKind.HTML, probability=0.03),
    Fault(FaultKind.RESET_MIDDLE, start=100.0, end=110.0),
    Fault(FaultKind.NOT_UTF8, probability=0.03),
)


def busy(jobs: int) -> Scenario:
    """The demo's jobs, but going on for an hour or so, and a server that fails now and then."""
    scenario = demo_scenario(jobs=jobs, seed=1)
    slow = [
        replace(
            job,
            duration=None if job.stages and job.stages[0].duration else 600.0 + 37 * n % 3000,
            stages=tuple(replace(one, duration=one.duration and one.duration * 20) for one in job.stages),
        )
        for n, job in enumerate(scenario.jobs)
    ]
    return replace(scenario, jobs=tuple(slow), faults=(*scenario.faults, *FAULTS))


async def test_an_hour_of_a_hundred_jobs_takes_about_two_megabytes_and_is_played_back_in_every_field(
    tmp_path: Path,
) -> None:
    clock, path = FastClock(SPEED), tmp_path / "one.jobdeck"
    scenario, complaints = busy(100), list[str]()
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(SimulatorServer(scenario, clock=lambda: clock.now().us / 1e6))
        context = AppContext({}, settings=settings_for(server.url, 300, sonarly=60), clock=clock, keep=False)
        recorder = Recorder(path, {"hog": "thehog", "sonarly": "sonarly"}, clock)
        recorder.when_it_ends(complaints.append)
        engine = (await context.open(recorder=recorder)).engine
        stack.push_async_callback(engine.aclose)
        begun = clock.now()
        engine.add(parse_target(text, context.registry) for text in demo_targets(scenario))
        polling = asyncio.create_task(engine.run())
        await until(lambda: clock.now().since(begun) >= SECONDS / 2)
        gone = next(iter(engine.jobs))
        engine.remove([gone])
        engine.pause()
        engine.acknowledge([next(iter(engine.jobs))])
        await asyncio.sleep(0.1)
        engine.resume()
        await until(lambda: clock.now().since(begun) >= SECONDS)
        polling.cancel()
        await asyncio.gather(polling, return_exceptions=True)
        await recorder.close()
        recording = read_recording(path)
        assert not complaints
        assert recording.complete
        text = gzip.decompress(path.read_bytes())
        # The beginning counts in full, although everything is new only then: an hour comes to less, never to more.
        assert path.stat().st_size / recording.seconds * 3_600 <= PER_HOUR
        assert b"_simulated" not in text
        assert b"authorization" not in text.lower()
        replay = ReplayEngine(recording, at=recording.seconds)
        await anext(aiter(replay.subscribe()))
        assert gone not in replay.jobs
        assert list(replay.jobs) == list(engine.jobs)
        for job in engine.jobs.values():
            live, played = asdict(job), asdict(replay.jobs[job.key])
            assert {k: (v, played[k]) for k, v in live.items() if v != played[k] and k != "version"} == {}
        problems = 0
        for key in engine.jobs:
            sent, shown = engine.exchanges(key), replay.exchanges(key)
            problems += sum(one.problem is not None for one in sent)
            assert shown == sent
            assert replay.timeline(key) == engine.timeline(key)
            # Bytes that are no UTF-8 are recorded as the sign that stands for them on every screen.
            for one in sent:
                body = body_of(engine.content(one)) if one.job is not None else None
                played = body_of(replay.content(one))
                assert played == (None if body is None else body.decode("utf-8", "replace").encode())
            assert replay.progress_history(key) == engine.progress_history(key)
        assert problems
        assert {name: one.limit for name, one in replay.quotas().items()} == {"hog": 300, "sonarly": 60}
