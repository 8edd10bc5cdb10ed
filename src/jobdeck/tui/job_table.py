"""The list behind the list: rows, their order and their counts, by job key. Pure: it is told the time."""

from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from operator import itemgetter
from types import MappingProxyType
from typing import TypeAlias

from jobdeck.domain.attention import Rank, fails_alone, rank, unreachable
from jobdeck.domain.instant import Instant
from jobdeck.domain.job import Job, JobKey
from jobdeck.tui.render.columns import Name
from jobdeck.tui.render.state import State, counted_state, shown_state

Value: TypeAlias = float | str | bytes
SortKey: TypeAlias = Rank | tuple[int, Value, Rank]
"""Where a row goes: its rank, or whether it lacks what the order is by, its value, and its rank. All are unique."""

COMPARED = 64
"""Characters of a text that decide its place."""

_TURNED = bytes(255 - byte for byte in range(256))
_MOVING = frozenset({Name.PROGRESS, Name.ELAPSED, Name.ETA, Name.UPDATED})


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
        """The order as `parse_order` understands it: a column, with a minus before it when reversed."""
        return f"-{self.by}" if self.reverse else str(self.by)

    @property
    def words(self) -> str:
        """The order as a person reads it."""
        return f"{self.by}, reversed" if self.reverse else str(self.by)

    def place(self, job: Job, rank: Rank, now: Instant) -> SortKey:
        """Return a job's place in this order; `rank` is that of its need."""
        if self.by is Name.STATE:
            return (-rank[0], -rank[1], rank[2]) if self.reverse else rank
        value = _value(job, self.by, now)
        if value is None:
            return 1, 0.0, rank
        return 0, _reversed(value) if self.reverse else value, rank


def parse_order(text: str) -> Order:
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
        case Name.WHO:
            return _text(", ".join(job.target.watched_by))
        case Name.STAGE:
            stage = job.current_stage
            return _text(stage.stage.name) if stage is not None else None
        case Name.PROGRESS:
            progress = job.displayed_progress
            return None if progress is None else -progress
        case Name.ELAPSED:
            return None if job.observed is None else -job.elapsed(now)
        case Name.ETA:
            if job.eta is None or job.observed is None or job.terminal:
                return None
            return sum(job.eta) / 2 - now.since(job.observed)
        case Name.UPDATED:
            age = job.age(now)
            return None if age is None or job.terminal else -age
        case Name.REASON:
            return _reason(job)
        case Name.STATE:
            return None


def _reason(job: Job) -> str | None:
    if job.reason:
        return _text(job.reason[0])
    if job.trouble is not None and not job.terminal:
        return _text(job.trouble.kind.label)
    return _text(job.anomalies[-1]) if job.anomalies else None


def _text(text: str) -> str | None:
    return text[:COMPARED].casefold() or None


def _reversed(value: float | str) -> Value:
    if not isinstance(value, str):
        return -value
    # UTF-8 sorts as its letters do. The byte at the end is greater than any turned round: "ab" comes before "a".
    return value.encode("utf-8", "surrogatepass").translate(_TURNED) + b"\xff"


NO_RANKS: Mapping[JobKey, Rank] = MappingProxyType({})

REBUILD_FROM = 256
"""From this many moved rows on, sorting anew is cheaper than moving each: 10,000 rows sort in about 5 ms."""


@dataclass(frozen=True, slots=True)
class Row:
    """One job as the list shows it. `stamp` differs between any two rows and any two versions of one row."""

    job: Job
    state: State
    counted: State
    rank: Rank
    stamp: int


Predicate: TypeAlias = Callable[[Row, Instant], bool]
"""Whether a row is to be in the list at a moment."""


@dataclass(frozen=True, slots=True)
class TableUpdate:
    """What an update did: which rows look different, and whether any row came, went or moved."""

    changed: frozenset[JobKey]
    moved: bool


@dataclass(frozen=True, slots=True)
class ProfileVisibility:
    """How well a profile is seen: its unfinished jobs, and how many of them are unreachable.

    A job that cannot be polled for a reason of its own says nothing of its profile, and is not among them.
    """

    open: int
    blind: int


