"""The facts that a store takes and returns. Times are microseconds since the epoch in UTC, on the store's clock."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import Literal, NewType

from jobdeck.domain.exchange import Exchange
from jobdeck.domain.instant import Instant
from jobdeck.domain.job import Acknowledger, Job, JobKey, Observation, StageRecord
from jobdeck.domain.scope import Scope

POLL = "poll"
LIST = "list"
"""The two usual buckets of a profile's budget."""

Cursor = NewType("Cursor", str)
"""A place in the change log of one database; opaque, and valid across runs."""


@dataclass(frozen=True, slots=True)
class OutgoingRequest:
    """A request to be sent to `url`, paid from a bucket of the budget of a profile's scope.

    `job` is the job it is about, None for a list. With `lease`, no other client may poll the job until the answer, nor
    get the list (known by its URL) until shortly after it. Polls and lists need that; a request that acts on a job does
    not.
    """

    profile: str
    url: str
    bucket: str = POLL
    method: str = "GET"
    job: JobKey | None = None
    lease: bool = False


def poll_request(job: JobKey, url: str = "") -> OutgoingRequest:
    """Return the request that polls a job."""
    return OutgoingRequest(job.profile, url, job=job, lease=True)


@dataclass(frozen=True, slots=True)
class Grant:
    """Permission to send one request, which is on record as sent."""

    request: OutgoingRequest

    sequence: int
    """The number of its record, and its place in the order of sending."""

    fence: int | None = None
    """The number of the lease it holds on a job, higher than those of all earlier leases; None without a lease."""


@dataclass(frozen=True, slots=True)
class Denied:
    """No permission; the store wrote nothing. `until_us` is when to ask again, 0 for a job never watched.

    "leased": another client polls the job, or gets the list. "budget": spent by those who share it. "cooldown": the
    server asked for a pause.
    """

    reason: Literal["leased", "budget", "cooldown", "unknown"]
    until_us: int


@dataclass(frozen=True, slots=True)
class Answer:
    """The outcome of a granted request, with observations of one job (a poll) or of many (a list)."""

    grant: Grant
    exchange: Exchange
    observations: tuple[Observation, ...] = ()


@dataclass(frozen=True, slots=True)
class Completed:
    """The effect of an answer."""

    changed: tuple[JobKey, ...] = ()
    """The jobs whose state it changed."""

    seen: tuple[JobKey, ...] = ()
    """The other jobs that it was about."""

    late: bool = False
    """Whether another client had taken the lease meanwhile: the answer is on record, and changed no job."""


class RequestState(StrEnum):
    """The state of a request: without an answer (yet, or ever), answered or failed, given up by us."""

    SENT = "sent"
    ANSWERED = "answered"
    ABANDONED = "abandoned"


@dataclass(frozen=True, slots=True)
class RequestRecord:
    """One request on record, with the client that sent it and the bucket that paid for it.

    Until it is answered, its exchange has no status, IDs or duration, and begins when it was granted (`sent_us`). Its
    moments count both clocks from the epoch, like those of a `SavedJob`.
    """

    exchange: Exchange
    state: RequestState
    client: str
    scope: Scope
    bucket: str
    sent_us: int

    def at(self, now: Instant) -> Exchange | None:
        """Return the exchange with its moment on the clocks of this run, which show `now`; None without an answer."""
        if self.state is not RequestState.ANSWERED:
            return None
        started = now.later((self.exchange.started.us - now.us) / 1e6)
        return replace(self.exchange, started=started)


@dataclass(frozen=True, slots=True)
class ShownJob:
    """A job that an exchange showed: its newest `fields` as JSON text, and whether that exchange `changed` them."""

    key: JobKey
    changed: bool
    fields: str | None


@dataclass(frozen=True, slots=True)
class RequestMatches:
    """The records that have a request ID or trace ID."""

    requests: tuple[RequestRecord, ...] = ()

    shown: tuple[ShownJob, ...] = ()
    """The jobs that these requests showed."""

    accepted: tuple[JobKey, ...] = ()
    """The jobs that a request with this ID submitted."""

    elsewhere: tuple[Scope, ...] = ()
    """The scopes that know the ID, where no configured profile's scope does."""


@dataclass(frozen=True, slots=True)
class PhaseEvidence:
    """The first and the last request that showed a job in its present phase."""

    first: RequestRecord
    last: RequestRecord


