"""A fault of our own, as its user meets it: one line, and a file for whoever mends it."""

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager

from jobdeck.cli.exit_codes import ExitCode
from jobdeck.cli.log import log

MOST = 3
"""Faults of one run that are kept: after that they are the same ones again."""


def report_crash(error: BaseException, command: str) -> ExitCode:
    """Say in one line on standard error that a command came to grief and where the details are."""
    log(f"{_told(error)}: this is a fault of jobdeck itself. {_kept(error, command)}")
    return ExitCode.INTERNAL


class CrashLogHandler(logging.Handler):
    """Writes faults that were survived to files of their own: a traceback on a terminal may show what it must not."""

    def __init__(self, command: str) -> None:
        super().__init__(logging.WARNING)
        self._command = command
        self._kept = 0

    def emit(self, record: logging.LogRecord) -> None:
        """Keep the traceback of a record that has one, unless it is of a fault that we foresaw."""
        error = record.exc_info[1] if record.exc_info else None
        if error is None or self._kept >= MOST or type(error).__module__.startswith("jobdeck."):
            return
        self._kept += 1
        log(f"{_told(error)} was survived. {_kept(error, self._command)}")


@contextmanager
def log_crashes(command: str) -> Iterator[None]:
    """Have what is logged meanwhile kept in private files instead of shown on standard error."""
    keeper = CrashLogHandler(command)
    loggers = [logging.getLogger(name) for name in ("jobdeck", "asyncio")]
    for logger in loggers:
        logger.addHandler(keeper)
    try:
        yield
    finally:
        for logger in loggers:
            logger.removeHandler(keeper)


def _told(error: BaseException) -> str:
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return f"an unexpected {type(error).__name__}"


def _kept(error: BaseException, command: str) -> str:
    from jobdeck.app.crash_report import write_crash  # noqa: PLC0415 - the same
    from jobdeck.app.private_file import PrivateFileError  # noqa: PLC0415 - the same
    from jobdeck.domain.text import one_line  # noqa: PLC0415 - for a crash only

    try:
        path = write_crash(error, os.environ, command)
    except PrivateFileError as fault:
        return f"The details are lost: {fault}"
    return f"For a report: {one_line(str(path), 400)}"
