"""The directory and the files of a database: private, never deleted, and opened by one process at a time."""

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

from jobdeck.files import kind_of
from jobdeck.store.errors import StoreIOError, StoreLockedError

if sys.platform != "win32":
    import fcntl

_OTHERS = 0o077
_COMPANIONS = ("", "-wal", "-shm")
_LOCK_SECONDS = 5.0
_RETRY_SECONDS = 0.02


def stamp(now_us: int) -> str:
    """Return a moment in the format of our file names: ``20261121T143000Z``."""
    return datetime.fromtimestamp(now_us / 1e6, UTC).strftime("%Y%m%dT%H%M%SZ")


def prepare(path: Path) -> bool:
    """Make the directory (0700) and the file (0600), and take others' rights off files that are ours.

    Returns whether rights were taken off. An existing directory is the user's and stays as it is. SQLite gives
    ``-wal`` and ``-shm`` the rights of the file.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    require_files(path)
    if not path.exists() and companions(path):
        # The log of a deleted database must not be applied to a new one.
        quarantine(path, time.time_ns() // 1_000)
    create_private(path)
    if sys.platform == "win32":
        return False  # the directory's access list is inherited; mode bits say nothing there
    tightened = False
    for file in companions(path):
        mode = file.stat().st_mode
        if mode & _OTHERS:
            file.chmod(0o600)
            tightened = True
    return tightened


def create_private(path: Path) -> None:
    """Create an empty file that only its owner can read; an existing one stays."""
    with suppress(FileExistsError):
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))


def require_files(path: Path) -> None:
    """Raise `StoreIOError` when a database, or a file beside it, is a pipe or a device.

    SQLite would wait for a pipe, and write to a device; its rights would be changed, and a journal put beside it.
    """
    for suffix in (*_COMPANIONS, "-journal"):
        file = path.with_name(path.name + suffix)
        with suppress(FileNotFoundError):
            if kind := kind_of(file.stat().st_mode):
                raise StoreIOError(f"{file} is {kind}, not a file")


def companions(path: Path) -> list[Path]:
    """Return the files of a database that exist: itself, its write-ahead log and that log's index."""
    return [file for suffix in _COMPANIONS if (file := path.with_name(path.name + suffix)).exists()]


def quarantine(path: Path, now_us: int) -> Path:
    """Rename a corrupt database and its log, with the time in the name, and return the new path."""
    aside = free_name(path.with_name(f"{path.name}.corrupt-{stamp(now_us)}"))
    for file in companions(path):
        file.rename(aside.with_name(aside.name + file.name.removeprefix(path.name)))
    return aside


def damage_marker(path: Path) -> Path:
    """Return the path of the marker that exists after damage was met: check the database before use."""
    return path.with_name(f"{path.name}.damaged")


def free_name(path: Path) -> Path:
    """Return `path`, or with ``-2``, ``-3``… the first such name that is free."""
    number, free = 1, path
    while free.exists():
        number += 1
        free = path.with_name(f"{path.name}-{number}")
    return free


def is_full(directory: Path) -> bool:
    """Whether the file system of a directory is full; False where the system does not tell."""
    try:
        return os.statvfs(directory).f_bavail == 0
    except (OSError, AttributeError):
        return False


@contextmanager
def exclusive_lock(directory: Path) -> Iterator[None]:
    """Be the only process that opens, migrates or sets aside a database in `directory`.

    Raises `StoreLockedError` after 5 s, and `OSError` for a directory that cannot be used. The lock ends with the
    process and leaves no file behind. Where directories cannot be locked (some network file systems), nothing is.
    """
    deadline = time.monotonic() + _LOCK_SECONDS
    while (descriptor := _take(directory)) is None:
        if time.monotonic() >= deadline:
            raise StoreLockedError(f"another jobdeck is still opening the database in {directory}")
        time.sleep(_RETRY_SECONDS)
    try:
        yield
    finally:
        os.close(descriptor)


if sys.platform == "win32":

    def lock_refusal(path: Path) -> str:
        """Return why no file beside `path` can be locked: nobody knows here."""
        return ""

    def _take(directory: Path) -> int | None:
        # The system deletes the file when it is closed, which it is when its process ends, however that ends.
        flags = os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_TEMPORARY | os.O_NOINHERIT
        try:
            return _make(directory / ".opening", flags)
        except FileExistsError:
            return None

    def _make(path: Path, flags: int) -> int:
        try:
            return os.open(path, flags, 0o600)
        except PermissionError:
            time.sleep(_RETRY_SECONDS)  # one that is just being deleted can be neither opened nor made
            return os.open(path, flags, 0o600)
else:

    def lock_refusal(path: Path) -> str:
        """Return why no file beside `path` can be locked; empty when one can, or nobody knows.

        SQLite says "busy" for that as well as for a lock that somebody holds. The file itself must not be opened
        here: closing it would end SQLite's locks.
        """
        import tempfile  # noqa: PLC0415 - only where something is wrong

        with suppress(OSError), tempfile.TemporaryFile(dir=path.parent) as scratch:
            try:
                fcntl.lockf(scratch, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                return error.strerror or type(error).__name__
        return ""

    def _take(directory: Path) -> int | None:
        descriptor = os.open(directory, os.O_RDONLY)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return None
        except OSError:
            pass
        return descriptor
