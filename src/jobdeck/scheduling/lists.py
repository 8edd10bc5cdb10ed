"""Lists: one request that refreshes up to a hundred jobs, and what is learnt of which jobs it still shows."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from jobdeck.domain.job import JobKey, Resource
from jobdeck.scheduling.actions import ListPage
from jobdeck.scheduling.tracked import Tracked

PERIOD = 2.0
"""Seconds between two requests for the same first page: the vendors ask for no more."""

CURSOR_LIFE = 30.0
FIRST_RETRY = 30.0
LAST_RETRY = 300.0
PATIENCE = 3.0
"""Times the usual gap between two list looks after which a listed job is polled on its own."""

WORTH_WHILE = 0.5
"""A page whose jobs were nearly all seen a moment ago is not asked for: it must be worth this part of its usual."""

SHORTEST_PATIENCE = 8.0
LONGEST_PATIENCE = 60.0


@dataclass(frozen=True, slots=True)
class ListSupport:
    """What a profile's API can list, as plain data.

    Rows come newest first, at most `page` of them. `kinds` are the kinds (as given to `Scheduler.add`) the list
    shows. `grouped` lists are asked per account group. `cursor` lists continue where a page ended. `active` are the
    status filters that select unfinished jobs, the one that means "running" first. `whole` is False when rows say
    nothing of stages and result.
    """

    resource: Resource
    kinds: frozenset[str]
    page: int = 100
    grouped: bool = False
    cursor: bool = False
    active: tuple[str, ...] = ()
    whole: bool = True


@dataclass(slots=True)
class Arm:
    """One way to ask a list: without a filter (`status` None) or with one; `pages` are the live keys last shown."""

    status: str | None
    ends_tell: bool
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
    """A page that could be asked for: what it is expected to save, in seconds of delay."""

    arm: Arm
    place: int
    page: ListPage
    value: float


@dataclass(frozen=True, slots=True)
class Sums:
    """Σh, Σh·t and Σh·t² with t counted from `base`: Σh(now − t)²/2 then costs the same for any number of jobs."""

    base: float
    zero: float
    one: float
    two: float

    def worth(self, now: float) -> float:
        """Seconds of delay that a look at all these jobs is expected to save."""
        since = now - self.base
        return max(0.0, self.zero * since * since - 2 * self.one * since + self.two) / 2


class Book:
    """One list (of one account group), with its arms and the watched jobs that it could show."""

    def __init__(self, support: ListSupport, group: str | None, jobs: dict[JobKey, Tracked]) -> None:
        self.support = support
        self.group = group
        self.keys: dict[JobKey, None] = {}
        self.homeless: dict[JobKey, None] = {}
        self.new: dict[JobKey, None] = {}
        self.refused = False
        self.failures = 0
        self.retry_at = float("-inf")
        self.not_before = float("-inf")
        self._jobs = jobs
        first, *others = support.active or (None,)
        self.arms = [Arm(None, ends_tell=True)]
        if first is not None:
            self.arms.append(Arm(first, ends_tell=False))
            self.arms.extend(Arm(status, ends_tell=False) for status in others)

    def add(self, key: JobKey) -> None:
        """Expect a new job, most likely on the first page without a filter."""
        self.keys[key] = self.homeless[key] = self.new[key] = None

    def drop(self, key: JobKey) -> None:
        """Expect a job no more: it has ended, or is not watched."""
        self.keys.pop(key, None)
        self.homeless.pop(key, None)
        self.new.pop(key, None)

    def lose(self, key: JobKey) -> None:
        """Note that the lists have not shown a job for too long; it is polled on its own until they do again."""
        if key in self.keys:
            self.homeless[key] = None

    def offers(self, now: float, pace: float, *, cheap: bool, probing: bool = False) -> list[Offer]:
        """Return the pages worth asking for now; `pace` stretches the period when nobody looks.

        A page for a single job is worth asking for only when pages are `cheap`, paid from their own bucket. A list
        that failed is left alone for a while, unless `probing`: then something else sets the pace.
        """
        held = self.not_before if probing else max(self.not_before, self.retry_at)
        if self.refused or now < held or len(self.keys) < (1 if cheap else 2):
            return []
        found: list[Offer] = []
        for arm in self.arms:
            if arm.refused or arm.in_flight:
                continue
            if arm.asked_at is None or now >= arm.asked_at + PERIOD * pace:
                value = self._value(arm, 0, now, pace) + self._hope(arm, now, 1 if cheap else 2)
                if value > 0:
                    found.append(Offer(arm, 0, self._page(arm, None), value))
            if arm.cursor is not None and now < arm.cursor_at + CURSOR_LIFE:
                value = self._value(arm, arm.depth, now, pace) + self._hope_deeper(arm, now)
                if value > 0:
                    found.append(Offer(arm, arm.depth, self._page(arm, arm.cursor), value))
        return found

    def next_offer_at(self, now: float, pace: float, *, cheap: bool) -> float | None:
        """Return when there may be a page worth asking for, if there is none now."""
        if self.refused or len(self.keys) < (1 if cheap else 2):
            return None
        soon = [
            max((arm.asked_at or now) + PERIOD * pace, self.not_before, self.retry_at)
            for arm in self.arms
            if not arm.refused and not arm.in_flight and (any(arm.pages) or self.homeless)
        ]
        return min(soon, default=None)

    def send(self, offer: Offer, now: float) -> None:
        """Note that an offer was taken."""
        offer.arm.in_flight = True
        offer.arm.cursor = None
        if offer.place == 0:
            offer.arm.asked_at = now

    def take(
        self, arm: Arm, place: int, now: float, shown: Sequence[JobKey], *, full: bool, cursor: str | None
    ) -> list[JobKey]:
        """Take over which live jobs a page showed, in its order; return those gone from it for good.

        A job that was on this page is gone when an older one is still there, or when the list ends with this page.
        Else it was pushed off by newer jobs, and may be on the next page.
        """
        arm.in_flight = False
        arm.cursor, arm.cursor_at, arm.depth = cursor, now, place + 1
        while len(arm.pages) <= place + 1:
            arm.pages.append([])
        here = set(shown)
        places = {key: number for number, key in enumerate(arm.pages[place])}
        last = max((places[key] for key in shown if key in places), default=-1)
        earlier = set(arm.pages[place - 1]) if place else set()
        gone: list[JobKey] = []
        pushed: list[JobKey] = []
        for key, number in places.items():
            if key in here or key in earlier or key not in self.keys:
                continue
            (gone if number < last or not full else pushed).append(key)
        arm.pages[place] = list(shown)
        arm.pages[place + 1] = [*pushed, *(key for key in arm.pages[place + 1] if key not in here)] if full else []
        arm.complete = not full
        if not full or not self.support.cursor:
            del arm.pages[place + 1 :]
            self.homeless.update(dict.fromkeys(pushed))
        for each in self.arms:
            each.sums = [None] * len(each.pages)
        for key in shown:
            self.homeless.pop(key, None)
        if not full and arm.status is not None and arm.status == self.support.active[0]:
            # The whole of what runs was shown: what ran when last seen, and is nowhere now, has ended.
            gone.extend(key for key in self.homeless if self._jobs[key].runs)
        self.new.clear()
        self._judge(arm, now, fruitful=bool(shown), place=place)
        return gone

    def fail(self, arm: Arm) -> None:
        """Note that a page was not answered."""
        arm.in_flight = False
        arm.cursor = None

    def hurry(self) -> None:
        """Leave the list alone no longer: what made it fail is over."""
        self.failures = 0
        self.retry_at = float("-inf")

    def _judge(self, arm: Arm, now: float, *, fruitful: bool, place: int) -> None:
        if place:
            arm.deeper_not_before = float("-inf") if fruitful else now + FIRST_RETRY
        elif fruitful:
            arm.fruitless = 0
        else:
            arm.fruitless += 1
            arm.not_before = now + min(LAST_RETRY, FIRST_RETRY * 2.0 ** min(arm.fruitless - 1, 5))

    def _value(self, arm: Arm, place: int, now: float, pace: float) -> float:
        if place >= len(arm.pages):
            return 0.0
        if len(arm.sums) != len(arm.pages):
            arm.sums = [None] * len(arm.pages)
        sums = arm.sums[place]
        if sums is None:
            sums = arm.sums[place] = self._sums(arm.pages[place], now, ends_tell=arm.ends_tell)
        worth = sums.worth(now)
        if worth < WORTH_WHILE * sums.zero * (PERIOD * pace) ** 2 / 2:
            return 0.0
        # An end seen on a filtered page is only a hole in it: it takes a second request to know.
        return worth if arm.ends_tell else worth * 0.5

    def _sums(self, keys: Sequence[JobKey], now: float, *, ends_tell: bool) -> Sums:
        zero = one = two = 0.0
        for key in keys:
            job = self._jobs.get(key)
            if job is None or job.terminal or (job.suspect and not ends_tell):
                continue
            since = (job.looked if job.looked is not None else job.added) - now
            hazard = 1.0 if job.suspect else job.hazard
            zero += hazard
            one += hazard * since
            two += hazard * since * since
        return Sums(now, zero, one, two)

    def _hope(self, arm: Arm, now: float, least: int) -> float:
        """What a first page may bring beyond the jobs it showed last time."""
        if now < arm.not_before or (arm.status is not None and not self.arms[0].pages):
            return 0.0
        if len(self.new) >= 2 and arm.status is None:
            return float("inf")
        homeless = len(self.homeless)
        if homeless < least:
            return 0.0
        if arm.asked_at is None:
            return float("inf")
        if not arm.complete or arm.status is None or homeless > self.support.page:
            return 1e-6 * homeless
        # The last page had room to spare, so the next one will show them, unless they wait for their beginning.
        return self._sums([key for key in self.homeless if self._jobs[key].runs], now, ends_tell=False).worth(now)

    def _hope_deeper(self, arm: Arm, now: float) -> float:
        explored = arm.depth < len(arm.pages) and bool(arm.pages[arm.depth])
        if explored or len(self.homeless) < 2 or now < arm.deeper_not_before:
            return 0.0
        return float("inf")

    def _page(self, arm: Arm, cursor: str | None) -> ListPage:
        return ListPage(self.support.resource, self.group, arm.status, cursor, self.support.page)
