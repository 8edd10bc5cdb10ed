"""Rate limits of servers: token bucket, fixed window, sliding window, and a throttler that blocks."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

PERIOD = 60.0


@dataclass(frozen=True, slots=True)
class Headers:
    """The rate limit headers of a response."""

    limit: int
    remaining: int
    """What is left after this response."""
    reset_after: float
    """Seconds."""


class Meter(Protocol):
    """One limit shared by all clients."""

    def ask(self, now: float) -> float | None:
        """Count a request at `now`; returns None if it is allowed, else the seconds for Retry-After."""
        ...

    def headers(self, now: float) -> Headers:
        """Return the headers of a response sent at `now`."""
        ...


class TokenBucket:
    """Refills evenly; after a rest, a whole period's requests, or `capacity`, are allowed at once."""

    def __init__(self, per_minute: int, capacity: int | None = None) -> None:
        self._limit = per_minute
        self._capacity = float(capacity or per_minute)
        self._tokens = self._capacity
        self._at = 0.0

    def ask(self, now: float) -> float | None:
        """Count a request; returns None, or the seconds for Retry-After."""
        self._fill(now)
        if self._tokens < 1.0:
            return math.ceil((1.0 - self._tokens) * PERIOD / self._limit)
        self._tokens -= 1.0
        return None

    def headers(self, now: float) -> Headers:
        """Return the headers of a response sent at `now`."""
        self._fill(now)
        until_full = (self._capacity - self._tokens) * PERIOD / self._limit
        return Headers(self._limit, int(self._tokens), math.ceil(until_full))

    def _fill(self, now: float) -> None:
        self._tokens = min(self._capacity, self._tokens + (now - self._at) * self._limit / PERIOD)
        self._at = now


class FixedWindow:
    """Counts the requests of each full minute."""

    def __init__(self, per_minute: int) -> None:
        self._limit = per_minute
        self._window = -1
        self._count = 0

    def ask(self, now: float) -> float | None:
        """Count a request; returns None, or the seconds for Retry-After."""
        self._roll(now)
        if self._count >= self._limit:
            return math.ceil(PERIOD - now % PERIOD)
        self._count += 1
        return None

    def headers(self, now: float) -> Headers:
        """Return the headers of a response sent at `now`."""
        self._roll(now)
        return Headers(self._limit, self._limit - self._count, math.ceil(PERIOD - now % PERIOD))

    def _roll(self, now: float) -> None:
        if int(now // PERIOD) != self._window:
            self._window = int(now // PERIOD)
            self._count = 0


class Throttler:
    """A sliding window; exceeding it blocks all clients for `blocked` seconds."""

    def __init__(self, per_minute: int, blocked: float = PERIOD) -> None:
        self._limit = per_minute
        self._blocked = blocked
        self._times: list[float] = []
        self._blocked_until = 0.0

    def ask(self, now: float) -> float | None:
        """Count a request; returns None, or the seconds for Retry-After."""
        self._slide(now)
        if now < self._blocked_until:
            return math.ceil(self._blocked_until - now)
        if len(self._times) >= self._limit:
            self._blocked_until = now + self._blocked
            return self._blocked or math.ceil(self._times[0] + PERIOD - now)
        self._times.append(now)
        return None

    def headers(self, now: float) -> Headers:
        """Return the headers of a response sent at `now`."""
        self._slide(now)
        oldest = self._times[0] if self._times else now
        return Headers(self._limit, self._limit - len(self._times), math.ceil(oldest + PERIOD - now))

    def _slide(self, now: float) -> None:
        self._times = [at for at in self._times if at > now - PERIOD]


METERS: dict[str, Callable[[int], Meter]] = {
    "bucket": TokenBucket,
    "small bucket": lambda per_minute: TokenBucket(per_minute, per_minute // 10),
    "fixed": FixedWindow,
    "sliding": lambda per_minute: Throttler(per_minute, 0.0),
    "throttler": Throttler,
}
