"""One announced window of a limit: what is left in it, and how much of that is kept free for others."""

from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass, replace

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

LONGEST_WINDOW = 31 * 86_400.0
ANY_NUMBER = 86_400.0
"""Requests of a window that nobody has told the limit of."""

USUAL = (1.0, MINUTE, 3_600.0, 86_400.0)
NEARLY = 0.05
"""Windows in use; one that is told by its reset alone is taken for one of them when it is no further away than this."""

UNIT_SECONDS = 1.0
UNIT_STEP = 1_000.0
"""A reset whose unit is not certain is one of seconds if, over so many seconds, it does not fall hundreds of times
faster than time passes: then it is of milliseconds, or smaller."""

SURE_SECONDS = 86_400.0
"""One that is larger is one of seconds only if it falls as time passes: it may as well mean nothing at all."""


@dataclass(frozen=True, slots=True)
class Falling:
    """A bare number as a reset, as it was `first` told (at `since`) and as it was told last, since it last rose."""

    since: float
    first: float
    newest: float


@dataclass(slots=True)
class Announced:
    """One window as last announced `at` that moment: `left` falls with every request we send until the next answer.

    `ours` is when those of our requests were sent that the answer counts as taken: in a window that slides, each comes
    back when it is as old as the window is long. The rest of what is gone is others'. `most` is the most that was
    ever left: a bucket may hold less than its limit says. `burst` is what others took within the last seconds,
    `largest` the largest such burst lately.
    `fixed` says whether all is given back at the moment of the reset, None until a reset came or moved on. With token
    buckets and sliding windows nothing special happens then, and only `left` can be relied on. `turns` is the first
    reset told of which it is not yet known whether anything began then. `stated` says that the server told the length,
    which is else a guess. `scale` makes seconds of its resets, None while their unit is not certain; how
    one `falls` tells it. Times are monotonic seconds.
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
    stated: bool = False
    scale: float | None = None
    falls: Falling | None = None

    @classmethod
    def of(
        cls, told: RateWindow, known: "Announced | None", now: float, in_flight: int, sent: Iterable[float] = ()
    ) -> "Announced":
        """Return the window as told `now`, given what was `known` before.

        `sent` is when our requests of the last minute were sent, of which `in_flight` may not be counted.
        """
        scale, falls = _unit_of(told, known, now)
        reset_after = None if told.reset_after is None else _reset_of(told.reset_after, 1.0 if told.exact else scale)
        left = None if told.remaining is None else float(told.remaining - in_flight)
        limit = told.limit if told.limit and told.limit > 0 else (known.limit if known else None)
        stated = _seconds(told.window or 0.0)
        if not stated and known is not None and known.stated and limit == known.limit:
            stated = known.length
        length = stated or _guessed(limit, told.remaining, reset_after, known)
        resets = now + (length if reset_after is None else reset_after)
        ours = tuple(at for at in sent if at > now - length)
        most = max(1.0, min(limit or ANY_NUMBER, (left or 0.0) + 1.0))
        new = cls(limit, left, resets, length, now, ours, most, turns=resets)
        new.stated, new.scale, new.falls = bool(stated), scale, falls
        if known is not None:
            new._follow(known, in_flight)
        return new

    def live(self, now: float) -> bool:
        """Whether it still says anything."""
        return self.left is not None and now < (self.resets if self.fixed else self.at + self.length)

    @property
    def per_minute(self) -> float:
        """Requests a minute that it allows; infinite while nobody told how many."""
        return self.limit * MINUTE / self.length if self.limit else float("inf")

    @property
    def unit(self) -> float | None:
        """The seconds that its limit is told for; None while its length is no better than a guess."""
        if self.stated:
            return self.length
        return next((usual for usual in USUAL if abs(self.length - usual) <= NEARLY * usual), None)

    def reserve(self) -> float:
        """Requests to keep free for others: what they may take before the next of ours arrives."""
        return min(max(RESERVE * self.most, self.largest), LARGEST_RESERVE * self.most, self.most - 1.0)

    def rate(self, now: float) -> float:
        """Requests a second that it allows."""
        left, reserve = self._left(now), self.reserve()
        if self.fixed:
            return max(left - reserve, left / 4) / max(self.resets - now, 1.0)
        pace = PACE * (self.limit or ANY_NUMBER) / self.length
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


def _unit_of(told: RateWindow, known: Announced | None, now: float) -> tuple[float | None, Falling | None]:
    """Return what makes seconds of a reset whose unit is not certain, None while nothing tells, and how it falls."""
    scale, falls = (known.scale, known.falls) if known is not None else (None, None)
    if told.reset_after is None or told.exact:
        return scale, falls
    reset = told.reset_after
    if falls is None or reset > falls.newest:
        return scale, Falling(now, reset, reset)
    passed = now - falls.since
    falls = replace(falls, newest=reset)
    pace = (falls.first - reset) / passed if passed > 0 else 0.0
    for power in (3, 2, 1):
        if pace >= UNIT_STEP**power / 4:
            return UNIT_STEP**-power, falls
    if passed >= UNIT_SECONDS and (reset <= SURE_SECONDS or pace > 1.0 / 4):
        return 1.0, falls
    return scale, falls


def _reset_of(told: float, scale: float | None) -> float:
    """Return the seconds to a reset; while its unit is not known, no more than a minute.

    To believe milliseconds to be seconds would be hours of silence.
    """
    return _seconds(told * scale) if scale is not None else min(_seconds(told), MINUTE)


def _guessed(limit: int | None, left: int | None, reset: float | None, known: Announced | None) -> float:
    """Return how long a window is that nobody told the length of: as long as the longest reset, and at least a minute.

    The reset of a bucket that is full again soon says little. But where one request of ten is gone and back in a
    second, ten are back in ten seconds: whatever counts them, they are allowed in no more than that.
    """
    if known is not None and known.limit == limit:
        return max(known.length, reset or 0.0)
    first = reset and limit and left is not None and limit - left == 1
    return max(reset or 0.0, min(MINUTE, (reset or 0.0) * (limit or 0)) if first else MINUTE)
