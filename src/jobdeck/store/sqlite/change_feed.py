"""The change log, read by cursor."""

import apsw

from jobdeck.domain.job import JobKey
from jobdeck.domain.text import clean
from jobdeck.store.columns import Row, integer, key_from, numbers_from, optional, text
from jobdeck.store.errors import CursorLostError
from jobdeck.store.models import Change, ChangeKind, Cursor
from jobdeck.store.sqlite.lookups import first, readable

_CHANGES = (
    "SELECT l.at_us, l.kind, (SELECT n.name FROM profile_scopes n WHERE n.scope = l.scope LIMIT 1), c.name, l.jobs,"
    " l.seen, l.exchange"
    " FROM change_log l JOIN clients c ON c.id = l.client WHERE l.seq > ? ORDER BY l.seq LIMIT ?"
)
_LAST = "SELECT max(seq) FROM (SELECT seq FROM change_log WHERE seq > ? ORDER BY seq LIMIT ?)"
_KEYS = (
    "SELECT n.name, j.account_group, j.job_id FROM jobs j JOIN profile_scopes n ON n.scope = j.scope WHERE j.seq = ?"
)


def head(connection: apsw.Connection) -> Cursor:
    """See `Store.head`."""
    return _cursor(connection, _newest(connection))


def changes(connection: apsw.Connection, after: Cursor, limit: int) -> tuple[tuple[Change, ...], Cursor]:
    """See `Store.changes`."""
    place = _place(connection, after)
    keys: dict[int, tuple[JobKey, ...]] = {}

    def keys_of(rows: str | None) -> tuple[JobKey, ...]:
        numbers = [] if rows is None else numbers_from(rows)
        for job in numbers:
            if job not in keys:
                keys[job] = tuple(readable(connection.execute(_KEYS, (job,)), lambda found: key_from(*found)))
        return tuple(key for job in numbers for key in keys[job])

    def make(row: Row) -> Change:
        at_us, kind, profile, client, changed, seen, exchange = row
        return Change(
            at_us=integer(at_us),
            kind=ChangeKind(kind),
            profile=text(profile),
            client=clean(client),
            keys=keys_of(changed),
            seen=keys_of(seen),
            sequence=optional(exchange),
        )

    found = tuple(readable(connection.execute(_CHANGES, (place, limit)), make))
    # Skip unreadable rows, too, or the next page would begin with them again.
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
    # While its name cannot be read, the database counts as another one.
    rows = connection.execute("SELECT value FROM meta WHERE name = 'database'")
    return first(rows, lambda row: clean(row[0]).replace(":", "")) or "unnamed"
