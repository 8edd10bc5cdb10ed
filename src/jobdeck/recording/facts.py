"""What enters an engine: told in the same order to another registry, facts make the same jobs again."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

from jobdeck.domain.events import ProfileEvent, SleepNoticed
from jobdeck.domain.exchange import Exchange
from jobdeck.domain.instant import Instant
from jobdeck.domain.job import Job, JobKey, Observation, Target
from jobdeck.domain.problem import Problem
from jobdeck.domain.timeline import Moment
from jobdeck.scheduling.actions import BudgetView


@dataclass(frozen=True, slots=True)
class Added:
    """A target began to be watched."""

    at: Instant
    target: Target


@dataclass(frozen=True, slots=True)
class Restored:
    """A job began to be watched in a remembered state."""

    at: Instant
    job: Job


@dataclass(frozen=True, slots=True)
class Removed:
    """A job was no longer watched."""

    at: Instant
    key: JobKey


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """A person noted the trouble of a job, or raised it again."""

    at: Instant
    key: JobKey
    acknowledged: bool


@dataclass(frozen=True, slots=True)
class Replied:
    """A request was answered, or failed; `asked` is None for a list, of which `observations` has the watched rows."""

    at: Instant
    asked: JobKey | None
    exchange: Exchange
    observations: tuple[Observation, ...] = ()
    body: str | None = None


@dataclass(frozen=True, slots=True)
class Adopted:
    """Another process learnt something of a job; with `result_missing` there is a result that it did not share."""

    at: Instant
    job: Job
    exchange: Exchange | None
    result_missing: bool = False


@dataclass(frozen=True, slots=True)
class Recalled:
    """What was remembered of a job's past was fetched: exchanges newest first, moments oldest first."""

    at: Instant
    key: JobKey
    exchanges: tuple[Exchange, ...]
    moments: tuple[Moment, ...]


@dataclass(frozen=True, slots=True)
class Darkened:
    """No job of a profile could be seen because of `outage`, or (None) they could be again."""

    at: Instant
    profile: str
    outage: Problem | None


@dataclass(frozen=True, slots=True)
class Expected:
    """What was expected of a job: the seconds between two looks, to its end, and without a change."""

    at: Instant
    key: JobKey
    interval: float
    eta: tuple[float, float] | None
    stall_after: float | None


@dataclass(frozen=True, slots=True)
class Happened:
    """Something happened to a whole profile, or to the machine."""

    at: Instant
    event: ProfileEvent | SleepNoticed


@dataclass(frozen=True, slots=True)
class Standing:
    """How the polling stood; a budget's moments count the monotonic seconds of `at`."""

    at: Instant
    paused: bool
    budgets: Mapping[str, BudgetView]
    halted: Mapping[str, Problem]


Fact: TypeAlias = (
    Added | Restored | Removed | Acknowledged | Replied | Adopted | Recalled | Darkened | Expected | Happened | Standing
)


@dataclass(frozen=True, slots=True)
class Header:
    """Who recorded, when, and the API behind each profile by name."""

    version: str
    started_us: int
    profiles: Mapping[str, str]
