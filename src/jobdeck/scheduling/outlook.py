"""What a scheduler tells of its plans and its budget: for the screen, which needs none of its actions."""

from dataclasses import dataclass

from jobdeck.domain.problem import ProblemKind


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
    """A profile's budget for the screen: requests sent in the last minute of `limit` a minute.

    Where the server tells its limit for another `window` (in seconds), `window_used` of `window_limit` were sent in it.

    `blocked_until` (monotonic seconds) is set while a 429 or Retry-After forbids requests: after a problem of the kind
    `blocked_by` (None: another process had it), for the seconds that the server asked for (`blocked_asked`; None: the
    wait is ours). `resets` is when the server has told that the budget is whole again; `halted` says that the
    key was refused and nothing is asked until the profile is released. `list_limit` is the limit of list pages
    where they are known to have a bucket of their own, None where they are paid from the same. `pages` list pages
    were sent in the last minute; they refresh `covered` unfinished jobs, and `alone` others are polled one by one.
    """

    limit: float
    used: int
    blocked_until: float | None = None
    resets: float | None = None
    paused: bool = False
    halted: bool = False
    list_limit: float | None = None
    pages: int = 0
    covered: int = 0
    alone: int = 0
    window: float | None = None
    window_limit: int = 0
    window_used: int = 0
    blocked_by: ProblemKind | None = None
    blocked_asked: float | None = None
