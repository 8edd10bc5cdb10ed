"""Queries about saved jobs and their timelines."""

from collections import Counter
from collections.abc import Iterable
from functools import cache

import apsw

from jobdeck.domain.instant import Instant
from jobdeck.domain.job import Job, JobKey
from jobdeck.domain.scope import parse_scope
from jobdeck.domain.text import clean
from jobdeck.domain.timeline import TimelineEvent
from jobdeck.store.columns import NEED, TIMELINE_NAMES, Row, job_from, lenient, sql, timeline_event_from
from jobdeck.store.models import SavedJob
from jobdeck.store.sqlite.checking import unreadable
from jobdeck.store.sqlite.lookups import JOB, first, job_row, readable
from jobdeck.store.sqlite.scopes import NAMES

_COLUMNS = sql(
    "s.name, (SELECT min(CAST(w.since_us AS INTEGER)) FROM watches w WHERE w.job = j.seq), j.result_bytes, n.name,"
    " {job}",
    job=JOB,
)
_JOINED = " JOIN scopes s ON s.id = j.scope"
_ONE = sql(
    "SELECT (SELECT r.body FROM results r WHERE r.job = j.seq), {columns}"
    " FROM profile_scopes n JOIN jobs j ON j.scope = n.scope {joined}"
    " WHERE n.name = ? AND j.account_group = ? AND j.job_id = ?",
    columns=_COLUMNS,
    joined=_JOINED,
)
_WATCHED = sql(
    "{names} SELECT (SELECT r.body FROM results r WHERE r.job = j.seq), n.name, {job}"
    " FROM watches w JOIN jobs j ON j.seq = w.job JOIN names n ON n.profile = w.profile",
    names=NAMES,
    job=JOB,
)
_IN_ORDER = " ORDER BY w.seq"
_NEEDIEST = sql(
    " WHERE w.seq IN (SELECT w.seq FROM watches w JOIN jobs j ON j.seq = w.job JOIN names n ON n.profile = w.profile"
    " LEFT JOIN annotations a ON a.job = j.seq ORDER BY {need} LIMIT ?)",
    need=NEED,
)
"""Sorting 10,000 rows takes 20 ms, reading them 300."""

_COUNTED = (
    "SELECT n.name, c.jobs FROM (SELECT profile, count(*) AS jobs FROM watches GROUP BY profile) c"
    " JOIN profile_names n ON n.profile = c.profile"
)
_MANY = sql(
    "{names} SELECT {columns} FROM jobs j JOIN names n ON n.profile = j.profile {joined}",
    names=NAMES,
    columns=_COLUMNS,
    joined=_JOINED,
)
_ALL = _MANY + " ORDER BY j.active_us DESC, j.seq DESC LIMIT ?"
_NAMED = _MANY + " WHERE n.name = ? ORDER BY j.active_us DESC, j.seq DESC LIMIT ?"
_OF_PROFILE = sql(
    "SELECT {columns} FROM profile_scopes n JOIN jobs j ON j.scope = n.scope {joined}"
    " WHERE n.name = ? ORDER BY j.active_us DESC, j.seq DESC LIMIT ?",
    columns=_COLUMNS,
    joined=_JOINED,
)
_LINES = sql("SELECT {columns} FROM timeline", columns=", ".join(TIMELINE_NAMES))
_TIMELINE = f"{_LINES} WHERE job = ? ORDER BY seq"


def load(connection: apsw.Connection, keys: Iterable[JobKey]) -> dict[JobKey, SavedJob]:
    """See `Store.load`."""
    found: dict[JobKey, SavedJob] = {}
    for key in keys:
        rows = connection.execute(_ONE, (key.profile, key.account_group or "", key.id))
        saved = first(rows, lambda row: _saved_from(row[1:], _optional_text(row[0])))
        if saved is not None:
            found[key] = saved
    return found


def watched(connection: apsw.Connection, now: Instant, most: int | None = None) -> tuple[Job, ...]:
    """See `Store.watched`."""

    # A list shows a hundred jobs at one moment: shared, the moments of 10,000 jobs take 8 MB less.
    @cache
    def moment(us: int) -> Instant:
        return Instant(us, now.mono + (us - now.us) / 1e6)

    def make(row: Row) -> Job:
        result, profile, *values = row
        return job_from(profile, values, _optional_text(result), moment)

    found: dict[JobKey, Job] = {}
    needed, limit = ("", ()) if most is None else (_NEEDIEST, (most,))
    for job in readable(connection.execute(_WATCHED + needed + _IN_ORDER, limit), make):
        # Two profiles that watched the job may be one by now.
        found.setdefault(job.key, job)
    return tuple(found.values())


def count_watched(connection: apsw.Connection) -> dict[str, int]:
    """See `Store.count_watched`."""
    counts: Counter[str] = Counter()
    for name, count in connection.execute(_COUNTED):
        counts[clean(name)] += count
    return counts


def jobs(connection: apsw.Connection, profile: str | None, limit: int) -> tuple[SavedJob, ...]:
    """See `Store.jobs`."""
    if profile is None:
        rows = connection.execute(_ALL, (limit,))
    elif connection.execute("SELECT 1 FROM profile_scopes WHERE name = ?", (profile,)).get is not None:
        rows = connection.execute(_OF_PROFILE, (profile, limit))
    else:
        rows = connection.execute(_NAMED, (profile, limit))
    return tuple(readable(rows, _saved_from))


def timeline(connection: apsw.Connection, key: JobKey) -> tuple[TimelineEvent, ...]:
    """See `Store.timeline`."""
    found = job_row(connection, key)
    if found is None:
        return ()
    return tuple(readable(connection.execute(_TIMELINE, found[:1]), timeline_event_from))


def unreadable_rows(connection: apsw.Connection) -> tuple[str, ...]:
    """Return which rows of jobs and timelines cannot be read."""
    found = unreadable(connection, "jobs", _MANY, _saved_from, "j.seq")
    lines = unreadable(connection, "timeline", _LINES, timeline_event_from)
    return tuple(line for line in (found, lines) if line)


def _saved_from(row: Row, result: str | None = None) -> SavedJob:
    scope, watched_us, result_bytes, profile, *values = row
    return SavedJob(
        scope=parse_scope(clean(scope)),
        last=job_from(profile, values, result),
        watched_us=None if watched_us is None else lenient(watched_us) or 0,
        result_bytes=lenient(result_bytes),
    )


def _optional_text(value: object) -> str | None:
    if value is not None and not isinstance(value, str):
        raise TypeError("no text")
    return value
