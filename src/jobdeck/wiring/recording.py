"""Recording a session: a registry that tells a file what it is told, before it makes anything of it."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from jobdeck import __version__
from jobdeck.domain.events import Event, OutageBegan, OutageEnded, ProfileHalted, SleepNoticed
from jobdeck.domain.exchange import Exchange
from jobdeck.domain.instant import Clock, Instant
from jobdeck.domain.job import Job, JobKey, Target
from jobdeck.domain.problem import Problem
from jobdeck.domain.text import one_line
from jobdeck.domain.timeline import Moment
from jobdeck.engine.clock import Timer
from jobdeck.engine.engine import Engine
from jobdeck.engine.registry import Applied, Registry
from jobdeck.engine.subscription import Subscription
from jobdeck.providers.base import Reply
from jobdeck.recording import facts as f
from jobdeck.recording.writer import Writer

STANDING_SECONDS = 1.0
"""How often it is noted how the budgets stand."""


class Recorder:
    """Records one engine from before its first job on. `close` it when the engine is closed."""

    def __init__(self, path: Path, profiles: Mapping[str, str], clock: Timer) -> None:
        """Make the file, for `profiles` (the API behind each by name); raises `RecordingError`."""
        start = clock.now()
        self.name = one_line(str(path), 200)
        self._complain: Callable[[str], object] | None = None
        self._fault = ""
        self._clock = clock
        self._loop: asyncio.AbstractEventLoop | None = None
        self._tasks: tuple[asyncio.Task[None], ...] = ()
        self._writer = Writer(path, f.Header(__version__, start.us, profiles), start, self._fail)
        self.registry: Registry = RecordedRegistry(self._writer.take, clock)

    def follow(self, engine: Engine) -> None:
        """Record what happens to whole profiles, too, until the engine is closed. Needs a running loop."""
        loop = asyncio.get_running_loop()
        self._tasks = (
            loop.create_task(self._hear(engine.subscribe()), name="recorded events"),
            loop.create_task(self._look(engine), name="recorded budgets"),
        )

    def when_it_ends(self, complain: Callable[[str], object]) -> None:
        """Say who hears, in a line, that recording had to stop; it may have already. Needs a running loop."""
        self._loop = asyncio.get_running_loop()
        self._complain = complain
        self._tell()

    async def close(self) -> None:
        """Put everything on disk, with the end that tells a whole recording from one that breaks off."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await asyncio.to_thread(self._writer.close, self._clock.now())

    async def _hear(self, changes: Subscription) -> None:
        try:
            async for batch in changes:
                for event in batch.events:
                    if isinstance(event, ProfileHalted | OutageBegan | OutageEnded | SleepNoticed):
                        self._writer.take(f.Happened(event.at, event))
        finally:
            changes.close()

    async def _look(self, engine: Engine) -> None:
        """Note how the polling stands: a budget recovers by the second, and nobody tells of that."""
        never = asyncio.Event()
        while True:
            at = self._clock.now()
            self._writer.take(f.Standing(at, engine.paused, dict(engine.budgets()), dict(engine.halted())))
            await self._clock.wait(never, STANDING_SECONDS)

    def _fail(self, message: str) -> None:
        self._fault = message
        if self._loop is not None:
            # A loop that was closed meanwhile has nobody left who listens.
            with suppress(RuntimeError):
                self._loop.call_soon_threadsafe(self._tell)

    def _tell(self) -> None:
        """Tell of a fault, once: it may come before there is anybody to tell, and from another thread."""
        if self._fault and self._complain is not None:
            complain, self._complain = self._complain, None
            complain(self._fault)


class RecordedRegistry(Registry):
    """A registry that tells everything that changes it, in order; told to another one, it makes the same jobs."""

    def __init__(self, tell: Callable[[f.Fact], object], clock: Clock) -> None:
        super().__init__()
        self._tell = tell
        self._clock = clock

    def add(self, target: Target, now: Instant) -> tuple[Job, Event] | None:
        """Tell and add."""
        added = super().add(target, now)
        if added is not None:
            self._tell(f.Added(now, target))
        return added

    def restore(self, job: Job, now: Instant) -> bool:
        """Tell and restore."""
        restored = super().restore(job, now)
        if restored:
            self._tell(f.Restored(now, job))
        return restored

    def remove(self, key: JobKey, now: Instant) -> Event | None:
        """Tell and remove."""
        self._tell(f.Removed(now, key))
        return super().remove(key, now)

    def recall(self, key: JobKey, exchanges: Sequence[Exchange], moments: Sequence[Moment]) -> Job | None:
        """Tell and recall."""
        if exchanges or moments:
            self._tell(f.Recalled(self._clock.now(), key, tuple(exchanges), tuple(moments)))
        return super().recall(key, exchanges, moments)

    def darken(self, profile: str, outage: Problem | None) -> tuple[Job, ...]:
        """Tell and darken."""
        self._tell(f.Darkened(self._clock.now(), profile, outage))
        return super().darken(profile, outage)

    def acknowledge(self, key: JobKey, *, acknowledged: bool) -> Job | None:
        """Tell and note."""
        self._tell(f.Acknowledged(self._clock.now(), key, acknowledged))
        return super().acknowledge(key, acknowledged=acknowledged)

    def adopt(self, heard: Job, exchange: Exchange | None, *, result_missing: bool = False) -> Applied:
        """Tell and adopt."""
        if heard.key in self.jobs:
            self._tell(f.Adopted(self._clock.now(), heard, exchange, result_missing))
        return super().adopt(heard, exchange, result_missing=result_missing)

    def expect(self, key: JobKey, interval: float, eta: tuple[float, float] | None, stall_after: float | None) -> Job:
        """Note and tell, when that is something new."""
        before = self.jobs[key]
        after = super().expect(key, interval, eta, stall_after)
        if after is not before:
            self._tell(f.Expected(self._clock.now(), key, interval, eta, stall_after))
        return after

    def apply(self, asked: JobKey | None, reply: Reply, now: Instant) -> Applied:
        """Tell and apply; what is remembered is told before the reply that makes it count."""
        self.restore_remembered(asked, reply, now)
        if asked is None or asked in self.jobs:
            body = reply.body.decode("utf-8", "replace") if reply.body is not None else None
            self._tell(f.Replied(now, asked, reply.exchange, reply.observations, body))
        return super().apply(asked, reply, now)
