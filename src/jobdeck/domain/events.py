"""Events: what changed about jobs and profiles. The registry publishes nothing else."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from jobdeck.domain.instant import Instant
from jobdeck.domain.job import Job, JobKey
from jobdeck.domain.phase import Phase
from jobdeck.domain.problem import Problem
from jobdeck.domain.text import one_line


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


_ORDER = (Phase.FAILED, Phase.PARTIAL, Phase.CANCELLED, Phase.SUCCEEDED)


def newly_ended(events: Iterable[Event], jobs: Mapping[JobKey, Job]) -> tuple[Job, ...]:
    """Return the jobs that ended by these events, each once, in the order of the events.

    A job that ended before it was watched is left out. Without dates from the server, a job that had ended at its
    first observation counts as such, unless the answer that accepted it is known.
    """
    found: dict[JobKey, Job] = {}
    for event in events:
        if not isinstance(event, PhaseChanged) or not event.after.terminal or event.before is event.after:
            continue
        job = jobs.get(event.key)
        if job is not None and job.terminal and not (event.before is Phase.UNKNOWN and _ended_before(job)):
            found[job.key] = job
    return tuple(found.values())


def describe_ends(jobs: Sequence[Job]) -> str:
    """Return one line: a single job with its error, or the number of jobs in each phase."""
    if len(jobs) == 1:
        job = jobs[0]
        why = one_line(" ".join(job.reason), 120)
        return f"{one_line(job.key.id, 60)} {job.phase.value}" + (f": {why}" if why else "")
    counts = Counter(job.phase for job in jobs)
    sorts = ", ".join(f"{counts[phase]} {phase.value}" for phase in _ORDER if counts[phase])
    return f"{len(jobs)} jobs finished: {sorts}"


def _ended_before(job: Job) -> bool:
    """Whether a job that had ended at its first observation ended before it was watched."""
    end_us = job.ended_us or job.updated_us
    if end_us is None and job.run > 1:
        return False
    if end_us is None:
        return job.target.accepted_request_id is None and job.target.accepted_trace_id is None
    return end_us < job.added.us
