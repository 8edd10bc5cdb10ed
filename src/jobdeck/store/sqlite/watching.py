"""What people say: which jobs to watch, what they think of them, and what was told once."""

from collections.abc import Iterable
from dataclasses import replace
from itertools import groupby

import apsw

from jobdeck.domain.job import JobKey, Target
from jobdeck.domain.text import clean
from jobdeck.store.records import Annotation, ChangeKind
from jobdeck.store.sqlite.checking import unreadable
from jobdeck.store.sqlite.codec import TARGET_COLUMNS, Row, api_from, first, key_of, readable, target_from, whole
from jobdeck.store.sqlite.database import Session
from jobdeck.store.sqlite.rows import job_row, known_job, log, profile_rows
from jobdeck.store.sqlite.sql import sql

_ADD_JOB = (
    "INSERT INTO jobs (id, scope, profile, actor, account_group, job_id, provider, resource, kind,"
    " accepted_request_id, accepted_trace_id, accepted, batch, added_us, active_us)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
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
    "SELECT n.acknowledged, n.note, a.name, n.at_us FROM annotations n JOIN actors a ON a.id = n.actor WHERE n.job = ?"
)
_ANNOTATIONS = (
    "SELECT p.name, j.account_group, j.job_id, n.acknowledged, n.note, a.name, n.at_us FROM annotations n"
    " JOIN jobs j ON j.seq = n.job JOIN profile_scopes p ON p.scope = j.scope JOIN actors a ON a.id = n.actor"
)
_FEW = 50
"""Jobs up to which each is looked up by itself: few of many have an annotation."""

_ANNOTATE = (
    "INSERT INTO annotations (job, actor, acknowledged, note, at_us) VALUES (?1, ?2, ?3, ?4, ?5)"
    " ON CONFLICT DO UPDATE SET actor = ?2, acknowledged = ?3, note = ?4, at_us = ?5"
)

_ESTIMATES = (
    "SELECT e.data FROM profile_scopes n JOIN profiles p ON p.scope = n.scope JOIN estimates e ON e.profile = p.id"
    " WHERE n.name = ? ORDER BY e.profile <> n.profile, e.at_us DESC LIMIT 1"
)
"""Those of the profile itself, else the newest of its scope."""

_WITHOUT_ORIGIN = sql(
    "SELECT w.seq, coalesce(x.note, ''), {target} FROM configured n JOIN scopes s ON s.name = n.unplaced"
    " JOIN jobs j ON j.scope = s.id JOIN watches w ON w.job = j.seq LEFT JOIN annotations x ON x.job = j.seq"
    " ORDER BY w.seq",
    target=TARGET_COLUMNS,
)
"""Watched jobs of scopes that have no origin, as all were once."""

_CHOICE = "choice."
"""Begins the names of choices, which share a table with what the database knows of itself."""


def watch(session: Session, targets: Iterable[Target], now_us: int, *, listed: bool) -> tuple[JobKey, ...]:
    """See `Store.watch`."""
    connection = session.connection
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
            if first(connection.execute(_API, (found[0],)), api_from) is None:
                # Unreadable there, and known here.
                connection.execute(_SET_API, (target.provider, target.resource, found[0]))
        if not listed:
            continue
        connection.execute(
            "INSERT OR IGNORE INTO watches (job, profile, actor, since_us) VALUES (?, ?, ?, ?)",
            (found[0], profile, session.actor, now_us),
        )
        if connection.changes():
            new.append((*found, key))
    _log_by_scope(session, ChangeKind.WATCHED, now_us, new)
    return tuple(key for *_, key in new)


def adopt_watches(session: Session, now_us: int) -> None:
    """Take over watched jobs of an older database whose origin nothing tells, each to the profile of its name.

    That a person wants them watched is taken over, and their notes. Their states are not: they may be of another
    server. Those stay where they are.
    """

    def make(row: Row) -> tuple[int, str, Target]:
        target = replace(target_from(row[2:]), accepted_request_id=None, accepted_trace_id=None)
        return whole(row[0]), clean(row[1] or "", lines=True), target

    for row, note, wanted in tuple(readable(session.connection.execute(_WITHOUT_ORIGIN), make)):
        watch(session, [wanted], now_us, listed=True)
        if note:
            annotate(session, wanted.key, now_us, acknowledged=None, note=note)
        session.connection.execute("DELETE FROM watches WHERE seq = ?", (row,))


def unwatch(session: Session, keys: Iterable[JobKey], now_us: int) -> tuple[JobKey, ...]:
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
    _log_by_scope(session, ChangeKind.UNWATCHED, now_us, gone)
    return tuple(key for *_, key in gone)


