"""Why the store cannot do what it was asked: a closed set, each with a message for a person."""

from pathlib import Path


class StoreError(Exception):
    """Base of everything the store raises on purpose; the message is one line and never empty."""


class NewerSchemaError(StoreError):
    """The database was written by a newer jobdeck; it is neither changed nor read."""

    def __init__(self, path: Path | str, found: int, known: int) -> None:
        self.found = found
        self.known = known
        super().__init__(
            f"{path} has schema version {found}, but this jobdeck supports versions up to {known}: upgrade jobdeck"
        )


class StoreCorruptError(StoreError):
    """The file is no database, or a damaged one."""


class StoreFullError(StoreError):
    """The disk is full, or a limit on the size of files was reached."""


class StoreReadOnlyError(StoreError):
    """The file or its directory cannot be written."""


class StoreLockedError(StoreError):
    """Another process held the lock for longer than the busy timeout, twice."""


class StoreUnlockableError(StoreError):
    """The file system gives no locks, without which two processes would damage the file."""


class StoreIOError(StoreError):
    """The system refused to read or write the file."""


class StoreOutdatedError(StoreError):
    """The database has an older schema than this jobdeck needs, and is migrated only when somebody says so."""


class StoreUnavailableError(StoreError):
    """The database server cannot be reached now; it is tried again."""


class StoreClosedError(StoreError):
    """The store was asked after it was closed."""


class CursorLostError(StoreError):
    """A change cursor is older than what is kept, or of another database: read everything anew from `head`."""


class UnknownJobError(StoreError):
    """The store was told something about a job it has never been asked to watch."""
