"""Seeking in a recording of an hour with 100 jobs, and the size of the recording."""

import asyncio
import tempfile
from collections.abc import Iterator
from pathlib import Path
from time import perf_counter, process_time

from tests.recording.making import at, write
from tests.tui.recorded import poll

from benchmarks.goal import Goal, Number
from jobdeck.domain.job import JobKey, Target
from jobdeck.domain.phase import Phase
from jobdeck.recording import entries as e
from jobdeck.recording.entries import Recording
from jobdeck.recording.reader import read_recording
from jobdeck.recording.replay import ReplayEngine

JOBS = 100
SECONDS = 3_600
EVERY = 60
"""Seconds between two polls of a job: 100 polls per minute, each with a new progress."""

SIZE = Goal("a recording of an hour, 100 jobs", 1_000.0, "kB")
OPENED = Goal("reading it", 3.0, "s")
SEEK = Goal("seeking in it, from the beginning to the end or back to the middle", 1.0, "s")
GOALS = (SIZE, OPENED, SEEK)


def measure() -> Iterator[Number]:
    """Record, read and seek."""
    with tempfile.TemporaryDirectory() as folder:
        path = write(Path(folder) / "hour.jobdeck", _entries(), end=at(SECONDS))
        begun = process_time()
        recording = read_recording(path)
        took = process_time() - begun
        yield SIZE.found(path.stat().st_size / 1_000, f"{len(recording.entries):,} entries")
    yield OPENED.found(took)
    yield SEEK.found(asyncio.run(_seek(recording)))


def _entries() -> Iterator[e.Entry]:
    keys = [JobKey("hog", None, f"op_{number:04d}") for number in range(JOBS)]
    yield from (e.Added(at(0), Target(key, "thehog", "operation")) for key in keys)
    for second in range(1, SECONDS):
        for key in keys[second % EVERY :: EVERY]:
            yield poll(second, key, Phase.RUNNING, second / SECONDS)


async def _seek(recording: Recording) -> float:
    worst = 0.0
    for first, place in ((0.0, float(SECONDS)), (float(SECONDS), SECONDS / 2)):
        spent = []
        for _ in range(3):
            replay = ReplayEngine(recording, at=first, playing=False)
            frames = aiter(replay.subscribe())
            await anext(frames)
            begun = perf_counter()
            replay.seek(place)
            await anext(frames)
            spent.append(perf_counter() - begun)
        worst = max(worst, min(spent))
    return worst
