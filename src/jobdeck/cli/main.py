"""The command line's entry: parse, run one command, turn what ends it into an exit code.

Nothing heavy is imported here: each command imports what it needs when it runs.
"""

import argparse
import errno
import os
import signal
import sys
from collections.abc import Sequence

from jobdeck.cli.log import log
from jobdeck.cli.parser import parse
from jobdeck.cli.streams import prepare_streams, silence_stdout

INTERNAL, INTERRUPTED, BROKEN_PIPE = 70, 130, 141
"""Three of the `ExitCode`s, which may be needed when nothing can be imported any more."""

NO_THREAD = "can't start new thread"
"""Python's words, of a RuntimeError, when memory or the number of processes is limited."""

_TELLING = ("status", "watch", "wait")
"""Commands whose exit code tells how jobs ended."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code; no expected fault leaves a traceback."""
    prepare_streams()
    command = ""
    try:
        try:
            arguments = parse(sys.argv[1:] if argv is None else argv)
        except SystemExit:
            sys.stdout.flush()  # of --help and --version
            raise
        command = arguments.command
        from jobdeck.cli.exit_codes import CommandError, ExitCode  # noqa: PLC0415 - 40 ms that --version does without
        from jobdeck.config.errors import ConfigError  # noqa: PLC0415 - the same

        try:
            _on_termination()
            return _run(arguments)
        except (CommandError, ConfigError) as error:
            for line in str(error).splitlines() or [""]:
                _narrate(line)
            return error.code if isinstance(error, CommandError) else ExitCode.USAGE
    except KeyboardInterrupt:
        return INTERRUPTED
    except Exception as error:  # noqa: BLE001 - the last one who could hear of it
        return _code_of_fault(error, command)


def _code_of_fault(error: Exception, command: str) -> int:
    """Say what ended a command against our will, and return its exit code, which is never that of a failed job."""
    while isinstance(error, ExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    number, stream = (error.errno, _failing_stream(error)) if isinstance(error, OSError) else (None, "")
    if number == errno.EPIPE or (stream and number == errno.EIO):  # the latter of a terminal that hung up
        silence_stdout()
        # Nobody reads any more. Where the code tells how jobs ended, nothing may be mistaken for "all succeeded".
        return BROKEN_PIPE if command in _TELLING else 0
    if isinstance(error, OSError):
        if stream:
            silence_stdout()
        what = f"cannot write to {stream}" if stream else _what_failed(error)
        _narrate(f"{what}: {error.strerror or _text_of(error)}")
        return INTERNAL
    if isinstance(error, MemoryError) or str(error) == NO_THREAD:
        _narrate(f"cannot go on: {NO_THREAD if str(error) == NO_THREAD else 'out of memory'}")
        return INTERNAL
    from jobdeck.cli.crash import report_crash  # noqa: PLC0415 - for a crash only

    return report_crash(error, command or "open")


def _failing_stream(error: OSError) -> str:
    """Return which of our streams gave an error, for it has no path: what was not written is still in its buffer."""
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
    """Return what an error says that is not the system's, or else its name."""
    from jobdeck.domain.text import mask_keys, one_line  # noqa: PLC0415 - for a fault only

    return one_line(mask_keys(str(error)), 400) or type(error).__name__


def _what_failed(error: OSError) -> str:
    from jobdeck.domain.text import one_line  # noqa: PLC0415 - for a fault only

    name = error.filename
    if name is None:
        return "cannot write" if error.errno in {errno.ENOSPC, errno.EFBIG, errno.EIO} else "cannot go on"
    return f"cannot use {one_line(os.fsdecode(name) if isinstance(name, bytes) else str(name), 400)}"


def _run(arguments: argparse.Namespace) -> int:
    import importlib  # noqa: PLC0415 - after --version and --help

    from jobdeck.cli.crash import log_crashes  # noqa: PLC0415 - the same

    with log_crashes(arguments.command):
        code: int = importlib.import_module(f"jobdeck.cli.commands.{arguments.command}").run(arguments)
    return code


def _on_termination() -> None:
    """End with the signal's code outside of an event loop too; inside, `run_async` sees to it."""
    from jobdeck.cli.exit_codes import SIGNAL_CODES  # noqa: PLC0415 - as in `main`

    for number, code in SIGNAL_CODES.items():
        if signal.getsignal(number) is signal.SIG_DFL:
            signal.signal(number, lambda *_, code=code: sys.exit(code))


def _narrate(line: str) -> None:
    try:
        log(line)
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
