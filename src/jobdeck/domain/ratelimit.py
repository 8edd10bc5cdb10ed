"""The rate limit as an answer's headers state it, and text for the waits that it causes."""

import math
from dataclasses import dataclass

from jobdeck.domain import humanize
from jobdeck.domain.problem import ProblemKind

MAX_RETRY_AFTER = 900.0
"""Most seconds that jobdeck waits because a server asks for it."""


@dataclass(frozen=True, slots=True)
class RateWindow:
    """One announced limit; servers leave out any of its fields.

    The window has `limit` requests, of which `remaining` are left until it resets, `reset_after` seconds from now.
    """

    limit: int | None = None
    remaining: int | None = None
    reset_after: float | None = None
    # Length in seconds.
    window: float | None = None
    # The header's suffix or policy name (`poll` in `X-RateLimit-Remaining-poll`), empty for the plain header.
    name: str = ""
    # False: `reset_after` is a bare number that may be in seconds, milliseconds or smaller units.
    exact: bool = True


def describe_wait(kind: ProblemKind | None, requested: float | None) -> str:
    """Return why nothing is sent for a while, and for how long the server asked; see `describe_requested_wait`."""
    why = "server unavailable" if kind is ProblemKind.SERVER_ERROR else "rate limited"
    wish = describe_requested_wait(kind, requested)
    return f"{why}; {wish}" if wish else why


def describe_requested_wait(kind: ProblemKind | None, requested: float | None) -> str:
    """Return how long the server asked jobdeck to wait after a problem of `kind`.

    `requested` is in seconds, None if the server gave no time. Empty when `kind` is None: another process had the
    problem, and only the end of the wait is known.
    """
    if kind is None:
        return ""
    if requested is None:
        return "no retry time given"
    wait = humanize.format_duration(max(1, math.ceil(min(requested, 1e9))))
    most = (
        f" (jobdeck waits {humanize.format_duration(MAX_RETRY_AFTER)} at most)" if requested > MAX_RETRY_AFTER else ""
    )
    return f"the server asked to {'retry in' if kind is ProblemKind.SERVER_ERROR else 'wait'} {wait}{most}"
