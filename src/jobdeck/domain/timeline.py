"""What happened to a job, moment by moment, as far as we saw it."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from jobdeck.domain.phase import Phase


class MomentKind(StrEnum):
    """What a moment is about."""

    ACCEPTED = "accepted"
    WATCHED = "watched"
    RUN = "run"
    PHASE = "phase"
    STAGE = "stage"
    PROBLEM = "problem"
    RECOVERED = "recovered"
    ANOMALY = "anomaly"


@dataclass(frozen=True, slots=True)
class Moment:
    """One entry of a timeline: at `at_us` (microseconds since the epoch) we learnt this.

    `stage` names the stage for `STAGE`, `before` and `after` are phases, and `text` is the server's own word, a
    problem's message, an anomaly, or how a new run of the ID shows. `request_id` is that of the answer that told.
    """

    at_us: int
    kind: MomentKind
    text: str = ""
    stage: str | None = None
    before: str | None = None
    after: str | None = None
    request_id: str | None = None


def first_look(moments: Iterable[Moment]) -> Moment | None:
    """Return the moment that a job was first seen, of moments oldest first: nobody saw it unknown before that."""
    first = next((moment for moment in moments if moment.kind is MomentKind.PHASE), None)
    return first if first is not None and first.before == Phase.UNKNOWN else None
