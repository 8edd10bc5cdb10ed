"""What changed, as frozen facts: the only thing that leaves the registry."""

from dataclasses import dataclass
from typing import TypeAlias

from jobdeck.domain.instant import Instant
from jobdeck.domain.job import JobKey
from jobdeck.domain.phase import Phase
from jobdeck.domain.problem import Problem


@dataclass(frozen=True, slots=True)
class JobAdded:
    """A target is being watched from now on."""

    at: Instant
    key: JobKey


@dataclass(frozen=True, slots=True)
class JobRemoved:
    """A target is no longer watched; the remote job goes on."""

    at: Instant
    key: JobKey


@dataclass(frozen=True, slots=True)
class PhaseChanged:
    """The server's status changed; `before` and `after` are phases, `status` the server's own new word."""

    at: Instant
    key: JobKey
    before: Phase
    after: Phase
    status: str
    request_id: str | None


@dataclass(frozen=True, slots=True)
class StageChanged:
    """A stage appeared (`before` is None) or changed its phase; `status` is the server's own new word."""

    at: Instant
    key: JobKey
    stage: str
    before: Phase | None
    after: Phase
    request_id: str | None
    status: str


@dataclass(frozen=True, slots=True)
class ProgressChanged:
    """A job's progress, or that of one of its stages (`stage`), moved; fractions or None."""

    at: Instant
    key: JobKey
    stage: str | None
    before: float | None
    after: float | None


@dataclass(frozen=True, slots=True)
class ProblemMet:
    """An exchange about a job gave no observation; the job's state is untouched."""

    at: Instant
    key: JobKey
    problem: Problem
    failures: int


@dataclass(frozen=True, slots=True)
class Recovered:
    """A good observation after `failures` exchanges without one."""

    at: Instant
    key: JobKey
    failures: int


@dataclass(frozen=True, slots=True)
class RunBegan:
    """An ID that had been seen is used again, or tried again: `run` counts its runs, `message` says how that shows."""

    at: Instant
    key: JobKey
    run: int
    message: str


@dataclass(frozen=True, slots=True)
class AnomalyMet:
    """The server contradicted what cannot change, such as the end of a job."""

    at: Instant
    key: JobKey
    message: str


@dataclass(frozen=True, slots=True)
class ProfileHalted:
    """A profile asks nothing any more until it is resumed, because its key was refused."""

    at: Instant
    profile: str
    problem: Problem


@dataclass(frozen=True, slots=True)
class OutageBegan:
    """The newest requests of a profile all failed for a reason that is not one job's: its jobs are unreachable."""

    at: Instant
    profile: str
    problem: Problem


@dataclass(frozen=True, slots=True)
class OutageEnded:
    """A profile was answered again, `seconds` after its outage was noticed."""

    at: Instant
    profile: str
    seconds: float


@dataclass(frozen=True, slots=True)
class SleepNoticed:
    """The machine slept for about `seconds`; one paced round of looks follows."""

    at: Instant
    seconds: float


JobEvent: TypeAlias = (
    JobAdded
    | JobRemoved
    | RunBegan
    | PhaseChanged
    | StageChanged
    | ProgressChanged
    | ProblemMet
    | Recovered
    | AnomalyMet
)
ProfileEvent: TypeAlias = ProfileHalted | OutageBegan | OutageEnded
Event: TypeAlias = JobEvent | ProfileEvent | SleepNoticed
