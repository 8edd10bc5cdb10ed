"""One announced window of a limit: what is left in it, and how much of that is kept free for others."""

from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass

from jobdeck.domain.ratelimit import RateWindow

MINUTE = 60.0
PACE = 0.80
RESERVE = 0.10
"""Of the most that was ever left, always left to the others who share it."""

LARGEST_RESERVE = 0.50

HORIZON = 3.0
"""Seconds within which what others take counts as one burst: that much may be gone before our request arrives."""

BURST_HALF_LIFE = 1_200.0
SLOWEST = 0.05
"""Part of the pace that is left when others hold everything: what goes then are probes."""

RETURNS = 0.5
"""Part of what others hold that is expected back within a window while we are silent; they take the rest anew."""

SLACK = 2.0
"""Seconds by which a reset's moment may seem to move because servers round it and answers take time."""

LONGEST_WINDOW = 86_400.0


@dataclass(slots=True)
class Announced:
    """One window as last announced `at` that moment: `left` falls with every request we send until the next answer.

    `ours` is when those of our requests were sent that the answer counts as taken: in a window that slides, each comes
    back when it is as old as the window is long. The rest of what is gone is others'. `most` is the most that was
    ever left: a bucket may hold less than its limit says. `burst` is what others took within the last seconds,
    `largest` the largest such burst lately.
    `fixed` says whether all is given back at the moment of the reset, None until a reset came or moved on. With token
    buckets and sliding windows nothing special happens then, and only `left` can be relied on. `turns` is the first
    reset told of which it is not yet known whether anything began then. Times are monotonic seconds.
    """

    limit: int | None
    left: float | None
    resets: float
    length: float
    at: float
    ours: tuple[float, ...] = ()
    most: float = 0.0
    burst: float = 0.0
    largest: float = 0.0
    fixed: bool | None = None
    turns: float = float("inf")

    @classmethod
    def of(
        cls, told: RateWindow, known: "Announced | None", now: float, in_flight: int, sent: Iterable[float] = ()
    ) -> "Announced":
        """Return the window as told `now`, given what was `known` before.

        `sent` is when our requests of the last minute were sent, of which `in_flight` may not be counted.
        """
        reset_after = None if told.reset_after is None else _seconds(told.reset_after)
        length = _seconds(told.window or 0.0) or max(MINUTE, reset_after or 0.0, known.length if known else 0.0)
        left = None if told.remaining is None else float(told.remaining - in_flight)
        resets = now + (length if reset_after is None else reset_after)
        limit = told.limit if told.limit and told.limit > 0 else (known.limit if known else None)
        ours = tuple(at for at in sent if at > now - length)
        most = max(1.0, min(limit or LONGEST_WINDOW, (left or 0.0) + 1.0))
        new = cls(limit, left, resets, length, now, ours, most, turns=resets)
        if known is not None:
            new._follow(known, in_flight)
        return new

    def live(self, now: float) -> bool:
        """Whether it still says anything."""
        return self.left is not None and now < (self.resets if self.fixed else self.at + self.length)

    def reserve(self) -> float:
        """Requests to keep free for others: what they may take before the next of ours arrives."""
        return min(max(RESERVE * self.most, self.largest), LARGEST_RESERVE * self.most, self.most - 1.0)

    def rate(self, now: float) -> float:
        """Requests a second that it allows."""
        left, reserve = self._left(now), self.reserve()
        if self.fixed:
            return max(left - reserve, left / 4) / max(self.resets - now, 1.0)
        pace = PACE * (self.limit or LONGEST_WINDOW) / self.length
        if left > self.most / 2:
            return pace
        # Whatever others do not hold is ours, evenly over the window.
        return min(pace, max(SLOWEST * pace, (left + len(self.ours) - self._back(now) - reserve) / self.length))

    def opens(self, now: float) -> float:
        """Return when a request leaves others their reserve: `now` or later, at the latest when the window ends."""
        missing = self.reserve() + 1.0 - self._left(now)
        if missing <= 0:
            return now
        if self.fixed or (self.fixed is None and (self.left or 0.0) < 1.0):
            return max(now, self.resets)
        returns = self._returns()
        back = self._back(now)
        at = now
        for sent in self.ours[back:]:
            if at + missing / returns <= sent + self.length:
                break
            missing -= returns * (sent + self.length - at) + 1.0
            at = sent + self.length
            if missing <= 0:
                break
        return max(now, min(at + max(0.0, missing) / returns, self.at + self.length))

    def _left(self, now: float) -> float:
        left = max(0.0, self.left or 0.0)
        if self.fixed:
            return left
        grown = left + self._back(now) + self._returns() * max(0.0, now - self.at)
        return min(self.limit, grown) if self.limit else grown

    def _back(self, now: float) -> int:
        """Return how many of our requests are no longer counted."""
        return bisect_right(self.ours, now - self.length)

    def _returns(self) -> float:
        """Return how many requests a second others are expected to give back."""
        held = (self.limit or self.most) - max(0.0, self.left or 0.0) - len(self.ours)
        return max(RETURNS * held, 1.0) / self.length

    def _follow(self, known: "Announced", in_flight: int) -> None:
        self.fixed, self.turns = known.fixed, known.turns
        if self.limit == known.limit:
            self.most = max(self.most, known.most)
        if self.at < known.turns - SLACK:
            if abs(self.resets - known.turns) > SLACK:
                self.fixed = False
        elif self.at >= known.turns:
            windows = (self.resets - known.turns) / self.length
            if abs(windows - max(1, round(windows))) * self.length > SLACK:
                self.fixed = False
            elif self.ours and self.ours[0] <= known.turns - SLACK:
                # Were this a window that slides, it would tell when our oldest request comes back.
                self.fixed = True
            self.turns = self.resets
        passed = max(self.at - known.at, 0.0)
        self.largest = known.largest * 0.5 ** (passed / BURST_HALF_LIFE)
        if self.left is None or known.left is None or (self.fixed and self.at >= known.resets):
            return
        expected = known.left + (0 if self.fixed else known._back(self.at))
        taken = max(0.0, expected - self.left - in_flight)
        self.burst = known.burst * 0.5 ** (passed / HORIZON) + taken * min(1.0, HORIZON / max(passed, HORIZON))
        self.largest = max(self.largest, self.burst)


def _seconds(told: float) -> float:
    """Return a server's seconds, made finite and within a day; what is not a number counts as 0."""
    return min(told, LONGEST_WINDOW) if told > 0 else 0.0
