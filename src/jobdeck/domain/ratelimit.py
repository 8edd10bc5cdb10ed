"""What an answer's headers say about the rate limit, and how a wait that it causes is told."""

import math
from dataclasses import dataclass

from jobdeck.domain import humanize
from jobdeck.domain.problem import ProblemKind

LONGEST_WAIT = 900.0
"""Seconds that a server is left alone at most, whatever it asks for."""


@dataclass(frozen=True, slots=True)
class RateWindow:
    """One announced limit: `limit` requests a window, of which `remaining` are left for `reset_after` seconds.

    Every field may be None: servers announce what they like. `name` is the header's suffix or policy name
    (``poll`` in ``X-RateLimit-Remaining-poll``), empty for the plain header. `window` is in seconds. Unless it is
    `exact`, the reset is a bare number of seconds, milliseconds, or smaller units.
    """

    limit: int | None = None
    remaining: int | None = None
    reset_after: float | None = None
    window: float | None = None
    name: str = ""
    exact: bool = True


def describe_wait(kind: ProblemKind | None, asked: float | None) -> str:
    """Return why nothing is sent for a while, and whose wish the wait is; see `describe_requested_wait`."""
    why = "server unavailable" if kind is ProblemKind.SERVER_ERROR else "rate limited"
    wish = describe_requested_wait(kind, asked)
    return f"{why}; {wish}" if wish else why


def describe_requested_wait(kind: ProblemKind | None, asked: float | None) -> str:
    """Return for how many seconds a server `asked` to be left alone (None: it named none) after a problem of that kind.

    Empty when another process had the problem (None), of which only the end of the wait is known.
    """
    if kind is None:
        return ""
    if asked is None:
        return "no retry time given"
    whole = humanize.format_duration(max(1, math.ceil(min(asked, 1e9))))
    most = f" (jobdeck waits {humanize.format_duration(LONGEST_WAIT)} at most)" if asked > LONGEST_WAIT else ""
    return f"the server asked to {'retry in' if kind is ProblemKind.SERVER_ERROR else 'wait'} {whole}{most}"
