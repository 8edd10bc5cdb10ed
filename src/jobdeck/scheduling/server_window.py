"""One announced window of a limit: what is left in it, and how much of that is kept free for others."""

from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass, replace

from jobdeck.domain.ratelimit import RateWindow

MINUTE = 60.0
TARGET_UTILIZATION = 0.80
RESERVE = 0.10
"""Of the most that was ever left, always left to the others who share it."""

MAX_RESERVE = 0.50
"""Without it, a bucket of a tenth of its limit (60 jobs at 30) gives a p95 of 36 s, not 28."""

HORIZON = 3.0
"""Seconds within which what others take counts as one burst: that much may be gone before our request arrives.

With no reserve for bursts, 60 jobs at 30 a minute meet 3–4 refusals a run of strict servers, not 0.8.
"""

BURST_HALF_LIFE = 1_200.0
"""Seconds in which the largest burst counts half. With 60 there are 3–4 refusals a run; with no end, all is later by
a fifth."""
MIN_UTILIZATION = 0.05
"""Part of the pace that is left when others hold everything: what goes then are probes."""

RETURNS = 0.5
"""Share of the others' requests assumed to expire within a window; the rest is replaced by new ones.

With none expected, 60 jobs at 30 a minute behind fixed or sliding windows are known a fifth to a quarter later.
"""

SLACK = 2.0
"""Seconds by which a reset's moment may seem to move because servers round it and answers take time."""

MAX_WINDOW = 31 * 86_400.0
ANY_NUMBER = 86_400.0
"""Requests of a window whose limit nobody has stated."""

COMMON_WINDOWS = (1.0, MINUTE, 3_600.0, 86_400.0)
TOLERANCE = 0.05
"""Windows in use.

One that is stated by its reset alone is taken for one of them when it is no further away than this.
"""

UNIT_SECONDS = 1.0
UNIT_STEP = 1_000.0
"""A reset whose unit is not certain is one of seconds if, over so many seconds, it does not fall hundreds of times
faster than time passes: then it is of milliseconds, or smaller."""

SURE_SECONDS = 86_400.0
"""A larger number is accepted as seconds only when it counts down: it may as well mean nothing at all."""


@dataclass(frozen=True, slots=True)
class FallingReset:
    """A bare number as a reset, `first` and `newest` since it last rose (at `since`)."""

    since: float
    first: float
    newest: float


