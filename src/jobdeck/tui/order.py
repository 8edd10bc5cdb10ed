"""In which order the list is: that of need, or by any column."""

from dataclasses import dataclass
from typing import TypeAlias

from jobdeck.domain.attention import Rank
from jobdeck.domain.instant import Instant
from jobdeck.domain.job import Job
from jobdeck.tui.draw.columns import Name

Value: TypeAlias = float | str | bytes
Place: TypeAlias = Rank | tuple[int, Value, Rank]
"""Where a row goes: its rank, or whether it lacks what the order is by, its value, and its rank. All are unique."""

COMPARED = 64
"""Characters of a text that decide its place."""

_TURNED = bytes(255 - byte for byte in range(256))
_MOVING = frozenset({Name.PROGRESS, Name.ELAPSED, Name.ETA, Name.SEEN})


@dataclass(frozen=True, slots=True)
class Order:
    """An order of the list; by `Name.STATE` it is that of need. `reverse` leaves rows without a value last."""

    by: Name = Name.STATE
    reverse: bool = False

    @property
    def moving(self) -> bool:
        """Whether the order changes as time passes, so that rows are put in place now and then, not at once."""
        return self.by in _MOVING

    @property
    def text(self) -> str:
        """The order as `read_order` understands it: a column, with a minus before it when reversed."""
        return f"-{self.by}" if self.reverse else str(self.by)

    @property
    def words(self) -> str:
        """The order as a person reads it."""
        return f"{self.by}, reversed" if self.reverse else str(self.by)

    def place(self, job: Job, rank: Rank, now: Instant) -> Place:
        """Return a job's place in this order; `rank` is that of its need."""
        if self.by is Name.STATE:
            return (-rank[0], -rank[1], rank[2]) if self.reverse else rank
        value = _value(job, self.by, now)
        if value is None:
            return 1, 0.0, rank
        return 0, _reversed(value) if self.reverse else value, rank


def read_order(text: str) -> Order:
    """Return the order that `Order.text` tells; that of need for any other text."""
    try:
        return Order(Name(text.removeprefix("-")), text.startswith("-"))
    except ValueError:
        return Order()


def _value(job: Job, by: Name, now: Instant) -> float | str | None:
    """Return what a job is sorted by, the smaller the earlier: what is furthest or has waited longest comes first."""
    match by:
        case Name.JOB:
            return _text(job.key.id)
        case Name.PROFILE:
            return _text(job.key.profile)
        case Name.KIND:
            return _text(job.kind)
        case Name.STAGE:
            stage = job.current_stage
            return _text(stage.stage.name) if stage is not None else None
        case Name.PROGRESS:
            progress = job.shown_progress
            return None if progress is None else -progress
        case Name.ELAPSED:
            return None if job.observed is None else -job.elapsed(now)
        case Name.ETA:
            if job.eta is None or job.observed is None or job.terminal:
                return None
            return sum(job.eta) / 2 - now.since(job.observed)
        case Name.SEEN:
            age = job.age(now)
            return None if age is None or job.terminal else -age
        case Name.WHY:
            return _reason(job)
        case Name.STATE:
            return None


def _reason(job: Job) -> str | None:
    if job.reason:
        return _text(job.reason[0])
    if job.trouble is not None and not job.terminal:
        return _text(job.trouble.kind.words)
    return _text(job.anomalies[-1]) if job.anomalies else None


def _text(text: str) -> str | None:
    return text[:COMPARED].casefold() or None


def _reversed(value: float | str) -> Value:
    if not isinstance(value, str):
        return -value
    # UTF-8 sorts as its letters do. The byte at the end is greater than any turned round: "ab" comes before "a".
    return value.encode("utf-8", "surrogatepass").translate(_TURNED) + b"\xff"
