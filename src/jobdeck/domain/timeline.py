"""The timeline of a job: what happened to it, as far as it was observed."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from jobdeck.domain.phase import Phase


class TimelineEventKind(StrEnum):
    """What an event of a timeline is about."""

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
    """One event of a timeline, observed at `at_us` (microseconds since the epoch).

    `stage` names the stage for `STAGE`, `before` and `after` are phases, and `text` is the server's own word, a
    problem's message, an anomaly, or how a new run of the ID shows. `request_id` is that of the answer that told.
    """

    at_us: int
    kind: TimelineEventKind
    text: str = ""
    stage: str | None = None
    before: str | None = None
    after: str | None = None
    request_id: str | None = None


def first_observation(events: Iterable[TimelineEvent]) -> TimelineEvent | None:
    """Return the event by which a job was first observed, of events oldest first; None when there is none."""
    first = next((event for event in events if event.kind is TimelineEventKind.PHASE), None)
    return first if first is not None and first.before == Phase.UNKNOWN else None
