"""What the store takes and gives: frozen facts. Times are microseconds since the epoch in UTC."""

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Generic, Literal, NewType, TypeAlias, TypeVar
from uuid import UUID

from jobdeck.domain.exchange import Exchange
from jobdeck.domain.instant import Instant
from jobdeck.domain.job import JobKey
from jobdeck.domain.phase import Phase
from jobdeck.domain.problem import Problem
from jobdeck.domain.scope import Scope
from jobdeck.domain.timeline import TimelineEvent, TimelineEventKind

Cursor = NewType("Cursor", str)
"""A place in the change log of one database; opaque, and valid across runs."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Claim:
    """Leave to poll one job now: the lease under `fence` is ours, and the request is on record as sent.

    `row` is where the implementation finds the ledger row again.
    """

    key: JobKey
    bucket: str
    fence: int
    exchange_id: UUID
    row: int

    @property
    def profile(self) -> str:
        """The profile whose budget it was taken from."""
        return self.key.profile


@dataclass(frozen=True, slots=True)
class Spent:
    """Leave to send one request that needs no lease (a list, a look-up, an action); it is on record as sent.

    `about` is the job that it acts on; its answer says nothing of how that job is.
    """

    profile: str
    bucket: str
    exchange_id: UUID
    row: int
    about: JobKey | None = None

    @property
    def key(self) -> None:
        """None: the answer is not about one job alone."""


@dataclass(frozen=True, slots=True)
class Refused:
    """No leave: nothing was written. `until_us` is when asking again may help; 0 for an unknown job.

    A "silence" is what the server asked for with a 429; a "budget" is spent by those who share it.
    """

    reason: Literal["leased", "budget", "silence", "unknown"]
    until_us: int


Granted: TypeAlias = Claim | Spent


@dataclass(frozen=True, slots=True)
class Completed:
    """What an answer did: `changed` are the jobs whose state it changed, `seen` the others that it was about.

    `late` says that another claim had been granted meanwhile: the answer is on record, and changed no job.
    """

    changed: tuple[JobKey, ...] = ()
    seen: tuple[JobKey, ...] = ()
    late: bool = False


class LedgerState(StrEnum):
    """What became of a request: sent and not answered (yet, or ever), answered or failed, given up by us."""

    SENT = "sent"
    ANSWERED = "answered"
    ABANDONED = "abandoned"


@dataclass(frozen=True, slots=True)
class LedgerEntry:
    """One request on record. No headers, no bodies.

    `sent_us` is when leave was given; the fields of the answer are None or empty while the state is SENT.
    `started_us` and `duration` (seconds) are the exchange's own; `key` is None for a list. `profile` is the one that
    it was sent through, `scope` the one whose budget paid for it, `sequence` its place in the order of sending.
    """

    id: UUID
    profile: str
    scope: Scope
    actor: str
    state: LedgerState
    bucket: str
    sent_us: int
    key: JobKey | None = None
    method: str = ""
    url: str = ""
    started_us: int | None = None
    duration: float | None = None
    http_status: int | None = None
    request_id: str | None = None
    body_request_id: str | None = None
    trace_id: str | None = None
    size: int = 0
    problem: Problem | None = None
    sequence: int = 0

    def exchange(self, now: Instant) -> Exchange | None:
        """Return it as an exchange with moments relative to `now`; None unless it was answered."""
        if self.state is not LedgerState.ANSWERED or self.started_us is None:
            return None
        return Exchange(
            profile=self.profile,
            method=self.method,
            url=self.url,
            started=now.later((self.started_us - now.us) / 1e6),
            duration=self.duration or 0.0,
            job=self.key,
            http_status=self.http_status,
            request_id=self.request_id,
            body_request_id=self.body_request_id,
            trace_id=self.trace_id,
            size=self.size,
            problem=self.problem,
            sequence=self.sequence,
        )


@dataclass(frozen=True, slots=True)
class Sighting:
    """What one exchange told about one job: `fields` is JSON text as last changed, `changed` whether it did then."""

    key: JobKey
    changed: bool
    fields: str | None


@dataclass(frozen=True, slots=True)
class Found:
    """What is known of a request or trace ID: our exchanges, what they told, and the jobs it had accepted.

    Where no configured profile's scope knows it, `elsewhere` are the scopes that do.
    """

    exchanges: tuple[LedgerEntry, ...] = ()
    sightings: tuple[Sighting, ...] = ()
    accepted: tuple[JobKey, ...] = ()
    elsewhere: tuple[Scope, ...] = ()


@dataclass(frozen=True, slots=True)
class Shown:
    """The first and the last exchange that showed a job in the phase it is in."""

    first: LedgerEntry
    last: LedgerEntry


class TimelineKind(StrEnum):
    """What a line of a job's timeline tells."""

    RUN = "run"
    PHASE = "phase"
    STAGE = "stage"
    ANOMALY = "anomaly"


@dataclass(frozen=True, slots=True)
class TimelineEntry:
    """One change of a job. `stage` is set for a stage, `before` is None when it appeared.

    `text` is the server's status word, what an anomaly says, or how a new run of the ID shows.
    """

    at_us: int
    kind: TimelineKind
    stage: str | None
    before: Phase | None
    after: Phase | None
    text: str
    request_id: str | None
    trace_id: str | None

    @property
    def moment(self) -> TimelineEvent:
        """It as a moment of the job's timeline, which has one ID to give to support."""
        return TimelineEvent(
            at_us=self.at_us,
            kind=TimelineEventKind(self.kind.value),
            text=self.text,
            stage=self.stage,
            before=self.before.value if self.before is not None else None,
            after=self.after.value if self.after is not None else None,
            request_id=self.request_id or self.trace_id,
        )


@dataclass(frozen=True, slots=True)
class Annotation:
    """What a person said about a job; `actor` and `at_us` are those of the last word."""

    acknowledged: bool
    note: str
    actor: str
    at_us: int


class ChangeKind(StrEnum):
    """What happened to the database."""

    WATCHED = "watched"
    UNWATCHED = "unwatched"
    ANNOTATED = "annotated"
    SENT = "sent"
    ANSWERED = "answered"
    ABANDONED = "abandoned"
    LIMITED = "limited"
    TOLD = "told"
    LEARNT = "learnt"
    CHOSEN = "chosen"
    PURGED = "purged"


@dataclass(frozen=True, slots=True)
class Change:
    """One change, by whom and about which jobs (those that are still known)."""

    at_us: int
    kind: ChangeKind
    profile: str | None
    actor: str
    keys: tuple[JobKey, ...]
    exchange_id: UUID | None


@dataclass(frozen=True, slots=True)
class Purged:
    """What one chunk of a purge took away; call again while `more`."""

    exchanges: int = 0
    observations: int = 0
    jobs: int = 0
    changes: int = 0
    more: bool = False


@dataclass(frozen=True, slots=True)
class Health:
    """The state of the store. `path` is None in memory, `size` in bytes with the write-ahead log.

    `check` is None unless asked for: then "ok", or what `PRAGMA integrity_check` found first. `unreadable` are then the
    rows that are left out wherever they are asked for, a text for each table that has some.
    """

    path: Path | None
    size: int
    schema: int
    journal_mode: str
    sqlite_version: str
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


@dataclass(frozen=True, slots=True)
class Notice:
    """One line for a banner; `path` is the file it is about, such as the one set aside.

    `reason` says of a file that cannot be used why, without what jobdeck does about it.
    """

    kind: NoticeKind
    message: str
    path: Path | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Outcome(Generic[T]):
    """What came of one operation of a batch: a value, or the error it raised."""

    value: T | None = None
    error: Exception | None = None
