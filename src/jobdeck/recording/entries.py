"""The entries of a recording; applied in order to a new registry, they produce the same jobs."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

from jobdeck.domain.events import ProfileEvent, SleepNoticed
from jobdeck.domain.exchange import Exchange
from jobdeck.domain.instant import Instant
from jobdeck.domain.job import Job, JobKey, Observation, Target
from jobdeck.domain.problem import Problem
from jobdeck.domain.timeline import TimelineEvent
from jobdeck.scheduling.outlook import QuotaSnapshot


class RecordingError(Exception):
    """A recording cannot be made or read; the message names the file, the line if there is one, and the reason."""


@dataclass(frozen=True, slots=True)
class Added:
    """A target was added."""

    at: Instant
    target: Target


@dataclass(frozen=True, slots=True)
class Restored:
    """A job was added in a saved state."""

    at: Instant
    job: Job


@dataclass(frozen=True, slots=True)
class Removed:
    """A job was removed."""

    at: Instant
    key: JobKey


@dataclass(frozen=True, slots=True)
class BatchChanged:
    """A watched job was added again as part of a batch."""

    at: Instant
    key: JobKey
    batch: str


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """The user acknowledged or unacknowledged a job."""

    at: Instant
    key: JobKey
    acknowledged: bool


@dataclass(frozen=True, slots=True)
class Replied:
    """A request was answered, or failed."""

    at: Instant
    asked: JobKey | None
    """None for a list."""
    exchange: Exchange
    observations: tuple[Observation, ...] = ()
    """For a list, the rows of watched jobs."""
    body: str | None = None


@dataclass(frozen=True, slots=True)
class PeerUpdate:
    """Another process updated a job."""

    at: Instant
    job: Job
    exchange: Exchange | None = None
    result_missing: bool = False
    """The job has a result, which that process did not share."""


@dataclass(frozen=True, slots=True)
class HistoryLoaded:
    """A job's saved history was loaded."""

    at: Instant
    key: JobKey
    exchanges: tuple[Exchange, ...]
    """Newest first."""
    moments: tuple[TimelineEvent, ...]
    """Oldest first."""


@dataclass(frozen=True, slots=True)
class OutageChanged:
    """All jobs of a profile became unreachable because of `outage`, or, if it is None, reachable again."""

    at: Instant
    profile: str
    outage: Problem | None = None


@dataclass(frozen=True, slots=True)
class ForecastChanged:
    """The forecast for a job changed."""

    at: Instant
    key: JobKey
    interval: float
    """Seconds between two polls."""
    eta: tuple[float, float] | None = None
    """Range of seconds until its end."""
    stall_after: float | None = None
    """Seconds without a change after which it counts as stalled."""


@dataclass(frozen=True, slots=True)
class PollingStatus:
    """The state of polling; times in `budgets` are monotonic seconds on the clock of `at`."""

    at: Instant
    paused: bool
    budgets: Mapping[str, QuotaSnapshot]
    halted: Mapping[str, Problem]


JobEntry: TypeAlias = Added | Restored | Removed | BatchChanged | Acknowledged | HistoryLoaded | ForecastChanged
Entry: TypeAlias = JobEntry | Replied | PeerUpdate | OutageChanged | PollingStatus | ProfileEvent | SleepNoticed


@dataclass(frozen=True, slots=True)
class Header:
    """The first line of a recording."""

    version: str
    """The jobdeck that recorded it."""
    started: Instant
    profiles: Mapping[str, str]
    """The API of each profile, by name."""


@dataclass(frozen=True, slots=True)
class TimedEntry:
    """An entry and its position."""

    at: float
    """Seconds since the recording began; never decreases."""
    entry: Entry


@dataclass(frozen=True, slots=True)
class Recording:
    """A recording, as far as it could be read."""

    header: Header
    entries: tuple[TimedEntry, ...]
    seconds: float
    fault: str = ""
    """Why it may be incomplete or altered, in one line; empty for a sound recording."""
    damaged: bool = False
    """It differs from what was written. Otherwise a recording with a fault was never finished, because jobdeck was
    killed or the disk was full."""

    @property
    def complete(self) -> bool:
        """Whether it is complete and unaltered."""
        return not self.fault
