"""How long to leave a job, or a whole profile, alone after a failure."""

import math
import random
from dataclasses import dataclass

from jobdeck.domain.problem import ProblemKind
from jobdeck.domain.ratelimit import LONGEST_WAIT

MIN_DELAY = 0.2
MAX_DELAY = LONGEST_WAIT

MAX_BACKOFF = 60.0
FAILURES_TO_OPEN = 3
FIRST_PROBE = 2.0
MIN_PROBE_GAP = 2.0
"""Seconds between two probes of a profile when somebody wants to know now: a key held down makes no storm."""

SHARE_STEP = 0.02
MAX_CHANCE = 0.001
"""Failures in a row open the breaker when independent errors, as usual as they are here, make such a run this rare.

Where errors are rare three in a row suffice; where one answer in five is an error it takes five. With 20 % errors, 60
jobs with lists at 30 a minute: 95 % of ends are known within 2.5 s, and within 3.8 s when three are always enough.
"""

MAX_FAILURES = 6

_PROFILE_WIDE = frozenset(
    {
        ProblemKind.NETWORK,
        ProblemKind.TIMEOUT,
        ProblemKind.REDIRECT,
        ProblemKind.PERMISSION,
        ProblemKind.PAYMENT,
        ProblemKind.SERVER_ERROR,
        ProblemKind.NOT_JSON,
    }
)


def clamp_delay(seconds: float) -> float:
    """Return `seconds` as a delay that is safe to sleep: finite and within 0.2–900 s.

    What is not a number waits longest: a timer given a NaN never fires, and one given nothing spins.
    """
    if math.isnan(seconds):
        return MAX_DELAY
    return min(max(seconds, MIN_DELAY), MAX_DELAY)


def clamp_until(now: float, until: float) -> float:
    """Return the moment `until` (monotonic seconds), moved to within 0.2–900 s after `now`."""
    return now + clamp_delay(until - now)


def backoff(attempt: int, rng: random.Random) -> float:
    """Return seconds before try number `attempt` + 1, with full jitter: uniform up to 2^attempt, at most 60 s.

    Full jitter spreads the clients that one outage has synchronised (Brooker, "Exponential Backoff And Jitter",
    AWS Architecture Blog 2015).
    """
    ceiling = min(MAX_BACKOFF, 2.0 ** min(max(attempt, 1), 10))
    return clamp_delay(rng.uniform(0.0, ceiling))


@dataclass(slots=True)
class CircuitBreaker:
    """Stops a profile whose requests all fail, and lets one probe through after 2, 4, … 60 s.

    `probe_at` is None while closed, else the moment (monotonic seconds) of the next probe. `share` is the part of
    the last fifty or so answers, while closed, that were failures.
    """

    share: float = 0.0
    failures: int = 0
    opened: int = 0
    probe_at: float | None = None
    failed_at: float = float("-inf")

    def record_failure(self, kind: ProblemKind, now: float, rng: random.Random, *, probe: bool) -> None:
        """Count a failure that is not one job's own; a failed probe doubles the wait.

        Answers to requests sent before the breaker opened are no probes and leave it as it is.
        """
        if kind not in _PROFILE_WIDE:
            return
        if self.probe_at is None:
            self.share += SHARE_STEP * (1.0 - self.share)
            self.failures += 1
            rare = self.share**self.failures <= MAX_CHANCE
            if self.failures < FAILURES_TO_OPEN or (self.failures < MAX_FAILURES and not rare):
                return
        elif not probe:
            return
        self.opened += 1
        self.failed_at = now
        wait = min(MAX_BACKOFF, FIRST_PROBE ** min(self.opened, 10))
        # Never earlier than promised; up to a quarter later, so that two terminals do not probe together.
        self.probe_at = now + min(MAX_BACKOFF, wait * rng.uniform(1.0, 1.25))

    def probe_soon(self, now: float) -> None:
        """Let the next probe through now, if the newest one failed long enough ago: somebody wants to know."""
        if self.probe_at is not None:
            self.probe_at = min(self.probe_at, max(now, self.failed_at + MIN_PROBE_GAP))

    def is_job_specific(self, kind: ProblemKind) -> bool:
        """Whether a problem of this kind shows that the profile as a whole still works."""
        return kind not in _PROFILE_WIDE

    def record_success(self) -> bool:
        """Note that the profile works; return whether the breaker was open until now."""
        was_open = self.probe_at is not None
        self.share -= SHARE_STEP * self.share
        self.failures = 0
        self.opened = 0
        self.probe_at = None
        return was_open
