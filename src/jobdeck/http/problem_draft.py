"""The kind and message of a problem, before it becomes a `Problem` with the IDs and the status of its exchange."""

from dataclasses import dataclass

from jobdeck.domain.problem import ProblemKind


@dataclass(frozen=True, slots=True)
class ProblemDraft:
    """A problem's kind and message; the message need not be clean yet."""

    kind: ProblemKind
    message: str
