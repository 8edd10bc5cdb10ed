"""Texts as files that only their owner can read."""

import asyncio
import os
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

from jobdeck.wiring.private_file import PrivateFileError, PrivateStream, write_private

_OUTSIDE = re.compile(r"[^A-Za-z0-9_-]+")
LONGEST_NAME = 60


class Save(Protocol):
    """Keeps a text as a file, as `save` does."""

    async def __call__(self, text: str, subject: str, us: int, *, suffix: str = ".md") -> Path:
        """Return the file's path; raises `PrivateFileError` when there can be none."""
        ...


async def save(text: str, subject: str, us: int, folder: Path | None = None, *, suffix: str = ".md") -> Path:
    """Write a text to a new file in the working directory, else in the home directory, and return its path.

    The name is made of `subject` and the moment `us`. Raises `PrivateFileError` when neither can be written to.
    """
    return await asyncio.to_thread(_save, text, file_name(subject, us, suffix), folder)


def open_stream(subject: str, us: int, folder: Path | None = None, *, suffix: str = ".json") -> PrivateStream:
    """Begin a file as `save` names it, to be written piece by piece. Raises `PrivateFileError`."""
    name = file_name(subject, us, suffix)
    home = Path(os.path.expanduser("~"))  # noqa: PTH111 - as below
    try:
        return PrivateStream(_free((folder or Path.cwd()) / name))
    except (PrivateFileError, FileNotFoundError):
        return PrivateStream(_free(home / name))


def file_name(subject: str, us: int, suffix: str = ".md") -> str:
    """Return a file's name for a subject: letters, digits, dashes, and the moment."""
    moment = datetime.fromtimestamp(us / 1e6, UTC)
    plain = _OUTSIDE.sub("-", subject)[:LONGEST_NAME].strip("-") or "text"
    return f"jobdeck-{plain}-{moment:%Y%m%dT%H%M%SZ}{suffix}"


def _save(text: str, name: str, folder: Path | None) -> Path:
    home = Path(os.path.expanduser("~"))  # noqa: PTH111 - pathlib's raises for a user of whom no home is known
    try:
        return _write((folder or Path.cwd()) / name, text)
    except (PrivateFileError, FileNotFoundError):  # the working directory may have been deleted
        return _write(home / name, text)


def _write(path: Path, text: str) -> Path:
    free = _free(path)
    write_private(free, text)
    return free


def _free(path: Path) -> Path:
    """Return a path of which there is no file yet."""
    number = 2
    free = path
    while free.exists():
        free = path.with_stem(f"{path.stem}-{number}")
        number += 1
    return free
