"""Connections as the store wants them."""

from pathlib import Path

import apsw

from jobdeck.store.sqlite.faults import BUSY
from jobdeck.store.sqlite.files import lock_refusal

BUSY_TIMEOUT_MS = 5_000
_FIRST_TIMEOUT_MS = 250
"""After which it is asked whether the file can be locked at all."""

_CHECKPOINT_PAGES = 1_000
_LOG_BYTES = 16 * 1024 * 1024
READ_ONLY_MODES = ("mode=ro", "immutable=1")
_MEMORY_FLAGS = apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_CREATE | apsw.SQLITE_OPEN_URI


def connect(path: Path) -> apsw.Connection:
    """Open an existing file for writing, in WAL mode; raises `apsw.Error`.

    `synchronous = NORMAL`: what was committed survives the process, however it dies; a power cut may take the
    last commits, and cannot damage the file.
    """
    connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READWRITE)
    try:
        if connection.readonly("main"):
            message = "attempt to write a readonly database"
            raise apsw.ReadOnlyError(message)
        _use_log(connection, path)
        connection.pragma("synchronous", "normal")
        connection.wal_autocheckpoint(_CHECKPOINT_PAGES)
        # After a long reader the log may be large; it is cut back at the next checkpoint.
        connection.pragma("journal_size_limit", _LOG_BYTES)
        _common(connection)
    except apsw.Error:
        connection.close()
        raise
    return connection


def _use_log(connection: apsw.Connection, path: Path) -> None:
    connection.set_busy_timeout(min(_FIRST_TIMEOUT_MS, BUSY_TIMEOUT_MS))
    try:
        connection.pragma("journal_mode", "wal")
    except BUSY:
        if lock_refusal(path):
            raise
        connection.set_busy_timeout(BUSY_TIMEOUT_MS)
        connection.pragma("journal_mode", "wal")
    connection.set_busy_timeout(BUSY_TIMEOUT_MS)


def connect_reader(path: Path) -> apsw.Connection:
    """Open a second connection, for queries: they need not wait for a transaction of the writer."""
    connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READWRITE)
    try:
        connection.set_busy_timeout(BUSY_TIMEOUT_MS)
        _common(connection)
    except apsw.Error:
        connection.close()  # a damaged file is renamed next, and Windows renames none that is open
        raise
    return connection


def connect_read_only(path: Path) -> tuple[apsw.Connection, bool]:
    """Open a file that cannot be written for queries alone; raises `apsw.Error`.

    Returns with it whether its log is read, too. Where that cannot be, because the log's index cannot be made, the
    file as of the last checkpoint must do.
    """
    flags = apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_URI
    error: apsw.Error | None = None
    for mode in READ_ONLY_MODES:
        connection = apsw.Connection(f"{path.absolute().as_uri()}?{mode}", flags=flags)
        try:
            connection.set_busy_timeout(_FIRST_TIMEOUT_MS)
            _common(connection)
            connection.execute("SELECT count(*) FROM meta").fetchall()
        except apsw.Error as failed:
            connection.close()
            error = failed
        else:
            return connection, mode == READ_ONLY_MODES[0]
    raise error or apsw.CantOpenError(str(path))


def connect_memory() -> apsw.Connection:
    """Open an empty database that is gone when it is closed."""
    connection = apsw.Connection(":memory:", flags=_MEMORY_FLAGS)
    _common(connection)
    return connection


def _common(connection: apsw.Connection) -> None:
    # A plan never depends on values: else some statements are prepared anew each time that they are given some,
    # which takes some five times as long as to run them.
    connection.config(apsw.SQLITE_DBCONFIG_ENABLE_QPSG, 1)
    connection.pragma("foreign_keys", True)
    # What a connection keeps for itself alone needs no directory that can be written.
    connection.pragma("temp_store", "memory")
    # The file might not be ours: no function it names may run on its behalf.
    connection.pragma("trusted_schema", False)
