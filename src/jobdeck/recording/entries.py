"""What a recording holds: applied in the same order to another registry, its entries give the same jobs again."""

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
class BatchChanged:
    """A watched job was added again, as part of a batch."""

    at: Instant
    key: JobKey
    batch: str


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """A person acknowledged the trouble of a job, or took that back."""

    at: Instant
    key: JobKey
    acknowledged: bool


@dataclass(frozen=True, slots=True)
class Replied:
    """A request was answered, or failed; `asked` is None for a list, of which there are the rows of watched jobs."""

    at: Instant
    asked: JobKey | None
    exchange: Exchange
    observations: tuple[Observation, ...] = ()
    body: str | None = None


@dataclass(frozen=True, slots=True)
class PeerUpdate:
    """Another process learnt something of a job; with `result_missing` there is a result that it did not share."""

    at: Instant
    job: Job
    exchange: Exchange | None = None
    result_missing: bool = False


@dataclass(frozen=True, slots=True)
class HistoryLoaded:
    """A job's remembered past was loaded: exchanges newest first, moments oldest first."""

    at: Instant
    key: JobKey
    exchanges: tuple[Exchange, ...]
    moments: tuple[TimelineEvent, ...]


@dataclass(frozen=True, slots=True)
class OutageChanged:
    """No job of a profile could be polled because of `outage`, or (None) they could be again."""

    at: Instant
    profile: str
    outage: Problem | None = None


@dataclass(frozen=True, slots=True)
class ForecastChanged:
    """What was expected of a job: the seconds between two polls, to its end, and without a change."""

    at: Instant
    key: JobKey
    interval: float
    eta: tuple[float, float] | None = None
    stall_after: float | None = None


@dataclass(frozen=True, slots=True)
class PollingStatus:
    """The state of the polling; a budget's moments count the monotonic seconds of `at`."""

    at: Instant
    paused: bool
    budgets: Mapping[str, QuotaSnapshot]
    halted: Mapping[str, Problem]


JobEntry: TypeAlias = Added | Restored | Removed | BatchChanged | Acknowledged | HistoryLoaded | ForecastChanged
Entry: TypeAlias = JobEntry | Replied | PeerUpdate | OutageChanged | PollingStatus | ProfileEvent | SleepNoticed


@dataclass(frozen=True, slots=True)
class Header:
    """Who recorded, from when on, and the API behind each profile by name."""

    version: str
    started: Instant
    profiles: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class TimedEntry:
    """An entry and its place: seconds since the recording began, never less than that of the entry before it."""

    at: float
    entry: Entry


@dataclass(frozen=True, slots=True)
class Recording:
    """A recording, as far as it could be read.

    `fault` says in one line why that may not be all of it, or not all as it was written; it is empty for a sound one.
    With `damaged` it is not what its writer wrote; without, it was never finished: whoever wrote it was killed, or its
    disk was full.
    """

    header: Header
    entries: tuple[TimedEntry, ...]
    seconds: float
    fault: str = ""
    damaged: bool = False

    @property
    def complete(self) -> bool:
        """Whether it is all there, as it was written."""
        return not self.fault
