"""Whether a profile can be seen at all."""

from jobdeck.domain.events import OutageBegan, OutageEnded
from jobdeck.domain.instant import Instant
from jobdeck.domain.problem import Problem, ProblemKind

OUTAGE_FAILURES = 3
"""Requests in a row, whatever they were about, that must fail before a whole profile is called blind: fewer may be
one broken job, and as many open the scheduler's breaker, after which only single probes are sent."""


class OutageWatch:
    """Counts one profile's failures in a row. `problem` is the newest one's while there is an outage, else None."""

    def __init__(self, profile: str) -> None:
        self.problem: Problem | None = None
        self._profile = profile
        self._failures = 0
        self._since: Instant | None = None

    @property
    def reason(self) -> tuple[ProblemKind, int | None] | None:
        """What sort of outage it is by now: a server in trouble may be gone altogether a minute later."""
        return None if self.problem is None else (self.problem.kind, self.problem.http_status)

    def note(self, problem: Problem | None, now: Instant) -> OutageBegan | OutageEnded | None:
        """Take in what a request gave (None: all was well); returns what that began or ended.

        A problem of one job alone shows that the server answers.
        """
        if problem is not None and problem.kind.of_profile:
            self._failures += 1
            if self._failures < OUTAGE_FAILURES:
                return None
            began = self.problem is None
            self.problem = problem
            if not began:
                return None
            self._since = now
            return OutageBegan(now, self._profile, problem)
        self._failures = 0
        if self.problem is None or self._since is None:
            return None
        self.problem = None
        return OutageEnded(now, self._profile, now.since(self._since))
