"""Files that only their owner can read, written completely or not at all."""

import errno
import os
import stat
import tempfile
from contextlib import suppress
from pathlib import Path

from jobdeck.domain.text import one_line

_OF_MACHINE = frozenset(
    {
        errno.ENOSPC,
        errno.EIO,
        errno.EFBIG,
        errno.EMFILE,
        errno.ENFILE,
        errno.ENOMEM,
        getattr(errno, "EDQUOT", errno.EIO),
    }
)


class PrivateFileError(Exception):
    """The file could not be written; the message names it and says why, in one line.

    `of_machine`: the cause is the machine (disk full, too many open files), not this path.
    """

    def __init__(self, message: str, *, of_machine: bool = False) -> None:
        super().__init__(message)
        self.of_machine = of_machine


def write_private(path: Path, text: str) -> None:
    """Write a file with mode 0600, atomically through a temporary one beside it.

    A link is followed, not replaced. Raises `PrivateFileError` if it cannot be written; an existing file is then
    unchanged.
    """
    temporary = ""
    try:
        # Renaming onto the link would replace it.
        path = path.resolve() if path.is_symlink() else path
        descriptor, temporary = tempfile.mkstemp(prefix=f".{path.name[:40]}.", dir=path.parent)
        with os.fdopen(descriptor, "w", encoding="utf-8", newline="") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).replace(path)
    except (OSError, RuntimeError) as error:  # pathlib raises RuntimeError for circular links
        if temporary:
            with suppress(OSError):
                Path(temporary).unlink()
        raise _unwritten(path, error) from None


class PrivateStream:
    """A file with mode 0600 that is written in pieces, and gets its name when `finish` is called.

    `write` never raises: errors are raised by `finish`, as `PrivateFileError`.
    """

    def __init__(self, path: Path) -> None:
        """Open a temporary file beside it; raises `PrivateFileError`."""
        self.path = path
        self.size = 0
        self._error: OSError | None = None
        try:
            descriptor, self._temporary = tempfile.mkstemp(prefix=f".{path.name[:40]}.", dir=path.parent)
        except OSError as error:
            raise _unwritten(path, error) from None
        self._file = os.fdopen(descriptor, "wb")

    def write(self, piece: bytes) -> None:
        """Write a piece."""
        if self._error is not None:
            return
        try:
            self._file.write(piece)
            self.size += len(piece)
        except OSError as error:
            self._error = error

    def finish(self) -> None:
        """Close the file and give it its name; raises `PrivateFileError`, and leaves no file behind."""
        try:
            if self._error is not None:
                raise self._error
            self._file.flush()
            os.fsync(self._file.fileno())
            self._file.close()
            Path(self._temporary).replace(self.path)
        except OSError as error:
            self.discard()
            raise _unwritten(self.path, error) from None

    def discard(self) -> None:
        """Delete the file."""
        with suppress(OSError):
            self._file.close()
        with suppress(OSError):
            Path(self._temporary).unlink()


def write_output(path: Path, text: str) -> None:
    """Write to the user's path: a regular file as by `write_private`, a pipe, a device or stdout directly.

    Replacing those would put a file in place of /dev/null. Raises `PrivateFileError`.
    """
    try:
        descriptor = _open_stream(path)
        if descriptor is None:
            return write_private(path, text)
        with os.fdopen(descriptor, "w", encoding="utf-8", newline="") as file:
            file.write(text)
    except OSError as error:
        raise _unwritten(path, error) from None


def _open_stream(path: Path) -> int | None:
    """Open a path that is not a regular file, or is the same as stdout; None for any other."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    with suppress(OSError):
        # Reopening a file would write from its beginning.
        if os.path.samestat(found, os.fstat(1)):
            return os.dup(1)
    if stat.S_ISREG(found.st_mode) or stat.S_ISDIR(found.st_mode):
        return None
    return os.open(path, os.O_WRONLY | getattr(os, "O_NOCTTY", 0) | getattr(os, "O_CLOEXEC", 0))


def _unwritten(path: Path, error: Exception) -> PrivateFileError:
    why = error.strerror if isinstance(error, OSError) else None
    of_machine = isinstance(error, OSError) and error.errno in _OF_MACHINE
    return PrivateFileError(
        f"cannot write {one_line(str(path), 200)}: {why or type(error).__name__}", of_machine=of_machine
    )
