"""How long a command that takes one look waits for a server that asked for silence."""

from jobdeck.domain import words
from jobdeck.domain.instant import Instant
from jobdeck.domain.problem import Problem, ProblemKind
from jobdeck.domain.ratelimit import describe_wish

BEARABLE_SECONDS = 30.0
"""Longer than this nobody sits before a command that only takes a look."""


class SilencedError(Exception):
    """Nothing was sent, and nothing may be for longer than is bearable; `problem` says until when."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.message)
        self.problem = problem


def bearable(until: Instant, now: Instant) -> bool:
    """Whether a silence ends soon enough to be waited for."""
    return until.since(now) <= BEARABLE_SECONDS


def silenced(until: Instant, kind: ProblemKind | None = None, asked: float | None = None) -> Problem:
    """Return the problem of what is not asked because of a silence; it has no exchange.

    `kind` and `asked` are what it is for, where this process knows (see `describe_wish`).
    """
    wish = describe_wish(kind, asked)
    message = f"not asked, no requests until {words.clock(until.us)}{f': {wish}' if wish else ''}"
    return Problem(kind or ProblemKind.RATE_LIMIT, message, retry_at_us=until.us)
