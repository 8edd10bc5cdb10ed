"""Grants requests: the lease of a job, the budget of a bucket and the record, all in one transaction."""

from collections.abc import Mapping, Sequence

import apsw

from jobdeck.domain.job import JobKey
from jobdeck.domain.text import clean
from jobdeck.store.columns import Row, integer, optional
from jobdeck.store.gcra import Admitted, Delayed, Rate, admit, rescale
from jobdeck.store.models import ChangeKind, Denied, Grant, OutgoingRequest, RequestState
from jobdeck.store.protocol import DEFAULT_PER_MINUTE, LEASE_SECONDS, MAX_COOLDOWN_SECONDS
from jobdeck.store.sqlite.database import Session
from jobdeck.store.sqlite.lookups import budget_row, first, job_row, log, profile_rows, scope_row, with_readable_row

_LEASE_US = round(LEASE_SECONDS * 1e6)
_MAX_COOLDOWN_US = round(MAX_COOLDOWN_SECONDS * 1e6)

_LARGEST_LIMIT = 10**9

_LEASE = (
    "SELECT j.seq, j.scope, n.budget, n.profile, j.fence, c.name, j.lease_until_us FROM profile_scopes n"
    " JOIN jobs j ON j.scope = n.scope LEFT JOIN clients c ON c.id = j.lease_owner"
    " WHERE n.name = ? AND j.account_group = ? AND j.job_id = ?"
)
_TAKE_LEASE = "UPDATE jobs SET fence = ?, lease_owner = ?, lease_until_us = ? WHERE seq = ?"
_RENEW = "UPDATE jobs SET lease_until_us = ? WHERE fence = ? AND seq = (SELECT job FROM exchanges WHERE seq = ?)"
_OTHERS_LIST = "SELECT until_us FROM list_leases WHERE scope = ? AND url = ? AND client <> ?"
_HOLD_LIST = "INSERT OR REPLACE INTO list_leases (scope, url, client, until_us) VALUES (?, ?, ?, ?)"
_SPEND = (
    "INSERT INTO budgets (scope, bucket, client, tat_us) VALUES (?1, ?2, ?3, ?4)"
    " ON CONFLICT DO UPDATE SET client = ?3, tat_us = ?4"
)
_SET_COOLDOWN = (
    "INSERT INTO budgets (scope, bucket, client, blocked_until_us) VALUES (?1, ?2, ?3, ?4)"
    " ON CONFLICT DO UPDATE SET client = ?3, blocked_until_us = max(blocked_until_us, ?4)"
)
_SEND = (
    "INSERT INTO exchanges (scope, profile, client, job, bucket, state, sent_us, method, url)"
    " VALUES (?, ?, ?, ?, ?, 'sent', ?, ?, ?)"
)


def claim(session: Session, requests: Sequence[OutgoingRequest]) -> tuple[Grant | Denied, ...]:
    """See `Store.claim`."""
    return tuple(_claim(session, one) for one in requests)


def _claim(session: Session, request: OutgoingRequest) -> Grant | Denied:
    if not request.lease:
        return _send_without_lease(session, request)
    return _lease_list(session, request) if request.job is None else _lease_job(session, request, request.job)


def renew(session: Session, grants: Sequence[Grant]) -> None:
    """Let the leases of unanswered requests last for `LEASE_SECONDS` from now."""
    until_us = session.now_us() + _LEASE_US
    for grant in grants:
        session.connection.execute(_RENEW, (until_us, grant.fence, grant.sequence))


def release(session: Session, grants: Sequence[Grant]) -> None:
    """See `Store.release`."""
    connection = session.connection
    for grant in grants:
        connection.execute(
            "UPDATE exchanges SET state = ? WHERE seq = ? AND client = ? AND state = ?",
            (RequestState.ABANDONED.value, grant.sequence, session.client, RequestState.SENT.value),
        )
        if not connection.changes():
            continue
        job = None if grant.request.job is None else job_row(connection, grant.request.job)
        if job is not None and grant.fence is not None:
            end_lease(session, job[0], grant.fence)
        scope = scope_row(session, grant.request.profile)
        log(session, ChangeKind.ABANDONED, scope, () if job is None else job[:1], exchange=grant.sequence)


def end_lease(session: Session, job: int, fence: int) -> None:
    """End the lease that was taken under `fence`, unless another was taken since."""
    session.connection.execute(
        "UPDATE jobs SET lease_owner = NULL, lease_until_us = NULL WHERE seq = ? AND fence = ?", (job, fence)
    )


def set_limits(session: Session, profile: str, per_minute: Mapping[str, int], *, assumed: bool) -> None:
    """See `Store.set_limits`."""
    scope = budget_row(session, profile)
    for bucket, limit_ in per_minute.items():
        before, tat_us, _ = _budget(session, scope, bucket)
        if before == limit_ or (assumed and before is not None):
            continue
        now_us = session.now_us()
        session.connection.execute(
            "INSERT INTO budgets (scope, bucket, client, per_minute) VALUES (?1, ?2, ?3, ?4)"
            " ON CONFLICT DO UPDATE SET client = ?3, per_minute = ?4, tat_us = ?5",
            (scope, bucket, session.client, limit_, rescale(tat_us, now_us, _rate(before), Rate.of(limit_))),
        )


