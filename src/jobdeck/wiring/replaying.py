"""Playing a recording back: an engine for the screen that asks nobody, in the recording's own time.

Time does not pass here, it is told: each frame moves it by a fixed step. So the same keys at the same frames give the
same screens, however fast the machine is.
"""

import asyncio
from bisect import bisect_left, bisect_right
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping

from jobdeck.domain.exchange import Exchange
from jobdeck.domain.instant import Instant
from jobdeck.domain.job import Job, JobKey
from jobdeck.domain.problem import Problem
from jobdeck.domain.timeline import Moment
from jobdeck.engine.batch import Batch
from jobdeck.recording.moments import FORMS, Clocks
from jobdeck.recording.reader import Recording
from jobdeck.scheduling.actions import BudgetView, Plan
from jobdeck.wiring.recorded import Changes, State, looks_of, stops_of

FRAME_SECONDS = 0.1
SPEEDS = (0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 60.0, 240.0)


LEAST_SPACING = 4_000
MOST_KEPT = 32
"""How many states are kept on the way, at most and not too near to each other: whoever goes back begins from one."""

MOST_JOBS_KEPT = 40_000
"""Jobs in all of them, of some 2 kB each."""


class Replay:
    """An engine that plays a recording, and the controls of it. It belongs to one event loop."""

    PACE = FRAME_SECONDS
    """Seconds of ours between two frames."""

    def __init__(self, recording: Recording, *, at: float = 0.0, speed: float = 1.0, playing: bool = True) -> None:
        """Play from `at` seconds after the beginning on, `speed` times as fast as it was recorded."""
        self.playing = playing
        self.speed = speed
        self.length = recording.seconds
        self.whole = recording.complete
        self.damaged = recording.damaged
        self.position = 0.0
        self._recording = recording
        self._places = [placed.at for placed in recording.facts]
        self._stops = stops_of(recording.facts)
        self._looks = looks_of(recording.facts)
        told = ((placed.at, placed.fact.at) for placed in recording.facts)
        self._clocks = Clocks(recording.header.started_us, told, recording.seconds)
        self._drawn = False
        self._wake = asyncio.Event()
        self._state = State(recording.header.started_us)
        self._kept: dict[int, State] = {}
        self._spacing = max(LEAST_SPACING, len(recording.facts) // MOST_KEPT + 1)
        self._wanted: float | None = min(max(at, 0.0), self.length)
        self._closed = False
        self._due = 0.0

    def now(self) -> Instant:
        """Return the moment that is shown, on the clocks of then."""
        return Instant(self._state.zero_us + round(self.position * 1e6), self.position)

    @property
    def over(self) -> bool:
        """Whether the end is shown."""
        return self.position >= self.length

    def toggle(self) -> None:
        """Stand still, or go on; at the end, begin anew."""
        self.playing = not self.playing
        if self.playing and self.over:
            self.seek(0.0)
        self._wake.set()

    def faster(self, by: int) -> None:
        """Play at the next higher speed, or the next lower one."""
        place = bisect_left(SPEEDS, self.speed) + by
        self.speed = SPEEDS[min(max(place, 0), len(SPEEDS) - 1)]
        self._wake.set()

    def step(self, by: int) -> None:
        """Stand still at the next thing that happened, or at the one before."""
        at = self.position if self._wanted is None else self._wanted
        place = bisect_right(self._stops, at) if by > 0 else bisect_left(self._stops, at) - 1
        self.playing = False
        self.seek(self._stops[place] if 0 <= place < len(self._stops) else self.length if by > 0 else 0.0)

    def seek(self, seconds: float) -> None:
        """Show the moment so many seconds after the beginning; the screen is drawn anew from it alone."""
        self._wanted = min(max(seconds, 0.0), self.length)
        self._wake.set()

    @property
    def forms(self) -> str:
        """How a person may name a moment, by example."""
        return FORMS

    def find(self, text: str) -> float:
        """Return the seconds after the beginning at which the moment is that a person means; raises `MomentError`."""
        return self._clocks.find(text, self.position if self._drawn else None)

    def date(self, seconds: float) -> int:
        """Return the date of a moment, in microseconds since the epoch."""
        return self._clocks.us(seconds)

    @property
    def several_days(self) -> bool:
        """Whether a time of day alone does not tell which moment is meant."""
        return self._clocks.several_days

    @property
    def jobs(self) -> Mapping[JobKey, Job]:
        """The jobs as they were."""
        return self._state.registry.jobs

    @property
    def paused(self) -> bool:
        """Whether the recorded session was paused."""
        return self._state.standing.paused

    def exchanges(self, key: JobKey) -> tuple[Exchange, ...]:
        """Return the exchanges about a job up to now, newest first."""
        return self._state.registry.trace(key).exchanges

    def timeline(self, key: JobKey) -> tuple[Moment, ...]:
        """Return what had happened to a job, oldest first."""
        return self._state.registry.trace(key).moments

    def previous(self, key: JobKey) -> Job | None:
        """Return a job's state before its newest change."""
        return self._state.registry.trace(key).previous

    def progress_history(self, key: JobKey) -> tuple[tuple[float, float], ...]:
        """Return how a job's progress had moved."""
        return self._state.registry.trace(key).samples

    def body(self, key: JobKey) -> bytes | None:
        """Return the newest body about a job."""
        return self._state.registry.body(key)

    def budgets(self) -> Mapping[str, BudgetView]:
        """Return how the budgets stood."""
        return self._state.standing.budgets

    def halted(self) -> Mapping[str, Problem]:
        """Return the profiles that were halted."""
        return self._state.standing.halted

    def next_try(self, profile: str) -> float | None:
        """Return None: it is not on record."""
        return None

    def plan(self, key: JobKey) -> Plan | None:
        """Return when a job was looked at next, which is known here; None when that is not on record."""
        job, looks = self.jobs.get(key), self._looks.get(key, [])
        place = bisect_right(looks, self.position)
        return Plan(looks[place], job.interval, job.failures) if job is not None and place < len(looks) else None

    def subscribe(self) -> "Frames":
        """Return the frames. There is one reader of them: each that is read moves time on."""
        return Frames(self._next, self.close)

    def close(self) -> None:
        """End the frames."""
        self._closed = True
        self._wake.set()

    async def _next(self) -> Batch | None:
        """Return the next frame when it is due; None when there is none any more."""
        while not self._closed:
            self._wake.clear()
            if self._wanted is not None:
                wanted, self._wanted = self._wanted, None
                self._drawn = True
                return self._jump(wanted)
            if self.playing and self.over:
                self.playing = False
                return Batch()
            if not self.playing:
                await self._wake.wait()
                continue
            # From when the last was due, so that drawing it takes no time; a screen that is slower than that gets
            # all frames, later.
            time = asyncio.get_running_loop().time()
            due = max(self._due + self.PACE, time)
            try:
                async with asyncio.timeout_at(due):
                    await self._wake.wait()
            except TimeoutError:
                self._due = due
                return self._advance(min(self.position + FRAME_SECONDS * self.speed, self.length))
        return None

    def _jump(self, to: float) -> Batch:
        told = bisect_right(self._places, to)
        begin = max((number for number in self._kept if number <= told), default=0)
        if to < self.position or begin > self._state.told:
            known = self._kept.get(begin)
            self._state = State(self._recording.header.started_us) if known is None else known.copy()
        self._advance(to)
        return Batch(tuple(self.jobs.values()), fresh=True, ranks=dict(self._state.ranks.of))

    def _advance(self, to: float) -> Batch:
        state, end = self._state, bisect_right(self._places, to)
        changed = Changes(state.ranks)
        for number in range(state.told, end):
            if number and number % self._spacing == 0:
                self._keep(number)
            state.take(self._recording.facts[number].fact, changed)
        state.settle(changed)
        state.told = end
        self.position = to
        return changed.batch(state.registry)

    def _keep(self, number: int) -> None:
        """Keep the state before a fact, unless all that are kept would be too much."""
        state = self._state
        if number not in self._kept and (len(self._kept) + 1) * len(state.registry.jobs) <= MOST_JOBS_KEPT:
            state.told = number
            self._kept[number] = state.copy()


class Frames:
    """What a screen draws, one frame at a time."""

    def __init__(self, next_frame: Callable[[], Awaitable[Batch | None]], close: Callable[[], None]) -> None:
        self._next = next_frame
        self.close = close

    async def __aiter__(self) -> AsyncIterator[Batch]:
        """Yield frames until closed."""
        while (batch := await self._next()) is not None:
            yield batch
