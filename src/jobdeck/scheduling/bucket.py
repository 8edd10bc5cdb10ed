"""One limit's worth of requests: a token bucket that only ever gets more careful."""

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass

from jobdeck.domain.ratelimit import RateWindow
from jobdeck.scheduling.limits import Limit, LimitSource

MINUTE = 60.0
PACE = 0.80
BURST = 0.15
RESERVE = 0.10
"""Of the announced limit, left to the others who share it."""

LARGEST_RESERVE = 0.40
BURST_HALF_LIFE = 120.0

BRAKING = 0.25
"""Part of the limit above the reserve within which the pace falls evenly to nothing."""

SLACK = 2.0
"""Seconds by which a reset's moment may seem to move because servers round it and answers take time."""

SMALLEST_SHARE = 1 / 16
RECOVERY_SECONDS = 10.0
RECOVERY_STEP = 0.10
CAUTION = 0.80
"""Part of a pace that earned a 429 to which the recovery leads; beyond it lies only the creep."""

CREEP = 0.005
SEARCH_BURST = 0.05
"""Burst while the limit is unknown: each refused request in a burst would be one more 429 of our own making."""

FORGET_SECONDS = 600.0
MOST_WINDOWS = 16
LONGEST_WINDOW = 86_400.0

_ALMOST_ONE = 1.0 - 1e-9


@dataclass(slots=True)
class _Announced:
    """One window as last announced: `left` falls with every request we send until the next answer.

    `burst` is the most that others took between two answers lately: what is kept free for them. `moving` says that
    the moment of the reset moves on with the time, as with token buckets and sliding windows: then nothing special
    happens at that moment, and only `left` can be relied on.
    """

    limit: int | None
    left: float | None
    resets: float
    length: float
    at: float
    burst: float = 0.0
    moving: bool = False


