"""Leave to send a request: the lease of a job, the budget of a bucket, and the ledger row, all in one transaction."""

from dataclasses import dataclass
from uuid import UUID

import apsw

from jobdeck.domain.job import JobKey
from jobdeck.domain.text import clean
from jobdeck.store.actors import has_gone
from jobdeck.store.base import DEFAULT_PER_MINUTE, MAX_LEASE_SECONDS
from jobdeck.store.gcra import Go, Later, Pace, admit, rescale
from jobdeck.store.records import ChangeKind, Claim, Granted, LedgerState, Refused, Spent
from jobdeck.store.sqlite.codec import Row, first, optional, whole
from jobdeck.store.sqlite.database import Session
from jobdeck.store.sqlite.rows import budget_row, job_row, log, profile_rows, scope_row, with_readable_row

_MAX_LEASE_US = round(MAX_LEASE_SECONDS * 1e6)

_LARGEST_LIMIT = 10**9

_LEASE = (
    "SELECT j.seq, j.scope, n.budget, n.profile, j.fence, a.name, j.lease_until_us FROM profile_scopes n"
    " JOIN jobs j ON j.scope = n.scope LEFT JOIN actors a ON a.id = j.lease_owner"
    " WHERE n.name = ? AND j.account_group = ? AND j.job_id = ?"
)
# Its next poll is this one; the answer tells of another.
_TAKE_LEASE = "UPDATE jobs SET fence = ?, lease_owner = ?, lease_until_us = ?, next_poll_us = NULL WHERE seq = ?"
_MOVE_ON = (
    "INSERT INTO budgets (scope, bucket, actor, tat_us) VALUES (?1, ?2, ?3, ?4)"
    " ON CONFLICT DO UPDATE SET actor = ?3, tat_us = ?4"
)
_SEND = (
    "INSERT INTO exchanges (id, scope, profile, actor, job, bucket, state, sent_us, method, url)"
    " VALUES (?, ?, ?, ?, ?, ?, 'sent', ?, ?, ?)"
)


@dataclass(frozen=True, slots=True)
class Ask:
    """What leave is asked for: a request to `url` out of a bucket, at a moment."""

    bucket: str
    now_us: int
    url: str
    method: str = "GET"


def claim(session: Session, ask: Ask, key: JobKey, lease_seconds: float) -> Claim | Refused:
    """See `Store.claim`."""
    connection, now_us = session.connection, ask.now_us
    row = with_readable_row(connection, key, now_us, lambda: _lease(connection, key))
    if row is None:
        return Refused("unknown", 0)
    job, scope, budget, profile, fence, owner, until_us = row
    held = owner is not None and owner != session.name and now_us < until_us <= now_us + _MAX_LEASE_US
    if held and not has_gone(owner):
        return Refused("leased", until_us)
    refused = _pass_budget(session, ask, budget)
    if refused is not None:
        return refused
    lease_us = min(round(lease_seconds * 1e6), _MAX_LEASE_US)
    connection.execute(_TAKE_LEASE, (fence + 1, session.actor, now_us + lease_us, job))
    exchange_id, sent = _send(session, ask, (scope, profile), job)
    return Claim(key, ask.bucket, fence + 1, exchange_id, sent)


def spend(session: Session, ask: Ask, profile: str, about: JobKey | None = None) -> Spent | Refused:
    """See `Store.spend`."""
    rows = profile_rows(session, profile)
    found = None if about is None else job_row(session.connection, about)
    if about is not None and found is None:
        return Refused("unknown", 0)
    refused = _pass_budget(session, ask, budget_row(session, profile))
    if refused is not None:
        return refused
    exchange_id, sent = _send(session, ask, rows, None if found is None else found[0])
    return Spent(profile, ask.bucket, exchange_id, sent, about)


def abandon(session: Session, granted: Granted, now_us: int) -> None:
    """See `Store.abandon`."""
    connection = session.connection
    connection.execute(
        "UPDATE exchanges SET state = ? WHERE seq = ? AND state = ?",
        (LedgerState.ABANDONED.value, granted.row, LedgerState.SENT.value),
    )
    if not connection.changes():
        return
    jobs = []
    if granted.key is not None and (found := job_row(connection, granted.key)) is not None:
        jobs.append(found[0])
        if isinstance(granted, Claim):
            release(session, found[0], granted.fence)
    log(session, ChangeKind.ABANDONED, now_us, scope_row(session, granted.profile), jobs, exchange=granted.row)


