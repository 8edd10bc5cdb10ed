"""Files that only their owner can read, whole or not at all."""

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

    `of_machine` when that is no matter of the path: the disk is full, or too many files are open.
    """

    def __init__(self, message: str, *, of_machine: bool = False) -> None:
        super().__init__(message)
        self.of_machine = of_machine


def write_private(path: Path, text: str) -> None:
    """Write a file with mode 0600 through a temporary one beside it, so that a reader never sees half of it.

    A link stays a link: what it leads to is written. Raises `PrivateFileError` when it cannot be written; the file
    that was there before then stays.
    """
    temporary = ""
    try:
        # Renaming onto the link would replace the link.
        path = path.resolve() if path.is_symlink() else path
        descriptor, temporary = tempfile.mkstemp(prefix=f".{path.name[:40]}.", dir=path.parent)
        with os.fdopen(descriptor, "w", encoding="utf-8", newline="") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).replace(path)
    except (OSError, RuntimeError) as error:  # pathlib's RuntimeError: links that lead in a circle
        if temporary:
            with suppress(OSError):
                Path(temporary).unlink()
        raise _unwritten(path, error) from None


class PrivateStream:
    """A file with mode 0600 that is written piece by piece, and is there under its name once `finish` is called.

    `write` raises nothing: what went wrong is raised by `finish`, as `PrivateFileError`.
    """

    def __init__(self, path: Path) -> None:
        """Begin with a temporary file beside it; raises `PrivateFileError`."""
        self.path = path
        self.size = 0
        self._error: OSError | None = None
        try:
            descriptor, self._temporary = tempfile.mkstemp(prefix=f".{path.name[:40]}.", dir=path.parent)
        except OSError as error:
            raise _unwritten(path, error) from None
        self._file = os.fdopen(descriptor, "wb")

    def write(self, piece: bytes) -> None:
        """Go on with a piece."""
        if self._error is not None:
            return
        try:
            self._file.write(piece)
            self.size += len(piece)
        except OSError as error:
            self._error = error

    def finish(self) -> None:
        """End the file and give it its name; raises `PrivateFileError`, and then there is none."""
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
        """Leave no file behind."""
        with suppress(OSError):
            self._file.close()
        with suppress(OSError):
            Path(self._temporary).unlink()


def write_output(path: Path, text: str) -> None:
    """Write to what a person named: a file as `write_private` does, a pipe, a device or standard output as it is.

    Replacing those would put a file where /dev/null was. Raises `PrivateFileError`.
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
    """Open a path that is no regular file, or is where standard output goes; None for any other."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    with suppress(OSError):
        # Reopened, a file would be written from its beginning.
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
