"""How many requests a profile may send, and when: one token bucket that only ever gets more careful."""

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass

from jobdeck.domain.ratelimit import RateWindow
from jobdeck.scheduling.limits import Limit, LimitSource

__all__ = ["Bucket", "Limit", "LimitSource"]

MINUTE = 60.0
PACE = 0.80
BURST = 0.15
RESERVE = 0.10
"""Of the announced limit, left to the others who share it."""

SMALLEST_SHARE = 1 / 16
RECOVERY_SECONDS = 10.0
RECOVERY_STEP = 0.10
QUIET_AFTER_REFUSAL = 10.0
"""Seconds without a request after a 429 that names no Retry-After (the vendor's advice for polling)."""

_ALMOST_ONE = 1.0 - 1e-9


@dataclass(slots=True)
class _Announced:
    """One window as last announced: `left` falls with every request we send until the next answer."""

    limit: int | None
    left: float | None
    resets: float
    length: float


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
        resets = [window.resets for window in self._live(now)]
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
        for window in windows:
            known = self._windows.get(window.name)
            length = window.window or max(MINUTE, window.reset_after or 0.0, known.length if known else 0.0)
            left = None if window.remaining is None else float(window.remaining - in_flight)
            resets = now + (window.reset_after if window.reset_after is not None else length)
            limit = window.limit if window.limit and window.limit > 0 else (known.limit if known else None)
            self._windows[window.name] = _Announced(limit, left, resets, length)
        self._tokens = min([self._tokens, self._burst, *(max(0.0, w.left or 0.0) / 2 for w in self._live(now))])

    def refuse(self, now: float, sent: float) -> None:
        """Note a 429 to a request sent at `sent`; those already on the way when we slowed down change nothing."""
        self._fill(now)
        if sent < self._cut_at:
            return
        self._cut_at = now
        if self._limit.source is LimitSource.UNKNOWN and not self._windows:
            self._ceiling = self._own
            self._own = max(1.0, self._own / 2)
        else:
            self._share = max(SMALLEST_SHARE, self._share / 2)
        self._grown_at = now
        self._tokens = min(self._tokens, 0.0)

    @property
    def _burst(self) -> float:
        # At least one, or a limit below seven a minute would never let anything through.
        return max(1.0, BURST * self.limit)

    def _live(self, now: float) -> list[_Announced]:
        return [window for window in self._windows.values() if window.left is not None and window.resets > now]

    @staticmethod
    def _window_rate(window: _Announced, now: float) -> float:
        left = window.left if window.left is not None else 0.0
        spare = max(left - RESERVE * (window.limit or 0), left / 2)
        return max(0.0, spare) / max(window.resets - now, 1.0)

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
        self._share = min(1.0, self._share + RECOVERY_STEP * steps)
        if self._limit.source is LimitSource.UNKNOWN and not self._windows:
            # Only what was tried is known to be allowed, and what was refused once stays out of reach.
            busy = self.used(now) >= 0.7 * PACE * self._own
            grown = self._own * (1.0 + RECOVERY_STEP) if busy else self._own
            self._own = max(self._own, min(grown, 0.8 * self._ceiling))
