"""The requests that a scheduler has the engine send, and their results."""

from dataclasses import dataclass
from typing import TypeAlias

from jobdeck.domain.job import JobKey, MissingPart
from jobdeck.domain.phase import Phase
from jobdeck.domain.problem import Problem, ProblemKind
from jobdeck.domain.ratelimit import RateWindow


@dataclass(frozen=True, slots=True)
class Poll:
    """Request one job."""

    key: JobKey


@dataclass(frozen=True, slots=True)
class ListPage:
    """Request one page of the newest jobs of a resource, optionally of one status only."""

    resource: str
    account_group: str | None = None
    status: str | None = None
    cursor: str | None = None
    limit: int = 100


@dataclass(frozen=True, slots=True)
class FetchPart:
    """Request a part of a job that its own answer lacks."""

    key: JobKey
    missing: MissingPart


@dataclass(frozen=True, slots=True)
class CancelJob:
    """Cancel a job, by a request of this method. A person asks for it, never a scheduler."""

    key: JobKey
    method: str = "POST"


@dataclass(frozen=True, slots=True)
class Wait:
    """Nothing to ask before `until` (monotonic seconds); None: until the scheduler is called."""

    until: float | None


Action: TypeAlias = Poll | FetchPart | ListPage | Wait


@dataclass(frozen=True, slots=True)
class JobUpdate:
    """What a scheduler needs to know of one observation. `progress` is that of the whole job, a fraction or None.

    All that follows may be left out. `full` is False for a list row without stages and result; `phase` lets only
    successes teach how long jobs take; `elapsed` is in seconds since the job began, where the server tells;
    `stage` is the name of the stage that is going on; `stages` has the name of each stage and the fraction of it that
    is done, None for one that goes on untracked.
    """

    key: JobKey
    kind: str
    terminal: bool
    progress: float | None
    changed: bool
    full: bool = True
    phase: Phase | None = None
    elapsed: float | None = None
    stage: str | None = None
    stages: tuple[tuple[str, float | None], ...] = ()


@dataclass(frozen=True, slots=True)
class ActionResult:
    """What came of an action: `problem` is None when the exchange was good.

    `retry_after` is in seconds from now, already parsed and clamped, `retry_after_unclamped` what it was before;
    `windows` are the announced rate limits. Of a list page, `updates` has the watched rows in the server's order, and
    `rows` counts all its rows, watched or not (None when unknown: then a row that is gone from the page is not known to
    be gone from the list). Of a poll or a part, `missing` are the parts of the job that are yet to be fetched; of one
    that was not found, `missing_seconds` is for how long nothing else has been answered.
    """

    problem: Problem | None = None
    updates: tuple[JobUpdate, ...] = ()
    retry_after: float | None = None
    windows: tuple[RateWindow, ...] = ()
    next_cursor: str | None = None
    rows: int | None = None
    retry_after_unclamped: float | None = None
    missing: tuple[MissingPart, ...] = ()
    missing_seconds: float = 0.0

    @property
    def kind(self) -> ProblemKind | None:
        """The kind of the problem; None when the exchange was good."""
        return None if self.problem is None else self.problem.kind

    @property
    def retry_asked(self) -> float | None:
        """What the server asked for in seconds; None where it named no time."""
        return self.retry_after if self.retry_after_unclamped is None else self.retry_after_unclamped
