"""Copies a file's rows into memory when the store can no longer use the file."""

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import apsw

from jobdeck.store.columns import ROW_FAULTS, Row, sql
from jobdeck.store.errors import StoreIOError
from jobdeck.store.sqlite.connect import READ_ONLY_MODES
from jobdeck.store.sqlite.files import require_files
from jobdeck.store.sqlite.migrate import schema_of

_WAIT_MS = 200
_ROW_ERRORS = (apsw.CorruptError, apsw.ConstraintError, apsw.MismatchError)

FIRST_IN_MEMORY = 10**11
"""Requests of a store that went on in memory are numbered from here, so that they sort after every request in the file,
whose highest number may be unreadable."""

_SOUND = "seq < 4611686018427387904"
"""Only damage gives a row a larger number; after it, no row could be added."""

# Only the newest requests, so that the answers to requests in flight find their record: a million rows take 300 MB.
# Results and old observations stay in the file. Without a condition SQLite would copy whole records, even those that it
# cannot read.
_COPIES = (
    *((table, "TRUE") for table in ("meta", "scopes", "profiles", "clients")),
    ("jobs", _SOUND),
    ("watches", _SOUND),
    *((table, "TRUE") for table in ("annotations", "notifications", "budgets", "estimates", "timeline")),
    ("exchanges", f"{_SOUND} ORDER BY seq DESC LIMIT 1000"),
    ("observations", "exchange >= (SELECT min(seq) FROM main.exchanges)"),
    # One row, so that cursors stay valid.
    ("change_log", f"{_SOUND} ORDER BY seq DESC LIMIT 1"),
)

_BUDGETS = (
    "SELECT s.name, b.bucket, b.per_minute, b.tat_us, b.blocked_until_us FROM budgets b JOIN scopes s ON s.id = b.scope"
)
_BUDGET = (
    "INSERT INTO budgets (scope, bucket, client, per_minute, tat_us, blocked_until_us) SELECT s.id, ?2, ?6, ?3, ?4, ?5"
    " FROM scopes s WHERE s.name = ?1 ON CONFLICT DO UPDATE SET tat_us = max(tat_us, ?4),"
    " blocked_until_us = max(blocked_until_us, ?5)"
)


@dataclass(frozen=True, slots=True)
class Usage:
    """The sent requests as far as another database must know them: rate limits, and the newest number."""

    budgets: tuple[Row, ...] = ()
    newest: int = 0


def newest_request(connection: apsw.Connection) -> int:
    """Return the number of the newest request ever recorded; 0 without one."""
    found = connection.execute("SELECT seq FROM sqlite_sequence WHERE name = 'exchanges'").get
    return found if isinstance(found, int) else 0


def read_usage(connection: apsw.Connection) -> Usage:
    """Return the usage of a database; an empty one where it can no longer be read."""
    try:
        return Usage(tuple(connection.execute(_BUDGETS)), newest_request(connection))
    except (apsw.Error, *ROW_FAULTS):
        return Usage()


def write_usage(connection: apsw.Connection, usage: Usage, client: int) -> None:
    """Continue the usage of another database: servers still count its requests, and newer ones need higher numbers.

    Needs a transaction.
    """
    for name, *values in usage.budgets:
        connection.execute("INSERT OR IGNORE INTO scopes (name) VALUES (?)", (name,))
        connection.execute(_BUDGET, (name, *values, client))
    newest = max(usage.newest, newest_request(connection))
    connection.execute("DELETE FROM sqlite_sequence WHERE name = 'exchanges'")
    connection.execute("INSERT INTO sqlite_sequence (name, seq) VALUES ('exchanges', ?)", (newest,))


def carry_over(memory: apsw.Connection, path: Path) -> bool:
    """Copy the readable rows of the file at `path` into `memory`; returns whether that worked.

    Skips unreadable rows; any other failure half-way leaves `memory` empty.
    """
    memory.execute("DELETE FROM sqlite_sequence WHERE name = 'exchanges'")
    memory.execute("INSERT INTO sqlite_sequence (name, seq) VALUES ('exchanges', ?)", (FIRST_IN_MEMORY,))
    try:
        require_files(path)
    except (StoreIOError, OSError):
        return False
    memory.set_busy_timeout(_WAIT_MS)
    return any(_copy(memory, f"{path.absolute().as_uri()}?{mode}") for mode in READ_ONLY_MODES)


def _copy(memory: apsw.Connection, uri: str) -> bool:
    try:
        memory.execute("ATTACH ? AS old", (uri,))
    except apsw.Error:
        return False
    try:
        if memory.pragma("user_version", schema="old") != schema_of(memory):
            return False
        # Rows that refer to a missing row are no reason to lose the others.
        memory.pragma("foreign_keys", False)
        memory.execute("BEGIN")
        for table, which in _COPIES:
            _copy_table(memory, table, which)
        memory.execute("COMMIT")
    except apsw.Error:
        if memory.in_transaction:
            memory.execute("ROLLBACK")
        return False
    finally:
        memory.execute("DETACH old")
        memory.pragma("foreign_keys", True)
    return True


def _copy_table(memory: apsw.Connection, table: str, which: str) -> None:
    """Copy rows of a table at once; one by one if some cannot be read or are refused."""
    copy = "INSERT OR REPLACE INTO main.{table} SELECT * FROM old.{table} WHERE {which}"
    with suppress(*_ROW_ERRORS):
        memory.execute(sql(copy, table=table, which=which))
        return
    keys = [name for (name,) in memory.execute("SELECT name FROM pragma_table_info(?) WHERE pk", (table,))]
    rows: list[Row] = []
    with suppress(*_ROW_ERRORS, *ROW_FAULTS):
        some = sql("SELECT {keys} FROM old.{table} WHERE {which}", keys=", ".join(keys), table=table, which=which)
        rows.extend(memory.execute(some))
    same = " AND ".join(f"{name} = ?" for name in keys)
    for row in rows:
        with suppress(*_ROW_ERRORS):
            memory.execute(sql(copy, table=table, which=same), row)