def annotate(session: Session, key: JobKey, now_us: int, *, acknowledged: bool | None, note: str | None) -> Annotation:
    """See `Store.annotate`."""
    connection = session.connection
    seq, scope = known_job(connection, key)
    before = first(
        connection.execute("SELECT acknowledged, note FROM annotations WHERE job = ?", (seq,)),
        lambda row: (bool(row[0]), clean(row[1], lines=True)),
    )
    was_acknowledged, was_note = before or (False, "")
    after = was_acknowledged if acknowledged is None else acknowledged
    words = was_note if note is None else clean(note, lines=True)
    connection.execute(_ANNOTATE, (seq, session.actor, int(after), words, now_us))
    log(session, ChangeKind.ANNOTATED, now_us, scope, (seq,))
    return Annotation(after, words, session.name, now_us)


def annotations(connection: apsw.Connection, keys: Iterable[JobKey]) -> dict[JobKey, Annotation]:
    """See `Store.annotations`."""
    wanted = tuple(keys)
    if len(wanted) > _FEW:
        chosen = frozenset(wanted)
        rows = readable(connection.execute(_ANNOTATIONS), lambda row: (key_of(*row[:3]), _annotation(row[3:])))
        return {key: annotation for key, annotation in rows if key in chosen}
    found: dict[JobKey, Annotation] = {}
    for key in wanted:
        job = job_row(connection, key)
        annotation = None if job is None else first(connection.execute(_ANNOTATION, (job[0],)), _annotation)
        if annotation is not None:
            found[key] = annotation
    return found


def once(session: Session, key: JobKey, event: str, now_us: int) -> bool:
    """See `Store.once`."""
    seq, scope = known_job(session.connection, key)
    session.connection.execute(
        "INSERT OR IGNORE INTO told (job, event, actor, at_us) VALUES (?, ?, ?, ?)", (seq, event, session.actor, now_us)
    )
    first = bool(session.connection.changes())
    if first:
        log(session, ChangeKind.TOLD, now_us, scope, (seq,))
    return first


def save_estimates(session: Session, profile: str, data: str, now_us: int) -> None:
    """See `Store.save_estimates`."""
    scope, row = profile_rows(session, profile)
    session.connection.execute(
        "INSERT OR REPLACE INTO estimates (profile, actor, data, at_us) VALUES (?, ?, ?, ?)",
        (row, session.actor, data, now_us),
    )
    log(session, ChangeKind.LEARNT, now_us, scope)


def load_estimates(connection: apsw.Connection, profile: str) -> str | None:
    """See `Store.load_estimates`."""
    rows = connection.execute(_ESTIMATES, (profile,))
    return first(rows, lambda row: str(row[0]))


def save_choice(session: Session, name: str, value: str, now_us: int) -> None:
    """See `Store.save_choice`."""
    named = f"{_CHOICE}{clean(name)}"
    session.connection.execute("INSERT OR REPLACE INTO meta (name, value) VALUES (?, ?)", (named, clean(value)))
    log(session, ChangeKind.CHOSEN, now_us, None)


def load_choice(connection: apsw.Connection, name: str) -> str | None:
    """See `Store.load_choice`."""
    rows = connection.execute("SELECT value FROM meta WHERE name = ?", (f"{_CHOICE}{clean(name)}",))
    return first(rows, lambda row: clean(row[0]))


def unreadable_rows(connection: apsw.Connection) -> tuple[str, ...]:
    """Return which annotations cannot be read."""
    notes = unreadable(connection, "annotations", _ANNOTATIONS, lambda row: _annotation(row[3:]), "n.job")
    return (notes,) if notes else ()


def _add_job(session: Session, target: Target, now_us: int) -> tuple[int, int]:
    key, (scope, profile) = target.key, profile_rows(session, target.key.profile)
    named = (key.account_group or "", key.id, target.provider, target.resource, target.resource)
    ids = (target.accepted_request_id, target.accepted_trace_id, int(target.accepted), target.batch or None)
    id_ = session.new_id(now_us).bytes
    session.connection.execute(_ADD_JOB, (id_, scope, profile, session.actor, *named, *ids, now_us, now_us))
    return session.connection.last_insert_rowid(), scope


def _log_by_scope(session: Session, kind: ChangeKind, now_us: int, jobs: list[tuple[int, int, JobKey]]) -> None:
    for scope, group in groupby(sorted(jobs, key=lambda job: job[1]), key=lambda job: job[1]):
        log(session, kind, now_us, scope, [seq for seq, *_ in group])


def _annotation(row: Row) -> Annotation:
    acknowledged, note, actor, at_us = row
    return Annotation(bool(acknowledged), clean(note, lines=True), clean(actor), whole(at_us))
