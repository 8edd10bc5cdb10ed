"""Messages about cooldowns: after a 429, polling may stop for many minutes."""

from jobdeck.app.direct_client import is_short_wait, rate_limit_problem
from jobdeck.cli.log import log
from jobdeck.domain import humanize
from jobdeck.domain.instant import Clock, Instant
from jobdeck.domain.problem import Problem, ProblemKind
from jobdeck.domain.ratelimit import describe_wait
from jobdeck.engine.engine import Engine

UNNOTICED_SECONDS = 2.0
"""Shorter waits are not worth a message."""


class RateLimitNotices:
    """Logs each cooldown once: the profile, and until when it sends nothing."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._notified: dict[str, Instant] = {}

    def notify_all(self, engine: Engine) -> None:
        """Log every cooldown of an engine."""
        for profile, (until, kind, asked) in blocked_until(engine, self._clock.now()).items():
            self.notify(profile, until, kind, asked)

    def notify(self, profile: str, until: Instant, kind: ProblemKind | None = None, asked: float | None = None) -> None:
        """Log one cooldown and its reason, unless it was logged before or is short."""
        seconds = until.since(self._clock.now())
        last = self._notified.get(profile)
        if seconds < UNNOTICED_SECONDS or (last is not None and until.since(last) < UNNOTICED_SECONDS):
            return
        self._notified[profile] = until
        log(
            f"profile {profile}: {describe_wait(kind, asked)}; no requests until {humanize.format_time(until.us)} "
            f"(in {humanize.format_duration(seconds)})"
        )


def blocked_until(engine: Engine, now: Instant) -> dict[str, tuple[Instant, ProblemKind | None, float | None]]:
    """Return the end of each profile's cooldown, the problem that began it, and the seconds the server asked for."""
    return {
        name: (now.later(budget.blocked_until - now.mono), budget.blocked_by, budget.blocked_asked)
        for name, budget in engine.quotas().items()
        if budget.blocked_until is not None
    }


def blocked_too_long(engine: Engine, now: Instant) -> dict[str, Problem]:
    """Return the profiles whose cooldown is too long to wait for, each with the problem to report."""
    return {
        name: rate_limit_problem(*wait)
        for name, wait in blocked_until(engine, now).items()
        if not is_short_wait(wait[0], now)
    }
