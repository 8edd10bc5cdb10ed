"""Pages of ended jobs: one request that may tell of a hundred ends, and what is learnt of which it tells."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from jobdeck.domain.job import JobKey
from jobdeck.scheduling.arms import PERIOD, Arm, Offer, Sums

SUCCESS = 0.8
"""Part of all ends that the first word is expected to tell of, until it is learnt; the others share the rest."""

CERTAINTY = 2.0
"""Ends that what was expected before counts for, when it is weighed against what came."""

MEMORY = 30.0
SMALLEST_SHARE = 0.01
LARGEST_SHARE = 5.0
MOST_COVER = 0.9
LATELY = 0.05
ENOUGH = 1.0
"""Seconds of delay that a page of ended jobs must be expected to save, or it is not worth a request."""

TOGETHER = 1.5
"""Ends that such a page must be expected to tell of, before jobs that have probably ended wait for it."""

LIKELY = 0.3
"""Chance that a page shows a job, below which the job is asked on its own."""

PATIENCE = 5.0
"""Seconds that a job which has probably ended is left to the pages of ended jobs."""


@dataclass(slots=True)
class Gone:
    """A job that has probably ended: when it was last seen alive, when that was noted, and by what request (`sent`).

    `misses` are the arms whose newest rows did not show it since; `ruled` those of them that would have shown it, had
    it ended that way: their page was not full.
    """

    seen: float
    noted: float
    sent: float
    misses: frozenset[int] = frozenset()
    ruled: frozenset[int] = frozenset()


@dataclass(slots=True)
class Tally:
    """How many of the expected ends one arm has told of."""

    prior: float
    told: float = 0.0
    expected: float = 0.0

    @property
    def share(self) -> float:
        """Return the part of the expected ends that it tells of; more than one when more end than expected."""
        share = (self.prior * CERTAINTY + self.told) / (CERTAINTY + self.expected)
        return min(LARGEST_SHARE, max(SMALLEST_SHARE, share))

    def learn(self, told: int, expected: float) -> None:
        """Take over what one page told."""
        self.told += told
        self.expected += expected
        if self.expected > MEMORY:
            self.told *= 0.5
            self.expected *= 0.5


@dataclass(slots=True)
class Hidden:
    """Jobs that no other page would show ended: how many, Σh, and since when they are watched."""

    count: int = 0
    hazards: float = 0.0
    since: float = 0.0

    def ends(self, seconds: float) -> float:
        """Return how many of them are expected to end within `seconds`."""
        return self.count * -math.expm1(-self.hazards * seconds / self.count) if self.count else 0.0


@dataclass(slots=True)
class Ends:
    """The arms of one list that show ended jobs, newest first, and the jobs that they are expected to tell of.

    `words` are the statuses, the one for success first. Times are monotonic seconds.
    """

    words: Sequence[str]
    arms: list[Arm] = field(init=False)
    hidden: Hidden = field(default_factory=Hidden)
    _tallies: list[Tally] = field(init=False)
    _gone: dict[JobKey, Gone] = field(default_factory=dict)
    _sums: list[Sums] | None = None
    _cover: float = 0.5

    def __post_init__(self) -> None:
        others = (1.0 - SUCCESS) / max(1, len(self.words) - 1)
        self.arms = [Arm(word, ends_tell=True, over=True) for word in self.words]
        self._tallies = [Tally(others if number else SUCCESS) for number in range(len(self.words))]

    def __contains__(self, key: object) -> bool:
        return key in self._gone

    @property
    def cover(self) -> float:
        """The part of the ends that these pages told of lately, 0 where there are none."""
        return min(MOST_COVER, self._cover) if self.arms else 0.0

    def heard(self, *, here: bool) -> None:
        """Note an end that one of these pages told of, or a poll."""
        self._cover += (float(here) - self._cover) * LATELY

    def gone(self, key: JobKey, seen: float, now: float, sent: float) -> None:
        """Note that a job has probably ended, since it is missing from what was asked for at `sent`."""
        if self.arms and key not in self._gone:
            self._gone[key] = Gone(seen, now, sent)
            self._sums = None

    def drop(self, key: JobKey) -> None:
        """Look for a job no more: it was seen, or is not watched."""
        if self._gone.pop(key, None) is not None:
            self._sums = None

    def values(self, now: float, pace: float) -> Iterable[tuple[Arm, float]]:
        """Return the arms worth asking now, with the seconds of delay that each is expected to save."""
        for number, arm in enumerate(self.arms):
            if arm.refused or arm.in_flight or (arm.asked_at is not None and now < arm.asked_at + PERIOD * pace):
                continue
            since = now - self._since(arm.asked_at)
            value = self._tallies[number].share * self.hidden.hazards * since * since / 2
            value += self._sums_of_gone()[number].worth(now)
            if value >= ENOUGH:
                yield arm, value

    def worth_at(self, now: float, pace: float) -> float | None:
        """Return when one of the arms will be worth asking, if nothing new is heard; None for never."""
        times: list[float] = []
        for number, arm in enumerate(self.arms):
            rate = self._tallies[number].share * self.hidden.hazards
            rate += self._sums_of_gone()[number].zero
            if arm.refused or arm.in_flight or rate <= 0:
                continue
            times.append(
                max((arm.asked_at or now) + PERIOD * pace, self._since(arm.asked_at) + math.sqrt(2 * ENOUGH / rate))
            )
        return min(times, default=None)

    def awaits(self, key: JobKey, now: float, pace: float) -> bool:
        """Whether a job that has probably ended is better left to a page, which will tell of others as well."""
        gone = self._gone.get(key)
        if gone is None or now > gone.noted + PATIENCE * pace:
            return False
        return any(
            self._chance(gone, number) >= LIKELY and self.expected(arm) >= TOGETHER
            for number, arm in enumerate(self.arms)
        )

    def expected(self, arm: Arm) -> float:
        """Return how many ends the next page of an arm is expected to tell of."""
        number = self.arms.index(arm)
        if arm.refused:
            return 0.0
        return self._sums_of_gone()[number].zero + self._tallies[number].share * self.hidden.ends(PERIOD)

    def take(self, offer: Offer, sent: float, told: int, *, full: bool) -> None:
        """Learn from a page: how many ends it told of, and that it did not show the others that were looked for."""
        offer.arm.in_flight = False
        number = self.arms.index(offer.arm)
        self._tallies[number].learn(told, self.hidden.ends(max(0.0, sent - self._since(offer.asked_at))))
        for gone in self._gone.values():
            if gone.sent <= sent:
                gone.misses |= {number}
                gone.ruled |= frozenset() if full else {number}
        self._sums = None

    def _since(self, asked_at: float | None) -> float:
        return self.hidden.since if asked_at is None else asked_at

    def _chance(self, gone: Gone, number: int) -> float:
        """Return the chance that an arm shows a job: that it ended that way, and is among the newest."""
        if number in gone.misses or self.arms[number].refused:
            return 0.0
        others = sum(tally.share for each, tally in enumerate(self._tallies) if each not in gone.ruled)
        return self._tallies[number].share / others

    def _sums_of_gone(self) -> list[Sums]:
        if self._sums is None:
            base = max((gone.seen for gone in self._gone.values()), default=0.0)
            self._sums = [Sums(base) for _ in self.arms]
            for gone in self._gone.values():
                for number in range(len(self.arms)):
                    if chance := self._chance(gone, number):
                        self._sums[number] = self._sums[number].plus(chance, gone.seen)
        return self._sums
