"""The list behind the list: rows, their order and their counts, kept by job key. Pure: it is told the time."""

from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from jobdeck.domain.attention import attention, attention_order
from jobdeck.domain.instant import Instant
from jobdeck.domain.job import Job, JobKey
from jobdeck.tui.draw.state import BLIND, LOST, State, counted_state, shown_state

Rank: TypeAlias = tuple[int, int, int]
"""Class of need, moment of entering it (the newest first), order of arrival. No two rows share one."""

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


@dataclass(frozen=True, slots=True)
class Delta:
    """What an update did: which rows look different, and whether any row came, went or moved."""

    changed: frozenset[JobKey]
    moved: bool


@dataclass(frozen=True, slots=True)
class Sight:
    """How well a profile is seen: its unfinished jobs, and how many of them are blind."""

    open: int
    blind: int


class Model:
    """Rows in the order of need.

    A row moves only when its class of need changes: within a class the last to enter comes first and stays there,
    so that progress ticking in many rows at once leaves every line where a reader's eye is.
    """

    def __init__(self) -> None:
        self._rows: dict[JobKey, Row] = {}
        self._ranks: list[Rank] = []
        self._keys: list[JobKey] = []
        self._admits: Callable[[Job], bool] | None = None
        self._counts: Counter[State] = Counter()
        self._profiles: Counter[str] = Counter()
        self._open: Counter[str] = Counter()
        self._blind: Counter[str] = Counter()
        self._stamp = 0

    def __len__(self) -> int:
        """Return the number of rows that the filter admits."""
        return len(self._keys)

    @property
    def total(self) -> int:
        """The number of rows, admitted or not."""
        return len(self._rows)

    @property
    def counts(self) -> Mapping[State, int]:
        """How many jobs there are of each state, admitted or not."""
        return self._counts

    @property
    def profiles(self) -> frozenset[str]:
        """The profiles of which there are jobs."""
        return frozenset(self._profiles)

    def sight(self) -> dict[str, Sight]:
        """Return how well each profile is seen, for those with unfinished jobs."""
        return {name: Sight(count, self._blind[name]) for name, count in self._open.items() if count}

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

    def index(self, key: JobKey) -> int | None:
        """Return a row's place in the order, None when it is not there."""
        row = self._rows.get(key)
        if row is None:
            return None
        index = bisect_left(self._ranks, row.rank)
        return index if index < len(self._ranks) and self._ranks[index] == row.rank else None

    def set_filter(self, admits: Callable[[Job], bool] | None) -> None:
        """Show only the jobs that `admits` says yes to; None shows all."""
        self._admits = admits
        self._rebuild()

    def update(self, jobs: Iterable[Job], removed: Iterable[JobKey], now: Instant) -> Delta:
        """Take in changed jobs and forget removed ones."""
        changed: set[JobKey] = set()
        leaving: list[Rank] = []
        entering: list[Row] = []
        for key in removed:
            old = self._rows.pop(key, None)
            if old is not None:
                self._count(old, -1)
                changed.add(key)
                if self._admitted(old.job):
                    leaving.append(old.rank)
        for job in jobs:
            old = self._rows.get(job.key)
            if old is not None and old.job == job and old.job.version == job.version:
                continue
            row = self._make(job, old, now)
            self._rows[job.key] = row
            changed.add(job.key)
            if old is not None:
                self._count(old, -1)
            self._count(row, 1)
            was, is_now = old is not None and self._admitted(old.job), self._admitted(job)
            if was and old is not None and (not is_now or old.rank != row.rank):
                leaving.append(old.rank)
            if is_now and (not was or (old is not None and old.rank != row.rank)):
                entering.append(row)
        self._move(leaving, entering)
        return Delta(frozenset(changed), bool(leaving or entering))

    def _make(self, job: Job, old: Row | None, now: Instant) -> Row:
        need = attention(job, now)
        self._stamp += 1
        if old is not None and old.rank[0] == need:
            rank = old.rank
        else:
            arrival = old.rank[2] if old is not None else self._stamp
            rank = (int(need), attention_order(job, now)[1], arrival)
        counted = counted_state(job, now)
        return Row(job, shown_state(job, counted), counted, rank, self._stamp)

    def _admitted(self, job: Job) -> bool:
        return self._admits is None or self._admits(job)

    def _count(self, row: Row, by: int) -> None:
        self._counts[row.counted] += by
        profile = row.job.key.profile
        self._profiles[profile] += by
        if not self._profiles[profile]:
            del self._profiles[profile]
        if not row.job.terminal:
            self._open[profile] += by
            if row.counted is BLIND or row.counted is LOST:
                self._blind[profile] += by

    def _move(self, leaving: list[Rank], entering: list[Row]) -> None:
        if len(leaving) + len(entering) >= REBUILD_FROM:
            self._rebuild()
            return
        for rank in leaving:
            index = bisect_left(self._ranks, rank)
            del self._ranks[index]
            del self._keys[index]
        for row in entering:
            index = bisect_left(self._ranks, row.rank)
            self._ranks.insert(index, row.rank)
            self._keys.insert(index, row.job.key)

    def _rebuild(self) -> None:
        pairs = sorted((row.rank, key) for key, row in self._rows.items() if self._admitted(row.job))
        self._ranks = [rank for rank, _ in pairs]
        self._keys = [key for _, key in pairs]
