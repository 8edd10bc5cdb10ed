"""Jobs as they are remembered, and how they came to be so."""

from functools import cache

import apsw

from jobdeck.domain.instant import Instant
from jobdeck.domain.job import Job, JobKey
from jobdeck.domain.text import clean
from jobdeck.store.records import TimelineEntry, TimelineKind
from jobdeck.store.sqlite.codec import STATE_COLUMNS, TARGET_COLUMNS, job_from, phase_from, stored_from, target_from
from jobdeck.store.sqlite.rows import job_row
from jobdeck.store.stored import StoredJob

_COLUMNS = (
    "SELECT j.id, j.fence, a.name, j.lease_until_us, j.next_poll_us, w.since_us, j.result_bytes, j.added_us,"
    f" {TARGET_COLUMNS}, {STATE_COLUMNS}"
)
_FROM = (
    " FROM jobs j JOIN scopes s ON s.id = j.scope LEFT JOIN actors a ON a.id = j.lease_owner"
    " LEFT JOIN watches w ON w.job = j.seq"
)
_ONE = (
    _COLUMNS  # noqa: S608 - constants only
    + ", (SELECT r.body FROM results r WHERE r.job = j.seq)"
    + _FROM
    + " WHERE s.name = ? AND j.account_group = ? AND j.job_id = ?"
)
_WATCHED = (
    _COLUMNS  # noqa: S608 - constants only
    + ", (SELECT r.body FROM results r WHERE r.job = j.seq)"
    + _FROM
    + " WHERE w.job IS NOT NULL ORDER BY w.seq"
)
_MANY = _COLUMNS + _FROM + " WHERE (?1 IS NULL OR s.name = ?1) ORDER BY j.active_us DESC, j.seq DESC LIMIT ?2"
_TIMELINE = (
    "SELECT at_us, kind, stage, phase_before, phase_after, words, request_id, trace_id FROM timeline"
    " WHERE job = ? ORDER BY seq"
)


def load_job(connection: apsw.Connection, key: JobKey) -> StoredJob | None:
    """See `Store.load_job`."""
    row = connection.execute(_ONE, (key.profile, key.account_group or "", key.id)).fetchone()
    return None if row is None else stored_from(row[:-1], row[-1])


def watched(connection: apsw.Connection, now: Instant) -> tuple[Job, ...]:
    """See `Store.watched`."""

    # Lists tell of a hundred jobs at one moment: shared, those of 10,000 jobs take 8 MB less.
    @cache
    def moment(us: int) -> Instant:
        return Instant(us, now.mono + (us - now.us) / 1e6)

    return tuple(
        job_from(target_from(row[8:15]), row[7], row[15:-1], row[-1], moment) for row in connection.execute(_WATCHED)
    )


def jobs(connection: apsw.Connection, profile: str | None, limit: int) -> tuple[StoredJob, ...]:
    """See `Store.jobs`."""
    return tuple(stored_from(row) for row in connection.execute(_MANY, (profile, limit)))


def timeline(connection: apsw.Connection, key: JobKey) -> tuple[TimelineEntry, ...]:
    """See `Store.timeline`."""
    found = job_row(connection, key)
    if found is None:
        return ()
    return tuple(
        TimelineEntry(
            at_us=at_us,
            kind=TimelineKind(kind),
            stage=None if stage is None else clean(stage),
            before=None if before is None else phase_from(before),
            after=None if after is None else phase_from(after),
            text=clean(words),
            request_id=None if request_id is None else clean(request_id),
            trace_id=None if trace_id is None else clean(trace_id),
        )
        for at_us, kind, stage, before, after, words, request_id, trace_id in connection.execute(_TIMELINE, found[:1])
    )