class Bucket:
    """Tokens at 80 % of the limit with a burst of 15 %, so that no window of a minute ever sees more than 95 %.

    Announced windows slow it down (the tightest wins) and never speed it past the limit; a 429 halves it once per
    round trip, after which it recovers by a tenth every ten seconds. Times are monotonic seconds.
    """

    def __init__(self, limit: Limit) -> None:
        self._limit = limit
        self._own = limit.requests_per_minute
        self._ceiling = float("inf")
        self._share = 1.0
        self._cap = 1.0
        self._cut_at = float("-inf")
        self._grown_at: float | None = None
        self._windows: dict[str, _Announced] = {}
        self._tokens = self._burst
        self._filled_at: float | None = None
        self._sent: deque[float] = deque()

    @property
    def limit(self) -> float:
        """Requests a minute that hold now: ours, corrected by what was announced."""
        announced = [window.limit * MINUTE / window.length for window in self._windows.values() if window.limit]
        if not announced:
            return self._own
        lowest = min(announced)
        return min(lowest, self._own) if self._limit.source is LimitSource.CONFIGURED else lowest

    def rate(self, now: float) -> float:
        """Requests a second that may be sent from `now` on."""
        return min([self._share * PACE * self.limit / MINUTE, *(self._window_rate(w, now) for w in self._live(now))])

    def ready(self, now: float) -> float:
        """Return when the next request may be sent: `now` or later."""
        self._fill(now)
        if self._tokens >= _ALMOST_ONE:
            return now
        rate = self.rate(now)
        needed = (1.0 - self._tokens) / rate if rate > 0 else float("inf")
        resets = [window.resets for window in self._live(now) if not window.moving]
        # A window that ends before the token is due may let us go sooner.
        return min([now + needed, *resets]) if resets else now + needed

    def take(self, now: float) -> None:
        """Spend the token of a request sent at `now`."""
        self._fill(now)
        self._tokens -= 1.0
        self._sent.append(now)
        for window in self._windows.values():
            if window.left is not None:
                window.left -= 1.0

    def give_back(self, now: float) -> None:
        """Take back the token of the newest request, which was not sent after all."""
        self._fill(now)
        self._tokens = min(self._burst, self._tokens + 1.0)
        if self._sent:
            self._sent.pop()
        for window in self._windows.values():
            if window.left is not None:
                window.left += 1.0

    def used(self, now: float) -> int:
        """Return how many requests were sent in the last minute."""
        while self._sent and self._sent[0] <= now - MINUTE:
            self._sent.popleft()
        return len(self._sent)

    def drain(self, now: float) -> None:
        """Keep at most one token, so that what follows is paced from the first request on."""
        self._fill(now)
        self._tokens = min(self._tokens, 1.0)

    def announce(self, now: float, windows: Iterable[RateWindow], in_flight: int) -> None:
        """Take over what an answer's headers said; `in_flight` requests may not be counted in them yet."""
        self._fill(now)
        self._windows = {name: w for name, w in self._windows.items() if now - w.at < max(FORGET_SECONDS, 2 * w.length)}
        for window in windows:
            known = self._windows.get(window.name)
            if known is None and len(self._windows) >= MOST_WINDOWS:
                continue
            reset_after = None if window.reset_after is None else _seconds(window.reset_after)
            length = _seconds(window.window or 0.0) or max(MINUTE, reset_after or 0.0, known.length if known else 0.0)
            left = None if window.remaining is None else float(window.remaining - in_flight)
            resets = now + (length if reset_after is None else reset_after)
            limit = window.limit if window.limit and window.limit > 0 else (known.limit if known else None)
            burst = self._burst_of_others(now, known, left)
            moving = known is not None and (known.moving or self._moves(known, now, resets, left, limit))
            self._windows[window.name] = _Announced(limit, left, resets, length, now, burst, moving)
        self._tokens = min([self._tokens, self._burst, *(max(0.0, w.left or 0.0) / 2 for w in self._live(now))])

    def refuse(self, now: float, sent: float) -> None:
        """Note a 429 to a request sent at `sent`; those already on the way when we slowed down change nothing."""
        self._fill(now)
        if sent < self._cut_at:
            return
        self._cut_at = now
        if self._searching:
            self._ceiling = self._own
            self._own = max(1.0, self._own / 2)
        else:
            self._cap = max(SMALLEST_SHARE, CAUTION * self._share)
            self._share = max(SMALLEST_SHARE, self._share / 2)
        self._grown_at = now
        self._tokens = min(self._tokens, 0.0)

    @property
    def _burst(self) -> float:
        # At least one, or a limit below seven a minute would never let anything through.
        return max(1.0, (SEARCH_BURST if self._searching else BURST) * self.limit)

    @property
    def _searching(self) -> bool:
        return self._limit.source is LimitSource.UNKNOWN and not self._windows

    def _live(self, now: float) -> list[_Announced]:
        return [
            w
            for w in self._windows.values()
            if w.left is not None and now < (w.at + w.length if w.moving else w.resets)
        ]

    @staticmethod
    def _burst_of_others(now: float, known: _Announced | None, left: float | None) -> float:
        if known is None:
            return 0.0
        faded: float = known.burst * 0.5 ** ((now - known.at) / BURST_HALF_LIFE)
        if left is None or known.left is None or now >= known.resets:
            return faded
        return max(faded, known.left - left)

    @staticmethod
    def _moves(known: _Announced, now: float, resets: float, left: float | None, limit: int | None) -> bool:
        if now < known.resets - SLACK:
            return resets > known.resets + SLACK
        # A fixed window that began a moment ago cannot be half spent already.
        fresh = known.resets + SLACK <= now < known.resets + known.length / 4
        return fresh and left is not None and limit is not None and left < limit / 2

    @staticmethod
    def _window_rate(window: _Announced, now: float) -> float:
        left = max(0.0, window.left or 0.0)
        limit = window.limit or 0
        reserve = min(max(RESERVE * limit, window.burst), LARGEST_RESERVE * limit)
        if not window.moving:
            return max(left - reserve, left / 2) / max(window.resets - now, 1.0)
        pace = PACE * limit / window.length
        return max(pace * min(1.0, (left - reserve) / max(BRAKING * limit, 1.0)), left / 2 / window.length)

    def _fill(self, now: float) -> None:
        if self._filled_at is None:
            self._filled_at = now
            self._grown_at = now
            return
        if now <= self._filled_at:
            return
        self._tokens = min(self._burst, self._tokens + (now - self._filled_at) * self.rate(self._filled_at))
        self._filled_at = now
        self._recover(now)

    def _recover(self, now: float) -> None:
        if self._grown_at is None or now - self._grown_at < RECOVERY_SECONDS:
            return
        steps = int((now - self._grown_at) / RECOVERY_SECONDS)
        self._grown_at += steps * RECOVERY_SECONDS
        self._cap = min(1.0, self._cap + CREEP * steps)
        self._share = min(self._cap, self._share + RECOVERY_STEP * steps)
        if self._searching:
            # Only what was tried is known to be allowed, and what was refused once stays out of reach.
            busy = self.used(now) >= 0.7 * PACE * self._own
            grown = self._own * (1.0 + RECOVERY_STEP) if busy else self._own
            self._own = max(self._own, min(grown, CAUTION * self._ceiling))


def _seconds(told: float) -> float:
    """Return a server's seconds, made finite and within a day; what is not a number counts as 0."""
    return min(told, LONGEST_WINDOW) if told > 0 else 0.0
