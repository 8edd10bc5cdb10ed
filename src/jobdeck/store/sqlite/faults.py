"""SQLite's error codes, as the store's own errors."""

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
"""Where the system refused to lock a file, or to share memory about its locks."""

BUSY = (apsw.BusyError, apsw.LockedError)
DAMAGED = (apsw.CorruptError, apsw.NotADBError)
LOST = (
    *(apsw.FullError, apsw.IOError, apsw.ReadOnlyError, apsw.CantOpenError, apsw.PermissionsError),
    *(apsw.SQLError, *DAMAGED, *BUSY),
)
"""After these the file cannot be worked with, and the store goes on in memory; an SQLError is of a damaged schema."""


def unlockable(what: str, reason: str) -> StoreUnlockableError:
    """Return the error of a file that cannot be locked."""
    return StoreUnlockableError(
        f"{what} cannot be locked: {reason}. Is it on a network file system? Set JOBDECK_DATA_DIR to a local directory"
    )


def cause(error: Exception, path: Path) -> StoreError:
    """Return why the file at `path` cannot be used, as the system tells it where SQLite does not.

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
