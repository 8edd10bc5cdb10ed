"""The rate limits of an organization, and the headers that report them."""

import math
from dataclasses import dataclass
from email.utils import formatdate

from jobdeck.simulator.scenario import DEFAULT_LIMITS, Algorithm, Api, RateLimit, ResetForm, Scenario


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a request is allowed, the bucket that counted it, and the headers that report the bucket."""

    allowed: bool
    bucket: str
    headers: tuple[tuple[str, str], ...]


class Limiter:
    """Counts requests in the buckets of `scenario`. Time is an argument: real epoch seconds, which never go back."""

    def __init__(self, scenario: Scenario) -> None:
        limits = {(limit.api, limit.bucket): limit for limit in (*DEFAULT_LIMITS, *scenario.limits)}
        self._buckets = {key: _bucket(limit) for key, limit in limits.items()}

    def acquire(self, api: Api, bucket: str, now: float) -> Verdict:
        """Count one request in the named bucket, or in the general one if the API has no such bucket."""
        name = bucket if (api, bucket) in self._buckets else "general"
        return self._buckets[api, name].take(now)


class _TokenBucket:
    def __init__(self, limit: RateLimit) -> None:
        self.limit = limit
        self._capacity = float(limit.burst or limit.limit)
        self._tokens = self._capacity
        # The requests of others reduce the refill; some of it remains, else no Retry-After could be computed.
        self._rate = max(limit.limit / limit.window - limit.others / 60, 1 / 3600)
        self._last: float | None = None

    def take(self, now: float) -> Verdict:
        elapsed = 0.0 if self._last is None else max(0.0, now - self._last)
        self._last = now
        self._tokens = min(self._capacity, self._tokens + elapsed * self._rate)
        # A rounding error must not break the promise of Retry-After.
        allowed = self._tokens >= 1 - 1e-6
        if allowed:
            self._tokens = max(0.0, self._tokens - 1)
        full_in = (self._capacity - self._tokens) / self._rate
        wait = None if allowed else (1 - self._tokens) / self._rate
        return _verdict(self.limit, int(self._tokens), full_in, wait, now)


class _FixedWindow:
    def __init__(self, limit: RateLimit) -> None:
        self.limit = limit
        self._used = 0.0
        self._opened: float | None = None

    def take(self, now: float) -> Verdict:
        limit = self.limit
        if self._opened is None or now >= self._opened + limit.window:
            # Windows follow each other without a gap, even if no request comes for long.
            passed = 0 if self._opened is None else math.floor((now - self._opened) / limit.window)
            self._opened = now if self._opened is None else self._opened + passed * limit.window
            self._used = 0.0
        others = limit.others / 60 * (now - self._opened)
        allowed = self._used + others <= limit.limit - 1
        if allowed:
            self._used += 1
        ends_in = self._opened + limit.window - now
        remaining = max(0, math.floor(limit.limit - self._used - others))
        return _verdict(limit, remaining, ends_in, None if allowed else ends_in, now)


def _bucket(limit: RateLimit) -> _TokenBucket | _FixedWindow:
    match limit.algorithm:
        case Algorithm.TOKEN_BUCKET:
            return _TokenBucket(limit)
        case Algorithm.FIXED_WINDOW:
            return _FixedWindow(limit)


def _verdict(limit: RateLimit, remaining: int, reset_in: float, wait: float | None, now: float) -> Verdict:
    """Return a verdict; `wait` is None for an allowed request, else the seconds until one more is allowed."""
    headers: list[tuple[str, str]] = []
    if limit.headers:
        headers += [
            (f"X-RateLimit-Limit{limit.suffix}", str(limit.limit)),
            (f"X-RateLimit-Remaining{limit.suffix}", str(remaining)),
            (f"X-RateLimit-Reset{limit.suffix}", _reset(limit.reset, reset_in, now)),
        ]
    if wait is not None:
        seconds = max(1, math.ceil(wait - 1e-6))
        date = formatdate(math.ceil(now + wait), usegmt=True)
        headers.append(("Retry-After", date if limit.retry_after_date else str(seconds)))
    return Verdict(wait is None, limit.bucket, tuple(headers))


def _reset(form: ResetForm, reset_in: float, now: float) -> str:
    match form:
        case ResetForm.DELTA:
            return str(math.ceil(reset_in))
        case ResetForm.EPOCH_SECONDS:
            return str(math.ceil(now + reset_in))
        case ResetForm.EPOCH_MILLISECONDS:
            return str(math.ceil((now + reset_in) * 1000))