@dataclass(frozen=True, slots=True)
class Annotation:
    """The acknowledgement and the note of a job."""

    acknowledged: bool
    note: str

    client: str
    at_us: int
    """Which client wrote the acknowledgement (or, without one, the note), and when."""

    person: str = ""
    """The name of the member of a team who acknowledged the job; empty for oneself."""

    @property
    def acknowledger(self) -> Acknowledger | None:
        """The other member of a team who acknowledged the job; None for oneself."""
        return Acknowledger(self.person, self.at_us) if self.acknowledged and self.person else None

    def applied_to(self, job: Job) -> Job:
        """Return a job, acknowledged unless it ended after the acknowledgement: then the end is news."""
        overtaken = job.ended is not None and self.at_us < job.ended.us
        if not self.acknowledged or overtaken:
            return job
        return replace(job, acknowledged=True, acknowledged_by=self.acknowledger)


class ChangeKind(StrEnum):
    """What happened to jobs."""

    WATCHED = "watched"
    UNWATCHED = "unwatched"
    ANNOTATED = "annotated"
    ANSWERED = "answered"
    ABANDONED = "abandoned"


@dataclass(frozen=True, slots=True)
class Change:
    """One change that a client made; jobs deleted since are left out."""

    at_us: int
    kind: ChangeKind
    profile: str | None
    client: str

    keys: tuple[JobKey, ...]
    """The jobs that it changed."""

    seen: tuple[JobKey, ...] = ()
    """The jobs that an answer showed as they were."""

    sequence: int | None = None
    """The record of the request that was answered."""


@dataclass(frozen=True, slots=True)
class Purged:
    """How many rows one chunk of a purge deleted, and whether there may be `more` to delete."""

    exchanges: int = 0
    observations: int = 0
    jobs: int = 0
    changes: int = 0
    more: bool = False

    def __add__(self, other: "Purged") -> "Purged":
        """Return the sums; there is more when `other`, the later chunk, says so."""
        return Purged(
            self.exchanges + other.exchanges,
            self.observations + other.observations,
            self.jobs + other.jobs,
            self.changes + other.changes,
            other.more,
        )


@dataclass(frozen=True, slots=True)
class Health:
    """The state of a store."""

    place: str
    """The file or the server."""

    size: int
    """Bytes on disk."""

    schema: int
    server_version: str

    rows: dict[str, int]
    """The number of rows of each table."""

    check: str | None = None
    """"ok", or the first damage that a check found; None without a check."""

    unreadable: tuple[str, ...] = ()
    """After a check: a text for each table with rows that cannot be read, which queries leave out."""


class NoticeKind(StrEnum):
    """What happened to the store that a person must hear of."""

    IN_MEMORY = "in_memory"
    CORRUPT = "corrupt"
    MIGRATED = "migrated"
    REPLACED = "replaced"
    STALE = "stale"
    PERMISSIONS = "permissions"
    AWAY = "away"
    RETURNED = "returned"


@dataclass(frozen=True, slots=True)
class Notice:
    """One line for a banner."""

    kind: NoticeKind
    message: str

    path: Path | None = None
    """The file it is about, such as one that was set aside."""

    reason: str = ""
    """Why a file cannot be used, without what jobdeck does about it."""


@dataclass(frozen=True, slots=True)
class SavedJob:
    """The last known state of a job.

    Forecasts, the outage of the profile and the `version` of the job are not saved.
    """

    scope: Scope

    last: Job
    """The job, with moments that count both clocks from the epoch, since the monotonic clock of the run that saw it is
    gone: use `at` for a job to work with. It has a result only where results are kept."""

    watched_us: int | None
    """Since when it is on the watch list; None when it is not."""

    result_bytes: int | None
    """The size of the last result, None without one."""

    def at(self, now: Instant) -> Job:
        """Return the job with its moments on the clocks of this run, which show `now`."""
        return _with_moments(self.last, lambda moment: now.later((moment.us - now.us) / 1e6))


def from_epoch(us: int) -> Instant:
    """Return the moment `us`, with both clocks counted from the epoch."""
    return Instant(us, us / 1e6)


def _with_moments(job: Job, shift: Callable[[Instant], Instant]) -> Job:
    def moved(moment: Instant | None) -> Instant | None:
        return None if moment is None else shift(moment)

    stages = tuple(
        StageRecord(record.stage, moved(record.started), moved(record.changed), moved(record.ended))
        for record in job.stages
    )
    return replace(
        job,
        added=shift(job.added),
        stages=stages,
        observed=moved(job.observed),
        whole=moved(job.whole),
        asked=moved(job.asked),
        changed=moved(job.changed),
        ended=moved(job.ended),
        begun=moved(job.begun),
        missing_since=moved(job.missing_since),
    )
