"""The ways to ask a list: without a filter, of unfinished jobs or of ended ones, and what such a page is worth."""

from dataclasses import dataclass, field

from jobdeck.domain.job import JobKey
from jobdeck.scheduling.actions import ListPage

PERIOD = 2.0
"""Seconds between two requests for the same first page: the vendors ask for no more."""


@dataclass(slots=True)
class Arm:
    """One way to ask a list: without a filter (`status` None) or with one; `pages` are the live keys last shown.

    A page of an arm whose `ends_tell` shows ended jobs as well as live ones; `over` arms show ended jobs alone.
    """

    status: str | None
    ends_tell: bool
    over: bool = False
    pages: list[list[JobKey]] = field(default_factory=list)
    sums: list["Sums | None"] = field(default_factory=list)
    asked_at: float | None = None
    not_before: float = float("-inf")
    fruitless: int = 0
    refused: bool = False
    cursor: str | None = None
    cursor_at: float = float("-inf")
    depth: int = 0
    deeper_not_before: float = float("-inf")
    in_flight: bool = False
    complete: bool = False


@dataclass(frozen=True, slots=True)
class Offer:
    """A page that could be asked for: what it is expected to save, in seconds of delay.

    `asked_at` and `cursor` are those of its arm before it was taken.
    """

    arm: Arm
    place: int
    page: ListPage
    value: float
    asked_at: float | None
    cursor: str | None


@dataclass(frozen=True, slots=True)
class Sums:
    """Σh, Σh·t and Σh·t² with t counted from `base`: Σh(now − t)²/2 then costs the same for any number of jobs.

    `looked_at` says that one of them is on the screen.
    """

    base: float
    zero: float = 0.0
    one: float = 0.0
    two: float = 0.0
    looked_at: bool = False

    def worth(self, now: float) -> float:
        """Seconds of delay that a look at all these jobs is expected to save."""
        since = now - self.base
        return max(0.0, self.zero * since * since - 2 * self.one * since + self.two) / 2

    def plus(self, hazard: float, seen: float) -> "Sums":
        """Return the same with one more job, last seen at `seen`."""
        since = seen - self.base
        return Sums(
            self.base, self.zero + hazard, self.one + hazard * since, self.two + hazard * since * since, self.looked_at
        )
