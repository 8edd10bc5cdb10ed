"""Finding the rows that others point to, and writing the change log."""

from collections.abc import Callable, Iterable
from typing import TypeVar

import apsw

from jobdeck.domain.job import Job, JobKey, Target
from jobdeck.domain.scope import Scope
from jobdeck.domain.text import clean
from jobdeck.store.errors import StoreCorruptError, UnknownJobError
from jobdeck.store.records import ChangeKind
from jobdeck.store.sqlite.codec import STATE_NAMES, Row, first, numbers_text, state_values, whole
from jobdeck.store.sqlite.database import Session
from jobdeck.store.sqlite.faults import ROW_FAULTS
from jobdeck.store.sqlite.scopes import add_scopes
from jobdeck.store.sqlite.sql import sql
from jobdeck.store.stored import wall

T = TypeVar("T")

_JOB = (
    "SELECT j.seq, j.scope FROM profile_scopes n JOIN jobs j ON j.scope = n.scope"
    " WHERE n.name = ? AND j.account_group = ? AND j.job_id = ?"
)

_BESIDE_STATE = (
    *("fence", "lease_owner", "lease_until_us", "next_poll_us", "result_bytes", "result_digest", "whole_digest"),
    *("row_digest", "first_shown", "last_shown"),
)
_ACCEPTED = "SELECT accepted_request_id, accepted_trace_id, batch, accepted FROM jobs WHERE seq = ?"


def scope_row(session: Session, profile: str) -> int:
    """Return the row of a profile's scope."""
    return profile_rows(session, profile)[0]


def budget_row(session: Session, profile: str) -> int:
    """Return the row of the scope whose budget a profile spends."""
    profile_rows(session, profile)
    (budget,) = one(session.connection, "SELECT budget FROM profile_scopes WHERE name = ?", (profile,))
    return int(budget)


def profile_rows(session: Session, profile: str) -> tuple[int, int]:
    """Return the rows of a profile's scope and of itself, made when it is new."""
    connection = session.connection
    for scope, row in connection.execute("SELECT scope, profile FROM profile_scopes WHERE name = ?", (profile,)):
        return scope, row
    add_scopes(connection, {profile: Scope("", profile)})
    return profile_rows(session, profile)


def job_row(connection: apsw.Connection, key: JobKey) -> tuple[int, int] | None:
    """Return a job's row and that of its scope, None for a job never watched."""
    for seq, scope in connection.execute(_JOB, (key.profile, key.account_group or "", key.id)):
        return seq, scope
    return None


def known_job(connection: apsw.Connection, key: JobKey) -> tuple[int, int]:
    """Return a job's row and that of its scope; raises `UnknownJobError` for a job never watched."""
    row = job_row(connection, key)
    if row is None:
        raise UnknownJobError(f"{key} has never been watched")
    return row


def with_readable_row(connection: apsw.Connection, key: JobKey, now_us: int, work: Callable[[], T]) -> T:
    """Run work on a job's row; where that row cannot be read, forget what is remembered of the job and run it again."""
    try:
        return work()
    except ROW_FAULTS:
        found = job_row(connection, key)
        if found is None:
            raise
        _reset(connection, found[0], now_us)
        return work()


def _reset(connection: apsw.Connection, seq: int, now_us: int) -> None:
    """Forget all of a job's row but which job it is: its next answer is taken like its first."""
    fresh = Job(Target(JobKey("", None, ""), "", ""), added=wall(now_us))
    values: dict[str, object] = dict.fromkeys(_BESIDE_STATE)
    values |= zip(STATE_NAMES, state_values(fresh), strict=True)
    values |= {"fence": 0}
    if first(connection.execute(_ACCEPTED, (seq,)), _accepted_from) is None:
        values |= {"accepted_request_id": None, "accepted_trace_id": None, "batch": None, "accepted": 0}
    columns = ", ".join(f"{name} = ?" for name in values)
    connection.execute(sql("UPDATE jobs SET {columns} WHERE seq = ?", columns=columns), (*values.values(), seq))
    connection.execute("UPDATE jobs SET kind = resource WHERE seq = ?", (seq,))
    for name in ("added_us", "active_us"):
        sound = sql("typeof({name}) = 'integer' AND {name} BETWEEN 0 AND ?1", name=name)
        mend = sql("UPDATE jobs SET {name} = ?1 WHERE seq = ?2 AND NOT ({sound})", name=name, sound=sound)
        connection.execute(mend, (now_us, seq))


def one(connection: apsw.Connection, sql: str, bindings: tuple[int | str, ...]) -> Row:
    """Return the one row that a query gives; `StoreCorruptError` when it is gone."""
    row: Row | None = connection.execute(sql, bindings).fetchone()
    if row is None:
        raise StoreCorruptError("a referenced row is missing")
    return row


def log(
    session: Session,
    kind: ChangeKind,
    now_us: int,
    scope: int | None,
    jobs: Iterable[int] = (),
    *,
    exchange: int | None = None,
) -> None:
    """Append one change about any number of jobs (their rows) to the change log."""
    session.connection.execute(
        "INSERT INTO change_log (at_us, scope, actor, kind, jobs, exchange) VALUES (?, ?, ?, ?, ?, ?)",
        (now_us, scope, session.actor, kind.value, numbers_text(jobs), exchange),
    )


def _accepted_from(row: Row) -> Row:
    *ids, accepted = row
    return (*(None if id_ is None else clean(id_) for id_ in ids), whole(accepted))
