"""A recording for the screen: three jobs of which one fails, one goes on and one cannot be seen for a while."""

from collections.abc import Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from jobdeck.cli.commands.replay import ReplaySession
from jobdeck.domain.exchange import Exchange
from jobdeck.domain.job import JobError, JobKey, Observation, Stage
from jobdeck.domain.phase import Phase
from jobdeck.domain.problem import Problem, ProblemKind
from jobdeck.recording import entries as e
from jobdeck.recording.entries import Recording
from jobdeck.recording.reader import read_recording
from jobdeck.recording.replay import ReplayEngine
from jobdeck.scheduling.outlook import QuotaSnapshot
from jobdeck.tui.app import JobdeckApp
from tests.builders import make_target
from tests.recording.making import at, write
from tests.tui.drive import Clipboard, Driven

FAILS, GOES_ON, BLIND = (make_target(f"op_{name}") for name in ("fails", "goes_on", "blind"))
LENGTH = 100.0


def request_id(second: int, key: JobKey) -> str:
    return f"00000000-0000-4000-8000-{second:04d}{int(key.id.encode()[3:7].hex(), 16) % 10**8:08d}"


def look(second: int, key: JobKey, problem: Problem | None = None) -> Exchange:
    started = at(second - 0.1)
    return Exchange("hog", "GET", f"https://a.example/api/operations/{key.id}", started, 0.09, key, 200,
                    request_id(second, key), problem=problem)  # fmt: skip


def poll(second: int, key: JobKey, phase: Phase, progress: float, error: JobError | None = None) -> e.Replied:
    status = {Phase.RUNNING: "processing", Phase.FAILED: "failed"}[phase]
    stages = (Stage("import", status, phase, progress),)
    seen = Observation(key.id, status, phase, progress, stages, error, created_us=at(0).us)
    body = f'{{"id":"{key.id}","status":"{status}","progress":{progress * 100:.0f}}}'
    return e.Replied(at(second), key, replace(look(second, key), size=len(body)), (seen,), body)


def entries() -> Iterator[e.Entry]:
    """A look at each job every ten seconds, and how the budget stood."""
    yield from (e.Added(at(1), target) for target in (FAILS, GOES_ON, BLIND))
    error = JobError("UPSTREAM_TIMEOUT", "provider did not answer")
    refused = Problem(ProblemKind.SERVER_ERROR, "HTTP 503", 503)
    for second in range(10, 100, 10):
        yield e.PollingStatus(at(second), False, {"hog": QuotaSnapshot(60, second // 2)}, {})
        ended = second >= 60
        if second <= 60:
            yield poll(
                second, FAILS.key, Phase.FAILED if ended else Phase.RUNNING, second / 100, error if ended else None
            )
        yield poll(second, GOES_ON.key, Phase.RUNNING, second / 200)
        yield e.ForecastChanged(at(second), GOES_ON.key, 10.0, (20.0, 45.0), 600.0)
        if 30 <= second < 80:
            yield e.Replied(at(second), BLIND.key, look(second, BLIND.key, refused))
        else:
            yield poll(second, BLIND.key, Phase.RUNNING, 0.25)


def recording(folder: Path) -> Recording:
    path = folder / "one.jobdeck"
    return read_recording(path if path.exists() else write(path, entries(), end=at(LENGTH)))


def app_of(folder: Path, **options: Any) -> tuple[JobdeckApp, ReplayEngine, Clipboard]:
    told, clipboard = recording(folder), Clipboard()
    replay = ReplayEngine(told, **options)
    return JobdeckApp(ReplaySession(told, replay), write_clipboard=clipboard, playback=replay), replay, clipboard


@asynccontextmanager
async def replaying(folder: Path, *, size: tuple[int, int] = (120, 36), **options: Any):  # type: ignore[no-untyped-def]
    """Run the screen on the recording; yields the driver and what plays."""
    app, replay, clipboard = app_of(folder, **options)
    async with app.run_test(size=size) as pilot:
        run = Driven(app, pilot, None, clipboard)  # type: ignore[arg-type] - there is no fake session
        await run.until(lambda: app.deck.deck_state.engine is not None)
        await run.shows("REPLAY")
        yield run, replay
