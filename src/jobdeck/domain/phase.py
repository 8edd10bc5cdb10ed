"""What a server's status word means, in one vocabulary for every API."""

from enum import StrEnum


class Phase(StrEnum):
    """The meaning of a status. `UNKNOWN` stands for a word we do not know, or for a job never yet observed."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    PARTIAL = "partial"
    FAILED = "failed"
    CANCELLED = "cancelled"
    UNKNOWN = "unknown"

    @property
    def terminal(self) -> bool:
        """Whether a job in this phase has ended for good; an unknown word counts as not finished."""
        return self in _TERMINAL


_TERMINAL = frozenset({Phase.SUCCEEDED, Phase.PARTIAL, Phase.FAILED, Phase.CANCELLED})
