"""Why an exchange gave no observation."""

from dataclasses import dataclass
from enum import StrEnum


class ProblemKind(StrEnum):
    """The reasons why an exchange gave no observation; none of them describes the job itself."""

    NETWORK = "network"
    TIMEOUT = "timeout"
    REDIRECT = "redirect"
    AUTH = "auth"
    PERMISSION = "permission"
    PAYMENT = "payment"
    NOT_FOUND = "not_found"
    RATE_LIMIT = "rate_limit"
    SERVER_ERROR = "server_error"
    TOO_BIG = "too_big"
    NOT_JSON = "not_json"
    PROTOCOL = "protocol"

    @property
    def label(self) -> str:
        """The kind in words for people."""
        return _LABELS[self]

    @property
    def affects_profile(self) -> bool:
        """Whether the cause is the server, the network or the key, and so concerns every job of the profile."""
        return self in _AFFECT_PROFILE

    @property
    def reached_server(self) -> bool:
        """Whether the server answered at all."""
        return self not in {ProblemKind.NETWORK, ProblemKind.TIMEOUT}


_LABELS = {
    ProblemKind.NETWORK: "unreachable",
    ProblemKind.TIMEOUT: "timed out",
    ProblemKind.REDIRECT: "unexpected redirect",
    ProblemKind.AUTH: "API key rejected",
    ProblemKind.PERMISSION: "permission denied",
    ProblemKind.PAYMENT: "out of credits",
    ProblemKind.NOT_FOUND: "not found",
    ProblemKind.RATE_LIMIT: "rate limited",
    ProblemKind.SERVER_ERROR: "server error",
    ProblemKind.TOO_BIG: "response too large",
    ProblemKind.NOT_JSON: "not JSON",
    ProblemKind.PROTOCOL: "unexpected response",
}


_AFFECT_PROFILE = frozenset(
    {
        ProblemKind.NETWORK,
        ProblemKind.TIMEOUT,
        ProblemKind.REDIRECT,
        ProblemKind.AUTH,
        ProblemKind.PAYMENT,
        ProblemKind.SERVER_ERROR,
        ProblemKind.NOT_JSON,
    }
)


@dataclass(frozen=True, slots=True)
class Problem:
    """Why one exchange gave no observation."""

    kind: ProblemKind
    # Clean, one line, never empty.
    message: str
    http_status: int | None = None
    request_id: str | None = None
    trace_id: str | None = None
    # The earliest moment at which the server wants the next request, clamped (microseconds since the epoch).
    retry_at_us: int | None = None
