"""SQLite's error codes, as the store's own errors."""

import errno

import apsw

from jobdeck.store.errors import (
    StoreCorruptError,
    StoreError,
    StoreFullError,
    StoreIOError,
    StoreLockedError,
    StoreReadOnlyError,
)

BUSY = (apsw.BusyError, apsw.LockedError)
DAMAGED = (apsw.CorruptError, apsw.NotADBError)
LOST = (apsw.FullError, apsw.IOError, apsw.ReadOnlyError, apsw.CantOpenError, apsw.PermissionsError, *DAMAGED, *BUSY)
"""After these the file cannot be worked with, and the store goes on in memory."""


def typed(error: Exception, what: str) -> StoreError:
    """Return `error` as a `StoreError` whose message begins with `what` (the file, or "the store in memory")."""
    match error:
        case StoreError():
            return error
        case apsw.CorruptError() | apsw.NotADBError():
            return StoreCorruptError(f"{what} is damaged: {_words(error)}")
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
