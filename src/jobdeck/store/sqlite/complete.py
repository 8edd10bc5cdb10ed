"""Recording answers: one read of all jobs they show, a pure merge, one write."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from jobdeck.store.columns import EXCHANGE_NAMES, ROW_FAULTS, TIMELINE_NAMES, exchange_values, sql
from jobdeck.store.merge import (
    READ,
    WRITTEN,
    DamagedRowError,
    MergedAnswer,
    Place,
    SavedRow,
    Update,
    merge_answers,
    places_of,
)
from jobdeck.store.models import Answer, ChangeKind, Completed
from jobdeck.store.sqlite.claims import end_lease, set_cooldown
from jobdeck.store.sqlite.database import Session
from jobdeck.store.sqlite.lookups import SEQUENCE, log, profile_rows, reset_job

_READ = sql(
    "SELECT ?1, ?2, ?3, j.seq, j.fence, EXISTS (SELECT 1 FROM watches w WHERE w.job = j.seq), {columns}"
    " FROM jobs j WHERE j.scope = ?1 AND j.account_group = ?2 AND j.job_id = ?3",
    columns=", ".join(SEQUENCE if name == "sequence" else f"j.{name}" for name in READ),
)
_ROW = "SELECT seq FROM jobs WHERE scope = ? AND account_group = ? AND job_id = ?"
_ANSWER = sql(
    "UPDATE exchanges SET state = 'answered', {answered} = ? WHERE seq = ? AND client = ?",
    answered=" = ?, ".join(EXCHANGE_NAMES),
)
_ANSWER_ANEW = sql(
    "INSERT INTO exchanges (state, client, scope, profile, job, bucket, sent_us, {answered})"
    " VALUES ('answered', ?, ?, ?, ?, ?, ?, {values})",
    answered=", ".join(EXCHANGE_NAMES),
    values=", ".join("?" * len(EXCHANGE_NAMES)),
)
_HOLD_LIST = "UPDATE list_leases SET until_us = ? WHERE scope = ? AND url = ? AND client = ?"
_SAVE = sql(
    "UPDATE jobs SET {written} = ?, active_us = max(active_us, ?) WHERE seq = ?", written=" = ?, ".join(WRITTEN)
)
_REPEAT = (
    "UPDATE jobs SET observed_us = ?, asked_us = ?, sequence = ?, http_status = ?, request_id = ?, trace_id = ?,"
    " last_shown = ? WHERE seq = ?"
)
_OBSERVED = "INSERT OR IGNORE INTO observations (job, exchange) VALUES (?, ?)"
_FIELDS = "INSERT INTO states (job, exchange, at_us, fields) VALUES (?, ?, ?, ?)"
_TIMELINE = sql(
    "INSERT INTO timeline (job, exchange, {columns}) VALUES (?, ?, {values})",
    columns=", ".join(TIMELINE_NAMES),
    values=", ".join("?" * len(TIMELINE_NAMES)),
)


def complete(session: Session, answers: Sequence[Answer]) -> tuple[Completed, ...]:
    """See `Store.complete`."""
    profiles = {profile: profile_rows(session, profile) for profile in {one.grant.request.profile for one in answers}}
    scopes = {profile: scope for profile, (scope, _) in profiles.items()}
    recorded = [_record(session, answer, profiles[answer.grant.request.profile]) for answer in answers]
    merged = _merge(session, scopes, recorded)
    for each in merged:
        _write(session, each, scopes[each.answer.grant.request.profile])
    return tuple(each.completed for each in merged)


def _record(session: Session, answer: Answer, rows: tuple[int, int]) -> Answer:
    """Fill in the record, or write it again where it was purged or left behind in a file; returns it with its place."""
    connection, grant, exchange = session.connection, answer.grant, answer.exchange
    values = exchange_values(exchange)
    connection.execute(_ANSWER, (*values, grant.sequence, session.client))
    if connection.changes():
        return answer
    key = grant.request.job
    place = None if key is None else (rows[0], key.account_group or "", key.id)
    job = None if place is None else connection.execute(_ROW, place).get
    sent = (session.client, *rows, job, grant.request.bucket, exchange.started.us)
    connection.execute(_ANSWER_ANEW, (*sent, *values))
    return replace(answer, grant=replace(grant, sequence=connection.last_insert_rowid()))


def _merge(session: Session, scopes: Mapping[str, int], answers: Sequence[Answer]) -> tuple[MergedAnswer, ...]:
    """Merge answers; a damaged row is reset, once, and its answer then taken like its first."""
    places, reset = places_of(scopes, answers), set[int]()
    now_us = session.now_us()
    while True:
        saved = _read(session, places)
        try:
            merged = merge_answers(saved, scopes, answers, now_us)
        except DamagedRowError as damaged:
            if damaged.row in reset:
                raise
            reset.add(damaged.row)
            reset_job(session, damaged.row)
        else:
            session.decoded.update(saved_row.row for saved_row in saved.values() if saved_row.is_decoded)
            return merged


def _read(session: Session, places: Sequence[Place]) -> dict[Place, SavedRow]:
    """Return the rows of the jobs that were ever watched; those that cannot even be fetched are reset first."""
    saved: dict[Place, SavedRow] = {}
    # As fast as one statement with a list for many jobs, and 25 µs faster for one.
    rows, unreadable = session.connection.executemany(_READ, places), False
    while True:
        try:
            scope, group, id_, row, fence, watched, *values = next(rows)
        except StopIteration:
            break
        except ROW_FAULTS:
            unreadable = True
            continue
        saved[scope, group, id_] = SavedRow(
            row, fence=fence, watched=watched, values=values, read_before=row in session.decoded
        )
    if not unreadable:
        return saved
    for place in places:
        if place not in saved and (row := session.connection.execute(_ROW, place).get) is not None:
            reset_job(session, row)
    return _read(session, places)


def _write(session: Session, merged: MergedAnswer, scope: int) -> None:
    connection, sequence = session.connection, merged.sequence
    grant, exchange = merged.answer.grant, merged.answer.exchange
    request = grant.request
    if merged.cooldown_us is not None:
        set_cooldown(session, request.profile, request.bucket, merged.cooldown_us)
    if merged.list_until_us is not None:
        connection.execute(_HOLD_LIST, (merged.list_until_us, scope, request.url, session.client))
    if merged.job is not None and grant.fence is not None:
        end_lease(session, merged.job, grant.fence)
    if merged.updates:
        _write_updates(session, merged)
    if merged.repeats:
        seen = (merged.now_us, exchange.started.us, merged.order)
        ids = (exchange.http_status, exchange.request_id, exchange.trace_id)
        connection.executemany(_REPEAT, [(*seen, *ids, sequence, row) for row in merged.repeats])
    noted, news = merged.noted, merged.news
    if noted:
        connection.executemany(_OBSERVED, [(row, sequence) for row in noted])
    log(session, ChangeKind.ANSWERED, scope, news, seen=[row for row in noted if row not in news], exchange=sequence)


def _write_updates(session: Session, merged: MergedAnswer) -> None:
    connection, sequence, now_us = session.connection, merged.sequence, merged.now_us
    updates = merged.updates
    connection.executemany(
        _SAVE, [(*update.state.values, now_us if update.changed else 0, update.row) for update in updates]
    )
    for update in updates:
        if update.new_result:
            _write_result(session, update)
    connection.executemany(
        _FIELDS, [(update.row, sequence, now_us, update.fields) for update in updates if update.fields is not None]
    )
    connection.executemany(_TIMELINE, [(update.row, sequence, *line) for update in updates for line in update.timeline])


def _write_result(session: Session, update: Update) -> None:
    connection, result = session.connection, update.state.job.result
    connection.execute("DELETE FROM results WHERE job = ?", (update.row,))
    if session.keep_results and result is not None:
        connection.execute("INSERT INTO results (job, body) VALUES (?, ?)", (update.row, result))