class JobTable:
    """Rows in the order of need, or in that of a column.

    A row moves only when its class of need changes: within a class the last to enter comes first and stays there,
    so that progress ticking in many rows at once leaves every line where a reader's eye is. In an order that moves
    as time passes, a row keeps its place until `settle`.
    """

    def __init__(self) -> None:
        self._rows: dict[JobKey, Row] = {}
        self._places: list[SortKey] = []
        self._keys: list[JobKey] = []
        self._placed: dict[JobKey, SortKey] = {}
        self._order = Order()
        self._admits: Predicate | None = None
        self._counts: Counter[State] = Counter()
        self._profiles: Counter[str] = Counter()
        self._open: Counter[str] = Counter()
        self._blind: Counter[str] = Counter()
        self._with_watchers = 0
        self._returning: dict[JobKey, Rank] = {}
        self._stamp = 0

    def __len__(self) -> int:
        """Return the number of rows that the filter admits."""
        return len(self._keys)

    @property
    def total(self) -> int:
        """The number of rows, admitted or not."""
        return len(self._rows)

    @property
    def revision(self) -> tuple[int, int]:
        """What differs once a row has come, changed or gone."""
        return self._stamp, len(self._rows)

    @property
    def counts(self) -> Mapping[State, int]:
        """How many jobs there are of each state, admitted or not."""
        return self._counts

    @property
    def profiles(self) -> frozenset[str]:
        """The profiles of which there are jobs."""
        return frozenset(self._profiles)

    @property
    def knows_watchers(self) -> bool:
        """Whether it is known of any job who watches it."""
        return self._with_watchers > 0

    def sight(self) -> dict[str, ProfileVisibility]:
        """Return how well each profile is seen, for those with unfinished jobs."""
        return {name: ProfileVisibility(count, self._blind[name]) for name, count in self._open.items() if count}

    def row_at(self, index: int) -> Row:
        """Return the row at a place in the order (IndexError when there is none)."""
        return self._rows[self._keys[index]]

    def keys(self, start: int, stop: int) -> Sequence[JobKey]:
        """Return the keys of the rows from place `start` to before `stop`."""
        return self._keys[start:stop]

    def row(self, key: JobKey) -> Row | None:
        """Return a job's row, admitted or not."""
        return self._rows.get(key)

    def rows(self) -> Iterable[Row]:
        """Return every row, admitted or not, in the order of arrival."""
        return self._rows.values()

    def shows(self, key: JobKey) -> bool:
        """Whether a job has a row that the filter admits."""
        return key in self._placed

    def index(self, key: JobKey) -> int | None:
        """Return a row's place in the order, None when it is not there."""
        place = self._placed.get(key)
        return None if place is None else bisect_left(self._places, place)

    @property
    def order(self) -> Order:
        """The order that the rows are in."""
        return self._order

    def keep_place(self, key: JobKey, place: Rank) -> None:
        """Put a job where it was, not where one goes that comes or changes, with the next update of it."""
        self._returning[key] = place

    def set_order(self, order: Order, now: Instant) -> None:
        """Put the rows into another order."""
        self._order = order
        self._place_all(now)

    def set_filter(self, admits: Predicate | None, now: Instant) -> None:
        """Show only the rows that `admits` says yes to; None shows all."""
        self._admits = admits
        self._place_all(now, keep=True)

    def settle(self, now: Instant, *, order: bool) -> bool:
        """Ask the filter again, and with `order` put every row where it belongs by now; true when a row moved."""
        before = self._keys
        self._place_all(now, keep=not order)
        return self._keys != before

    def update(
        self, jobs: Iterable[Job], removed: Iterable[JobKey], now: Instant, ranks: Mapping[JobKey, Rank] = NO_RANKS
    ) -> TableUpdate:
        """Take in changed jobs and forget removed ones; a job that `ranks` names has that rank, whatever led to it."""
        changed: set[JobKey] = set()
        leaving: list[SortKey] = []
        entering: list[tuple[SortKey, JobKey]] = []
        for key in removed:
            old = self._rows.pop(key, None)
            if old is not None:
                self._count(old, -1)
                changed.add(key)
                if key in self._placed:
                    leaving.append(self._placed.pop(key))
        for job in jobs:
            key = job.key
            old = self._rows.get(key)
            if old is not None and old.job == job and old.job.version == job.version:
                continue
            row = self._rows[key] = self._make(job, old, now, ranks.get(key))
            changed.add(key)
            if old is not None:
                self._count(old, -1)
            self._count(row, 1)
            was = self._placed.pop(key, None)
            place = self._place(row, was, now)
            if was is not None and place != was:
                leaving.append(was)
            if place is not None:
                self._placed[key] = place
                if place != was:
                    entering.append((place, key))
        self._move(leaving, entering)
        return TableUpdate(frozenset(changed), bool(leaving or entering))

    def clear(self) -> None:
        """Forget every row; order and filter stay."""
        self._rows, self._placed, self._returning = {}, {}, {}
        self._places, self._keys = [], []
        self._with_watchers = 0
        for count in (self._counts, self._profiles, self._open, self._blind):
            count.clear()

    def _make(self, job: Job, old: Row | None, now: Instant, given: Rank | None) -> Row:
        self._stamp += 1
        before = self._returning.pop(job.key, None) or (None if old is None else old.rank)
        place = given or rank(job, now, before, self._stamp)
        counted = counted_state(job, now)
        return Row(job, shown_state(job, counted), counted, place, self._stamp)

    def _place(self, row: Row, was: SortKey | None, now: Instant) -> SortKey | None:
        """Return where a row goes, None when the filter refuses it; `was` is where it has been."""
        if self._admits is not None and not self._admits(row, now):
            return None
        return was if was is not None and self._order.moving else self._order.place(row.job, row.rank, now)

    def _count(self, row: Row, by: int) -> None:
        self._counts[row.counted] += by
        self._with_watchers += by if row.job.target.watched_by else 0
        profile = row.job.key.profile
        self._profiles[profile] += by
        if not self._profiles[profile]:
            del self._profiles[profile]
        if not row.job.terminal and not fails_alone(row.job):
            self._open[profile] += by
            if unreachable(row.job):
                self._blind[profile] += by

    def _move(self, leaving: list[SortKey], entering: list[tuple[SortKey, JobKey]]) -> None:
        if len(leaving) + len(entering) >= REBUILD_FROM:
            self._sort()
            return
        for place in leaving:
            index = bisect_left(self._places, place)
            del self._places[index]
            del self._keys[index]
        for place, key in entering:
            index = bisect_left(self._places, place)
            self._places.insert(index, place)
            self._keys.insert(index, key)

    def _place_all(self, now: Instant, *, keep: bool = False) -> None:
        """Find every row's place; with `keep`, those in the list stay where they are."""
        before = self._placed if keep else {}
        self._placed = {}
        for key, row in self._rows.items():
            place = self._place(row, before.get(key), now)
            if place is not None:
                self._placed[key] = place
        self._sort()

    def _sort(self) -> None:
        pairs = sorted(self._placed.items(), key=itemgetter(1))
        self._keys = [key for key, _ in pairs]
        self._places = [place for _, place in pairs]
