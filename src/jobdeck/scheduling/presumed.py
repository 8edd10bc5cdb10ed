"""A limit that nobody told us: presumed after refusals that nothing explains, dropped once they are not its doing.

A true limit refuses again whenever we come back to its rate, and never below what it is sure to allow. Whatever
counts a minute's requests, a bucket or a window, lets no more than its limit and what a bucket of that size gives back
meanwhile through: so what went through tells how low the limit can be at most. A refusal at a rate below that is
*chance*: a proxy's whim, others' burst.
"""

import math

TERMS = (5.0, 60.0, 240.0, 600.0)
"""Seconds over which what went through is summed: a burst tells as much of a limit as ten minutes at its pace."""

TRIAL = 60
"""Requests that must go through at a rate that is sure to be allowed before more is tried: refusals then are chance."""

GROWTH = 1.1
PLATEAU = 0.9
"""Part of what was refused that is asked for after a second refusal: the pace is four fifths of that."""

PLATEAU_SECONDS = 900.0
LONGER = 4.0
"""How long that lasts before more is tried, and how many times longer after each further refusal at that rate."""

RARE = 0.1
"""Part of the requests that usually lie between refusals by chance, after which the next counts as chance too."""

SUSPICIOUS = 6
"""So many refusals in a row at our highest rate are none by chance: the limit must have become lower."""

HIGHEST = 0.9
USED_UP = 0.56
"""Part of a limit that must have been used in the last minute before more is tried."""

SAME_CAUSE = 3
"""Requests let through since a refusal below which the next has the same cause."""


class Presumed:
    """A limit in requests a minute, infinite while there is no reason to presume one. Times are monotonic seconds."""

    def __init__(self) -> None:
        self.limit = float("inf")
        self._refused_at = float("inf")
        self._confirmed = 0
        self._since = 0.0
        self._passed = 0
        self._passed_at = 0.0
        self._sums: dict[float, float] = {}
        self._sure = 0.0
        self._most = self._most_before = 0
        self._between_chances = float("inf")
        self._at_highest = 0

    @property
    def active(self) -> bool:
        """Whether there is a limit to keep."""
        return self.limit < float("inf")

    def let_through(self, now: float, used: int) -> None:
        """Note that a request, one of `used` in the last minute, was not refused."""
        self._passed += 1
        self._most = max(self._most, used)
        for term in TERMS:
            self._sums[term] = self._sums.get(term, 0.0) * math.exp((self._passed_at - now) / term) + 1.0
        self._passed_at = now
        # Besides the sums, in which what is older counts for less: a minute lets twice the limit through at most.
        self._sure = max(self._sure, used / 2, *(total / (1.0 + term / 60.0) for term, total in self._sums.items()))
        if self._sure > self._refused_at:
            self.drop()

    def refuse(self, now: float, used: int, *, room: bool = False) -> bool:
        """Note a refusal, after `used` requests in a minute, that nothing explains; return whether it is a limit's.

        With `room` the server tells of a limit that has room: this is chance, or another limit that it says nothing of.
        """
        passed, self._passed = self._passed, 0
        if passed < SAME_CAUSE:
            return self.active
        highest = used > HIGHEST * max(self._most, self._most_before)
        self._at_highest = self._at_highest + 1 if highest else 0
        self._most, self._most_before = 0, self._most
        if self._at_highest >= SUSPICIOUS:
            self._sums.clear()
            self._sure = used / 2
        elif room or used <= self._sure:
            known = self._between_chances < float("inf")
            self._between_chances = (self._between_chances + passed) / 2 if known else passed
            self.drop()
            return False
        elif passed >= RARE * self._between_chances:
            return False
        self._presume(now, max(1, used))
        return True

    def grow(self, now: float, used: int, wanted: float) -> None:
        """Try more, if all was used and nothing is left to wait for; more than `wanted` is not needed."""
        if not self.active or self._passed < TRIAL or used < USED_UP * self.limit:
            return
        kept_until = self._since + (PLATEAU_SECONDS * LONGER ** (self._confirmed - 1) if self._confirmed else 0.0)
        most = max(self._sure, PLATEAU * self._refused_at) if now < kept_until else float("inf")
        self.limit = max(self.limit, min(most, self.limit * GROWTH))
        if self.limit >= wanted:
            # It is not disproved: should it refuse again, that confirms it.
            self.limit = float("inf")

    def drop(self) -> None:
        """Presume no limit any more."""
        self.limit = self._refused_at = float("inf")

    def _presume(self, now: float, used: int) -> None:
        self._confirmed = self._confirmed + 1 if self._refused_at < float("inf") else 0
        self._between_chances = float("inf")
        self._at_highest = 0
        self._since = now
        self._refused_at = min(self._refused_at, used)
        self.limit = max(1.0, min(self._sure, used))
