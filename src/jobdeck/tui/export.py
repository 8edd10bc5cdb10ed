"""Saving texts and response bodies to files that only their owner can read."""

import asyncio
import os
import re
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

from jobdeck.app.private_file import PrivateFileError, PrivateStream, write_private
from jobdeck.app.session import EngineControls
from jobdeck.domain import humanize
from jobdeck.domain.instant import Clock
from jobdeck.domain.job import Job
from jobdeck.domain.text import one_line
from jobdeck.files import expand_home

_OUTSIDE = re.compile(r"[^A-Za-z0-9_-]+")
LONGEST_NAME = 60


class Save(Protocol):
    """The signature of `save`."""

    async def __call__(self, text: str, subject: str, us: int, *, suffix: str = ".md") -> Path:
        """Return the file's path; raises `PrivateFileError` if it cannot be written."""
        ...


class BodySaver:
    """Saves a job's newest response body, polling again and streaming to the file if it is not in memory.

    `notify` gets a message, and whether it is an error.
    """

    def __init__(self, clock: Clock, save: Save, notify: Callable[[str, bool], None]) -> None:
        self._clock = clock
        self._save = save
        self._notify = notify

    async def save(self, job: Job | None, body: bytes | None, controls: EngineControls | None) -> None:
        """Save the full body."""
        if job is not None and controls is not None and _is_incomplete(job, body):
            await self._download(job, controls)
        elif job is None or body is None:
            self._notify("no response body to save yet" + ("" if controls is None else " (r to refresh)"), False)
        else:
            try:
                text = body.decode("utf-8", "replace")
                path = await self._save(text, f"body-{job.key.id}", self._clock.now().us, suffix=".json")
            except PrivateFileError as error:
                self._notify(f"not saved: {error}", True)
            else:
                self._notify(f"saved as {one_line(str(path))}", False)

    async def _download(self, job: Job, controls: EngineControls) -> None:
        try:
            file = open_stream(f"body-{job.key.id}", self._clock.now().us)
        except PrivateFileError as error:
            self._notify(f"not saved: {error}", True)
            return
        missing = humanize.describe_missing_result(job.dropped_result, job.evicted_result)
        self._notify(f"saving the response of {job.key.id} ({missing})", False)
        try:
            problem = await controls.download(job.key, file.write)
        except BaseException:
            file.discard()
            raise
        if problem is not None:
            file.discard()
            self._notify(f"not saved: {problem.kind.label}: {problem.message}", True)
            return
        try:
            await asyncio.to_thread(file.finish)
        except PrivateFileError as error:
            self._notify(f"not saved: {error}", True)
        else:
            self._notify(f"saved as {one_line(str(file.path))} ({humanize.format_size(file.size)})", False)


def _is_incomplete(job: Job, body: bytes | None) -> bool:
    """Whether the body in memory, if any, lacks the newest result."""
    return job.dropped_result is not None or (job.evicted_result is not None and body is None)


async def save(text: str, subject: str, us: int, folder: Path | None = None, *, suffix: str = ".md") -> Path:
    """Write a text to a new file in the working directory, or else in the home directory, and return its path.

    The name consists of `subject` and the time `us`. Raises `PrivateFileError` if neither is writable.
    """
    return await asyncio.to_thread(_save, text, file_name(subject, us, suffix), folder)


def save_folder() -> Path:
    """Return the folder that `save` would write to now."""
    with suppress(FileNotFoundError):  # the working directory may have been deleted
        folder = Path.cwd()
        if os.access(folder, os.W_OK):
            return folder
    return expand_home("~")


def open_stream(subject: str, us: int, folder: Path | None = None, *, suffix: str = ".json") -> PrivateStream:
    """Open a file, named as by `save`, for writing in pieces. Raises `PrivateFileError`."""
    name = file_name(subject, us, suffix)
    home = expand_home("~")
    try:
        return PrivateStream(_free((folder or Path.cwd()) / name))
    except (PrivateFileError, FileNotFoundError):
        return PrivateStream(_free(home / name))


def file_name(subject: str, us: int, suffix: str = ".md") -> str:
    """Return a file name for a subject: letters, digits, dashes and the time."""
    moment = datetime.fromtimestamp(us / 1e6, UTC)
    plain = _OUTSIDE.sub("-", subject)[:LONGEST_NAME].strip("-") or "text"
    return f"jobdeck-{plain}-{moment:%Y%m%dT%H%M%SZ}{suffix}"


def _save(text: str, name: str, folder: Path | None) -> Path:
    home = expand_home("~")
    try:
        return _write((folder or Path.cwd()) / name, text)
    except (PrivateFileError, FileNotFoundError):  # the working directory may have been deleted
        return _write(home / name, text)


def _write(path: Path, text: str) -> Path:
    free = _free(path)
    write_private(free, text)
    return free


def _free(path: Path) -> Path:
    """Return a path where no file exists yet."""
    number = 2
    free = path
    while free.exists():
        free = path.with_stem(f"{path.stem}-{number}")
        number += 1
    return free
