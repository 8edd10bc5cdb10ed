"""What the user sees of unexpected errors: one line, and a report file if it is a bug."""

import errno
import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from jobdeck.cli.exit_codes import ExitCode
from jobdeck.cli.log import log
from jobdeck.cli.streams import silence_stdout
from jobdeck.domain.text import mask_keys, one_line

MOST = 3
"""Reports per run: further errors are usually the same."""


NO_THREAD = "can't start new thread"
"""Python's message in a RuntimeError when memory or the number of processes is limited."""

_OUTCOME_COMMANDS = ("status", "watch", "wait", "cancel")
"""Commands whose exit code reflects what became of jobs or requests."""


def fault_code(error: Exception, command: str) -> int:
    """Report an unexpected error and return its exit code, never 1 (a failed job)."""
    while isinstance(error, ExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    number, stream = (error.errno, _failing_stream(error)) if isinstance(error, OSError) else (None, "")
    if number == errno.EPIPE or (stream and number == errno.EIO):  # EIO: a terminal that hung up
        silence_stdout()
        # Nobody reads the output. Where the exit code reflects outcomes, 0 would mean "all succeeded".
        return ExitCode.BROKEN_PIPE if command in _OUTCOME_COMMANDS else 0
    if isinstance(error, OSError):
        if stream:
            silence_stdout()
        what = f"cannot write to {stream}" if stream else _what_failed(error)
        log_if_possible(f"{what}: {error.strerror or _text_of(error)}")
        return ExitCode.INTERNAL
    if isinstance(error, MemoryError) or str(error) == NO_THREAD:
        log_if_possible(f"cannot continue: {NO_THREAD if str(error) == NO_THREAD else 'out of memory'}")
        return ExitCode.INTERNAL
    return report_crash(error, command or "open")


def _failing_stream(error: OSError) -> str:
    """Return the standard stream that caused an error, which has no path: the unwritten data is still in its buffer."""
    for name, stream in (("standard output", sys.stdout), ("standard error", sys.stderr)):
        try:
            stream.flush()
        except OSError as again:
            if error.filename is None and again.errno == error.errno:
                return name
        except ValueError:
            pass  # closed
    return ""


def _text_of(error: Exception) -> str:
    """Return an error's own message, if it is not from the system, or else its name."""
    return one_line(mask_keys(str(error)), 400) or type(error).__name__


def _what_failed(error: OSError) -> str:
    name = error.filename
    if name is None:
        return "cannot write" if error.errno in {errno.ENOSPC, errno.EFBIG, errno.EIO} else "cannot continue"
    return f"cannot use {one_line(os.fsdecode(name) if isinstance(name, bytes) else str(name), 400)}"


def report_crash(error: BaseException, command: str) -> ExitCode:
    """Print one line to stderr: the command crashed, and where the report is."""
    log(f"{_describe(error)}: this is a bug in jobdeck. {_saved_report(error, command)}")
    return ExitCode.INTERNAL


class CrashLogHandler(logging.Handler):
    """Log handler that writes tracebacks of handled errors, which may contain secrets, to private files."""

    def __init__(self, command: str) -> None:
        super().__init__(logging.WARNING)
        self._command = command
        self._saved = 0

    def emit(self, record: logging.LogRecord) -> None:
        """Save the traceback of a record, if it has one, except that of jobdeck's own exceptions."""
        error = record.exc_info[1] if record.exc_info else None
        if error is None or self._saved >= MOST or type(error).__module__.startswith("jobdeck."):
            return
        self._saved += 1
        log(f"{_describe(error)} was handled. {_saved_report(error, self._command)}")


@contextmanager
def log_crashes(command: str) -> Iterator[None]:
    """Save errors that are logged meanwhile to private files instead of printing them to stderr."""
    keeper = CrashLogHandler(command)
    loggers = [logging.getLogger(name) for name in ("jobdeck", "asyncio")]
    for logger in loggers:
        logger.addHandler(keeper)
    try:
        yield
    finally:
        for logger in loggers:
            logger.removeHandler(keeper)


def _describe(error: BaseException) -> str:
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return f"unexpected {type(error).__name__}"


def _saved_report(error: BaseException, command: str) -> str:
    from jobdeck.app import crash_report, private_file  # noqa: PLC0415 - 20 ms, for a crash only

    try:
        path = crash_report.write_crash(error, os.environ, command)
    except private_file.PrivateFileError as unsaved:
        return f"The details could not be saved: {unsaved}"
    return f"Details for a bug report: {one_line(str(path), 400)}"


def log_if_possible(line: str) -> None:
    """Log a line; if stderr cannot be written to, silence it."""
    try:
        log(line)
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
