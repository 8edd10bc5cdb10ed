"""The timeline of a job: the observed events of its life."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from jobdeck.domain.events import (
    AnomalyMet,
    JobEvent,
    PhaseChanged,
    ProblemMet,
    Recovered,
    RunBegan,
    StageChanged,
)
from jobdeck.domain.phase import Phase


class TimelineEventKind(StrEnum):
    """The kind of an event in a timeline."""

    RUN = "run"
    PHASE = "phase"
    STAGE = "stage"
    PROBLEM = "problem"
    RECOVERED = "recovered"
    ANOMALY = "anomaly"


@dataclass(frozen=True, slots=True)
class TimelineEvent:
    """One event of a timeline."""

    # When it was observed, in microseconds since the epoch.
    at_us: int
    kind: TimelineEventKind
    # The server's status, a problem's message, an anomaly, or the evidence of a new run.
    text: str = ""
    # The name of the stage, for `STAGE`.
    stage: str | None = None
    # Phases.
    before: str | None = None
    after: str | None = None
    # The ID of the answer that showed the event.
    request_id: str | None = None


def timeline_of(events: Iterable[JobEvent], answer_id: str | None) -> Iterator[TimelineEvent]:
    """Yield the entries of a timeline for events that one answer showed; `answer_id` is its request or trace ID.

    Of a streak of problems only the first has an entry, and the recovery has one: an outage of hours takes two entries,
    and the requests on record tell the rest.
    """
    for event in events:
        us = event.at.us
        match event:
            case RunBegan(message=message):
                yield TimelineEvent(us, TimelineEventKind.RUN, message, request_id=answer_id)
            case PhaseChanged(before=before, after=after, status=status, request_id=own):
                change = (before.value, after.value)
                yield TimelineEvent(us, TimelineEventKind.PHASE, status, None, *change, own or answer_id)
            case StageChanged(stage=stage, before=was, after=after, status=status, request_id=own):
                moved = (was and was.value, after.value)
                yield TimelineEvent(us, TimelineEventKind.STAGE, status, stage, *moved, own or answer_id)
            case ProblemMet(problem=problem, failures=1):
                text = f"{problem.kind.label}: {problem.message}"
                yield TimelineEvent(us, TimelineEventKind.PROBLEM, text, request_id=answer_id)
            case Recovered(failures=failures):
                text = f"after {failures} failed polls" if failures > 1 else ""
                yield TimelineEvent(us, TimelineEventKind.RECOVERED, text, request_id=answer_id)
            case AnomalyMet(message=message):
                yield TimelineEvent(us, TimelineEventKind.ANOMALY, message, request_id=answer_id)
            case _:
                continue


def first_observation(events: Iterable[TimelineEvent]) -> TimelineEvent | None:
    """Return the first observation of a job among its events, oldest first; None if they do not include it."""
    first = next((event for event in events if event.kind is TimelineEventKind.PHASE), None)
    return first if first is not None and first.before == Phase.UNKNOWN else None
