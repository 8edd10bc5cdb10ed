"""Lists: one request that refreshes up to a hundred jobs, and what is learnt of which jobs it still shows."""

from collections.abc import Sequence
from dataclasses import dataclass

from jobdeck.domain.job import JobKey
from jobdeck.scheduling.actions import ListPage
from jobdeck.scheduling.arms import PERIOD, Arm, Offer, Sums
from jobdeck.scheduling.ends import ENOUGH, Ends, Hidden
from jobdeck.scheduling.tracked import Tracked

CURSOR_LIFE = 30.0
FIRST_RETRY = 30.0
LAST_RETRY = 300.0
PATIENCE = 3.0
"""Times the usual gap between two list looks after which a listed job is polled on its own."""

WORTH_WHILE = 0.5
"""A page whose jobs were nearly all seen a moment ago is not asked for: it must be worth this part of its usual."""

QUEUED = 0.25
"""How much less likely a job has ended that was still queued when last seen."""

COUNT_SECONDS = 1.0
"""Between two countings of the jobs that no unfiltered page shows."""

SHORTEST_PATIENCE = 8.0
LONGEST_PATIENCE = 60.0


@dataclass(frozen=True, slots=True)
class ListSupport:
    """What a profile's API can list, as plain data.

    Rows come newest first, at most `page` of them. `kinds` are the kinds (as given to `Scheduler.add`) the list
    shows. `grouped` lists are asked per account group. `cursor` lists continue where a page ended. `active` are the
    status filters that select unfinished jobs, the one that means "running" first, `ended` those that select ended
    ones, the one for success first. `whole` is False when rows say nothing of stages, error and result: then the end
    is told at once, and a poll for the rest follows when there is room (`Choice`).
    """

    resource: str
    kinds: frozenset[str]
    page: int = 100
    grouped: bool = False
    cursor: bool = False
    active: tuple[str, ...] = ()
    whole: bool = True
    ended: tuple[str, ...] = ()


