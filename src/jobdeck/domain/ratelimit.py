"""What an answer's headers say about the rate limit."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RateWindow:
    """One announced limit: `limit` requests a window, of which `remaining` are left for `reset_after` seconds.

    Every field may be None: servers announce what they like. `name` is the header's suffix or policy name
    (``poll`` in ``X-RateLimit-Remaining-poll``), empty for the plain header. `window` is in seconds.
    """

    limit: int | None = None
    remaining: int | None = None
    reset_after: float | None = None
    window: float | None = None
    name: str = ""
