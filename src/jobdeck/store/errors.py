"""Why a call of the store fails: a closed set of errors, each with a message for a person."""

from pathlib import Path


class StoreError(Exception):
    """Base of all errors that a store raises on purpose; the message is one line and never empty."""


class NewerSchemaError(StoreError):
    """A newer jobdeck wrote the database; this one neither changes nor reads it."""

    def __init__(self, path: Path | str, found: int, known: int) -> None:
        self.found = found
        self.known = known
        super().__init__(
            f"{path} has schema version {found}, but this jobdeck supports versions up to {known}: upgrade jobdeck"
        )


class StoreCorruptError(StoreError):
    """The file is not a database, or is damaged."""


class StoreFullError(StoreError):
    """The disk is full, or the file reached a limit on its size."""


class StoreReadOnlyError(StoreError):
    """The file or its directory cannot be written."""


class StoreLockedError(StoreError):
    """Another process held the lock for longer than the busy timeout, twice."""


class StoreUnlockableError(StoreError):
    """The file system has no locks, without which two processes would damage the file."""


class StoreIOError(StoreError):
    """The system refused to read or write the file."""


class StoreOutdatedError(StoreError):
    """The schema of the database is older than this jobdeck needs; only a command migrates it."""


class StoreUnavailableError(StoreError):
    """The database server cannot be reached now; the store goes on trying."""


class StoreClosedError(StoreError):
    """A call came after the store was closed."""


class CursorLostError(StoreError):
    """A cursor is of another database, or its next changes were purged: read all jobs again, then from `head`."""


class UnknownJobError(StoreError):
    """The store was told something about a job it has never been asked to watch."""
