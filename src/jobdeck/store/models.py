"""What the store takes and gives: frozen facts. Times are microseconds since the epoch in UTC, on the store's clock."""

from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import Literal, NewType

from jobdeck.domain.exchange import Exchange
from jobdeck.domain.instant import Instant
from jobdeck.domain.job import Acknowledger, Job, JobKey, Observation
from jobdeck.domain.scope import Scope

POLL = "poll"
LIST = "list"
"""Names of the two usual buckets of a profile's budget."""

Cursor = NewType("Cursor", str)
"""A place in the change log of one database; opaque, and valid across runs."""


@dataclass(frozen=True, slots=True)
class OutgoingRequest:
    """A request that wants to be sent to `url`, paid from a bucket of the budget of a profile's scope.

    `job` is the job it is about, None for a list. With `lease` no other client may poll the job meanwhile, nor get the
    list (known by its URL) meanwhile or shortly after: what polls and lists need, and a request that acts on a job does
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
    """Permission to send one request, which is on record as sent under `sequence`, its place in the order of sending.

    `fence` is that of the lease on a job it holds, greater than those of all leases of the job before; else None.
    """

    request: OutgoingRequest
    sequence: int
    fence: int | None = None


@dataclass(frozen=True, slots=True)
class Denied:
    """No permission; nothing was written. `until_us` is when asking again may help, 0 for a job never watched.

    "leased": another client polls the job, or gets the list. "budget": spent by those who share it. "cooldown": the
    server asked for a pause.
    """

    reason: Literal["leased", "budget", "cooldown", "unknown"]
    until_us: int


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of a granted request, and what it shows of jobs: of one for a poll, of many for a list."""

    grant: Grant
    exchange: Exchange
    observations: tuple[Observation, ...] = ()


@dataclass(frozen=True, slots=True)
class Completed:
    """What an answer did: `changed` are the jobs whose state it changed, `seen` the others that it was about.

    `late` says that another client's lease had begun meanwhile: the answer is on record, and changed no job.
    """

    changed: tuple[JobKey, ...] = ()
    seen: tuple[JobKey, ...] = ()
    late: bool = False


class RequestState(StrEnum):
    """What became of a request: sent and not answered (yet, or ever), answered or failed, given up by us."""

    SENT = "sent"
    ANSWERED = "answered"
    ABANDONED = "abandoned"


@dataclass(frozen=True, slots=True)
class RequestRecord:
    """One request on record: what was sent, by which client, from whose budget, and what came of it.

    Until it is answered, its exchange has no status, IDs or duration, and begins when it was granted (`sent_us`). Its
    moments count both clocks from the epoch, as those of a `SavedJob`.
    """

    exchange: Exchange
    state: RequestState
    client: str
    scope: Scope
    bucket: str
    sent_us: int

    def at(self, now: Instant) -> Exchange | None:
        """Return the exchange with its moment on the clocks of this run; None unless it was answered."""
        if self.state is not RequestState.ANSWERED:
            return None
        started = now.later((self.exchange.started.us - now.us) / 1e6)
        return replace(self.exchange, started=started)


@dataclass(frozen=True, slots=True)
class ShownJob:
    """What one exchange showed of one job: `fields` is JSON text as last changed, `changed` whether it did then."""

    key: JobKey
    changed: bool
    fields: str | None


@dataclass(frozen=True, slots=True)
class RequestMatches:
    """What is known of a request or trace ID: our requests, what they showed, and the jobs it had accepted.

    Where no configured profile's scope knows it, `elsewhere` are the scopes that do.
    """

    requests: tuple[RequestRecord, ...] = ()
    shown: tuple[ShownJob, ...] = ()
    accepted: tuple[JobKey, ...] = ()
    elsewhere: tuple[Scope, ...] = ()


@dataclass(frozen=True, slots=True)
class PhaseEvidence:
    """The first and the last request that showed a job in the phase it is in."""

    first: RequestRecord
    last: RequestRecord


@dataclass(frozen=True, slots=True)
class Annotation:
    """What a person said about a job: `client` and `at_us` are those of the acknowledgement, else of the note.

    `person` is the name of who of a team acknowledged it, empty where that is oneself.
    """

    acknowledged: bool
    note: str
    client: str
    at_us: int
    person: str = ""

    @property
    def acknowledger(self) -> Acknowledger | None:
        """Who of a team acknowledged the job, if it is another than oneself."""
        return Acknowledger(self.person, self.at_us) if self.acknowledged and self.person else None

    def applied_to(self, job: Job) -> Job:
        """Return a job, acknowledged where it is acknowledged as it is: an end that came later is news."""
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
    """One change, by which client and about which jobs (those that are still known).

    `keys` are the jobs that it changed, `seen` those that an answer showed as they were known. `sequence` is that of
    the request which was answered.
    """

    at_us: int
    kind: ChangeKind
    profile: str | None
    client: str
    keys: tuple[JobKey, ...]
    seen: tuple[JobKey, ...] = ()
    sequence: int | None = None


@dataclass(frozen=True, slots=True)
class Purged:
    """What one chunk of a purge deleted; there may be more to delete while `more`."""

    exchanges: int = 0
    observations: int = 0
    jobs: int = 0
    changes: int = 0
    more: bool = False

    def __add__(self, other: "Purged") -> "Purged":
        """Return what both deleted; there is more when `other`, the later one, says so."""
        return Purged(
            self.exchanges + other.exchanges,
            self.observations + other.observations,
            self.jobs + other.jobs,
            self.changes + other.changes,
            other.more,
        )


@dataclass(frozen=True, slots=True)
class Health:
    """The state of the store. `place` is its file or server, `size` in bytes.

    `check` is None unless asked for: then "ok", or the first damage that was found. `unreadable` are then the rows
    that are left out wherever they are asked for, a text for each table that has some.
    """

    place: str
    size: int
    schema: int
    server_version: str
    rows: dict[str, int]
    check: str | None = None
    unreadable: tuple[str, ...] = ()


class NoticeKind(StrEnum):
    """What a person must be told about the store."""

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
    """One line for a banner; `path` is the file it is about, such as the one set aside.

    `reason` says of a file that cannot be used why, without what jobdeck does about it.
    """

    kind: NoticeKind
    message: str
    path: Path | None = None
    reason: str = ""
