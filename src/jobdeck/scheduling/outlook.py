"""The health, plans and budget of a scheduler for the screen, which needs none of its actions."""

from dataclasses import dataclass

from jobdeck.domain.problem import Problem, ProblemKind


@dataclass(frozen=True, slots=True)
class Health:
    """Whether a profile can be reached: `halt` stopped it for good, `outage` is the newest problem since no job can be.

    The outage began at `since` (monotonic seconds).
    """

    halt: Problem | None = None
    outage: Problem | None = None
    since: float = 0.0

    @property
    def reason(self) -> Problem | None:
        """Why no job can be reached: what halted the profile, else an outage; None when they can."""
        return self.halt or self.outage


@dataclass(frozen=True, slots=True)
class NextPoll:
    """When a job is due next.

    `due` is in monotonic seconds, `interval` the seconds between two polls when all is well, `attempt` the
    failures since the last good answer.
    """

    due: float
    interval: float
    attempt: int


@dataclass(frozen=True, slots=True)
class QuotaSnapshot:
    """A profile's budget for the screen. Times are monotonic seconds."""

    limit: float
    """Requests a minute."""
    used: int
    """Requests sent in the last minute."""
    blocked_until: float | None = None
    """Set while a 429 or Retry-After forbids requests."""
    resets: float | None = None
    """When the server's window resets."""
    paused: bool = False
    halted: bool = False
    """Whether the key was refused: nothing is sent until the profile is resumed."""
    list_limit: float | None = None
    """The limit of list pages; None where they are paid from the polls' budget."""
    pages: int = 0
    """List pages sent in the last minute."""
    covered: int = 0
    """Unfinished jobs that lists refresh."""
    alone: int = 0
    """Unfinished jobs that are polled one by one."""
    window: float | None = None
    """The seconds for which the server states its limit, where that is not a minute."""
    window_limit: int = 0
    window_used: int = 0
    blocked_by: ProblemKind | None = None
    """The problem that forbids requests; None: another process had it."""
    blocked_asked: float | None = None
    """The seconds that the server asked for; None: the wait is ours."""
