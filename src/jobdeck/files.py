"""Files named by the user: paths, encodings, reading with limits of size, and of time for pipes."""

import codecs
import os
import select
import stat
import time
from pathlib import Path
from typing import BinaryIO

_KINDS = (
    (stat.S_ISDIR, "a directory"),
    (stat.S_ISFIFO, "a pipe"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
    (stat.S_ISSOCK, "a socket"),
)
_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32"),  # starts like UTF-16, so that it comes first
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_INHERITED = ("/dev/fd/", "/dev/stdin", "/proc/self/fd/")


def expand_home(path: str) -> Path:
    """Return a path with ``~`` or ``~NAME`` expanded; unchanged if that home is unknown.

    A shell does not expand ``--option=~/file``, nor variables and configuration files.
    """
    return Path(os.path.expanduser(path))  # noqa: PTH111 - pathlib's raises RuntimeError there


def as_utf8(data: bytes) -> bytes:
    """Return a text in UTF-8 without a byte order mark, whatever Unicode encoding it had.

    PowerShell writes UTF-16 with a mark, other Windows programs omit it. Anything else is returned unchanged.
    """
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            return data.decode(encoding, "replace").encode()
    if len(data) > 1 and (data[0] == 0) != (data[1] == 0):
        return data.decode("utf-16-le" if data[1] == 0 else "utf-16-be", "replace").encode()
    return data.removeprefix(codecs.BOM_UTF8)


class NotAFileError(OSError):
    """The name does not belong to a regular file, or the file is too large; `strerror` says so in words."""

    def __init__(self, reason: str) -> None:
        super().__init__(0, reason)


def open_regular(path: Path) -> BinaryIO:
    """Open a regular file for reading, without blocking; raises OSError, or `NotAFileError` for anything else.

    It is checked before it is opened: opening a pipe would already unblock its writer.
    """
    try:
        _require_regular(path.stat())
    except ValueError:  # a NUL in the name
        raise NotAFileError("not a valid file name") from None
    # If it became a pipe since then, O_NONBLOCK opens it without blocking, and the next check rejects it.
    flags = os.O_RDONLY | _flag("O_NONBLOCK") | _flag("O_NOCTTY") | _flag("O_CLOEXEC") | _flag("O_BINARY")
    descriptor = os.open(path, flags)
    try:
        _require_regular(os.fstat(descriptor))
        return os.fdopen(descriptor, "rb")
    except BaseException:
        os.close(descriptor)
        raise


def read_regular(path: Path, limit: int) -> bytes:
    """Return the content of a regular file of at most `limit` bytes; raises OSError as `open_regular` does."""
    with open_regular(path) as file:
        too_large = os.fstat(file.fileno()).st_size > limit
        data = b"" if too_large else file.read(limit + 1)
        if too_large or len(data) > limit:
            raise NotAFileError(f"it is larger than {_size(limit)}")
        return data


def is_inherited_pipe(path: Path) -> bool:
    """Whether a path is a pipe that this process inherited, such as a shell's ``<(…)``."""
    try:
        return str(path).startswith(_INHERITED) and stat.S_ISFIFO(path.stat().st_mode)
    except (OSError, ValueError):
        return False


def read_pipe(path: Path, limit: int, seconds: float = 30.0) -> bytes:
    """Return the content of a pipe; raises `NotAFileError` after `limit` bytes, or after `seconds`.

    The writer may have to ask the user first.
    """
    deadline = time.monotonic() + seconds
    descriptor = os.open(path, os.O_RDONLY | _flag("O_NONBLOCK") | _flag("O_CLOEXEC"))
    try:
        data = b""
        while len(data) <= limit:
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([descriptor], [], [], left)[0]:
                raise NotAFileError(f"it is a pipe that did not finish within {seconds:g} s")
            chunk = os.read(descriptor, limit + 1 - len(data))
            if not chunk:
                return data
            data += chunk
        raise NotAFileError(f"it is larger than {_size(limit)}")
    finally:
        os.close(descriptor)


def kind_of(mode: int) -> str:
    """Return the kind of a file by its mode, such as "a pipe"; empty for a regular file."""
    return next((words for is_one, words in _KINDS if is_one(mode)), "")


def _require_regular(state: os.stat_result) -> None:
    if kind := kind_of(state.st_mode):
        raise NotAFileError(f"it is {kind}, not a file")


def _flag(name: str) -> int:
    return int(getattr(os, name, 0))


def _size(size: int) -> str:
    return f"{size // 1024 // 1024} MiB" if size >= 1024 * 1024 else f"{size // 1024} KiB"
