"""Connections with the settings that the store needs, and what their errors mean."""

import errno
import os
from pathlib import Path

import apsw

from jobdeck.store.errors import (
    StoreCorruptError,
    StoreError,
    StoreFullError,
    StoreIOError,
    StoreLockedError,
    StoreReadOnlyError,
    StoreUnlockableError,
)
from jobdeck.store.sqlite.files import is_full, lock_refusal

_LOCKING = frozenset(
    {
        apsw.SQLITE_IOERR_LOCK,
        apsw.SQLITE_IOERR_RDLOCK,
        apsw.SQLITE_IOERR_UNLOCK,
        apsw.SQLITE_IOERR_CHECKRESERVEDLOCK,
        apsw.SQLITE_IOERR_SHMLOCK,
        apsw.SQLITE_IOERR_SHMMAP,
        apsw.SQLITE_IOERR_SHMOPEN,
    }
)
"""The system refused to lock a file, or to share memory about its locks."""

BUSY = (apsw.BusyError, apsw.LockedError)
DAMAGED = (apsw.CorruptError, apsw.NotADBError)
LOST = (
    *(apsw.FullError, apsw.IOError, apsw.ReadOnlyError, apsw.CantOpenError, apsw.PermissionsError),
    *(apsw.SQLError, *DAMAGED, *BUSY),
)
"""After these errors the store goes on in memory; an SQLError comes from a damaged schema."""


def unlockable(what: str, reason: str) -> StoreUnlockableError:
    """Return the error of a file that cannot be locked."""
    return StoreUnlockableError(
        f"{what} cannot be locked: {reason}. Is it on a network file system? Set JOBDECK_DATA_DIR to a local directory"
    )


def cause(error: Exception, path: Path) -> StoreError:
    """Return why the file at `path` cannot be used, in the words of the system where SQLite has none.

    SQLite says "busy" where there are no locks at all, and "disk I/O error" where a full disk has no room for the
    index of the log.
    """
    if isinstance(error, BUSY) and (reason := lock_refusal(path)):
        return unlockable(str(path), reason)
    if isinstance(error, apsw.IOError) and is_full(path.parent):
        return StoreFullError(f"{path} cannot grow: {os.strerror(errno.ENOSPC)}")
    return translate_error(error, str(path))


def translate_error(error: Exception, what: str) -> StoreError:
    """Return `error` as a `StoreError` whose message begins with `what` (the file, or "the in-memory database")."""
    match error:
        case StoreError():
            return error
        case ValueError() | TypeError() | LookupError() | AttributeError() | ArithmeticError() | RecursionError():
            return StoreCorruptError(f"{what} has an unreadable row: {_words(error)}")
        case apsw.CorruptError() | apsw.NotADBError():
            return StoreCorruptError(f"{what} is damaged: {_words(error)}")
        case apsw.IOError() if getattr(error, "extendedresult", 0) in _LOCKING:
            return unlockable(what, _words(error))
        case apsw.FullError() | OSError(errno=errno.ENOSPC | errno.EDQUOT):
            return StoreFullError(f"{what} cannot grow: {_words(error)}")
        case apsw.ReadOnlyError() | apsw.CantOpenError() | apsw.PermissionsError() | PermissionError():
            return StoreReadOnlyError(f"{what} cannot be written: {_words(error)}")
        case apsw.BusyError() | apsw.LockedError():
            return StoreLockedError(f"{what} is locked by another process")
        case _:
            return StoreIOError(f"{what}: {_words(error)}")


def _words(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return " ".join(str(error).split()) or type(error).__name__


BUSY_TIMEOUT_MS = 5_000
_FIRST_TIMEOUT_MS = 250
"""Milliseconds to wait for a lock before the store finds out whether the file can be locked at all."""

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
    """Open a second connection, whose queries need not wait for a transaction of the writer."""
    connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READWRITE)
    try:
        connection.set_busy_timeout(BUSY_TIMEOUT_MS)
        _common(connection)
    except apsw.Error:
        connection.close()  # a damaged file is renamed next, and Windows renames none that is open
        raise
    return connection


def connect_read_only(path: Path) -> tuple[apsw.Connection, bool]:
    """Open a file that cannot be written, only for queries; raises `apsw.Error`.

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
    """Open an empty database in memory, which is gone once closed."""
    connection = apsw.Connection(":memory:", flags=_MEMORY_FLAGS)
    _common(connection)
    return connection


def _common(connection: apsw.Connection) -> None:
    # A plan never depends on values: else some statements are prepared anew each time that they are given some,
    # which takes some five times as long as to run them.
    connection.config(apsw.SQLITE_DBCONFIG_ENABLE_QPSG, 1)
    connection.pragma("foreign_keys", True)
    # Temporary tables stay in memory, so that no directory need be writable.
    connection.pragma("temp_store", "memory")
    # The file might not be ours: no function it names may run on its behalf.
    connection.pragma("trusted_schema", False)
