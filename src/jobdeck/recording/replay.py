"""Plays a recording: an engine for the screen that sends nothing, on the recording's clock.

Each frame advances time by a fixed step, so that the same keys at the same frames produce the same screens, however
fast the machine is.
"""

import asyncio
from bisect import bisect_left, bisect_right
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping

from jobdeck.domain.exchange import Exchange, ExchangeContent
from jobdeck.domain.instant import Instant
from jobdeck.domain.job import Job, JobKey
from jobdeck.domain.problem import Problem
from jobdeck.domain.timeline import TimelineEvent
from jobdeck.engine.subscription import ChangeSet
from jobdeck.recording.entries import Recording
from jobdeck.recording.replay_state import FrameChanges, ReplayState, failure_times, poll_times, step_times
from jobdeck.recording.times import TIME_HINT, RecordingClock
from jobdeck.scheduling.outlook import NextPoll, QuotaSnapshot

FRAME_SECONDS = 0.1
SPEEDS = (0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 60.0, 240.0)

CHECKPOINT_ENTRIES = 4_000
MAX_CHECKPOINTS = 32
"""The maximum number of states kept for jumping back; `CHECKPOINT_ENTRIES` is the minimum distance between two."""

MAX_CHECKPOINT_JOBS = 40_000
"""The total of jobs in all of them, at about 2 kB each."""


