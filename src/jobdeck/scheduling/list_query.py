"""The queries of a list: without a filter, for unfinished jobs or for ended ones, and what a page of each is worth."""

from dataclasses import dataclass, field

from jobdeck.domain.job import JobKey
from jobdeck.scheduling.actions import ListPage

PAGE_PERIOD = 2.0
"""Seconds between two requests for the same first page: the vendors allow no more."""


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
    """A page that could be requested: what it is expected to save, in seconds of delay.

    `requested_at` and `cursor` are those of its query before it was selected.
    """

    query: ListQuery
    depth: int
    page: ListPage
    value: float
    requested_at: float | None
    cursor: str | None


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

    def plus(self, hazard: float, last_success: float) -> "AgingValue":
        """Return the same with one more job, last observed at `last_success`."""
        since = last_success - self.base
        return AgingValue(
            self.base,
            self.zero + hazard,
            self.one + hazard * since,
            self.two + hazard * since * since,
            self.any_visible,
        )
