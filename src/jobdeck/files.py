"""Files that a person names: their paths, their encodings; read bounded in size, and in time if not regular files."""

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
    (codecs.BOM_UTF32_LE, "utf-32"),  # which begins like the next but one
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_INHERITED = ("/dev/fd/", "/dev/stdin", "/proc/self/fd/")


def expand_home(path: str) -> Path:
    """Return a path with its ``~`` or ``~NAME`` filled in; as it is where no home is known, or none of that name.

    A shell leaves both alone in ``--option=~/file``, in variables and in configurations.
    """
    return Path(os.path.expanduser(path))  # noqa: PTH111 - pathlib's raises RuntimeError there


def as_utf8(data: bytes) -> bytes:
    """Return a text in UTF-8 and without a byte order mark, whichever of the Unicode encodings an editor chose.

    PowerShell writes UTF-16 with such a mark, other programs of Windows leave it out. Anything else stays as it is.
    """
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            return data.decode(encoding, "replace").encode()
    if len(data) > 1 and (data[0] == 0) != (data[1] == 0):
        return data.decode("utf-16-le" if data[1] == 0 else "utf-16-be", "replace").encode()
    return data.removeprefix(codecs.BOM_UTF8)


class NotAFileError(OSError):
    """What has the name is not a regular file, or a larger one than is read; `strerror` says so in words."""

    def __init__(self, reason: str) -> None:
        super().__init__(0, reason)


def open_regular(path: Path) -> BinaryIO:
    """Open a regular file for reading; raises OSError, and `NotAFileError` for anything else, without waiting.

    It is looked at before it is opened: opening a pipe would already let its writer go on.
    """
    try:
        _require_regular(path.stat())
    except ValueError:  # a NUL in its name
        raise NotAFileError("not a valid file name") from None
    # Should it have become a pipe since, O_NONBLOCK opens it without waiting, and it is refused then.
    flags = os.O_RDONLY | _flag("O_NONBLOCK") | _flag("O_NOCTTY") | _flag("O_CLOEXEC") | _flag("O_BINARY")
    descriptor = os.open(path, flags)
    try:
        _require_regular(os.fstat(descriptor))
        return os.fdopen(descriptor, "rb")
    except BaseException:
        os.close(descriptor)
        raise


def read_regular(path: Path, limit: int) -> bytes:
    """Return what a regular file of at most `limit` bytes holds; raises OSError as `open_regular` does."""
    with open_regular(path) as file:
        too_large = os.fstat(file.fileno()).st_size > limit
        data = b"" if too_large else file.read(limit + 1)
        if too_large or len(data) > limit:
            raise NotAFileError(f"it is larger than {_size(limit)}")
        return data


def is_inherited_pipe(path: Path) -> bool:
    """Whether a path is a pipe that this process was started with, as a shell's ``<(…)`` is."""
    try:
        return str(path).startswith(_INHERITED) and stat.S_ISFIFO(path.stat().st_mode)
    except (OSError, ValueError):
        return False


def read_pipe(path: Path, limit: int, seconds: float = 30.0) -> bytes:
    """Return what comes out of a pipe until it ends; raises `NotAFileError` after `limit` bytes, or `seconds`.

    Whoever writes may have to ask a person first.
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
    """Return what a file is by its mode, such as "a pipe"; empty for a regular one."""
    return next((words for is_one, words in _KINDS if is_one(mode)), "")


def _require_regular(state: os.stat_result) -> None:
    if kind := kind_of(state.st_mode):
        raise NotAFileError(f"it is {kind}, not a file")


def _flag(name: str) -> int:
    return int(getattr(os, name, 0))


def _size(size: int) -> str:
    return f"{size // 1024 // 1024} MiB" if size >= 1024 * 1024 else f"{size // 1024} KiB"
