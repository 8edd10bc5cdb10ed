"""Reads rows that may be damaged, finds the rows of jobs and scopes, and writes the change log."""

from collections.abc import Callable, Collection, Iterable, Iterator
from typing import Any, TypeVar

import apsw

from jobdeck.domain.job import Job, JobKey, Target
from jobdeck.domain.scope import Scope
from jobdeck.domain.text import clean
from jobdeck.store.columns import (
    END_ID_NAMES,
    ROW_FAULTS,
    STATE_NAMES,
    TARGET_NAMES,
    Row,
    integer,
    numbers_text,
    sql,
    state_values,
)
from jobdeck.store.errors import StoreCorruptError, UnknownJobError
from jobdeck.store.merge import BESIDE_STATE
from jobdeck.store.models import ChangeKind, from_epoch
from jobdeck.store.sqlite.database import Session
from jobdeck.store.sqlite.scopes import add_scopes

T = TypeVar("T")

TARGET = ", ".join(f"j.{name}" for name in TARGET_NAMES)
"""What a query selects for `target_from`."""

# Only damage gives a sequence above that of every request on record; then no answer would count as newer.
SEQUENCE = (
    "CASE WHEN j.sequence <= (SELECT seq FROM sqlite_sequence WHERE name = 'exchanges') THEN j.sequence ELSE 0 END"
)
# The timeline outlives the exchanges of a job, but takes longer to search.
_END_IDS = (
    sql(
        "CASE WHEN j.ended_seen_us IS NOT NULL THEN coalesce((SELECT e.{name} FROM exchanges e WHERE e.seq ="
        " j.first_shown), (SELECT t.{name} FROM timeline t WHERE t.job = j.seq AND t.kind = 'phase' AND t.phase_after ="
        " j.phase ORDER BY t.seq DESC LIMIT 1)) END",
        name=name.removeprefix("end_"),
    )
    for name in END_ID_NAMES
)
JOB = ", ".join(
    ("j.added_us", TARGET, *(SEQUENCE if name == "sequence" else f"j.{name}" for name in STATE_NAMES), *_END_IDS)
)
"""What a query selects for `job_from`."""

_JOB = (
    "SELECT j.seq, j.scope FROM profile_scopes n JOIN jobs j ON j.scope = n.scope"
    " WHERE n.name = ? AND j.account_group = ? AND j.job_id = ?"
)
_ACCEPTED = "SELECT accepted_request_id, accepted_trace_id, batch, accepted FROM jobs WHERE seq = ?"


def readable(rows: Iterator[Any], make: Callable[[Any], T]) -> Iterator[T]:
    """Yield `make` of each row, without the rows that cannot be read: `Store.health` names those."""
    while True:
        try:
            made = make(next(rows))
        except StopIteration:
            return
        except ROW_FAULTS:
            continue
        yield made


def first(rows: Iterator[Any], make: Callable[[Any], T]) -> T | None:
    """Return `make` of the first row that can be read; None without one."""
    return next(readable(rows, make), None)


def scope_row(session: Session, profile: str) -> int:
    """Return the row of a profile's scope."""
    return profile_rows(session, profile)[0]


def budget_row(session: Session, profile: str) -> int:
    """Return the row of the scope whose budget pays for a profile."""
    profile_rows(session, profile)
    (budget,) = one(session.connection, "SELECT budget FROM profile_scopes WHERE name = ?", (profile,))
    return int(budget)


def profile_rows(session: Session, profile: str) -> tuple[int, int]:
    """Return the rows of a profile's scope and of the profile, after adding those that are missing."""
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


def with_readable_row(session: Session, key: JobKey, work: Callable[[], T]) -> T:
    """Run work on a job's row; if the row cannot be read, reset it and run the work again."""
    try:
        return work()
    except ROW_FAULTS:
        found = job_row(session.connection, key)
        if found is None:
            raise
        reset_job(session, found[0])
        return work()


def reset_job(session: Session, seq: int) -> None:
    """Clear the row of a job except for its key: its next answer is taken like its first.

    A sound fence stays, so that an answer which is on its way does not count as late.
    """
    connection, now_us = session.connection, session.now_us()
    fresh = Job(Target(JobKey("", None, ""), "", ""), added=from_epoch(now_us))
    values: dict[str, object] = dict.fromkeys((*BESIDE_STATE, "lease_owner", "lease_until_us"))
    values |= zip(STATE_NAMES, state_values(fresh), strict=True)
    if first(connection.execute(_ACCEPTED, (seq,)), _accepted_from) is None:
        values |= {"accepted_request_id": None, "accepted_trace_id": None, "batch": None, "accepted": 0}
    columns = ", ".join(f"{name} = ?" for name in values)
    connection.execute(sql("UPDATE jobs SET {columns} WHERE seq = ?", columns=columns), (*values.values(), seq))
    connection.execute("UPDATE jobs SET kind = resource WHERE seq = ?", (seq,))
    for name, mended in (("added_us", now_us), ("active_us", now_us), ("fence", 0)):
        sound = sql("typeof({name}) = 'integer' AND {name} BETWEEN 0 AND ?3", name=name)
        mend = sql("UPDATE jobs SET {name} = ?1 WHERE seq = ?2 AND NOT ({sound})", name=name, sound=sound)
        connection.execute(mend, (mended, seq, now_us))


def one(connection: apsw.Connection, sql: str, bindings: tuple[int | str, ...]) -> Row:
    """Return the only row of a query; `StoreCorruptError` without one."""
    row: Row | None = connection.execute(sql, bindings).fetchone()
    if row is None:
        raise StoreCorruptError("a referenced row is missing")
    return row


def log(
    session: Session,
    kind: ChangeKind,
    scope: int | None,
    jobs: Iterable[int] = (),
    *,
    seen: Collection[int] = (),
    exchange: int | None = None,
) -> None:
    """Append one change to the log; `jobs` are the rows it changed, `seen` those that an answer left as they were."""
    values = (numbers_text(jobs), numbers_text(seen) if seen else None, exchange)
    session.connection.execute(
        "INSERT INTO change_log (at_us, scope, client, kind, jobs, seen, exchange) VALUES (?, ?, ?, ?, ?, ?, ?)",
        (session.now_us(), scope, session.client, kind.value, *values),
    )


def _accepted_from(row: Row) -> Row:
    *ids, accepted = row
    return (*(None if id_ is None else clean(id_) for id_ in ids), integer(accepted))