def limit(connection: apsw.Connection, profile: str, bucket: str) -> int | None:
    """See `Store.limit`."""
    rows = connection.execute(
        "SELECT b.per_minute FROM profile_scopes n JOIN budgets b ON b.scope = n.budget"
        " WHERE n.name = ? AND b.bucket = ?",
        (profile, bucket),
    )
    return first(rows, lambda row: _limit_from(row[0]))


def set_cooldown(session: Session, profile: str, bucket: str, until_us: int) -> None:
    """See `Store.set_cooldown`."""
    values = (budget_row(session, profile), bucket, session.client, until_us)
    session.connection.execute(_SET_COOLDOWN, values)


def _lease_job(session: Session, request: OutgoingRequest, key: JobKey) -> Grant | Denied:
    connection, now_us = session.connection, session.now_us()
    row = with_readable_row(session, key, lambda: _read_lease(connection, key))
    if row is None:
        return Denied("unknown", 0)
    job, scope, budget, profile, fence, owner, until_us = row
    # A lease that would last longer than `LEASE_SECONDS` was taken before the clock was set back.
    if owner is not None and owner != session.name and now_us < until_us <= now_us + _LEASE_US:
        return Denied("leased", until_us)
    denied = _spend(session, request, budget, now_us)
    if denied is not None:
        return denied
    connection.execute(_TAKE_LEASE, (fence + 1, session.client, now_us + _LEASE_US, job))
    return Grant(request, _send(session, request, (scope, profile), job, now_us), fence + 1)


def _lease_list(session: Session, request: OutgoingRequest) -> Grant | Denied:
    connection, now_us = session.connection, session.now_us()
    scope = scope_row(session, request.profile)
    until_us = first(
        connection.execute(_OTHERS_LIST, (scope, request.url, session.client)), lambda row: integer(row[0])
    )
    if until_us is not None and now_us < until_us <= now_us + _LEASE_US:
        return Denied("leased", until_us)
    decided = _send_without_lease(session, request)
    if isinstance(decided, Grant):
        connection.execute("DELETE FROM list_leases WHERE scope = ? AND until_us < ?", (scope, now_us - _LEASE_US))
        connection.execute(_HOLD_LIST, (scope, request.url, session.client, now_us + _LEASE_US))
    return decided


def _send_without_lease(session: Session, request: OutgoingRequest) -> Grant | Denied:
    rows, now_us = profile_rows(session, request.profile), session.now_us()
    job = None if request.job is None else job_row(session.connection, request.job)
    if request.job is not None and job is None:
        return Denied("unknown", 0)
    denied = _spend(session, request, budget_row(session, request.profile), now_us)
    if denied is not None:
        return denied
    return Grant(request, _send(session, request, rows, None if job is None else job[0], now_us))


def _spend(session: Session, request: OutgoingRequest, scope: int, now_us: int) -> Denied | None:
    per_minute, tat_us, blocked_until_us = _budget(session, scope, request.bucket)
    # A cooldown longer than the longest began before the clock was set back.
    if now_us < blocked_until_us <= now_us + _MAX_COOLDOWN_US:
        return Denied("cooldown", blocked_until_us)
    match admit(tat_us, now_us, _rate(per_minute)):
        case Delayed(until_us):
            return Denied("budget", until_us)
        case Admitted(after_us):
            session.connection.execute(_SPEND, (scope, request.bucket, session.client, after_us))
            return None


def _budget(session: Session, scope: int, bucket: str) -> tuple[int | None, int, int]:
    """Return a bucket's limit (None without one), theoretical arrival time and end of cooldown."""
    rows = session.connection.execute(
        "SELECT per_minute, tat_us, blocked_until_us FROM budgets WHERE scope = ? AND bucket = ?", (scope, bucket)
    )
    return first(rows, _budget_from) or (None, 0, 0)


def _read_lease(connection: apsw.Connection, key: JobKey) -> Row | None:
    """Return the rows of a job and its lease, None for a job never watched; raises one of `ROW_FAULTS`."""
    row: Row | None = connection.execute(_LEASE, (key.profile, key.account_group or "", key.id)).fetchone()
    if row is None:
        return None
    *rows, fence, owner, until_us = row
    return (*rows, integer(fence), owner and clean(owner), 0 if owner is None else integer(until_us))


def _budget_from(row: Row) -> tuple[int | None, int, int]:
    per_minute, tat_us, blocked_until_us = row
    return _limit_from(per_minute), integer(tat_us), integer(blocked_until_us)


def _limit_from(value: object) -> int | None:
    per_minute = optional(value)
    return per_minute if per_minute is not None and 1 <= per_minute <= _LARGEST_LIMIT else None


def _rate(per_minute: int | None) -> Rate:
    return Rate.of(per_minute if per_minute is not None else DEFAULT_PER_MINUTE)


def _send(session: Session, request: OutgoingRequest, rows: tuple[int, int], job: int | None, now_us: int) -> int:
    """Put the request on record, and return its sequence."""
    values = (*rows, session.client, job, request.bucket, now_us, request.method, request.url)
    session.connection.execute(_SEND, values)
    return session.connection.last_insert_rowid()
