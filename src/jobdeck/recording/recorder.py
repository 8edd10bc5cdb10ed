"""Records a session: a registry that logs every change before applying it."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from jobdeck import __version__
from jobdeck.domain.events import Event, OutageBegan, OutageEnded, ProfileHalted, SleepNoticed
from jobdeck.domain.exchange import Exchange
from jobdeck.domain.instant import Clock, Instant
from jobdeck.domain.job import Acknowledger, Job, JobKey, Target
from jobdeck.domain.problem import Problem
from jobdeck.domain.text import one_line
from jobdeck.domain.timeline import TimelineEvent
from jobdeck.engine.clock import Timer
from jobdeck.engine.engine import Engine
from jobdeck.engine.registry import Registry, RegistryChange
from jobdeck.engine.subscription import Subscription
from jobdeck.http.base import PollResult
from jobdeck.recording import entries as e
from jobdeck.recording.writer import Writer

STATUS_SECONDS = 1.0
"""How often the state of the rate limits is recorded, if it changed."""


class Recorder:
    """Records one engine, from before its first job. Call `close` after the engine is closed."""

    def __init__(self, path: Path, profiles: Mapping[str, str], clock: Timer) -> None:
        """Create the file, for `profiles` (the API of each by name); raises `RecordingError`."""
        self.name = one_line(str(path), 200)
        self._on_error: Callable[[str], object] | None = None
        self._error = ""
        self._clock = clock
        self._loop: asyncio.AbstractEventLoop | None = None
        self._tasks: tuple[asyncio.Task[None], ...] = ()
        self._writer = Writer(path, e.Header(__version__, clock.now(), profiles), self._fail)
        self.registry: Registry = RecordedRegistry(self._writer.write, clock)

    def follow(self, engine: Engine) -> None:
        """Record events of whole profiles too, until the engine is closed. Needs a running loop."""
        loop = asyncio.get_running_loop()
        self._tasks = (
            loop.create_task(self._record_events(engine.subscribe()), name="recorded events"),
            loop.create_task(self._record_status(engine), name="recorded budgets"),
        )

    def when_it_ends(self, on_error: Callable[[str], object]) -> None:
        """Set the callback for when recording stops with an error, which may have happened already.

        Needs a running loop.
        """
        self._loop = asyncio.get_running_loop()
        self._on_error = on_error
        self._report()

    async def close(self) -> None:
        """Write everything to disk, with the end mark of a complete recording."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await asyncio.to_thread(self._writer.close, self._clock.now())

    async def _record_events(self, changes: Subscription) -> None:
        try:
            async for batch in changes:
                for event in batch.events:
                    if isinstance(event, ProfileHalted | OutageBegan | OutageEnded | SleepNoticed):
                        self._writer.write(event)
        finally:
            changes.close()

    async def _record_status(self, engine: Engine) -> None:
        """Record the state of polling: the rate limits recover every second, without an event."""
        never, last = asyncio.Event(), None
        while True:
            at = self._clock.now()
            status = e.PollingStatus(at, engine.paused, dict(engine.quotas()), dict(engine.halted()))
            if last is None or replace(status, at=last.at) != last:
                self._writer.write(status)
                last = status
            await self._clock.wait(never, STATUS_SECONDS)

    def _fail(self, message: str) -> None:
        self._error = message
        if self._loop is not None:
            # After the loop is closed, nobody is left to be told.
            with suppress(RuntimeError):
                self._loop.call_soon_threadsafe(self._report)

    def _report(self) -> None:
        """Report an error, once: it may come from another thread, and before there is a callback."""
        if self._error and self._on_error is not None:
            on_error, self._on_error = self._on_error, None
            on_error(self._error)


class RecordedRegistry(Registry):
    """A registry that logs every change in order; applied to another registry, they produce the same jobs."""

    def __init__(self, record: Callable[[e.Entry], object], clock: Clock) -> None:
        super().__init__()
        self._record = record
        self._clock = clock

    def add(self, target: Target, now: Instant) -> tuple[Job, Event] | None:
        """Record and add."""
        added = super().add(target, now)
        if added is not None:
            self._record(e.Added(now, added[0].target))
        return added

    def move_to_batch(self, target: Target) -> Job | None:
        """Record and move, if the batch is another one."""
        moved = super().move_to_batch(target)
        if moved is not None:
            self._record(e.BatchChanged(self._clock.now(), moved.key, moved.target.batch))
        return moved

    def restore(self, job: Job, now: Instant) -> bool:
        """Record and restore."""
        restored = super().restore(job, now)
        if restored:
            self._record(e.Restored(now, job))
        return restored

    def remove(self, key: JobKey, now: Instant) -> Event | None:
        """Record and remove."""
        removed = super().remove(key, now)
        if removed is not None:
            self._record(e.Removed(now, key))
        return removed

    def merge_history(self, key: JobKey, exchanges: Sequence[Exchange], moments: Sequence[TimelineEvent]) -> Job | None:
        """Record and merge the history."""
        if exchanges or moments:
            self._record(e.HistoryLoaded(self._clock.now(), key, tuple(exchanges), tuple(moments)))
        return super().merge_history(key, exchanges, moments)

    def mark_unreachable(self, profile: str, outage: Problem | None) -> tuple[Job, ...]:
        """Record and mark."""
        self._record(e.OutageChanged(self._clock.now(), profile, outage))
        return super().mark_unreachable(profile, outage)

    def acknowledge(self, key: JobKey, *, acknowledged: bool, by: Acknowledger | None = None) -> Job | None:
        """Record and acknowledge."""
        self._record(e.Acknowledged(self._clock.now(), key, acknowledged))
        return super().acknowledge(key, acknowledged=acknowledged, by=by)

    def merge_external(self, heard: Job, exchange: Exchange | None, *, result_missing: bool = False) -> RegistryChange:
        """Record and merge."""
        if heard.key in self.jobs:
            self._record(e.PeerUpdate(self._clock.now(), heard, exchange, result_missing))
        return super().merge_external(heard, exchange, result_missing=result_missing)

    def note_action(self, key: JobKey, reply: PollResult) -> Job | None:
        """Record and store the exchange like one of another process: it changed nothing."""
        if key in self.jobs:
            self._record(e.PeerUpdate(self._clock.now(), self.jobs[key].without_result(), reply.exchange))
        return super().note_action(key, reply)

    def set_forecast(
        self, key: JobKey, interval: float, eta: tuple[float, float] | None, stall_after: float | None
    ) -> Job:
        """Apply the forecast, and record it if it changed."""
        before = self.jobs[key]
        after = super().set_forecast(key, interval, eta, stall_after)
        if after is not before:
            self._record(e.ForecastChanged(self._clock.now(), key, interval, eta, stall_after))
        return after

    def apply(self, asked: JobKey | None, reply: PollResult, now: Instant) -> RegistryChange:
        """Record and apply; a restored job is recorded before the reply that it is restored for."""
        self.restore_remembered(asked, reply, now)
        if asked is None:
            profile = reply.exchange.profile
            rows = (row for row in reply.observations if JobKey(profile, row.account_group, row.id) in self.jobs)
            self._record(e.Replied(now, None, reply.exchange, tuple(rows)))
        elif asked in self.jobs:
            body = reply.body.decode("utf-8", "replace") if reply.body is not None else None
            self._record(e.Replied(now, asked, reply.exchange, reply.observations, body))
        return super().apply(asked, reply, now)