class Book:
    """One list (of one account group), with its arms and the watched jobs that it could show."""

    def __init__(self, support: ListSupport, group: str | None, jobs: dict[JobKey, Tracked]) -> None:
        self.support = support
        self.group = group
        self.keys: dict[JobKey, None] = {}
        self.homeless: dict[JobKey, None] = {}
        self.new: dict[JobKey, None] = {}
        self.unseen: dict[JobKey, None] = {}
        self.ends = Ends(support.ended)
        self.refused = False
        self.failures = 0
        self.failed_at = float("-inf")
        self.retry_at = float("-inf")
        self.not_before = float("-inf")
        self._jobs = jobs
        self._counted_at = float("-inf")
        self._away = Sums(0.0)
        first, *others = support.active or (None,)
        self.arms = [Arm(None, ends_tell=True)]
        if first is not None:
            self.arms.append(Arm(first, ends_tell=False))
            self.arms.extend(Arm(status, ends_tell=False) for status in others)

    def add(self, key: JobKey) -> None:
        """Expect a new job, most likely on the first page without a filter."""
        self.keys[key] = self.homeless[key] = self.new[key] = self.unseen[key] = None

    def drop(self, key: JobKey) -> None:
        """Expect a job no more: it has ended, or is not watched."""
        self.keys.pop(key, None)
        self.homeless.pop(key, None)
        self.new.pop(key, None)
        self.unseen.pop(key, None)
        self.ends.drop(key)

    def see(self, key: JobKey) -> None:
        """Note that something was told of a job that has not ended."""
        self.unseen.pop(key, None)
        self.ends.drop(key)

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
                    found.append(self._offer(arm, 0, value))
            if arm.cursor is not None and now < arm.cursor_at + CURSOR_LIFE:
                value = self._value(arm, arm.depth, now, pace) + self._hope_deeper(arm, now)
                if value > 0:
                    found.append(self._offer(arm, arm.depth, value))
        if self.arms[0].pages:
            found.extend(self._offer(arm, 0, value) for arm, value in self.ends.values(now, pace))
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
        if self.arms[0].pages and (end := self.ends.worth_at(now, pace)) is not None:
            soon.append(max(end, self.not_before, self.retry_at))
        return min(soon, default=None)

    def send(self, offer: Offer, now: float) -> None:
        """Note that an offer was taken."""
        offer.arm.in_flight = True
        offer.arm.cursor = None
        if offer.place == 0:
            offer.arm.asked_at = now

    def unsend(self, offer: Offer) -> None:
        """Note that a page that was offered and taken was not sent: it can be offered again."""
        offer.arm.in_flight = False
        offer.arm.asked_at, offer.arm.cursor = offer.asked_at, offer.cursor

    def awaits(self, key: JobKey, now: float, pace: float) -> bool:
        """Whether a job that has probably ended is better left to a page of ended jobs."""
        return not self.refused and now >= max(self.not_before, self.retry_at) and self.ends.awaits(key, now, pace)

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
        if not full and arm.status is None:
            # The whole list was shown: what is not in it will not be seen by reading on.
            self.unseen.clear()
        for each in self.arms:
            each.sums = [None] * len(each.pages)
        for key in shown:
            self.homeless.pop(key, None)
        if not full and arm.status is not None and arm.status == self.support.active[0]:
            # The whole of what runs was shown: what ran when last seen, and is nowhere now, has ended.
            gone.extend(key for key in self.homeless if self._jobs[key].runs)
        self.new.clear()
        self._count(now)
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
        if not arm.ends_tell and self.ends.cover and not sums.looked_at and worth < ENOUGH:
            return 0.0
        if worth < WORTH_WHILE * sums.zero * (PERIOD * pace) ** 2 / 2:
            return 0.0
        # An end seen on a filtered page is only a hole in it: it takes a second request to know.
        return worth if arm.ends_tell else worth * 0.5

    def _sums(self, keys: Sequence[JobKey], now: float, *, ends_tell: bool) -> Sums:
        zero = one = two = 0.0
        looked_at = False
        for key in keys:
            job = self._jobs.get(key)
            if job is None or job.terminal or (job.suspect and not ends_tell):
                continue
            looked_at = looked_at or job.shown
            since = (job.looked if job.looked is not None else job.added) - now
            hazard = 1.0 if job.suspect else job.hazard
            zero += hazard
            one += hazard * since
            two += hazard * since * since
        # What pages of ended jobs will tell anyway is worth little here, but for rows on the screen progress counts.
        rest = 1.0 if ends_tell or looked_at else 1.0 - self.ends.cover
        return Sums(now, zero * rest, one * rest, two * rest, looked_at)

    def _count(self, now: float) -> None:
        """Count the jobs that no page without a filter would show ended, and those that no page shows at all."""
        if now < self._counted_at + COUNT_SECONDS:
            return
        self._counted_at = now
        hidden = self.ends.hidden = Hidden(since=self.ends.hidden.since if self.ends.hidden.count else now)
        told = {key for page in self.arms[0].pages for key in page} if self.ends.arms else self.keys
        for key in self.keys:
            if key not in told and not (job := self._jobs[key]).suspect:
                hidden.count += 1
                hidden.hazards += job.hazard * (QUEUED if job.looked is not None and not job.runs else 1.0)
        running = [key for key in self.homeless if self._jobs[key].runs]
        self._away = self._sums(running, now, ends_tell=False)

    def _hope(self, arm: Arm, now: float, least: int) -> float:
        """What a first page may bring beyond the jobs it showed last time."""
        if now < arm.not_before or (arm.status is not None and not self.arms[0].pages):
            return 0.0
        if arm.status is not None and self.unseen and self.support.cursor and self.arms[0].in_flight:
            # The next page of all jobs is on its way, and reading on from there tells of the rest.
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
        return self._away.worth(now)

    def _hope_deeper(self, arm: Arm, now: float) -> float:
        explored = arm.depth < len(arm.pages) and bool(arm.pages[arm.depth])
        if now < arm.deeper_not_before or (not self.unseen and (explored or len(self.homeless) < 2)):
            return 0.0
        return float("inf")

    def _offer(self, arm: Arm, place: int, value: float) -> Offer:
        cursor = arm.cursor if place else None
        page = ListPage(self.support.resource, self.group, arm.status, cursor, self.support.page)
        return Offer(arm, place, page, value, arm.asked_at, arm.cursor)
