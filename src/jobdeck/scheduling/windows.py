"""One announced window of a limit: what is left in it, and how much of that is kept free for others."""

from collections.abc import Collection
from dataclasses import dataclass

from jobdeck.domain.ratelimit import RateWindow

MINUTE = 60.0
PACE = 0.80
RESERVE = 0.10
"""Of the announced limit, always left to the others who share it."""

LARGEST_RESERVE = 0.50

BURST_FACTOR = 1.5
"""Others' next burst may be so many times the largest seen: bursts are drawn from long-tailed distributions."""

SLIDING_BURST_FACTOR = 2.0
"""The same in a window that slides: who exceeds it may be shut out for a whole period, and everyone with him."""

FIRST_BURST = 0.25
"""Part of the limit that others are supposed to take at once, until it is known what they do."""

BURST_HALF_LIFE = 1_200.0
BRAKING = 0.15
"""Part of the limit above the reserve within which the pace falls evenly."""

SLOWEST = 0.05
"""Part of the pace that is left below the reserve: what goes then are probes."""

BLURRED = 0.02
"""Part of the limit by which our count of our own requests may be off: the server counts them when they arrive."""

REFILL = 0.5
"""Part of the limit by which a window is supposed to fill again while we are silent; others take the rest."""

SLACK = 2.0
"""Seconds by which a reset's moment may seem to move because servers round it and answers take time."""

LONGEST_WINDOW = 86_400.0


@dataclass(slots=True)
class Announced:
    """One window as last announced `at` that moment: `left` falls with every request we send until the next answer.

    `drop` is how far others have drawn it down since it was last filled, `deepest` the largest such drop lately.
    `moving` says that the moment of the reset moves on with the time, as with token buckets and sliding windows:
    then nothing special happens at that moment, and only `left` can be relied on. `fills` says that more was left
    than a window that slides could have had after what we sent, `shared` that less was. `turns` is the
    first reset told of which it is not yet known whether anything began then. Times are monotonic seconds.
    """

    limit: int | None
    left: float | None
    resets: float
    length: float
    at: float
    drop: float = 0.0
    deepest: float = 0.0
    moving: bool = False
    fills: bool = False
    shared: bool = False
    turns: float = float("inf")

    @classmethod
    def of(
        cls, told: RateWindow, known: "Announced | None", now: float, in_flight: int, sent: Collection[float] = ()
    ) -> "Announced":
        """Return the window as told `now`, given what was `known` before.

        `sent` is when our requests of the last minute were sent, of which the newest `in_flight` may not be counted.
        """
        reset_after = None if told.reset_after is None else _seconds(told.reset_after)
        length = _seconds(told.window or 0.0) or max(MINUTE, reset_after or 0.0, known.length if known else 0.0)
        left = None if told.remaining is None else float(told.remaining - in_flight)
        resets = now + (length if reset_after is None else reset_after)
        limit = told.limit if told.limit and told.limit > 0 else (known.limit if known else None)
        new = cls(limit, left, resets, length, now, turns=resets)
        if known is None:
            new.deepest = FIRST_BURST * (limit or 0)
        else:
            new._follow(known)
        if limit and told.remaining is not None:
            new._compare(limit - told.remaining, sum(at > now - length + SLACK for at in sent) - in_flight, len(sent))
        return new

    def live(self, now: float) -> bool:
        """Whether it still says anything."""
        return self.left is not None and now < (self.at + self.length if self.moving else self.resets)

    def reserve(self) -> float:
        """Requests to keep free for others."""
        limit = self.limit or 0
        slides = self.moving and not self.fills
        factor = SLIDING_BURST_FACTOR if slides and self.shared else BURST_FACTOR
        # Never so much that a full window would not let one request through.
        most = min(LARGEST_RESERVE * limit, max(0.0, limit - 1.0))
        return min(max(RESERVE * limit, factor * self.deepest), most)

    def rate(self, now: float) -> float:
        """Requests a second that it allows."""
        limit, left = self.limit or 0, self._left(now)
        spare = left - self.reserve()
        if not self.moving:
            return max(spare, left / 4) / max(self.resets - now, 1.0)
        pace = PACE * limit / self.length
        return pace * min(1.0, max(SLOWEST, spare / max(BRAKING * limit, 1.0)))

    def opens(self, now: float) -> float:
        """Return when a request leaves others their reserve: `now` or later, at the latest when the window ends."""
        left, reserve = self._left(now), self.reserve()
        if left - 1.0 >= reserve:
            return now
        if self.moving:
            refill = REFILL * (self.limit or 0) / self.length
            wait = (reserve + 1.0 - left) / refill if refill > 0 else self.length
            return max(now, min(now + wait, self.at + self.length))
        return max(now, self.resets)

    def _left(self, now: float) -> float:
        left = max(0.0, self.left or 0.0)
        if not self.moving or not self.limit:
            return left
        return min(self.limit, left + REFILL * self.limit / self.length * max(0.0, now - self.at))

    def _follow(self, known: "Announced") -> None:
        self.moving, self.turns = known.moving, known.turns
        self.fills, self.shared = known.fills, known.shared
        if self.at < known.turns - SLACK:
            self.moving = self.moving or self.resets > known.turns + SLACK
        elif self.at >= known.turns + SLACK:
            self.turns = self.resets
            if self.at < known.turns + self.length / 4:
                # A fixed window that began a moment ago is nearly full, and nearly all of it is to come.
                begun = self.resets - self.at > self.length / 2 and 2 * (self.left or 0.0) >= (self.limit or 0)
                self.moving = self.moving or not begun
        self.deepest = known.deepest * 0.5 ** ((self.at - known.at) / BURST_HALF_LIFE)
        if self.left is None or known.left is None or (self.at >= known.resets and not self.moving):
            return
        self.drop = max(0.0, known.drop + known.left - self.left)
        self.deepest = max(self.deepest, self.drop)

    def _compare(self, gone: int, counted: int, ours: int) -> None:
        """Note what `gone` requests say when between `counted` and `ours` of them are our own."""
        self.fills = self.fills or gone < counted - 1
        self.shared = self.shared or gone > ours + 1 + BLURRED * (self.limit or 0)


def _seconds(told: float) -> float:
    """Return a server's seconds, made finite and within a day; what is not a number counts as 0."""
    return min(told, LONGEST_WINDOW) if told > 0 else 0.0
