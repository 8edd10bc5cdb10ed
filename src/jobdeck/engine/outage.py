"""Whether a profile can be reached at all."""

from collections.abc import Hashable

from jobdeck.domain.events import OutageBegan, OutageEnded
from jobdeck.domain.instant import Instant
from jobdeck.domain.problem import Problem, ProblemKind

OUTAGE_FAILURES = 3
"""Requests in a row that must fail before a whole profile counts as unreachable: fewer may be one broken job, and
as many open the scheduler's breaker, after which only single probes are sent."""

_JOB_INDEPENDENT = frozenset({ProblemKind.NETWORK, ProblemKind.AUTH, ProblemKind.PAYMENT})
"""Failures that have nothing to do with which job was polled; a single job can be slow, or break its server."""


class OutageDetector:
    """Counts one profile's failures in a row. `problem` is the newest one's while there is an outage, else None."""

    def __init__(self, profile: str) -> None:
        self.problem: Problem | None = None
        self._profile = profile
        self._failures = 0
        self._since: Instant | None = None
        self._answered: Instant | None = None
        self._failed: dict[Hashable, Instant] = {}
        self._in_a_row: set[Hashable] = set()
        self._asked: set[Hashable] = set()

    @property
    def reason(self) -> tuple[ProblemKind, int | None] | None:
        """What sort of outage it is by now: a server in trouble may be gone altogether a minute later."""
        return None if self.problem is None else (self.problem.kind, self.problem.http_status)

    def record(
        self, problem: Problem | None, now: Instant, subject: Hashable = None, *, probing: bool = True
    ) -> OutageBegan | OutageEnded | None:
        """Take in what a request about `subject` gave (None: all was well); returns what that began or ended.

        A problem of one job alone shows that the server answers. So do failures of one that failed before as well
        while others were answered: they are its own. Where several are asked for, more than one of them must fail, and
        the scheduler must be `probing`: while it still goes on, it has reason to think that others will be answered.
        """
        if len(self._asked) < 2:
            self._asked.add(subject)
        if problem is None or not problem.kind.affects_profile:
            return self._works(now, subject)
        before = self._failed.get(subject)
        self._failed[subject] = now
        own = before is not None and self._answered is not None and self._answered.mono > before.mono
        if self.problem is None and own and problem.kind not in _JOB_INDEPENDENT:
            return None
        self._failures += 1
        self._in_a_row.add(subject)
        several = probing and (len(self._in_a_row) > 1 or len(self._asked) == 1)
        if self._failures < OUTAGE_FAILURES or not (several or problem.kind in _JOB_INDEPENDENT):
            return None
        began = self.problem is None
        self.problem = problem
        if not began:
            return None
        self._since = now
        return OutageBegan(now, self._profile, problem)

    def _works(self, now: Instant, subject: Hashable) -> OutageEnded | None:
        self._answered = now
        self._failed.pop(subject, None)
        self._failures = 0
        self._in_a_row.clear()
        if self.problem is None or self._since is None:
            return None
        self.problem = None
        return OutageEnded(now, self._profile, now.since(self._since))
