"""The queries of a list: without a filter, for unfinished jobs or for ended ones, and what a page of each is worth."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from jobdeck.domain.job import JobKey
from jobdeck.scheduling.actions import ListPage

PAGE_PERIOD = 2.0
"""Seconds between two requests for the same first page: the vendors allow no more."""

SUCCESS_SHARE = 0.8
"""Part of all ends that the first status is expected to show; the others share the rest."""

MAX_RECALL = 0.9
RECALL_STEP = 0.05
MIN_VALUE = 1.0
"""Seconds of delay that a page must be expected to save, or it is not worth a request."""


@dataclass(slots=True)
class ListQuery:
    """One query of a list: without a filter (`status` None) or with one; `pages` are the live keys last shown.

    With `shows_ended` its pages have ended jobs as well as live ones, with `ended_only` ended jobs alone.
    """

    status: str | None
    shows_ended: bool
    ended_only: bool = False
    pages: list[list[JobKey]] = field(default_factory=list)
    values: list["AgingValue | None"] = field(default_factory=list)
    requested_at: float | None = None
    not_before: float = float("-inf")
    empty_pages: int = 0
    refused: bool = False
    cursor: str | None = None
    cursor_at: float = float("-inf")
    depth: int = 0
    deeper_not_before: float = float("-inf")
    in_flight: bool = False
    complete: bool = False


@dataclass(frozen=True, slots=True)
class PageCandidate:
    """A page that could be requested: what it is expected to save, in seconds of delay."""

    query: ListQuery
    depth: int
    page: ListPage
    value: float


@dataclass(frozen=True, slots=True)
class AgingValue:
    """Σh, Σh·t and Σh·t² with t counted from `base`: Σh(now − t)²/2 then costs the same for any number of jobs.

    `any_visible` says that one of them is on the screen.
    """

    base: float
    zero: float = 0.0
    one: float = 0.0
    two: float = 0.0
    any_visible: bool = False

    def at(self, now: float) -> float:
        """Seconds of delay that observing all these jobs `now` is expected to save."""
        since = now - self.base
        return max(0.0, self.zero * since * since - 2 * self.one * since + self.two) / 2

    def reaches(self, value: float) -> float:
        """Return when it will be `value`; infinite for never."""
        if self.zero <= 0.0:
            return math.inf
        root = math.sqrt(max(0.0, self.one * self.one - self.zero * (self.two - 2 * value)))
        return self.base + (self.one + root) / self.zero


class EndedPages:
    """The queries of one list that show ended jobs, newest first: one request may show a hundred ends.

    `statuses` are what they filter by, the one for success first. `hazards` is Σh of the jobs that no other page would
    show ended, watched since `since`. Times are monotonic seconds.
    """

    def __init__(self, statuses: Sequence[str]) -> None:
        self.queries = [ListQuery(status, shows_ended=True, ended_only=True) for status in statuses]
        self.hazards = 0.0
        self.since = 0.0
        self._recall = 0.5

    @property
    def recall_rate(self) -> float:
        """The part of the ends that these pages showed first lately, 0 where there are none."""
        return min(MAX_RECALL, self._recall) if self.queries else 0.0

    def record_end(self, *, here: bool) -> None:
        """Count an end that one of these pages showed first, or (not `here`) a poll."""
        self._recall += (float(here) - self._recall) * RECALL_STEP

    def valuable_queries(self, now: float, pace: float) -> Iterable[tuple[ListQuery, float]]:
        """Return the queries worth a request now, with the seconds of delay that each is expected to save."""
        for query, rate in self._rates():
            since = now - (self.since if query.requested_at is None else query.requested_at)
            value = rate * since * since / 2
            if value >= MIN_VALUE and (query.requested_at is None or since >= PAGE_PERIOD * pace):
                yield query, value

    def next_worth_at(self, pace: float) -> float | None:
        """Return when one of the queries will be worth a request, if nothing else changes; None for never."""
        times = [
            self.since + wait if query.requested_at is None else query.requested_at + max(wait, PAGE_PERIOD * pace)
            for query, rate in self._rates()
            if rate > 0
            for wait in (math.sqrt(2 * MIN_VALUE / rate),)
        ]
        return min(times, default=None)

    def _rates(self) -> Iterable[tuple[ListQuery, float]]:
        """Return the queries that may be sent, with the ends a second that each is expected to show."""
        for number, query in enumerate(self.queries):
            if not query.refused and not query.in_flight:
                share = (1.0 - SUCCESS_SHARE) / (len(self.queries) - 1) if number else SUCCESS_SHARE
                yield query, share * self.hazards
