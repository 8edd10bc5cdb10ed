"""Recording what requests gave: the record of each first, then what it shows of jobs."""

from collections.abc import Sequence
from functools import partial

from jobdeck.domain.job import JobKey, Observation
from jobdeck.domain.problem import Problem, ProblemKind
from jobdeck.store.columns import TARGET_COLUMNS, problem_text
from jobdeck.store.merge import (
    BESIDE_STATE,
    TIMELINE_COLUMNS,
    WRITTEN,
    JobHead,
    JobState,
    Merge,
    Step,
    Update,
    observation_digest,
)
from jobdeck.store.models import Answer, ChangeKind, Completed
from jobdeck.store.protocol import COOLDOWN_SECONDS, LIST_SECONDS
from jobdeck.store.sql import sql
from jobdeck.store.sqlite.claims import end_lease, hold_list, set_cooldown
from jobdeck.store.sqlite.database import Session
from jobdeck.store.sqlite.lookups import (
    STATE_COLUMNS,
    budget_row,
    job_row,
    log,
    one,
    profile_rows,
    scope_row,
    with_readable_row,
)

_ANSWER = (
    "UPDATE exchanges SET state = 'answered', started_us = ?, duration_us = ?, method = ?, url = ?, http_status = ?,"
    " request_id = ?, body_request_id = ?, trace_id = ?, size = ?, problem = ? WHERE seq = ? AND client = ?"
)
_ANSWER_ANEW = (
    "INSERT INTO exchanges (started_us, duration_us, method, url, http_status, request_id, body_request_id, trace_id,"
    " size, problem, client, scope, profile, job, bucket, sent_us, state)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 'answered')"
)
_HEAD = (
    "SELECT j.seq, j.sequence, j.failures, j.phase, j.whole_digest, j.row_digest,"
    " EXISTS (SELECT 1 FROM watches w WHERE w.job = j.seq) FROM jobs j"
    " WHERE j.scope = ? AND j.account_group = ? AND j.job_id = ?"
)
_LOAD = sql(
    "SELECT {beside}, j.added_us, n.name, j.account_group, j.job_id, {target}, {state}"
    " FROM jobs j JOIN profiles n ON n.id = j.profile WHERE j.seq = ?",
    beside=", ".join(f"j.{name}" for name in BESIDE_STATE),
    target=", ".join(f"j.{name}" for name in TARGET_COLUMNS),
    state=STATE_COLUMNS,
)
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
    "INSERT INTO timeline (job, exchange, at_us, request_id, trace_id, {columns}) VALUES (?, ?, ?, ?, ?, {values})",
    columns=", ".join(TIMELINE_COLUMNS),
    values=", ".join("?" * len(TIMELINE_COLUMNS)),
)


def complete(session: Session, answers: Sequence[Answer]) -> tuple[Completed, ...]:
    """See `Store.complete`."""
    return tuple(_complete(session, answer) for answer in answers)


def _complete(session: Session, answer: Answer) -> Completed:
    grant, problem = answer.grant, answer.exchange.problem
    request, connection = grant.request, session.connection
    found = None if request.job is None else job_row(connection, request.job)
    job, scope = found if found is not None else (None, scope_row(session, request.profile))
    now_us = session.now_us()
    sequence = _record(session, answer, job)
    if problem is not None and problem.kind is ProblemKind.RATE_LIMIT:
        until_us = problem.retry_at_us if problem.retry_at_us is not None else now_us + round(COOLDOWN_SECONDS * 1e6)
        set_cooldown(session, budget_row(session, request.profile), request.bucket, until_us)
    if request.job is None and request.lease:
        hold_list(session, request, now_us + round(LIST_SECONDS * 1e6) if problem is None else now_us)
    late = grant.fence is not None and (job is None or not end_lease(session, job, grant.fence))
    shown: dict[JobKey, tuple[int, bool]] = {}
    if not late:
        merge = Merge(answer, sequence, now_us)
        if problem is None:
            shown = _observe_all(session, merge, scope)
        elif job is not None and request.job is not None and request.lease:
            with_readable_row(session, request.job, partial(_fail, session, merge, job, problem))
            shown = {request.job: (job, False)}
    changed = {row: None for row, is_changed in shown.values() if is_changed}
    if job is not None and (problem is not None or late):
        # How it is polled is news of it, too.
        changed |= {job: None}
    seen = [row for row, _ in shown.values() if row not in changed]
    log(session, ChangeKind.ANSWERED, scope, changed, seen=seen, exchange=sequence)
    return Completed(
        changed=tuple(key for key, (_, changed) in shown.items() if changed),
        seen=tuple(key for key, (_, changed) in shown.items() if not changed),
        late=late,
    )


