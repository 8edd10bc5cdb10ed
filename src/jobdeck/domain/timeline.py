"""The timeline of a job: the observed events of its life."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from jobdeck.domain.phase import Phase


class TimelineEventKind(StrEnum):
    """The kind of an event in a timeline."""

    ACCEPTED = "accepted"
    WATCHED = "watched"
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
    # From the answer that showed the event.
    request_id: str | None = None


def first_observation(events: Iterable[TimelineEvent]) -> TimelineEvent | None:
    """Return the first observation of a job among its events, oldest first; None if they do not include it."""
    first = next((event for event in events if event.kind is TimelineEventKind.PHASE), None)
    return first if first is not None and first.before == Phase.UNKNOWN else None
