"""Recording what a request gave: its ledger row first, then what it told about jobs."""

from collections.abc import Sequence
from functools import partial

from jobdeck.domain.exchange import Exchange
from jobdeck.domain.job import JobKey, Observation
from jobdeck.domain.problem import Problem, ProblemKind
from jobdeck.store.base import QUIET_SECONDS
from jobdeck.store.records import ChangeKind, Claim, Completed, Granted, Spent
from jobdeck.store.sqlite.codec import problem_text
from jobdeck.store.sqlite.database import Session
from jobdeck.store.sqlite.leasing import release, silence
from jobdeck.store.sqlite.rows import budget_row, job_row, log, profile_rows, scope_row, with_readable_row
from jobdeck.store.sqlite.telling import Answer, Told, note_problem, tell

_ANSWER = (
    "UPDATE exchanges SET state = 'answered', started_us = ?, duration_us = ?, method = ?, url = ?, http_status = ?,"
    " request_id = ?, body_request_id = ?, trace_id = ?, size = ?, problem = ? WHERE seq = ? AND id = ?"
)
_ANSWER_ANEW = (
    "INSERT INTO exchanges (started_us, duration_us, method, url, http_status, request_id, body_request_id, trace_id,"
    " size, problem, id, scope, profile, actor, job, bucket, sent_us, state)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 'answered')"
)


def complete(
    session: Session,
    granted: Granted,
    exchange: Exchange,
    observations: Sequence[Observation],
    *,
    next_poll_us: int | None,
    now_us: int,
) -> Completed:
    """See `Store.complete`."""
    found = None if granted.key is None else job_row(session.connection, granted.key)
    job, scope = found if found is not None else (None, scope_row(session, granted.profile))
    acted_on = job_row(session.connection, granted.about) if isinstance(granted, Spent) and granted.about else None
    row = _record(session, granted, exchange, job if acted_on is None else acted_on[0])
    problem = exchange.problem
    if problem is not None and problem.kind is ProblemKind.RATE_LIMIT:
        silence(session, budget_row(session, granted.profile), granted.bucket, _silent_until(problem, now_us))
    late = isinstance(granted, Claim) and (job is None or not release(session, job, granted.fence, next_poll_us))
    told: dict[int, tuple[JobKey, Told]] = {}
    if not late:
        answer = Answer(session, exchange, row, now_us, listed=granted.key is None)
        if problem is not None:
            if job is not None and granted.key is not None:
                note = partial(note_problem, answer, job, problem)
                with_readable_row(session.connection, granted.key, now_us, note)
                told[job] = (granted.key, Told.SEEN)
        else:
            _tell_all(answer, granted, scope, observations, told)
    jobs = {job: None} if job is not None else {}
    log(session, ChangeKind.ANSWERED, now_us, scope, jobs | dict.fromkeys(told), exchange=row)
    return Completed(
        changed=tuple(key for key, what in told.values() if what is Told.CHANGED),
        seen=tuple(key for key, what in told.values() if what is Told.SEEN),
        late=late,
    )


def _tell_all(
    answer: Answer,
    granted: Granted,
    scope: int,
    observations: Sequence[Observation],
    told: dict[int, tuple[JobKey, Told]],
) -> None:
    asked = granted.key
    for observation in observations:
        if asked is not None and observation.id == asked.id:
            key = asked
        else:
            key = JobKey(granted.profile, observation.account_group, observation.id)
        apply = partial(tell, answer, scope, key, observation)
        known = with_readable_row(answer.session.connection, key, answer.now_us, apply)
        if known is not None:
            told[known[0]] = (key, known[1])


def _silent_until(problem: Problem, now_us: int) -> int:
    if problem.retry_at_us is not None:
        return problem.retry_at_us
    return now_us + round(QUIET_SECONDS * 1e6)


def _record(session: Session, granted: Granted, exchange: Exchange, job: int | None) -> int:
    """Fill in the ledger row, or write it anew where it was purged or left behind in a file; returns its number."""
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
    id_ = granted.exchange_id.bytes
    connection.execute(_ANSWER, (*values, granted.row, id_))
    if connection.changes():
        return granted.row
    rows = profile_rows(session, granted.profile)
    connection.execute(_ANSWER_ANEW, (*values, id_, *rows, session.actor, job, granted.bucket, exchange.started.us))
    return connection.last_insert_rowid()
