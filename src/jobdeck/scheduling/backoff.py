"""How long to leave a job, or a whole profile, alone after a failure."""

import math
import random
from collections.abc import Hashable

from jobdeck.domain.problem import Problem, ProblemKind
from jobdeck.domain.ratelimit import MAX_RETRY_AFTER
from jobdeck.scheduling.outlook import Health

MIN_DELAY = 0.2
MAX_DELAY = MAX_RETRY_AFTER

MAX_BACKOFF = 60.0
FAILURES_TO_OPEN = 3
"""Requests in a row that must fail before only probes are sent: fewer may be one broken job."""

FIRST_PROBE = 2.0
MIN_PROBE_GAP = 2.0
"""Seconds between two probes of a profile when somebody wants to know now: a key held down makes no storm."""

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

_JOB_INDEPENDENT = frozenset({ProblemKind.NETWORK, ProblemKind.PAYMENT})
"""Failures that have nothing to do with which job was polled; a single job can be slow, or break its server."""


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


class CircuitBreaker:
    """Counts a profile's failures in a row: after three of them only one probe is sent after 2, 4, … 60 s.

    `probe_at` is None while closed, else the moment (monotonic seconds) of the next probe; `opened` counts the probes
    from 1. `health` is what the engine publishes: in an outage, more than one job alone fails.
    """

    def __init__(self) -> None:
        self.opened = 0
        self.probe_at: float | None = None
        self.halt: Problem | None = None
        self._outage: Problem | None = None
        self._outage_since = 0.0
        self._failures = 0
        self._opened_at = self._answered_at = float("-inf")
        self._failed_at: dict[Hashable, float] = {}
        self._failed_in_a_row: set[Hashable] = set()
        self._subjects: set[Hashable] = set()

    @property
    def health(self) -> Health:
        """Whether jobs can be reached, and why not."""
        return Health(self.halt, self._outage, self._outage_since)

    def fails_alone(self, subject: Hashable) -> bool:
        """Whether only `subject` fails: it failed before, and another request succeeded since.

        Its failures then say nothing about the profile.
        """
        return self._failed_at.get(subject, float("inf")) < self._answered_at

    def record_failure(
        self,
        problem: Problem,
        now: float,
        rng: random.Random,
        subject: Hashable,
        *,
        probe: bool = False,
        counts: bool = True,
    ) -> bool:
        """Apply a failure of a request about `subject`, which `counts` unless it is its own.

        A failed probe doubles the wait; an answer to a request sent before the breaker opened is no probe. A problem of
        one job shows that the server answers. Returns whether that closed the breaker.
        """
        kind = problem.kind
        if kind not in _PROFILE_WIDE:
            return self.record_success(now, subject)
        self._note_subject(subject)
        self._failed_at[subject] = now
        if self._outage is not None and kind.affects_profile:
            # A server in trouble may be gone altogether a minute later.
            self._outage = problem
        if not counts:
            return False
        self._failed_in_a_row.add(subject)
        self._failures += 1
        if self._failures < FAILURES_TO_OPEN:
            return False
        several = len(self._failed_in_a_row) > 1 or len(self._subjects) == 1
        if not kind.affects_profile:
            self._outage = None
        elif self._outage is None and (several or kind in _JOB_INDEPENDENT):
            self._outage, self._outage_since = problem, now
        if self.probe_at is not None and not probe:
            return False
        self.opened += 1
        self._opened_at = now
        wait = min(MAX_BACKOFF, FIRST_PROBE ** min(self.opened, 10))
        # Never earlier than promised; up to a quarter later, so that two terminals do not probe together.
        self.probe_at = now + min(MAX_BACKOFF, wait * rng.uniform(1.0, 1.25))
        return False

    def record_success(self, now: float, subject: Hashable) -> bool:
        """Note that the profile works; return whether the breaker was open until now."""
        was_open = self.probe_at is not None
        self._note_subject(subject)
        self._failed_at.pop(subject, None)
        self._failed_in_a_row.clear()
        self._answered_at = now
        self._outage = None
        self.close()
        return was_open

    def close(self) -> None:
        """Let requests through again, until as many fail."""
        self._failures = self.opened = 0
        self.probe_at = None

    def probe_soon(self, now: float) -> None:
        """Let the next probe through now, if the newest one failed long enough ago: somebody wants to know."""
        if self.probe_at is not None:
            self.probe_at = min(self.probe_at, max(now, self._opened_at + MIN_PROBE_GAP))

    def forget(self, subject: Hashable) -> None:
        """Forget the failures of a job that is watched no more."""
        self._failed_at.pop(subject, None)

    def _note_subject(self, subject: Hashable) -> None:
        if len(self._subjects) < 2:
            self._subjects.add(subject)
