"""The seam between jobdeck and what it remembers in: what every store promises."""

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
)
from jobdeck.store.saved_job import SavedJob

DEFAULT_PER_MINUTE = 30
"""Requests a minute of a bucket nobody set a limit for: the lowest that either vendor documents."""

MAX_COOLDOWN_SECONDS = 900.0
"""A cooldown that lasts longer was begun before the clock was set back, and does not count."""

COOLDOWN_SECONDS = 10.0
"""Without a request in a bucket after a 429 that names no time (the vendor's advice for polling)."""

LEASE_SECONDS = 5.0
"""How long a lease lasts after it was taken or renewed: the jobs of a client that died are polled again after that."""

LIST_SECONDS = 2.0
"""How long after another client got a list it is not got again: what it showed is read from the store."""

RENEW_SECONDS = 1.5
"""How often the leases of requests that are under way are renewed: most are answered before the first time."""


class Store(Protocol):
    """Everything jobdeck remembers, shared by every client (a run of jobdeck) that opened the same database.

    Each write is one transaction that is on disk when it returns: a killed process loses nothing it was told was done.
    One whose waiter was cancelled is made all the same; but a request granted to a waiter who has gone is released.
    Raises `StoreError` only. Leases, budgets and dates of changes are by the store's clock.

    A profile's name stands for its scope (origin and organization) as configured when the store was opened. Profiles
    of one scope share everything but their places on the watch list and the durations they measured; a name that had
    another scope once knows nothing of it. Rows of profiles that are not configured any more keep their name.
    """

    @property
    def client(self) -> str:
        """Who writes here: the name of this run, unlike that of any other."""
        ...

    @property
    def degraded(self) -> Notice | None:
        """Why nothing is written to disk any more, None while it is (or where that was never meant)."""
        ...

    @property
    def incident(self) -> Notice | None:
        """What happened last to the file while it was open, that a person must be told: left, or replaced."""
        ...

    async def watch(self, targets: Iterable[Target], *, listed: bool = True) -> tuple[JobKey, ...]:
        """Put targets on the watch list, and return the keys that are new on it.

        A known job keeps its state; accepting IDs it lacked are taken over. Without `listed` they only become
        known, so that they can be polled.
        """
        ...

    async def unwatch(self, keys: Iterable[JobKey]) -> tuple[JobKey, ...]:
        """Take jobs off the watch list, and return those that were on it; what is known of them stays."""
        ...

    async def acknowledge(self, keys: Iterable[JobKey], *, acknowledged: bool) -> None:
        """Save whether a person knows of the trouble of jobs; one never watched is left out."""
        ...

    async def annotate(self, keys: Iterable[JobKey], note: str, replaces: Collection[str] | None = None) -> None:
        """Save a note with jobs; one never watched is left out.

        With `replaces`, only where there is no note, or one of these.
        """
        ...

    async def annotations(self, keys: Iterable[JobKey]) -> Mapping[JobKey, Annotation]:
        """Return the annotations of those of the jobs that have one."""
        ...

    async def set_limits(self, profile: str, per_minute: Mapping[str, int], *, assumed: bool = False) -> None:
        """Set how many requests a minute the buckets of a profile let through, for everyone; ValueError below one.

        Those that are only `assumed` hold where nobody has set any.
        """
        ...

    async def limit(self, profile: str, bucket: str) -> int | None:
        """Return the limit that was set, None when nobody did: then `DEFAULT_PER_MINUTE` holds."""
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
        """Record what granted requests gave, and change the jobs they show by the rules of the domain.

        A lease ends unless another client's came after it; then the request's record is all that is written.
        Observations of jobs never watched are ignored. A problem 429 begins a cooldown of the bucket for everyone.
        """
        ...

    async def release(self, grants: Sequence[Grant]) -> None:
        """End the leases of requests that were cancelled; their records stay and say so."""
        ...

    async def set_focus(self, keys: Collection[JobKey]) -> None:
        """Say which jobs are on this client's screen, so that others poll them sooner; it is forgotten by itself."""
        ...

    async def focus(self) -> frozenset[JobKey]:
        """Return the jobs that are on the screens of a team's other clients now; none where the store is one's own."""
        ...

    async def newest(self) -> int:
        """Return the place in the order of sending of the newest request on record; 0 when none ever was."""
        ...

    async def load(self, keys: Iterable[JobKey]) -> Mapping[JobKey, SavedJob]:
        """Return what is known of jobs, with their results where those are kept."""
        ...

    async def jobs(self, profile: str | None = None, limit: int = 10_000) -> tuple[SavedJob, ...]:
        """Return the jobs of a profile's scope, or of all, by their newest activity, newest first, without results.

        Of all, each is shown under the profile that watched it last.
        """
        ...

    async def watched(
        self, now: Instant, most: int | None = None, *, of: Collection[JobKey] | None = None
    ) -> tuple[Job, ...]:
        """Return the watched jobs in the order of the list, with results that are kept; their moments go with `now`.

        With `most`, only so many, those that a person should look at first; with `of`, only those among these. Opened
        with the watch lists of everyone, it names in each target who watches the job.
        """
        ...

    async def count_watched(self) -> dict[str, int]:
        """Return how many jobs each profile watches, for those that watch any."""
        ...

    async def timeline(self, key: JobKey) -> tuple[TimelineEvent, ...]:
        """Return a job's changes of phase and stages, its new runs and its anomalies, oldest first."""
        ...

    async def requests(self, key: JobKey, limit: int = 100) -> tuple[RequestRecord, ...]:
        """Return the newest requests about a job, newest first: its polls, and the lists that showed it."""
        ...

    async def records(self, sequences: Iterable[int]) -> Mapping[int, RequestRecord]:
        """Return those of the requests, by their places in the order of sending, that are on record."""
        ...

    async def all_requests(self, profile: str | None = None, limit: int = 100) -> tuple[RequestRecord, ...]:
        """Return the newest requests of a profile's scope, or of all, newest first."""
        ...

    async def failures(self, profile: str, since_us: int, until_us: int, limit: int = 100) -> tuple[RequestRecord, ...]:
        """Return the requests of a profile's scope begun within that time that brought no answer, newest first.

        Searched for among the newest requests of all, some ten thousand.
        """
        ...

    async def find_request(self, id_: str, limit: int = 100) -> RequestMatches:
        """Return what is known of a request ID or a trace ID, of our requests and of accepting ones.

        Of requests that share it, as they do where a server gives one ID to all, the newest `limit`.
        """
        ...

    async def phase_evidence(self, key: JobKey) -> PhaseEvidence | None:
        """Return the first and the last request that showed the job's present phase, while they are kept."""
        ...

    async def save_estimates(self, profile: str, data: str) -> None:
        """Save the measured durations of a profile: JSON text that the store does not look into."""
        ...

    async def load_estimates(self) -> Mapping[str, str]:
        """Return what `save_estimates` saved last of each configured profile, else of another one of its scope."""
        ...

    async def save_preference(self, name: str, value: str) -> None:
        """Save how a person wants something on the screen: one line of text that the store does not look into."""
        ...

    async def load_preferences(self) -> Mapping[str, str]:
        """Return what `save_preference` saved last under each name."""
        ...

    async def claim_event(self, key: JobKey, event: str, *, team: bool = False) -> bool:
        """Return True to exactly one caller of a user's clients for each (job, event), with `team` of all users'.

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
        """Return when another client may have changed something since the last call; once at first.

        A watcher loops over this, then over `changes`. Raises `StoreClosedError` once the store is closed.
        """
        ...

    async def purge(
        self, before_us: int, chunk: int = 2_000, progress: Callable[[Purged], object] = lambda _: None
    ) -> Purged:
        """Delete all that is older than `before_us`, chunk by chunk with other writes between; returns the sum.

        Requests, observations and changes go by their time; jobs when nothing happened to them since, unless they
        are watched or have a note. `progress` is called with the sum so far.
        """
        ...

    async def health(self, *, check: bool = False) -> Health:
        """Return size and state; `check` reads all there is (about 1 s a gigabyte)."""
        ...

    async def close(self, within: float = 2.0) -> bool:
        """Commit what is queued and close the database, in at most `within` seconds; calling it twice is harmless.

        Returns False when that time was not enough, because another process holds the lock.
        """
        ...
