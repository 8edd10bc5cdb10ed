"""What happened to one job, as far as this run and the ledger know: for the panes that explain a row."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from jobdeck.domain.events import (
    AnomalyMet,
    JobEvent,
    PhaseChanged,
    ProblemMet,
    Recovered,
    RunBegan,
    StageChanged,
)
from jobdeck.domain.exchange import Exchange
from jobdeck.domain.instant import Instant
from jobdeck.domain.job import Job
from jobdeck.domain.timeline import TimelineEvent, TimelineEventKind

EXCHANGES_KEPT = 200
MOMENTS_KEPT = 500
SAMPLES_KEPT = 240
RESULT_KEPT = 4 * 1024
"""Characters of the result of a former state."""


class Trace:
    """One job's newest exchanges, its timeline, its state before the newest change, and its progress over time."""

    # Lists, oldest first and trimmed by hand: an empty deque takes 0.6 kB, three of them for each of 10,000 jobs 19 MB.
    __slots__ = ("_begun_us", "_exchanges", "_moments", "_samples", "previous")

    def __init__(self, now: Instant) -> None:
        self.previous: Job | None = None
        self._exchanges: list[Exchange] = []
        self._moments: list[TimelineEvent] = []
        self._samples: list[tuple[float, float]] = []
        self._begun_us = now.us

    @property
    def exchanges(self) -> tuple[Exchange, ...]:
        """The exchanges, newest first."""
        return tuple(reversed(self._exchanges))

    @property
    def moments(self) -> tuple[TimelineEvent, ...]:
        """The timeline, oldest first."""
        return tuple(self._moments)

    @property
    def samples(self) -> tuple[tuple[float, float], ...]:
        """(Monotonic seconds, fraction) of the progress each time it moved, oldest first."""
        return tuple(self._samples)

    def copy(self) -> "Trace":
        """Return another that goes on from here by itself."""
        other = Trace.__new__(Trace)
        other.previous, other._begun_us = self.previous, self._begun_us
        other._exchanges, other._moments, other._samples = [*self._exchanges], [*self._moments], [*self._samples]
        return other

    def put(self, exchange: Exchange) -> None:
        """Add the newest exchange."""
        self._exchanges.append(exchange)
        _trim(self._exchanges, EXCHANGES_KEPT)

    def hear(self, exchange: Exchange) -> None:
        """Add an exchange of another process at its place, once: the newest is heard again with each change."""
        at = len(self._exchanges)
        while at and self._exchanges[at - 1].sequence >= exchange.sequence:
            at -= 1
            if self._exchanges[at].sequence == exchange.sequence:
                return
        self._exchanges.insert(at, exchange)
        _trim(self._exchanges, EXCHANGES_KEPT)

    def note(self, before: Job, after: Job, events: Iterable[JobEvent], now: Instant) -> None:
        """Take in what an observation changed."""
        if after.changed is not before.changed and before.observed is not None:
            # What is compared with it is its beginning.
            large = before.result is not None and len(before.result) > RESULT_KEPT
            self.previous = before.without_result() if large else before
        told = [moment for event in events if (moment := moment_of_event(event)) is not None]
        # An API without request IDs has a trace ID to give instead.
        self._moments.extend(replace(moment, request_id=moment.request_id or after.newest_id) for moment in told)
        _trim(self._moments, MOMENTS_KEPT)
        if after.run != before.run:
            self._samples.clear()
        progress = after.displayed_progress
        if progress is not None and (not self._samples or self._samples[-1][1] != progress):
            self._samples.append((now.mono, progress))
            _trim(self._samples, SAMPLES_KEPT)

    def recall(self, exchanges: Sequence[Exchange], moments: Sequence[TimelineEvent]) -> bool:
        """Put what is remembered from before this run before its own; False when there is nothing.

        `exchanges` are newest first, `moments` oldest first. This run's own are in the ledger too.
        """
        oldest = self._exchanges[0].sequence if self._exchanges else None
        older = [item for item in reversed(exchanges) if oldest is None or item.sequence < oldest]
        earlier = [moment for moment in moments if moment.at_us < self._begun_us]
        self._exchanges[:0] = older
        self._moments[:0] = earlier
        _trim(self._exchanges, EXCHANGES_KEPT)
        _trim(self._moments, MOMENTS_KEPT)
        return bool(older or earlier)


def _trim(items: list[Any], most: int) -> None:
    if len(items) > most:
        del items[: len(items) - most]


def moment_of_event(event: JobEvent) -> TimelineEvent | None:
    """Return the timeline's entry for an event; None for what a timeline leaves out."""
    us = event.at.us
    match event:
        case PhaseChanged(before=before, after=after, status=status, request_id=request_id):
            return TimelineEvent(us, TimelineEventKind.PHASE, status, None, before.value, after.value, request_id)
        case StageChanged(stage=stage, before=before, after=after, request_id=request_id):
            was = before.value if before is not None else None
            return TimelineEvent(us, TimelineEventKind.STAGE, "", stage, was, after.value, request_id)
        case ProblemMet(problem=problem, failures=1):
            text = f"{problem.kind.label}: {problem.message}"
            return TimelineEvent(us, TimelineEventKind.PROBLEM, text, request_id=problem.request_id or problem.trace_id)
        case Recovered(failures=failures):
            return TimelineEvent(
                us, TimelineEventKind.RECOVERED, f"after {failures} failed polls" if failures > 1 else ""
            )
        case RunBegan(message=message):
            return TimelineEvent(us, TimelineEventKind.RUN, message)
        case AnomalyMet(message=message):
            return TimelineEvent(us, TimelineEventKind.ANOMALY, message)
        case _:
            return None