class ReplayEngine:
    """An engine that plays a recording, and its controls. It belongs to one event loop."""

    PACE = FRAME_SECONDS
    """Real seconds between two frames."""

    def __init__(self, recording: Recording, *, at: float = 0.0, speed: float = 1.0, playing: bool = True) -> None:
        """Start at `at` seconds after the beginning, playing `speed` times as fast as recorded."""
        self.playing = playing
        self.speed = speed
        self.length = recording.seconds
        self.complete = recording.complete
        self.damaged = recording.damaged
        self.position = 0.0
        self._started = recording.header.started
        self._entries = recording.entries
        self._places = [timed.at for timed in recording.entries]
        self._steps = step_times(recording.entries)
        self._polls = poll_times(recording.entries)
        self.failures = failure_times(recording.entries)
        moments = ((timed.at, timed.entry.at) for timed in recording.entries)
        self._clock = RecordingClock(self._started, moments, recording.seconds)
        self._drawn = False
        self._wake = asyncio.Event()
        self._state = ReplayState()
        self._checkpoints: dict[int, ReplayState] = {}
        self._spacing = max(CHECKPOINT_ENTRIES, len(recording.entries) // MAX_CHECKPOINTS + 1)
        self._wanted: float | None = min(max(at, 0.0), self.length)
        self._closed = False
        self._due = 0.0

    def now(self) -> Instant:
        """Return the time shown, on the recording's clocks."""
        return Instant(self._clock.timestamp_at(self.position), self._started.mono + self.position)

    @property
    def finished(self) -> bool:
        """Whether the end is shown."""
        return self.position >= self.length

    def toggle(self) -> None:
        """Play or pause; at the end, start again."""
        self.playing = not self.playing
        if self.playing and self.finished:
            self.seek(0.0)
        self._wake.set()

    def change_speed(self, by: int) -> None:
        """Change to the next higher or lower speed."""
        place = bisect_left(SPEEDS, self.speed) + by
        self.speed = SPEEDS[min(max(place, 0), len(SPEEDS) - 1)]
        self._wake.set()

    def step(self, by: int) -> None:
        """Pause at the next response or change, or at the previous one."""
        at = self.position if self._wanted is None else self._wanted
        place = bisect_right(self._steps, at) if by > 0 else bisect_left(self._steps, at) - 1
        self.playing = False
        self.seek(self._steps[place] if 0 <= place < len(self._steps) else self.length if by > 0 else 0.0)

    def seek(self, seconds: float) -> None:
        """Jump to a position in seconds; the screen is redrawn from it alone."""
        self._wanted = min(max(seconds, 0.0), self.length)
        self._wake.set()

    @property
    def time_hint(self) -> str:
        """Examples of how to type a time."""
        return TIME_HINT

    def parse_time(self, text: str) -> float:
        """Parse a time into a position in seconds; raises `TimeParseError`."""
        return self._clock.parse(text, self.position if self._drawn else None)

    def timestamp_at(self, seconds: float) -> int:
        """Convert a position in seconds into microseconds since the epoch."""
        return self._clock.timestamp_at(seconds)

    @property
    def spans_days(self) -> bool:
        """Whether a time of day is ambiguous."""
        return self._clock.spans_days

    @property
    def jobs(self) -> Mapping[JobKey, Job]:
        """The jobs at the current position."""
        return self._state.registry.jobs

    @property
    def paused(self) -> bool:
        """Whether the recorded session was paused."""
        return self._state.status.paused

    def exchanges(self, key: JobKey) -> tuple[Exchange, ...]:
        """Return the exchanges of a job up to the current position, newest first."""
        return self._state.registry.log_of(key).exchanges

    def timeline(self, key: JobKey) -> tuple[TimelineEvent, ...]:
        """Return a job's timeline, oldest first."""
        return self._state.registry.log_of(key).timeline

    def previous(self, key: JobKey) -> Job | None:
        """Return a job before its newest change."""
        return self._state.registry.log_of(key).previous

    def progress_history(self, key: JobKey) -> tuple[tuple[float, float], ...]:
        """Return the changes of a job's progress."""
        return self._state.registry.log_of(key).progress_samples

    def content(self, exchange: Exchange) -> ExchangeContent | None:
        """Return the recorded body of a poll."""
        return self._state.registry.content(exchange)

    def newest_content(self, key: JobKey) -> ExchangeContent | None:
        """Return the exchange with a job's newest body."""
        return self._state.registry.newest_content(key)

    def quotas(self) -> Mapping[str, QuotaSnapshot]:
        """Return the use of each profile's rate limit."""
        return self._state.status.budgets

    def halted(self) -> Mapping[str, Problem]:
        """Return the profiles whose polling was stopped."""
        return self._state.status.halted

    def next_probe_at(self, profile: str) -> float | None:
        """Return None: it is not recorded."""
        return None

    def next_poll(self, key: JobKey) -> NextPoll | None:
        """Return when a job was polled next; None if that is not recorded."""
        job, polls = self.jobs.get(key), self._polls.get(key, [])
        place = bisect_right(polls, self.position)
        if job is None or place == len(polls):
            return None
        return NextPoll(self._started.mono + polls[place], job.interval, job.failures)

    def subscribe(self) -> "Frames":
        """Return the frames, for one reader: reading a frame advances time."""
        return Frames(self._next, self.close)

    def close(self) -> None:
        """End the frames."""
        self._closed = True
        self._wake.set()

    async def _next(self) -> ChangeSet | None:
        """Return the next frame when it is due; None after `close`."""
        while not self._closed:
            self._wake.clear()
            if self._wanted is not None:
                wanted, self._wanted = self._wanted, None
                self._drawn = True
                return self._jump(wanted)
            if self.playing and self.finished:
                self.playing = False
                return ChangeSet()
            if not self.playing:
                await self._wake.wait()
                continue
            # Measured from when the last frame was due, so that drawing takes no time; a slower screen gets all frames,
            # later.
            time = asyncio.get_running_loop().time()
            due = max(self._due + self.PACE, time)
            try:
                async with asyncio.timeout_at(due):
                    await self._wake.wait()
            except TimeoutError:
                self._due = due
                return self._advance(min(self.position + FRAME_SECONDS * self.speed, self.length))
        return None

    def _jump(self, to: float) -> ChangeSet:
        count = bisect_right(self._places, to)
        checkpoint = max((number for number in self._checkpoints if number <= count), default=0)
        if to < self.position or checkpoint > self._state.applied:
            known = self._checkpoints.get(checkpoint)
            self._state = ReplayState() if known is None else known.copy()
        self._advance(to)
        return ChangeSet(tuple(self.jobs.values()), fresh=True, ranks=dict(self._state.ranks.ranks))

    def _advance(self, to: float) -> ChangeSet:
        state, end = self._state, bisect_right(self._places, to)
        changes = FrameChanges(state.ranks)
        for number in range(state.applied, end):
            if number and number % self._spacing == 0:
                self._keep_checkpoint(number)
            state.apply(self._entries[number].entry, changes)
        state.settle(changes)
        state.applied = end
        self.position = to
        return changes.batch(state.registry)

    def _keep_checkpoint(self, number: int) -> None:
        """Store the state before an entry, unless all stored states would be too large."""
        state, kept = self._state, self._checkpoints
        if number not in kept and (len(kept) + 1) * len(state.registry.jobs) <= MAX_CHECKPOINT_JOBS:
            state.applied = number
            kept[number] = state.copy()


class Frames:
    """The frames that a screen draws."""

    def __init__(self, next_frame: Callable[[], Awaitable[ChangeSet | None]], close: Callable[[], None]) -> None:
        self._next = next_frame
        self.close = close

    async def __aiter__(self) -> AsyncIterator[ChangeSet]:
        """Yield frames until closed."""
        while (batch := await self._next()) is not None:
            yield batch
