"""The result of a request to cancel a job. Only the job's own answer shows whether it was cancelled."""

from dataclasses import dataclass
from enum import StrEnum

from jobdeck.domain.exchange import Exchange
from jobdeck.domain.job import Job
from jobdeck.domain.problem import Problem, ProblemKind


class CancelOutcome(StrEnum):
    """The server's answer to a cancel request.

    `UNKNOWN`: the request may not have arrived, or its answer cannot be understood.
    """

    ACCEPTED = "accepted"
    REFUSED = "refused"
    UNKNOWN = "unknown"
    NOT_SENT = "not_sent"


@dataclass(frozen=True, slots=True)
class CancelResult:
    """The outcome of a cancel request, why it was not accepted, and its exchange (None when it was not sent)."""

    outcome: CancelOutcome
    problem: Problem | None = None
    exchange: Exchange | None = None

    @classmethod
    def of(cls, exchange: Exchange) -> "CancelResult":
        """Return the result of an exchange: `UNKNOWN` without an answer, or with one that is neither yes nor no.

        A 408 is `UNKNOWN`, too: its sender, mostly a proxy, did not wait for the API's answer.
        """
        problem, status = exchange.problem, exchange.http_status or 0
        if problem is None:
            return cls(CancelOutcome.ACCEPTED, None, exchange)
        refused = (400 <= status < 500 and status != _TIMED_OUT) or (200 <= status < 300 and problem.kind in _REFUSALS)
        return cls(CancelOutcome.REFUSED if refused else CancelOutcome.UNKNOWN, problem, exchange)

    @classmethod
    def not_sent(cls, problem: Problem) -> "CancelResult":
        """Return the result of a cancel request that was not sent because of `problem`."""
        return cls(CancelOutcome.NOT_SENT, problem)

    def describe(self, job: Job | None = None) -> str:
        """Return the result in one line; `job` is the job as its own later answer showed it, if there was one."""
        problem = self.problem
        message = "" if problem is None else problem.message
        match self.outcome:
            case CancelOutcome.ACCEPTED:
                return "cancel request accepted"
            case CancelOutcome.NOT_SENT:
                return f"not sent: {message}"
            case CancelOutcome.UNKNOWN:
                kind = problem.kind.label if problem is not None else "no response"
                return f"unknown whether the server accepted it: {kind}: {message}"
            case CancelOutcome.REFUSED:
                return f"{self._refusal(job)}: {message}"

    def _refusal(self, job: Job | None) -> str:
        problem = self.problem
        status = problem.http_status if problem is not None else None
        if status in {409, 422}:
            if job is not None and job.terminal:
                return f"already finished ({job.phase.value})"
            return "cannot be cancelled now"
        return problem.kind.label if problem is not None and problem.kind is not ProblemKind.PROTOCOL else "refused"


_TIMED_OUT = 408
_REFUSALS = frozenset(
    {
        ProblemKind.AUTH,
        ProblemKind.PERMISSION,
        ProblemKind.PAYMENT,
        ProblemKind.NOT_FOUND,
        ProblemKind.RATE_LIMIT,
    }
)
"""Kinds of problem that mean a refusal although the HTTP status is 2xx."""
