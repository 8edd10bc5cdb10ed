"""The change log, read by cursor."""

from uuid import UUID

import apsw

from jobdeck.domain.job import JobKey
from jobdeck.domain.text import clean
from jobdeck.store.errors import CursorLostError
from jobdeck.store.records import Change, ChangeKind, Cursor
from jobdeck.store.sqlite.codec import Row, first, key_of, numbers_from, readable, whole

_CHANGES = (
    "SELECT c.seq, c.at_us, c.kind, (SELECT n.name FROM profile_scopes n WHERE n.scope = c.scope LIMIT 1), a.name,"
    " c.jobs, e.id FROM change_log c JOIN actors a ON a.id = c.actor LEFT JOIN exchanges e ON e.seq = c.exchange"
    " WHERE c.seq > ? ORDER BY c.seq LIMIT ?"
)
_LAST = "SELECT max(seq) FROM (SELECT seq FROM change_log WHERE seq > ? ORDER BY seq LIMIT ?)"
_KEYS = (
    "SELECT n.name, j.account_group, j.job_id FROM jobs j JOIN profile_scopes n ON n.scope = j.scope WHERE j.seq = ?"
)


def head(connection: apsw.Connection) -> Cursor:
    """See `Store.head`."""
    return _cursor(connection, _newest(connection))


def changes(connection: apsw.Connection, since: Cursor | None, limit: int) -> tuple[tuple[Change, ...], Cursor]:
    """See `Store.changes`."""
    place = 0 if since is None else _place(connection, since)
    keys: dict[int, tuple[JobKey, ...]] = {}

    def make(row: Row) -> Change:
        _, at_us, kind, profile, actor, jobs, exchange = row
        numbers = numbers_from(jobs)
        for job in numbers:
            if job not in keys:
                keys[job] = tuple(readable(connection.execute(_KEYS, (job,)), lambda found: key_of(*found)))
        return Change(
            at_us=whole(at_us),
            kind=ChangeKind(kind),
            profile=None if profile is None else clean(profile),
            actor=clean(actor),
            keys=tuple(key for job in numbers for key in keys[job]),
            exchange_id=None if exchange is None else UUID(bytes=exchange),
        )

    found = tuple(readable(connection.execute(_CHANGES, (place, limit)), make))
    # Behind those that cannot be read as well, which would else be the next page, too.
    last = connection.execute(_LAST, (place, limit)).get
    return found, _cursor(connection, place if last is None else last)


def _place(connection: apsw.Connection, cursor: Cursor) -> int:
    database, _, number = cursor.partition(":")
    place = int(number) if number.isascii() and number.isdigit() else -1
    oldest = connection.execute("SELECT min(seq) FROM change_log").get
    if database != _database(connection) or not 0 <= place <= _newest(connection):
        raise CursorLostError("the change cursor belongs to another database")
    if oldest is not None and place < oldest - 1:
        raise CursorLostError("changes after the cursor have been purged")
    return place


def _newest(connection: apsw.Connection) -> int:
    return connection.execute("SELECT seq FROM sqlite_sequence WHERE name = 'change_log'").get or 0


def _cursor(connection: apsw.Connection, place: int) -> Cursor:
    return Cursor(f"{_database(connection)}:{place}")


def _database(connection: apsw.Connection) -> str:
    # One that cannot be read is a database of its own, as long as it is not.
    rows = connection.execute("SELECT value FROM meta WHERE name = 'database'")
    return first(rows, lambda row: clean(row[0]).replace(":", "")) or "unnamed"