@dataclass(slots=True)
class ServerWindow:
    """One window as the server last stated it. Times are monotonic seconds."""

    limit: int | None
    left: float | None
    """What is left, less what we have sent since."""
    resets: float
    length: float
    at: float
    """When it was stated."""
    own_requests: tuple[float, ...] = ()
    """When those of our requests were sent that the answer counts; the rest of what is gone is others'."""
    most_left: float = 0.0
    """The most that was ever left: a bucket may hold less than its limit says."""
    burst: float = 0.0
    """What others took within the last seconds."""
    largest: float = 0.0
    """The largest such burst lately."""
    fixed: bool | None = None
    """Whether all is given back at the reset; None until a reset came or moved on.

    Nothing special happens then with token buckets and sliding windows, of which only `left` can be relied on.
    """
    first_reset: float = float("inf")
    """The first reset of which it is not yet known whether anything began then."""
    stated: bool = False
    """Whether the server gave the length, which is else a guess."""
    scale: float | None = None
    """What makes seconds of its resets; None while their unit is not certain."""
    falling: FallingReset | None = None
    """How a bare number falls as time passes, which shows its unit."""

    @classmethod
    def from_headers(
        cls, header: RateWindow, known: "ServerWindow | None", now: float, in_flight: int, sent: Iterable[float] = ()
    ) -> "ServerWindow":
        """Return the window of a `header` that came `now`, given what was `known` before.

        `sent` is when our requests of the last minute were sent, oldest first, of which `in_flight` may not be counted.
        """
        scale, falling = _infer_unit(header, known, now)
        reset_after = (
            None if header.reset_after is None else _reset_seconds(header.reset_after, 1.0 if header.exact else scale)
        )
        left = None if header.remaining is None else float(header.remaining - in_flight)
        limit = header.limit if header.limit and header.limit > 0 else (known.limit if known else None)
        stated = _seconds(header.window or 0.0)
        if not stated and known is not None and known.stated and limit == known.limit:
            stated = known.length
        length = stated or _guess_length(limit, header.remaining, reset_after, known)
        resets = now + (length if reset_after is None else reset_after)
        ours = tuple(sent)
        ours = ours[bisect_right(ours, now - length) :]
        most = max(1.0, min(limit or ANY_NUMBER, (left or 0.0) + 1.0))
        new = cls(limit, left, resets, length, now, ours, most, first_reset=resets)
        new.stated, new.scale, new.falling = bool(stated), scale, falling
        if known is not None:
            new._merge_known(known, in_flight)
        return new

    def is_live(self, now: float) -> bool:
        """Whether it still holds."""
        return self.left is not None and now < (self.resets if self.fixed else self.at + self.length)

    @property
    def per_minute(self) -> float:
        """Requests a minute that it allows; infinite while the limit is not known."""
        return self.limit * MINUTE / self.length if self.limit else float("inf")

    @property
    def unit(self) -> float | None:
        """The seconds that its limit is stated for; None while its length is no better than a guess."""
        if self.stated:
            return self.length
        return next((usual for usual in COMMON_WINDOWS if abs(self.length - usual) <= TOLERANCE * usual), None)

    def reserve(self) -> float:
        """Requests to keep free for others: what they may take before the next of ours arrives."""
        return min(max(RESERVE * self.most_left, self.largest), MAX_RESERVE * self.most_left, self.most_left - 1.0)

    def rate(self, now: float) -> float:
        """Requests a second that it allows."""
        left, reserve = self._left(now), self.reserve()
        if self.fixed:
            return max(left - reserve, left / 4) / max(self.resets - now, 1.0)
        pace = TARGET_UTILIZATION * (self.limit or ANY_NUMBER) / self.length
        if left > self.most_left / 2:
            return pace
        # Whatever others do not hold is ours, evenly over the window.
        return min(
            pace,
            max(
                MIN_UTILIZATION * pace,
                (left + len(self.own_requests) - self._expired_count(now) - reserve) / self.length,
            ),
        )

    def opens_at(self, now: float) -> float:
        """Return when a request leaves others their reserve: `now` or later, at the latest when the window ends."""
        missing = self.reserve() + 1.0 - self._left(now)
        if missing <= 0:
            return now
        if self.fixed or (self.fixed is None and (self.left or 0.0) < 1.0):
            return max(now, self.resets)
        returns = self._return_rate()
        back = self._expired_count(now)
        at = now
        for sent in self.own_requests[back:]:
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
        grown = left + self._expired_count(now) + self._return_rate() * max(0.0, now - self.at)
        return min(self.limit, grown) if self.limit else grown

    def _expired_count(self, now: float) -> int:
        """Return how many of our requests are no longer counted."""
        return bisect_right(self.own_requests, now - self.length)

    def _return_rate(self) -> float:
        """Return how many requests a second others are expected to give back."""
        held = (self.limit or self.most_left) - max(0.0, self.left or 0.0) - len(self.own_requests)
        return max(RETURNS * held, 1.0) / self.length

    def _merge_known(self, known: "ServerWindow", in_flight: int) -> None:
        self.fixed, self.first_reset = known.fixed, known.first_reset
        if self.limit == known.limit:
            self.most_left = max(self.most_left, known.most_left)
        if self.at < known.first_reset - SLACK:
            if abs(self.resets - known.first_reset) > SLACK:
                self.fixed = False
        elif self.at >= known.first_reset:
            windows = (self.resets - known.first_reset) / self.length
            if abs(windows - max(1, round(windows))) * self.length > SLACK:
                self.fixed = False
            elif self.own_requests and self.own_requests[0] <= known.first_reset - SLACK:
                # Were this a window that slides, it would be when our oldest request comes back.
                self.fixed = True
            self.first_reset = self.resets
        passed = max(self.at - known.at, 0.0)
        self.largest = known.largest * 0.5 ** (passed / BURST_HALF_LIFE)
        if self.left is None or known.left is None or (self.fixed and self.at >= known.resets):
            return
        expected = known.left + (0 if self.fixed else known._expired_count(self.at))
        taken = max(0.0, expected - self.left - in_flight)
        self.burst = known.burst * 0.5 ** (passed / HORIZON) + taken * min(1.0, HORIZON / max(passed, HORIZON))
        self.largest = max(self.largest, self.burst)


def _seconds(header: float) -> float:
    """Return a server's seconds, made finite and within a day; what is not a number counts as 0."""
    return min(header, MAX_WINDOW) if header > 0 else 0.0


def _infer_unit(header: RateWindow, known: ServerWindow | None, now: float) -> tuple[float | None, FallingReset | None]:
    """Return what makes seconds of a reset whose unit is not certain, None while nothing shows it, and how it falls."""
    scale, falling = (known.scale, known.falling) if known is not None else (None, None)
    if header.reset_after is None or header.exact:
        return scale, falling
    reset = header.reset_after
    if falling is None or reset > falling.newest:
        return scale, FallingReset(now, reset, reset)
    passed = now - falling.since
    falling = replace(falling, newest=reset)
    pace = (falling.first - reset) / passed if passed > 0 else 0.0
    for power in (3, 2, 1):
        if pace >= UNIT_STEP**power / 4:
            return UNIT_STEP**-power, falling
    if passed >= UNIT_SECONDS and (reset <= SURE_SECONDS or pace > 1.0 / 4):
        return 1.0, falling
    return scale, falling


def _reset_seconds(header: float, scale: float | None) -> float:
    """Return the seconds to a reset; while its unit is not known, no more than a minute.

    To believe milliseconds to be seconds would be hours without a request.
    """
    return _seconds(header * scale) if scale is not None else min(_seconds(header), MINUTE)


def _guess_length(limit: int | None, left: int | None, reset: float | None, known: ServerWindow | None) -> float:
    """Return how long a window is whose length nobody stated: as long as the longest reset, and at least a minute.

    The reset of a bucket that is full again soon shows little. But where one request of ten is gone and back in a
    second, ten are back in ten seconds: whatever counts them, they are allowed in no more than that.
    """
    if known is not None and known.limit == limit:
        return max(known.length, reset or 0.0)
    first = reset and limit and left is not None and limit - left == 1
    return max(reset or 0.0, min(MINUTE, (reset or 0.0) * (limit or 0)) if first else MINUTE)
