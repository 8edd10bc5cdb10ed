"""What people decide: which jobs to watch, notes and acknowledgements, settings of the screen."""

from collections.abc import Collection, Iterable
from dataclasses import replace
from itertools import groupby

import apsw

from jobdeck.domain.job import JobKey, Target
from jobdeck.domain.text import clean
from jobdeck.store.columns import TARGET_NAMES, Row, integer, key_from, sql, target_from, target_values, word
from jobdeck.store.models import Annotation, ChangeKind
from jobdeck.store.sqlite.checking import unreadable
from jobdeck.store.sqlite.database import Session
from jobdeck.store.sqlite.lookups import TARGET, first, job_row, known_job, log, profile_rows, readable

_ADD_JOB = sql(
    "INSERT INTO jobs (scope, profile, client, kind, added_us, active_us, {target})"
    " VALUES (?, ?, ?, ?, ?, ?, {values})",
    target=", ".join(TARGET_NAMES),
    values=", ".join("?" * len(TARGET_NAMES)),
)
_ACCEPTED = (
    "UPDATE jobs SET accepted_request_id = coalesce(accepted_request_id, ?2),"
    " accepted_trace_id = coalesce(accepted_trace_id, ?3), accepted = max(accepted, ?4),"
    " active_us = max(active_us, ?5), profile = ?6, "
    " batch = iif(?8, coalesce(?7, batch), coalesce(batch, ?7)) WHERE seq = ?1"
)
_UNWATCH = "DELETE FROM watches WHERE job = ? AND profile IN (SELECT n.profile FROM profile_names n WHERE n.name = ?)"
_API = "SELECT provider, resource FROM jobs WHERE seq = ?"
_SET_API = "UPDATE jobs SET provider = ?, resource = ? WHERE seq = ?"
_ANNOTATION = (
    "SELECT n.acknowledged, n.note, c.name, n.at_us FROM annotations n JOIN clients c ON c.id = n.client"
    " WHERE n.job = ?"
)
_ANNOTATIONS = (
    "SELECT p.name, j.account_group, j.job_id, n.acknowledged, n.note, c.name, n.at_us FROM annotations n"
    " JOIN jobs j ON j.seq = n.job JOIN profile_scopes p ON p.scope = j.scope JOIN clients c ON c.id = n.client"
)
_FEW = 50
"""Up to this many jobs, each is looked up by itself; for more, all annotations are read, of which there are few."""

_ACKNOWLEDGE = (
    "INSERT INTO annotations (job, client, acknowledged, note, at_us) VALUES (?1, ?2, ?3, '', ?4)"
    " ON CONFLICT DO UPDATE SET client = ?2, acknowledged = ?3, at_us = ?4"
)
# A note keeps the moment of the acknowledgement, so that an end after it stays news.
_NOTE = (
    "INSERT INTO annotations (job, client, acknowledged, note, at_us) VALUES (?1, ?2, 0, ?3, ?4)"
    " ON CONFLICT DO UPDATE SET note = ?3"
)

_WITHOUT_ORIGIN = sql(
    "SELECT w.seq, coalesce(x.note, ''), n.name, {target} FROM configured n JOIN scopes s ON s.name = n.unplaced"
    " CROSS JOIN jobs j ON j.scope = s.id JOIN watches w ON w.job = j.seq LEFT JOIN annotations x ON x.job = j.seq"
    " ORDER BY w.seq",
    target=TARGET,
)
"""Watched jobs of scopes without an origin, as in old databases.

There are hardly ever such scopes, so they come first (CROSS JOIN); otherwise every start would scan all watches.
"""

_ESTIMATES = (
    "SELECT n.name, e.data FROM profile_scopes n JOIN profiles p ON p.scope = n.scope"
    " JOIN estimates e ON e.profile = p.id ORDER BY e.profile = n.profile, e.at_us"
)
"""The rows of the profile itself come last, after the newest of its scope."""

_PREFERENCE = "preference."
"""The prefix of the names of preferences, which share a table with facts about the database."""


def watch(session: Session, targets: Iterable[Target], *, listed: bool) -> tuple[JobKey, ...]:
    """See `Store.watch`."""
    connection, now_us = session.connection, session.now_us()
    new: list[tuple[int, int, JobKey]] = []
    for target in targets:
        key = target.key
        _, profile = profile_rows(session, key.profile)
        found = job_row(connection, key)
        if found is None:
            found = _add_job(session, target, now_us)
        else:
            ids = (target.accepted_request_id, target.accepted_trace_id, int(target.accepted))
            batch = (target.batch or None, int(target.replaces_batch))
            connection.execute(_ACCEPTED, (found[0], *ids, now_us, profile, *batch))
            if first(connection.execute(_API, (found[0],)), lambda row: (word(row[0]), word(row[1]))) is None:
                # The saved API cannot be read, but the target has it.
                connection.execute(_SET_API, (target.provider, target.resource, found[0]))
        if not listed:
            continue
        connection.execute(
            "INSERT OR IGNORE INTO watches (job, profile, client, since_us) VALUES (?, ?, ?, ?)",
            (found[0], profile, session.client, now_us),
        )
        if connection.changes():
            new.append((*found, key))
    _log_by_scope(session, ChangeKind.WATCHED, new)
    return tuple(key for *_, key in new)


