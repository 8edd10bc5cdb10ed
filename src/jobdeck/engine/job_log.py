"""The log of one job, from this run and from the store, for the panes that explain a row."""

from collections.abc import Iterable, Sequence
from typing import Any

from jobdeck.domain.events import JobEvent
from jobdeck.domain.exchange import Exchange
from jobdeck.domain.instant import Instant
from jobdeck.domain.job import Job
from jobdeck.domain.timeline import TimelineEvent, timeline_of

MAX_EXCHANGES = 200
MAX_TIMELINE_EVENTS = 500
MAX_SAMPLES = 240
MAX_PREVIOUS_RESULT = 4 * 1024
"""Characters above which a result is left out of `JobLog.previous`."""


class JobLog:
    """One job's newest exchanges, its timeline, its state before the newest change, and its progress over time."""

    # Lists, oldest first, trimmed by hand: an empty deque takes 0.6 kB, and three for each of 10,000 jobs take 19 MB.
    __slots__ = ("_exchanges", "_samples", "_since_us", "_timeline", "previous")

    def __init__(self, now: Instant) -> None:
        self.previous: Job | None = None
        self._exchanges: list[Exchange] = []
        self._timeline: list[TimelineEvent] = []
        self._samples: list[tuple[float, float]] = []
        self._since_us = now.us

    @property
    def exchanges(self) -> tuple[Exchange, ...]:
        """The exchanges, newest first."""
        return tuple(reversed(self._exchanges))

    @property
    def timeline(self) -> tuple[TimelineEvent, ...]:
        """The timeline, oldest first."""
        return tuple(self._timeline)

    @property
    def progress_samples(self) -> tuple[tuple[float, float], ...]:
        """(Monotonic seconds, fraction) for each change of the progress, oldest first."""
        return tuple(self._samples)

    def copy(self) -> "JobLog":
        """Return an independent copy."""
        other = JobLog.__new__(JobLog)
        other.previous, other._since_us = self.previous, self._since_us
        other._exchanges, other._timeline, other._samples = [*self._exchanges], [*self._timeline], [*self._samples]
        return other

    def add_exchange(self, exchange: Exchange) -> None:
        """Add the newest exchange unless it is there: the store may have sent it, or a list name the job twice."""
        if self._exchanges and self._exchanges[-1].id == exchange.id:
            return
        self._exchanges.append(exchange)
        _trim(self._exchanges, MAX_EXCHANGES)

    def insert_exchange(self, exchange: Exchange) -> bool:
        """Insert an exchange of another process by its sequence; False if it is there: each change brings it again."""
        at = len(self._exchanges)
        while at and self._exchanges[at - 1].sequence >= exchange.sequence:
            at -= 1
            if self._exchanges[at].sequence == exchange.sequence:
                return False
        self._exchanges.insert(at, exchange)
        _trim(self._exchanges, MAX_EXCHANGES)
        return True

    def record_change(self, before: Job, after: Job, events: Iterable[JobEvent], now: Instant) -> None:
        """Record the change from `before` to `after`, with its events."""
        if after.changed is not before.changed and before.observed is not None:
            # Comparisons show only the beginning of a result, so a large one is not worth its memory.
            large = before.result is not None and len(before.result) > MAX_PREVIOUS_RESULT
            self.previous = before.without_result() if large else before
        self._timeline.extend(timeline_of(events, after.newest_id))
        _trim(self._timeline, MAX_TIMELINE_EVENTS)
        if after.run != before.run:
            self._samples.clear()
        progress = after.displayed_progress
        if progress is not None and (not self._samples or self._samples[-1][1] != progress):
            self._samples.append((now.mono, progress))
            _trim(self._samples, MAX_SAMPLES)

    def merge_history(self, exchanges: Sequence[Exchange], timeline: Sequence[TimelineEvent]) -> bool:
        """Add exchanges and timeline from before this run; False if there are none.

        `exchanges` are newest first, `timeline` oldest first. Those of this run, which the store has too, are skipped,
        and those that were merged before.
        """
        oldest = self._exchanges[0].sequence if self._exchanges else None
        older = [item for item in reversed(exchanges) if oldest is None or item.sequence < oldest]
        earlier = [entry for entry in timeline if entry.at_us < self._since_us]
        self._exchanges[:0] = older
        self._timeline[:0] = earlier
        self._since_us = min((entry.at_us for entry in earlier), default=self._since_us)
        _trim(self._exchanges, MAX_EXCHANGES)
        _trim(self._timeline, MAX_TIMELINE_EVENTS)
        return bool(older or earlier)


def _trim(items: list[Any], most: int) -> None:
    if len(items) > most:
        del items[: len(items) - most]
