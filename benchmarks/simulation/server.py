"""Servers that limit their callers: a token bucket, a fixed window, and a throttler that blocks for a whole period."""

import math
from dataclasses import dataclass
from typing import Protocol

PERIOD = 60.0


@dataclass(frozen=True, slots=True)
class Headers:
    """What an answer announces; `remaining` counts what is left after it, `reset_after` is in seconds."""

    limit: int
    remaining: int
    reset_after: float


class Meter(Protocol):
    """One limit shared by everyone who asks."""

    def ask(self, now: float) -> float | None:
        """Count a request at `now`; None when it is let through, else seconds for Retry-After."""
        ...

    def headers(self, now: float) -> Headers:
        """Return what an answer sent now would announce."""
        ...

    def spent(self, now: float) -> bool:
        """Return whether a request at `now` would be refused, without counting it."""
        ...


class TokenBucket:
    """Refills evenly; a whole period's requests may come at once after a rest."""

    def __init__(self, per_minute: int) -> None:
        self._limit = per_minute
        self._tokens = float(per_minute)
        self._at = 0.0

    def ask(self, now: float) -> float | None:
        """Count a request; None, or seconds for Retry-After."""
        self._fill(now)
        if self._tokens < 1.0:
            return math.ceil((1.0 - self._tokens) * PERIOD / self._limit)
        self._tokens -= 1.0
        return None

    def headers(self, now: float) -> Headers:
        """Return what an answer sent now announces."""
        self._fill(now)
        until_full = (self._limit - self._tokens) * PERIOD / self._limit
        return Headers(self._limit, int(self._tokens), math.ceil(until_full))

    def spent(self, now: float) -> bool:
        """Return whether a request at `now` would be refused."""
        self._fill(now)
        return self._tokens < 1.0

    def _fill(self, now: float) -> None:
        self._tokens = min(self._limit, self._tokens + (now - self._at) * self._limit / PERIOD)
        self._at = now


class FixedWindow:
    """Counts from one full minute to the next."""

    def __init__(self, per_minute: int) -> None:
        self._limit = per_minute
        self._window = -1
        self._count = 0

    def ask(self, now: float) -> float | None:
        """Count a request; None, or seconds for Retry-After."""
        self._roll(now)
        if self._count >= self._limit:
            return math.ceil(PERIOD - now % PERIOD)
        self._count += 1
        return None

    def headers(self, now: float) -> Headers:
        """Return what an answer sent now announces."""
        self._roll(now)
        return Headers(self._limit, self._limit - self._count, math.ceil(PERIOD - now % PERIOD))

    def spent(self, now: float) -> bool:
        """Return whether a request at `now` would be refused."""
        self._roll(now)
        return self._count >= self._limit

    def _roll(self, now: float) -> None:
        if int(now // PERIOD) != self._window:
            self._window = int(now // PERIOD)
            self._count = 0


class Throttler:
    """A sliding window; whoever exceeds it is blocked, with everyone else, for a whole period."""

    def __init__(self, per_minute: int) -> None:
        self._limit = per_minute
        self._times: list[float] = []
        self._blocked_until = 0.0

    def ask(self, now: float) -> float | None:
        """Count a request; None, or seconds for Retry-After."""
        self._slide(now)
        if now < self._blocked_until:
            return math.ceil(self._blocked_until - now)
        if len(self._times) >= self._limit:
            self._blocked_until = now + PERIOD
            return PERIOD
        self._times.append(now)
        return None

    def headers(self, now: float) -> Headers:
        """Return what an answer sent now announces."""
        self._slide(now)
        oldest = self._times[0] if self._times else now
        return Headers(self._limit, self._limit - len(self._times), math.ceil(oldest + PERIOD - now))

    def spent(self, now: float) -> bool:
        """Return whether a request at `now` would be refused."""
        self._slide(now)
        return now < self._blocked_until or len(self._times) >= self._limit

    def _slide(self, now: float) -> None:
        self._times = [at for at in self._times if at > now - PERIOD]


METERS: dict[str, type[TokenBucket] | type[FixedWindow] | type[Throttler]] = {
    "bucket": TokenBucket,
    "fixed": FixedWindow,
    "throttler": Throttler,
}
