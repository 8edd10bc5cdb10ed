"""The seam between jobdeck and what it remembers in: what every store promises."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Protocol, TypeVar

from jobdeck.domain.exchange import Exchange
from jobdeck.domain.instant import Instant
from jobdeck.domain.job import Job, JobKey, Observation, Target
from jobdeck.store.records import (
    Annotation,
    Change,
    Claim,
    Completed,
    Cursor,
    Found,
    Granted,
    Health,
    LedgerEntry,
    Notice,
    Outcome,
    Purged,
    Refused,
    Shown,
    Spent,
    TimelineEntry,
)
from jobdeck.store.stored import StoredJob

POLL = "poll"
LIST = "list"
"""Names of the two usual buckets of a profile's budget."""

DEFAULT_PER_MINUTE = 30
"""Requests a minute of a bucket nobody set a limit for: the lowest that either vendor documents."""

MAX_LEASE_SECONDS = 900.0
"""A lease that lasts longer was made before the clock was set back, and does not count."""

QUIET_SECONDS = 10.0
"""Without a request in a bucket after a 429 that names no time (the vendor's advice for polling)."""

T = TypeVar("T")


class Store(Protocol):
    """Everything jobdeck remembers, shared by every jobdeck that opened the same database.

    Blocking, and safe to call from several threads. Each method is one transaction that is on disk when it
    returns: a killed process loses nothing it was told was done. Raises `StoreError` only; `now_us` is the
    caller's time. Every change names its scope and the actor given when the store was opened, and is in the change
    log, from which `changes` reads.

    A profile's name stands for its scope (origin and organization) as configured when the store was opened. Profiles
    of one scope share everything but their places on the watch list and what they have learnt of durations; a name
    that had another scope once knows nothing of it. Rows of profiles that are not configured any more keep their name.
    """

    @property
    def actor(self) -> str:
        """Who writes here."""
        ...

    @property
    def degraded(self) -> Notice | None:
        """Why nothing is written to disk any more, None while it is (or where that was never meant)."""
        ...

    @property
    def incident(self) -> Notice | None:
        """What happened last to the file while it was open, that a person must be told: left, or replaced."""
        ...

    def watch(self, targets: Iterable[Target], now_us: int, *, listed: bool = True) -> tuple[JobKey, ...]:
        """Put targets on the watch list, and return the keys that are new on it.

        A known job keeps its state; accepting IDs it lacked are taken over. Without `listed` they only become
        known, so that they can be claimed.
        """
        ...

    def unwatch(self, keys: Iterable[JobKey], now_us: int) -> tuple[JobKey, ...]:
        """Take jobs off the watch list, and return those that were on it; what is known of them stays."""
        ...

    def annotate(
        self, key: JobKey, *, now_us: int, acknowledged: bool | None = None, note: str | None = None
    ) -> Annotation:
        """Change what a person said about a job; None leaves it. Raises `UnknownJobError`."""
        ...

    def annotations(self, keys: Iterable[JobKey]) -> Mapping[JobKey, Annotation]:
        """Return the annotations of those of the jobs that have one."""
        ...

    def set_limit(self, profile: str, bucket: str, per_minute: int, now_us: int) -> None:
        """Set how many requests a minute a bucket lets through, for everyone; ValueError below one."""
        ...

    def limit(self, profile: str, bucket: str) -> int | None:
        """Return the limit that was set, None when nobody did: then `DEFAULT_PER_MINUTE` holds."""
        ...

    def claim(
        self, key: JobKey, now_us: int, lease_seconds: float, bucket: str = POLL, url: str = ""
    ) -> Claim | Refused:
        """Ask for leave to poll a job.

        Refused while another actor's lease lives (that of a process on this machine ends with the process), while
        the bucket is used up or told to be silent by a 429, and for a job never watched. A grant takes the lease
        under a fence greater than all before, and puts the request on record as sent to `url`. In any 60 s a bucket
        grants at most its limit, however many processes ask.
        """
        ...

    def spend(
        self, profile: str, bucket: str, now_us: int, url: str = "", *, method: str = "GET", about: JobKey | None = None
    ) -> Spent | Refused:
        """Ask for leave to send a request to `url` that does not ask how one job is, and needs no lease.

        One that acts on a job is on record with the job it is `about`; an unknown one is refused.
        """
        ...

    def complete(
        self,
        granted: Granted,
        exchange: Exchange,
        observations: Sequence[Observation],
        next_poll_us: int | None,
        now_us: int,
    ) -> Completed:
        """Record what a granted request gave, and change the jobs it told about by the rules of the domain.

        The lease ends unless somebody else's claim came after it; then the ledger row is all that is written.
        Observations of jobs never watched are ignored. A problem 429 silences the bucket for every process.
        """
        ...

    def abandon(self, granted: Granted, now_us: int) -> None:
        """End a lease whose request was cancelled; the ledger row stays and says so."""
        ...

    def newest(self) -> int:
        """Return the place in the order of sending of the newest request on record; 0 when none ever was."""
        ...

    def load_job(self, key: JobKey) -> StoredJob | None:
        """Return what is known of a job, with its result if that is kept."""
        ...

    def jobs(self, profile: str | None = None, limit: int = 10_000) -> tuple[StoredJob, ...]:
        """Return the jobs of a profile's scope, or of all, by their newest activity, newest first, without results.

        Of all, each is shown under the profile that watched it last.
        """
        ...

    def watched(self, now: Instant, most: int | None = None) -> tuple[Job, ...]:
        """Return the watched jobs in the order of the list, with results that are kept; their moments go with `now`.

        With `most`, only so many, those that a person should look at first.
        """
        ...

    def count_watched(self) -> dict[str, int]:
        """Return how many jobs each profile watches, for those that watch any."""
        ...

    def timeline(self, key: JobKey) -> tuple[TimelineEntry, ...]:
        """Return a job's changes of phase and stages, and its anomalies, oldest first."""
        ...

    def exchanges(self, key: JobKey, limit: int = 100) -> tuple[LedgerEntry, ...]:
        """Return the newest requests about a job, newest first: its polls, and the lists that showed it."""
        ...

    def all_exchanges(self, profile: str | None = None, limit: int = 100) -> tuple[LedgerEntry, ...]:
        """Return the newest requests of a profile's scope, or of all, newest first."""
        ...

    def failures(self, profile: str, since_us: int, until_us: int, limit: int = 100) -> tuple[LedgerEntry, ...]:
        """Return the requests of a profile's scope begun within that time that brought no answer, newest first.

        Looked for among the newest `FAILURES_AMONG` requests of all.
        """
        ...

    def find_request(self, id_: str, limit: int = 100) -> Found:
        """Return what is known of a request ID or a trace ID, of our requests and of accepting ones.

        Of requests that share it, as they do where a server gives one ID to all, the newest `limit`.
        """
        ...

    def shown(self, key: JobKey) -> Shown | None:
        """Return the first and the last exchange that showed the job's present phase, while they are kept."""
        ...

    def save_estimates(self, profile: str, data: str, now_us: int) -> None:
        """Keep what was learnt of durations: JSON text that the store does not look into."""
        ...

    def load_estimates(self, profile: str) -> str | None:
        """Return what `save_estimates` kept last of the profile, else of another one of its scope."""
        ...

    def save_choice(self, name: str, value: str, now_us: int) -> None:
        """Keep how a person wants something on the screen: one line of text that the store does not look into."""
        ...

    def load_choice(self, name: str) -> str | None:
        """Return what `save_choice` kept last under a name."""
        ...

    def once(self, key: JobKey, event: str, now_us: int) -> bool:
        """Return True to exactly one caller of all processes for each (job, event). Raises `UnknownJobError`."""
        ...

    def head(self) -> Cursor:
        """Return the cursor of the newest change."""
        ...

    def changes(self, since: Cursor | None, limit: int = 500) -> tuple[tuple[Change, ...], Cursor]:
        """Return up to `limit` changes after a cursor (None: all that are kept), oldest first, and the next cursor.

        Raises `CursorLostError` when changes after `since` were purged.
        """
        ...

    def data_version(self) -> int:
        """Return a number that differs when another connection changed the database; never waits."""
        ...

    def purge(self, before_us: int, chunk: int = 2_000) -> Purged:
        """Forget at most `chunk` rows of each kind that are older than `before_us`.

        Requests, observations and changes go by their time; jobs when nothing happened to them since, unless they
        are watched or have a note.
        """
        ...

    def health(self, *, check: bool = False) -> Health:
        """Return size and state; `check` reads the whole file (about 1 s a gigabyte)."""
        ...

    def batch(self, operations: Sequence[Callable[["Store"], T]]) -> tuple[Outcome[T], ...]:
        """Run operations in one transaction, each succeeding or failing alone, and return after its commit.

        An operation may run twice, when the store has to go on in memory meanwhile; only its second run counts.
        """
        ...

    def close(self) -> None:
        """Close the database; calling it twice is harmless."""
        ...
