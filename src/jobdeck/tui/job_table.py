"""The model of the job list: rows, order, filter and counts, by job key. Pure: time is an argument."""

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
from jobdeck.tui.render.state import State, shown_state, state_category

Value: TypeAlias = float | str | bytes
SortKey: TypeAlias = Rank | tuple[int, Value, Rank]
"""A unique sort key: the rank, or (whether the value is missing, value, rank)."""

COMPARED = 64
"""Characters of a text that are compared."""

_TURNED = bytes(255 - byte for byte in range(256))
_TIME_DEPENDENT = frozenset({Name.PROGRESS, Name.ELAPSED, Name.ETA, Name.UPDATED})


@dataclass(frozen=True, slots=True)
class Order:
    """A sort order; `Name.STATE` sorts by urgency. Rows without a value come last, in reverse too."""

    by: Name = Name.STATE
    reverse: bool = False

    @property
    def time_dependent(self) -> bool:
        """Whether the order changes as time passes, so that rows are re-sorted only now and then."""
        return self.by in _TIME_DEPENDENT

    @property
    def text(self) -> str:
        """The order as `parse_order` reads it: a column, with a minus in front if reversed."""
        return f"-{self.by}" if self.reverse else str(self.by)

    @property
    def label(self) -> str:
        """The order as shown to the user."""
        return f"{self.by}, reversed" if self.reverse else str(self.by)

    def sort_key(self, job: Job, rank: Rank, now: Instant) -> SortKey:
        """Return a job's sort key; `rank` is its urgency."""
        if self.by is Name.STATE:
            return (-rank[0], -rank[1], rank[2]) if self.reverse else rank
        value = _value(job, self.by, now)
        if value is None:
            return 1, 0.0, rank
        return 0, _reversed(value) if self.reverse else value, rank


def parse_order(text: str) -> Order:
    """Parse `Order.text`; by urgency for any other text."""
    try:
        return Order(Name(text.removeprefix("-")), text.startswith("-"))
    except ValueError:
        return Order()


def _value(job: Job, by: Name, now: Instant) -> float | str | None:
    """Return the value a job is sorted by, smallest first: most progress and longest wait come first."""
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
    # UTF-8 sorts like its characters. The final byte exceeds every inverted one, so that "ab" comes before "a".
    return value.encode("utf-8", "surrogatepass").translate(_TURNED) + b"\xff"


NO_RANKS: Mapping[JobKey, Rank] = MappingProxyType({})

REBUILD_FROM = 256
"""From this many moved rows on, a full sort is cheaper than moving each: 10,000 rows sort in about 5 ms."""


@dataclass(frozen=True, slots=True)
class Row:
    """One job as the list shows it."""

    job: Job
    state: State
    category: State
    """The state it is counted under."""
    rank: Rank
    revision: int
    """Differs between any two rows, and between any two versions of one row."""


Predicate: TypeAlias = Callable[[Row, Instant], bool]
"""Whether the list contains a row at a given time."""


@dataclass(frozen=True, slots=True)
class TableUpdate:
    """The result of an update."""

    changed: frozenset[JobKey]
    """The rows that look different."""
    moved: bool
    """Whether any row came, went or moved."""


@dataclass(frozen=True, slots=True)
class ProfileVisibility:
    """The visibility of a profile: its unfinished jobs, and how many of them are unreachable.

    A job that cannot be polled for a reason of its own says nothing about its profile, and is not counted.
    """

    open: int
    unreachable_jobs: int


