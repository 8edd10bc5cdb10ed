"""Crash reports: one private file that is fit for a bug report."""

import os
import platform
import sys
import tempfile
import time
import traceback
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path

import jobdeck
from jobdeck.app.data_store import data_dir
from jobdeck.app.private_file import PrivateFileError, write_private
from jobdeck.config import ConfigError
from jobdeck.domain.text import clean
from jobdeck.http.credentials import secrets_seen
from jobdeck.http.redactor import Redactor

TRACE_LIMIT = 256 * 1024
"""Characters of a traceback that are kept."""

_LIBRARIES = ("textual", "httpx", "pydantic", "apsw")
_HEAD = "Error messages can quote server responses: review this file before you share it."


def write_crash(error: BaseException, env: Mapping[str, str], command: str) -> Path:
    """Write a report on `error` and return its path: in the data directory, or in the one for temporary files.

    It contains versions, platform, `command` (a name without arguments) and the traceback, but no values of variables
    and no credentials used in this run. Mode 0600. Raises `PrivateFileError` if it cannot be written.
    """
    now = datetime.now(UTC)
    name = f"crash-{now.strftime('%Y%m%dT%H%M%SZ')}-{os.getpid()}-{time.monotonic_ns() % 10_000:04}.txt"
    text = _report(error, now, command)
    try:
        folder = data_dir(env)
        with suppress(OSError):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_private(folder / name, text)
    except (PrivateFileError, ConfigError):
        folder = Path(tempfile.gettempdir())
        write_private(folder / name, text)
    return folder / name


def _report(error: BaseException, now: datetime, command: str) -> str:
    lines = [
        f"jobdeck {jobdeck.__version__} crashed at {now.isoformat(timespec='seconds')}",
        f"command: {command}",
        f"Python {platform.python_version()} ({sys.implementation.name}), {platform.platform()}",
        ", ".join(f"{name} {_version(name)}" for name in _LIBRARIES),
        _HEAD,
        "",
    ]
    summary = traceback.TracebackException(type(error), error, error.__traceback__, capture_locals=False)
    lines.append("".join(summary.format()))
    # Redacted before it is cleaned: an escape within a secret would hide it from the redactor.
    return clean(Redactor(secrets_seen()).text("\n".join(lines)), lines=True, limit=TRACE_LIMIT)


def _version(library: str) -> str:
    try:
        return metadata.version(library)
    except metadata.PackageNotFoundError:
        return "unknown"