def _observe_all(session: Session, merge: Merge, scope: int) -> dict[JobKey, tuple[int, bool]]:
    """Apply every observation of an answer; returns the rows of those it is noted with, and whether it changed them."""
    request, shown = merge.answer.grant.request, {}
    for observation in merge.answer.observations:
        key = request.job
        if key is None or observation.id != key.id:
            key = JobKey(request.profile, observation.account_group, observation.id)
        noted = with_readable_row(session, key, partial(_observe, session, merge, scope, key, observation))
        if noted is not None:
            shown[key] = noted
    return shown


def _observe(
    session: Session, merge: Merge, scope: int, key: JobKey, observation: Observation
) -> tuple[int, bool] | None:
    found = session.connection.execute(_HEAD, (scope, key.account_group or "", key.id)).fetchone()
    if found is None:
        return None
    head, digest = JobHead(*found), observation_digest(observation)
    match merge.step(head, digest, observation, read_before=head.row in session.applied):
        case Step.NOTHING:
            return None
        case Step.REPEAT:
            _repeat(session, merge, head.row)
            return head.row, False
        case Step.MERGE:
            state = JobState.from_row(one(session.connection, _LOAD, (head.row,)))
            update = merge.observe(head, state, observation, digest)
            session.applied.add(head.row)
            if update is None:
                return None
            _write(session, merge, update)
            return (head.row, update.changed) if update.seen else None


def _fail(session: Session, merge: Merge, row: int, problem: Problem) -> None:
    state = JobState.from_row(one(session.connection, _LOAD, (row,)))
    _write(session, merge, merge.fail(row, state, problem))


def _repeat(session: Session, merge: Merge, row: int) -> None:
    """Note an observation that says what the last one said, without reading the state: 5 times cheaper."""
    exchange, connection = merge.exchange, session.connection
    ids = (exchange.http_status, exchange.request_id, exchange.trace_id)
    connection.execute(_REPEAT, (merge.now_us, exchange.started.us, exchange.sequence, *ids, merge.sequence, row))
    connection.execute(_OBSERVED, (row, merge.sequence))


def _write(session: Session, merge: Merge, update: Update) -> None:
    connection, exchange = session.connection, merge.answer.exchange
    if update.new_result:
        connection.execute("DELETE FROM results WHERE job = ?", (update.row,))
        if session.keep_results and update.state.job.result is not None:
            connection.execute("INSERT INTO results (job, body) VALUES (?, ?)", (update.row, update.state.job.result))
    connection.execute(_SAVE, (*update.state.values, update.active_us, update.row))
    if update.seen:
        connection.execute(_OBSERVED, (update.row, merge.sequence))
    if update.fields is not None:
        connection.execute(_FIELDS, (update.row, merge.sequence, merge.now_us, update.fields))
    ids = (exchange.request_id, exchange.trace_id)
    for line in update.timeline:
        connection.execute(_TIMELINE, (update.row, merge.sequence, merge.now_us, *ids, *line))


def _record(session: Session, answer: Answer, job: int | None) -> int:
    """Fill in the record, or write it anew where it was purged or left behind in a file; returns its sequence."""
    exchange, grant = answer.exchange, answer.grant
    values = (
        exchange.started.us,
        round(exchange.duration * 1e6),
        exchange.method,
        exchange.url,
        exchange.http_status,
        exchange.request_id,
        exchange.body_request_id,
        exchange.trace_id,
        exchange.size,
        problem_text(exchange.problem),
    )
    connection = session.connection
    connection.execute(_ANSWER, (*values, grant.sequence, session.client))
    if connection.changes():
        return grant.sequence
    rows = profile_rows(session, grant.request.profile)
    connection.execute(_ANSWER_ANEW, (*values, session.client, *rows, job, grant.request.bucket, exchange.started.us))
    return connection.last_insert_rowid()
