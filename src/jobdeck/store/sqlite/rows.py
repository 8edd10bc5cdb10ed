"""Finding the rows that others point to, and writing the change log."""

from collections.abc import Iterable

import apsw

from jobdeck.domain.job import JobKey
from jobdeck.domain.scope import Scope
from jobdeck.store.errors import StoreCorruptError, UnknownJobError
from jobdeck.store.records import ChangeKind
from jobdeck.store.sqlite.codec import Row, numbers_text
from jobdeck.store.sqlite.database import Session
from jobdeck.store.sqlite.scopes import add_scopes

_JOB = (
    "SELECT j.seq, j.scope FROM profile_scopes n JOIN jobs j ON j.scope = n.scope"
    " WHERE n.name = ? AND j.account_group = ? AND j.job_id = ?"
)


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


def one(connection: apsw.Connection, sql: str, bindings: tuple[int | str, ...]) -> Row:
    """Return the one row that a query gives; `StoreCorruptError` when it is gone."""
    row: Row | None = connection.execute(sql, bindings).fetchone()
    if row is None:
        raise StoreCorruptError("a row that another one points to is missing")
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