def release(session: Session, job: int, fence: int, next_poll_us: int | None = None) -> bool:
    """End the lease that was taken under `fence`; returns False when somebody has taken it since."""
    connection = session.connection
    connection.execute(
        "UPDATE jobs SET lease_owner = NULL, lease_until_us = NULL, next_poll_us = coalesce(?, next_poll_us)"
        " WHERE seq = ? AND fence = ?",
        (next_poll_us, job, fence),
    )
    return bool(connection.changes())


def set_limit(session: Session, profile: str, bucket: str, per_minute: int, now_us: int) -> None:
    """See `Store.set_limit`."""
    pace = Pace.of(per_minute)
    scope = budget_row(session, profile)
    before, tat_us, _ = _state(session, scope, bucket)
    if before == per_minute:
        return
    session.connection.execute(
        "INSERT INTO budgets (scope, bucket, actor, per_minute) VALUES (?1, ?2, ?3, ?4)"
        " ON CONFLICT DO UPDATE SET actor = ?3, per_minute = ?4, tat_us = ?5",
        (scope, bucket, session.actor, per_minute, rescale(tat_us, now_us, _pace(before), pace)),
    )
    log(session, ChangeKind.LIMITED, now_us, scope)


def limit(connection: apsw.Connection, profile: str, bucket: str) -> int | None:
    """See `Store.limit`."""
    rows = connection.execute(
        "SELECT b.per_minute FROM profile_scopes n JOIN budgets b ON b.scope = n.budget"
        " WHERE n.name = ? AND b.bucket = ?",
        (profile, bucket),
    )
    return first(rows, lambda row: _limit_from(row[0]))


def silence(session: Session, scope: int, bucket: str, until_us: int) -> None:
    """Let nothing through a bucket until `until_us`."""
    session.connection.execute(
        "UPDATE budgets SET blocked_until_us = max(blocked_until_us, ?), actor = ? WHERE scope = ? AND bucket = ?",
        (until_us, session.actor, scope, bucket),
    )


def _pass_budget(session: Session, ask: Ask, scope: int) -> Refused | None:
    per_minute, tat_us, blocked_until_us = _state(session, scope, ask.bucket)
    # A silence longer than any that can be asked for was begun before the clock was set back.
    if ask.now_us < blocked_until_us <= ask.now_us + _MAX_LEASE_US:
        return Refused("silence", blocked_until_us)
    match admit(tat_us, ask.now_us, _pace(per_minute)):
        case Later(until_us):
            return Refused("budget", until_us)
        case Go(after_us):
            session.connection.execute(_MOVE_ON, (scope, ask.bucket, session.actor, after_us))
            return None


def _state(session: Session, scope: int, bucket: str) -> tuple[int | None, int, int]:
    """Return a bucket's limit (None: nobody set it), theoretical arrival time and end of silence."""
    rows = session.connection.execute(
        "SELECT per_minute, tat_us, blocked_until_us FROM budgets WHERE scope = ? AND bucket = ?", (scope, bucket)
    )
    return first(rows, _budget_from) or (None, 0, 0)


def _lease(connection: apsw.Connection, key: JobKey) -> Row | None:
    """Return who holds the lease of a job, None for a job never watched; raises one of `ROW_FAULTS`."""
    row: Row | None = connection.execute(_LEASE, (key.profile, key.account_group or "", key.id)).fetchone()
    if row is None:
        return None
    *rows, fence, owner, until_us = row
    return (*rows, whole(fence), owner and clean(owner), 0 if owner is None else whole(until_us))


def _budget_from(row: Row) -> tuple[int | None, int, int]:
    per_minute, tat_us, blocked_until_us = row
    return _limit_from(per_minute), whole(tat_us), whole(blocked_until_us)


def _limit_from(value: object) -> int | None:
    per_minute = optional(value)
    return per_minute if per_minute is not None and 1 <= per_minute <= _LARGEST_LIMIT else None


def _pace(per_minute: int | None) -> Pace:
    return Pace.of(per_minute or DEFAULT_PER_MINUTE)


def _send(session: Session, ask: Ask, rows: tuple[int, int], job: int | None) -> tuple[UUID, int]:
    """Put a request on record; `rows` are those of the scope and of the profile that it is sent through."""
    id_ = session.new_id(ask.now_us)
    connection = session.connection
    sent = (ask.now_us, ask.method, ask.url or None)
    connection.execute(_SEND, (id_.bytes, *rows, session.actor, job, ask.bucket, *sent))
    row = connection.last_insert_rowid()
    log(session, ChangeKind.SENT, ask.now_us, rows[0], () if job is None else (job,), exchange=row)
    return id_, row