class JobTable:
    """Rows in the order of urgency, or of a column.

    A row moves only when its class of urgency changes; within a class, the last to enter comes first and stays there,
    so that progress in many rows at once does not move the line being read. In a time-dependent order, rows keep their
    places until `resort`.
    """

    def __init__(self) -> None:
        self._rows: dict[JobKey, Row] = {}
        self._sorted: list[SortKey] = []
        self._keys: list[JobKey] = []
        self._sort_keys: dict[JobKey, SortKey] = {}
        self._order = Order()
        self._admits: Predicate | None = None
        self._counts: Counter[State] = Counter()
        self._profiles: Counter[str] = Counter()
        self._open: Counter[str] = Counter()
        self._unreachable: Counter[str] = Counter()
        self._with_watchers = 0
        self._returning: dict[JobKey, Rank] = {}
        self._revision = 0

    def __len__(self) -> int:
        """Return the number of rows that pass the filter."""
        return len(self._keys)

    @property
    def total(self) -> int:
        """The number of rows, hidden ones included."""
        return len(self._rows)

    @property
    def revision(self) -> tuple[int, int]:
        """A value that changes whenever a row is added, changed or removed."""
        return self._revision, len(self._rows)

    @property
    def counts(self) -> Mapping[State, int]:
        """The number of jobs in each state, hidden ones included."""
        return self._counts

    @property
    def profiles(self) -> frozenset[str]:
        """The profiles that have jobs."""
        return frozenset(self._profiles)

    @property
    def knows_watchers(self) -> bool:
        """Whether the watchers of any job are known."""
        return self._with_watchers > 0

    def visibility(self) -> dict[str, ProfileVisibility]:
        """Return the visibility of each profile with unfinished jobs."""
        return {name: ProfileVisibility(count, self._unreachable[name]) for name, count in self._open.items() if count}

    def row_at(self, index: int) -> Row:
        """Return the row at an index of the sorted list. Raises IndexError."""
        return self._rows[self._keys[index]]

    def keys(self, start: int, stop: int) -> Sequence[JobKey]:
        """Return the keys of the rows `start` to `stop` - 1."""
        return self._keys[start:stop]

    def row(self, key: JobKey) -> Row | None:
        """Return a job's row, even if it is hidden."""
        return self._rows.get(key)

    def rows(self) -> Iterable[Row]:
        """Return every row, hidden ones included, in the order of arrival."""
        return self._rows.values()

    def shows(self, key: JobKey) -> bool:
        """Whether a job has a row that passes the filter."""
        return key in self._sort_keys

    def index(self, key: JobKey) -> int | None:
        """Return a row's index in the sorted list, or None if it is not shown."""
        sort_key = self._sort_keys.get(key)
        return None if sort_key is None else bisect_left(self._sorted, sort_key)

    @property
    def order(self) -> Order:
        """The current sort order."""
        return self._order

    def keep_rank(self, key: JobKey, rank: Rank) -> None:
        """Put a job back to its earlier place at its next update, instead of the place of a new job."""
        self._returning[key] = rank

    def set_order(self, order: Order, now: Instant) -> None:
        """Change the sort order."""
        self._order = order
        self._update_sort_keys(now)

    def set_filter(self, admits: Predicate | None, now: Instant) -> None:
        """Show only the rows that pass `admits`; None shows all."""
        self._admits = admits
        self._update_sort_keys(now, keep=True)

    def resort(self, now: Instant, *, order: bool) -> bool:
        """Apply the filter again, and with `order` re-sort every row; returns whether a row moved."""
        before = self._keys
        self._update_sort_keys(now, keep=not order)
        return self._keys != before

    def update(
        self, jobs: Iterable[Job], removed: Iterable[JobKey], now: Instant, ranks: Mapping[JobKey, Rank] = NO_RANKS
    ) -> TableUpdate:
        """Apply changed jobs and drop removed ones; `ranks` overrides the computed rank of a job."""
        changed: set[JobKey] = set()
        leaving: list[SortKey] = []
        entering: list[tuple[SortKey, JobKey]] = []
        for key in removed:
            old = self._rows.pop(key, None)
            if old is not None:
                self._count(old, -1)
                changed.add(key)
                if key in self._sort_keys:
                    leaving.append(self._sort_keys.pop(key))
        for job in jobs:
            key = job.key
            old = self._rows.get(key)
            if old is not None and old.job == job and old.job.version == job.version:
                continue
            row = self._rows[key] = self._make(job, old, ranks.get(key))
            changed.add(key)
            if old is not None:
                self._count(old, -1)
            self._count(row, 1)
            was = self._sort_keys.pop(key, None)
            sort_key = self._sort_key_of(row, was, now)
            if was is not None and sort_key != was:
                leaving.append(was)
            if sort_key is not None:
                self._sort_keys[key] = sort_key
                if sort_key != was:
                    entering.append((sort_key, key))
        self._move(leaving, entering)
        return TableUpdate(frozenset(changed), bool(leaving or entering))

    def clear(self) -> None:
        """Remove all rows; order and filter stay."""
        self._rows, self._sort_keys, self._returning = {}, {}, {}
        self._sorted, self._keys = [], []
        self._with_watchers = 0
        for count in (self._counts, self._profiles, self._open, self._unreachable):
            count.clear()

    def _make(self, job: Job, old: Row | None, given: Rank | None) -> Row:
        self._revision += 1
        before = self._returning.pop(job.key, None) or (None if old is None else old.rank)
        new_rank = given or rank(job, before, self._revision)
        category = state_category(job)
        return Row(job, shown_state(job, category), category, new_rank, self._revision)

    def _sort_key_of(self, row: Row, was: SortKey | None, now: Instant) -> SortKey | None:
        """Return a row's sort key, or None if the filter hides it; `was` is its previous one."""
        if self._admits is not None and not self._admits(row, now):
            return None
        return was if was is not None and self._order.time_dependent else self._order.sort_key(row.job, row.rank, now)

    def _count(self, row: Row, by: int) -> None:
        self._counts[row.category] += by
        self._with_watchers += by if row.job.target.watched_by else 0
        profile = row.job.key.profile
        self._profiles[profile] += by
        if not self._profiles[profile]:
            del self._profiles[profile]
        if not row.job.terminal and not fails_alone(row.job):
            self._open[profile] += by
            if unreachable(row.job):
                self._unreachable[profile] += by

    def _move(self, leaving: list[SortKey], entering: list[tuple[SortKey, JobKey]]) -> None:
        if len(leaving) + len(entering) >= REBUILD_FROM:
            self._sort()
            return
        for sort_key in leaving:
            index = bisect_left(self._sorted, sort_key)
            del self._sorted[index]
            del self._keys[index]
        for sort_key, key in entering:
            index = bisect_left(self._sorted, sort_key)
            self._sorted.insert(index, sort_key)
            self._keys.insert(index, key)

    def _update_sort_keys(self, now: Instant, *, keep: bool = False) -> None:
        """Compute every row's sort key; with `keep`, rows in the list keep theirs."""
        before = self._sort_keys if keep else {}
        self._sort_keys = {}
        for key, row in self._rows.items():
            sort_key = self._sort_key_of(row, before.get(key), now)
            if sort_key is not None:
                self._sort_keys[key] = sort_key
        self._sort()

    def _sort(self) -> None:
        pairs = sorted(self._sort_keys.items(), key=itemgetter(1))
        self._keys = [key for key, _ in pairs]
        self._sorted = [sort_key for _, sort_key in pairs]