def adopt_watches(session: Session) -> None:
    """Watch the jobs of an older database that have no known origin, each through the profile of its name.

    The notes are copied. The states stay with the old jobs, because they may be of another server.
    """

    def make(row: Row) -> tuple[int, str, Target]:
        watch, note, profile, *values = row
        target = replace(target_from(profile, values), accepted_request_id=None, accepted_trace_id=None)
        return integer(watch), clean(note or "", lines=True), target

    for row, note, wanted in tuple(readable(session.connection.execute(_WITHOUT_ORIGIN), make)):
        watch(session, [wanted], listed=True)
        if note:
            annotate(session, [wanted.key], note, None)
        session.connection.execute("DELETE FROM watches WHERE seq = ?", (row,))


def unwatch(session: Session, keys: Iterable[JobKey]) -> tuple[JobKey, ...]:
    """See `Store.unwatch`."""
    connection = session.connection
    gone: list[tuple[int, int, JobKey]] = []
    for key in keys:
        found = job_row(connection, key)
        if found is None:
            continue
        connection.execute(_UNWATCH, (found[0], key.profile))
        if connection.changes():
            gone.append((*found, key))
    _log_by_scope(session, ChangeKind.UNWATCHED, gone)
    return tuple(key for *_, key in gone)


def acknowledge(session: Session, keys: Iterable[JobKey], *, acknowledged: bool) -> None:
    """See `Store.acknowledge`."""
    now_us = session.now_us()
    for seq, scope in _known(session, keys):
        session.connection.execute(_ACKNOWLEDGE, (seq, session.client, int(acknowledged), now_us))
        log(session, ChangeKind.ANNOTATED, scope, (seq,))


def annotate(session: Session, keys: Iterable[JobKey], note: str, replaces: Collection[str] | None) -> None:
    """See `Store.annotate`."""
    words, now_us = clean(note, lines=True), session.now_us()
    for seq, scope in _known(session, keys):
        before = first(
            session.connection.execute("SELECT note FROM annotations WHERE job = ?", (seq,)),
            lambda row: clean(row[0], lines=True),
        )
        if replaces is None or not before or before in replaces:
            session.connection.execute(_NOTE, (seq, session.client, words, now_us))
            log(session, ChangeKind.ANNOTATED, scope, (seq,))


def annotations(connection: apsw.Connection, keys: Iterable[JobKey]) -> dict[JobKey, Annotation]:
    """See `Store.annotations`."""
    wanted = tuple(keys)
    if len(wanted) > _FEW:
        chosen = frozenset(wanted)
        rows = readable(connection.execute(_ANNOTATIONS), lambda row: (key_from(*row[:3]), _annotation(row[3:])))
        return {key: annotation for key, annotation in rows if key in chosen}
    found: dict[JobKey, Annotation] = {}
    for key in wanted:
        job = job_row(connection, key)
        annotation = None if job is None else first(connection.execute(_ANNOTATION, (job[0],)), _annotation)
        if annotation is not None:
            found[key] = annotation
    return found


def claim_event(session: Session, key: JobKey, event: str) -> bool:
    """See `Store.claim_event`."""
    seq, _ = known_job(session.connection, key)
    session.connection.execute(
        "INSERT OR IGNORE INTO notifications (job, event, client, at_us) VALUES (?, ?, ?, ?)",
        (seq, event, session.client, session.now_us()),
    )
    return bool(session.connection.changes())


def save_estimates(session: Session, profile: str, data: str) -> None:
    """See `Store.save_estimates`."""
    _, row = profile_rows(session, profile)
    session.connection.execute(
        "INSERT OR REPLACE INTO estimates (profile, client, data, at_us) VALUES (?, ?, ?, ?)",
        (row, session.client, data, session.now_us()),
    )


def load_estimates(connection: apsw.Connection) -> dict[str, str]:
    """See `Store.load_estimates`."""
    return dict(readable(connection.execute(_ESTIMATES), lambda row: (clean(row[0]), str(row[1]))))


def save_preference(session: Session, name: str, value: str) -> None:
    """See `Store.save_preference`."""
    named = f"{_PREFERENCE}{clean(name)}"
    session.connection.execute("INSERT OR REPLACE INTO meta (name, value) VALUES (?, ?)", (named, clean(value)))


def load_preferences(connection: apsw.Connection) -> dict[str, str]:
    """See `Store.load_preferences`."""
    rows = connection.execute("SELECT name, value FROM meta WHERE name GLOB ?", (f"{_PREFERENCE}*",))
    return dict(readable(rows, lambda row: (clean(row[0]).removeprefix(_PREFERENCE), clean(row[1]))))


def unreadable_rows(connection: apsw.Connection) -> tuple[str, ...]:
    """Return which annotations cannot be read."""
    notes = unreadable(connection, "annotations", _ANNOTATIONS, lambda row: _annotation(row[3:]), "n.job")
    return (notes,) if notes else ()


def _known(session: Session, keys: Iterable[JobKey]) -> Iterable[tuple[int, int]]:
    """Return the rows of the jobs that were ever watched, and of their scopes."""
    found = (job_row(session.connection, key) for key in keys)
    return [row for row in found if row is not None]


def _add_job(session: Session, target: Target, now_us: int) -> tuple[int, int]:
    scope, profile = profile_rows(session, target.key.profile)
    values = (scope, profile, session.client, target.resource, now_us, now_us, *target_values(target))
    session.connection.execute(_ADD_JOB, values)
    return session.connection.last_insert_rowid(), scope


def _log_by_scope(session: Session, kind: ChangeKind, jobs: list[tuple[int, int, JobKey]]) -> None:
    for scope, group in groupby(sorted(jobs, key=lambda job: job[1]), key=lambda job: job[1]):
        log(session, kind, scope, [seq for seq, *_ in group])


def _annotation(row: Row) -> Annotation:
    acknowledged, note, client, at_us = row
    return Annotation(bool(acknowledged), clean(note, lines=True), clean(client), integer(at_us))
