"""What came of a request to cancel a job. Whether the job was cancelled, only its own answer tells."""

from dataclasses import dataclass
from enum import StrEnum

from jobdeck.domain.exchange import Exchange
from jobdeck.domain.job import Job
from jobdeck.domain.problem import Problem, ProblemKind


class CancelOutcome(StrEnum):
    """`UNKNOWN` says that the request may or may not have arrived, or that its answer cannot be understood."""

    ACCEPTED = "accepted"
    REFUSED = "refused"
    UNKNOWN = "unknown"
    NOT_SENT = "not_sent"


@dataclass(frozen=True, slots=True)
class CancelResult:
    """What came of a request to cancel a job: its exchange, None when it was not sent, and why it was not accepted."""

    outcome: CancelOutcome
    problem: Problem | None = None
    exchange: Exchange | None = None

    @classmethod
    def of(cls, exchange: Exchange) -> "CancelResult":
        """Return what an exchange means: no answer, or one that is neither yes nor no, leaves it open.

        So does a 408: whoever sends it, a proxy mostly, did not wait for the answer.
        """
        problem, status = exchange.problem, exchange.http_status or 0
        if problem is None:
            return cls(CancelOutcome.ACCEPTED, None, exchange)
        refused = (400 <= status < 500 and status != _TIMED_OUT) or (200 <= status < 300 and problem.kind in _REFUSALS)
        return cls(CancelOutcome.REFUSED if refused else CancelOutcome.UNKNOWN, problem, exchange)

    @classmethod
    def not_sent(cls, problem: Problem) -> "CancelResult":
        """Return that nothing was sent, and why."""
        return cls(CancelOutcome.NOT_SENT, problem)

    def describe(self, job: Job | None = None) -> str:
        """Return it in one line; `job` is the job as its own answer has shown it since, where it has."""
        problem = self.problem
        said = "" if problem is None else problem.message
        match self.outcome:
            case CancelOutcome.ACCEPTED:
                return "cancel request accepted"
            case CancelOutcome.NOT_SENT:
                return f"not sent: {said}"
            case CancelOutcome.UNKNOWN:
                kind = problem.kind.label if problem is not None else "no response"
                return f"unknown whether the server accepted it: {kind}: {said}"
            case CancelOutcome.REFUSED:
                return f"{self._refusal(job)}: {said}"

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
"""Problems by the words of an answer whose status is good."""
