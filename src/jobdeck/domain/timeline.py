"""What happened to a job, moment by moment, as far as we saw it."""

from dataclasses import dataclass
from enum import StrEnum


class MomentKind(StrEnum):
    """What a moment is about."""

    ACCEPTED = "accepted"
    WATCHED = "watched"
    PHASE = "phase"
    STAGE = "stage"
    PROBLEM = "problem"
    RECOVERED = "recovered"
    ANOMALY = "anomaly"


@dataclass(frozen=True, slots=True)
class Moment:
    """One entry of a timeline: at `at_us` (microseconds since the epoch) we learnt this.

    `stage` names the stage for `STAGE`, `before` and `after` are phases, and `text` is the server's own word, a
    problem's message or an anomaly. `request_id` is that of the answer that told.
    """

    at_us: int
    kind: MomentKind
    text: str = ""
    stage: str | None = None
    before: str | None = None
    after: str | None = None
    request_id: str | None = None
