"""The promises of every store, whatever database is behind it."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Protocol

from jobdeck.domain.instant import Instant
from jobdeck.domain.job import Job, JobKey, Target
from jobdeck.domain.timeline import TimelineEvent
from jobdeck.store.models import (
    Annotation,
    Answer,
    Change,
    Completed,
    Cursor,
    Denied,
    Grant,
    Health,
    Notice,
    OutgoingRequest,
    PhaseEvidence,
    Purged,
    RequestMatches,
    RequestRecord,
    SavedJob,
)

DEFAULT_PER_MINUTE = 30
"""Requests a minute of a bucket without a limit: the lowest limit that either vendor documents."""

MAX_COOLDOWN_SECONDS = 900.0
"""The longest cooldown: one that would last longer began before the clock was set back, and does not count."""

COOLDOWN_SECONDS = 10.0
"""How long a bucket rests after a 429 that names no time (the vendor's advice for polling)."""

LEASE_SECONDS = 5.0
"""How long a lease lasts after it was taken or renewed; then others poll the jobs of a client that died."""

LIST_SECONDS = 2.0
"""How long after a client got a list no other gets it: the others read from the store what it showed."""

RENEW_SECONDS = 1.5
"""How often the leases of unanswered requests are renewed; most are answered before the first time."""


class Store(Protocol):
    """Everything jobdeck saves, shared by every client (a run of jobdeck) that opened the same database.

    Each write is one transaction, on disk when the call returns: a killed process loses nothing that was done. A write
    whose caller was cancelled is made all the same, but a request granted to such a caller is released. Raises only
    `StoreError`. Leases, budgets and dates of changes are on the store's clock.

    A profile's name stands for its scope (origin and organization) as configured when the store was opened. Profiles
    of one scope share everything except their places on the watch list and their measured durations; a name that had
    another scope once knows nothing of it. Rows of profiles that are no longer configured keep their name.
    """

    @property
    def client(self) -> str:
        """The name of this run, which no other run has."""
        ...

    @property
    def degraded(self) -> Notice | None:
        """Why nothing reaches the disk any more; None while it does, and for a store meant to be in memory."""
        ...

    @property
    def incident(self) -> Notice | None:
        """The last thing that happened to the open file and that a person must hear of: left, or replaced."""
        ...

    async def watch(self, targets: Iterable[Target], *, listed: bool = True) -> tuple[JobKey, ...]:
        """Put targets on the watch list, and return the keys that are new on it.

        A known job keeps its state, and gets the accepting IDs it lacked. Without `listed` the jobs only become known,
        so that they can be polled.
        """
        ...

    async def unwatch(self, keys: Iterable[JobKey]) -> tuple[JobKey, ...]:
        """Take jobs off the watch list, and return those that were on it; their state stays saved."""
        ...

    async def acknowledge(self, keys: Iterable[JobKey], *, acknowledged: bool) -> None:
        """Save whether a person knows of the trouble of jobs; ignores jobs never watched."""
        ...

    async def annotate(self, keys: Iterable[JobKey], note: str, replaces: Collection[str] | None = None) -> None:
        """Save a note with jobs; ignores jobs never watched.

        With `replaces`, it changes only jobs without a note, or with one of these.
        """
        ...

    async def annotations(self, keys: Iterable[JobKey]) -> Mapping[JobKey, Annotation]:
        """Return the annotations of the jobs that have one."""
        ...

    async def set_limits(self, profile: str, per_minute: Mapping[str, int], *, assumed: bool = False) -> None:
        """Set how many requests a minute the buckets of a profile let through, for everyone; ValueError below one.

        An `assumed` limit changes only buckets without a limit.
        """
        ...

    async def limit(self, profile: str, bucket: str) -> int | None:
        """Return the limit of a bucket, None without one: then `DEFAULT_PER_MINUTE` holds."""
        ...

    async def set_cooldown(self, profile: str, bucket: str, until_us: int) -> None:
        """Let nothing through a bucket of a profile before `until_us`, for everyone; a later end that is set stays.

        An end further away than `MAX_COOLDOWN_SECONDS` does not count.
        """
        ...

    async def claim(self, requests: Sequence[OutgoingRequest]) -> tuple[Grant | Denied, ...]:
        """Decide for each request, in order, whether it may be sent now; a granted one is on record as sent.

        Denied while another client's lease on its job lasts, while the bucket is used up or in a cooldown, and for a
        job never watched. In any 60 s a bucket grants at most its limit, however many clients ask.
        """
        ...

    async def complete(self, answers: Sequence[Answer]) -> tuple[Completed, ...]:
        """Record the answers to granted requests, and change the jobs they show by the rules of the domain.

        An answer ends its lease. If another client has taken a lease on the job meanwhile, only the request is
        recorded. Ignores observations of jobs never watched. A 429 begins a cooldown of the bucket for everyone.
        """
        ...

    async def release(self, grants: Sequence[Grant]) -> None:
        """End the leases of cancelled requests; their records stay, as abandoned."""
        ...

    async def set_focus(self, keys: Collection[JobKey]) -> None:
        """Share which jobs are on this client's screen, so that others poll them sooner; it expires by itself."""
        ...

    async def focus(self) -> frozenset[JobKey]:
        """Return the jobs on the screens of a team's other clients; none in a store of one's own."""
        ...

    async def newest(self) -> int:
        """Return the sequence of the newest request ever recorded; 0 without one."""
        ...

    async def load(self, keys: Iterable[JobKey]) -> Mapping[JobKey, SavedJob]:
        """Return the jobs that are saved, with their results where those are kept."""
        ...

    async def jobs(self, profile: str | None = None, limit: int = 10_000) -> tuple[SavedJob, ...]:
        """Return the jobs of a profile's scope, or of all, without results, those with the newest activity first.

        Among all, each is shown under the profile that watched it last.
        """
        ...

    async def watched(
        self, now: Instant, most: int | None = None, *, of: Collection[JobKey] | None = None
    ) -> tuple[Job, ...]:
        """Return the watched jobs in the order of the list, with kept results, and moments on the clocks of `now`.

        `most` limits them to those that a person should look at first, `of` to these jobs. A store that was opened with
        the watch lists of everyone names in each target who watches the job.
        """
        ...

    async def count_watched(self) -> dict[str, int]:
        """Return how many jobs each profile watches, without the profiles that watch none."""
        ...

    async def timeline(self, key: JobKey) -> tuple[TimelineEvent, ...]:
        """Return a job's changes of phase and stages, problems, recoveries, new runs and anomalies, oldest first."""
        ...

    async def requests(self, key: JobKey, limit: int = 100) -> tuple[RequestRecord, ...]:
        """Return the newest requests about a job, newest first: its polls and the lists that showed it."""
        ...

    async def records(self, sequences: Iterable[int]) -> Mapping[int, RequestRecord]:
        """Return the requests with these sequences that are on record."""
        ...

    async def all_requests(self, profile: str | None = None, limit: int = 100) -> tuple[RequestRecord, ...]:
        """Return the newest requests of a profile's scope, or of all, newest first."""
        ...

    async def failures(self, profile: str, since_us: int, until_us: int, limit: int = 100) -> tuple[RequestRecord, ...]:
        """Return the failed requests of a profile's scope that began within that time, newest first.

        A store may search only the newest requests of all, some ten thousand.
        """
        ...

    async def find_request(self, id_: str, limit: int = 100) -> RequestMatches:
        """Return the requests that have a request ID or trace ID, and the jobs that one with it submitted.

        Where a server gives one ID to many requests, these are the newest `limit`.
        """
        ...

    async def phase_evidence(self, key: JobKey) -> PhaseEvidence | None:
        """Return the first and the last request that showed the job's present phase; None once either is purged."""
        ...

    async def save_estimates(self, profile: str, data: str) -> None:
        """Save the measured durations of a profile, as JSON text that the store does not parse."""
        ...

    async def load_estimates(self) -> Mapping[str, str]:
        """Return the newest text of `save_estimates` of each configured profile, else of another one of its scope."""
        ...

    async def save_preference(self, name: str, value: str) -> None:
        """Save a setting of the screen, as one line of text that the store does not parse."""
        ...

    async def load_preferences(self) -> Mapping[str, str]:
        """Return the newest text of `save_preference` under each name."""
        ...

    async def claim_event(self, key: JobKey, event: str, *, team: bool = False) -> bool:
        """Return True to exactly one of a user's clients for each (job, event); with `team`, to one of all users'.

        Raises `UnknownJobError`.
        """
        ...

    async def head(self) -> Cursor:
        """Return the cursor of the newest change."""
        ...

    async def changes(self, after: Cursor, limit: int = 500) -> tuple[tuple[Change, ...], Cursor]:
        """Return up to `limit` changes after a cursor, oldest first, and the next cursor.

        Raises `CursorLostError` when changes after the cursor were purged.
        """
        ...

    async def wait_for_change(self) -> None:
        """Wait until another client may have changed something since the last call; the first call returns at once.

        A watcher calls this and then `changes`, in a loop. Raises `StoreClosedError` once the store is closed.
        """
        ...

    async def purge(
        self, before_us: int, chunk: int = 2_000, progress: Callable[[Purged], object] = lambda _: None
    ) -> Purged:
        """Delete what is older than `before_us`, in chunks between which others can write; returns the sum.

        Requests, observations and changes go by their time. Jobs go when nothing has happened to them since, unless
        they are watched or have a note. `progress` gets the sum so far after each chunk.
        """
        ...

    async def health(self, *, check: bool = False) -> Health:
        """Return size and state; `check` reads the whole database (about 1 s a gigabyte)."""
        ...

    async def close(self, within: float = 2.0) -> bool:
        """Commit queued writes and close the database, within `within` seconds; a second call does nothing.

        Returns False when that time is not enough, because another process holds the lock.
        """
        ...
