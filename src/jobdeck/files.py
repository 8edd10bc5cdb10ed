"""Reading files that a person names: bounded, and never from a pipe or a device, which may have no end."""

import os
import stat
from pathlib import Path
from typing import BinaryIO

_KINDS = (
    (stat.S_ISDIR, "a directory"),
    (stat.S_ISFIFO, "a pipe"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
    (stat.S_ISSOCK, "a socket"),
)


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
        raise NotAFileError("no file can have such a name") from None
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
