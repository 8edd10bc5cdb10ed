"""Events: what changed about jobs and profiles. The registry publishes nothing else."""

from dataclasses import dataclass
from typing import TypeAlias

from jobdeck.domain.instant import Instant
from jobdeck.domain.job import JobKey
from jobdeck.domain.phase import Phase
from jobdeck.domain.problem import Problem


@dataclass(frozen=True, slots=True)
class JobAdded:
    """A target was added to the watch list."""

    at: Instant
    key: JobKey


@dataclass(frozen=True, slots=True)
class JobRemoved:
    """A target was removed from the watch list; the remote job goes on."""

    at: Instant
    key: JobKey


@dataclass(frozen=True, slots=True)
class PhaseChanged:
    """The status of a job changed; `status` is the new one, in the server's words."""

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
    """The progress of a job, or of its stage `stage`, changed; fractions within 0–1, or None."""

    at: Instant
    key: JobKey
    stage: str | None
    before: float | None
    after: float | None


@dataclass(frozen=True, slots=True)
class ProblemMet:
    """An exchange about a job gave no observation, the last of `failures` in a row; the job's state is unchanged."""

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
    """A known ID began a new run: it is reused or retried. `run` counts its runs, `message` names the evidence."""

    at: Instant
    key: JobKey
    run: int
    message: str


@dataclass(frozen=True, slots=True)
class AnomalyMet:
    """The server contradicted a fact that cannot change, such as the end of a job."""

    at: Instant
    key: JobKey
    message: str


@dataclass(frozen=True, slots=True)
class ProfileHalted:
    """A profile sends no requests until it is resumed, because its key was rejected."""

    at: Instant
    profile: str
    problem: Problem


@dataclass(frozen=True, slots=True)
class OutageBegan:
    """A profile's newest requests all failed, and not because of one job: all of its jobs are unreachable."""

    at: Instant
    profile: str
    problem: Problem


@dataclass(frozen=True, slots=True)
class OutageEnded:
    """A profile received an answer again, `seconds` after its outage was noticed."""

    at: Instant
    profile: str
    seconds: float


@dataclass(frozen=True, slots=True)
class SleepNoticed:
    """The machine slept for about `seconds`; every job is polled once, within the rate limit."""

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
