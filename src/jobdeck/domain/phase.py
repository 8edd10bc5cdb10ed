"""The meaning of a server's status, in one vocabulary for every API."""

from enum import StrEnum


class Phase(StrEnum):
    """The meaning of a status; `UNKNOWN` for a status we do not know, or a job that was never observed."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    PARTIAL = "partial"
    FAILED = "failed"
    CANCELLED = "cancelled"
    UNKNOWN = "unknown"

    @property
    def terminal(self) -> bool:
        """Whether a job in this phase has ended for good; `UNKNOWN` counts as not finished."""
        return self in _TERMINAL


_TERMINAL = frozenset({Phase.SUCCEEDED, Phase.PARTIAL, Phase.FAILED, Phase.CANCELLED})
