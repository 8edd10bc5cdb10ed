"""What went wrong with an exchange, before it is a `Problem` with its IDs and status."""

from dataclasses import dataclass

from jobdeck.domain.problem import ProblemKind


@dataclass(frozen=True, slots=True)
class ProblemDraft:
    """A kind and a message in words; the message need not be clean yet."""

    kind: ProblemKind
    message: str
