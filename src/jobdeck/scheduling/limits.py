"""What is known of a rate limit before the first answer."""

from dataclasses import dataclass
from enum import StrEnum


class LimitSource(StrEnum):
    """Who said so: the user, whose word is a ceiling; the vendor's pages, which headers correct; nobody."""

    CONFIGURED = "configured"
    DOCUMENTED = "documented"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Limit:
    """A rate limit in requests a minute (greater than 0, else ValueError), and where it comes from.

    With `UNKNOWN` it is where the search from below begins.
    """

    requests_per_minute: float
    source: LimitSource = LimitSource.DOCUMENTED

    def __post_init__(self) -> None:
        """Refuse what is no rate (a NaN is none)."""
        if not 0.0 < self.requests_per_minute < float("inf"):
            message = f"a limit is a positive number of requests a minute, not {self.requests_per_minute!r}"
            raise ValueError(message)
