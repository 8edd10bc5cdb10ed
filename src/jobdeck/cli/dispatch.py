"""Running one command: its module by name, and what it refuses with as an exit code.

Beside `main`, which --version and --help need alone: what is imported here takes as long as both together.
"""

import argparse
import importlib
import signal
import sys

from jobdeck.cli.crash import log_crashes, log_if_possible
from jobdeck.cli.exit_codes import SIGNAL_CODES, CommandError, ExitCode
from jobdeck.config.errors import ConfigError


def run_command(arguments: argparse.Namespace) -> int:
    """Run the command that was parsed and return its exit code; the lines of what it refuses go to standard error."""
    try:
        _end_on_signals()
        with log_crashes(arguments.command):
            return int(importlib.import_module(f"jobdeck.cli.commands.{arguments.command}").run(arguments))
    except (CommandError, ConfigError) as error:
        for line in str(error).splitlines() or [""]:
            log_if_possible(line)
        if isinstance(error, CommandError):
            return error.code
        return ExitCode.UNREACHABLE if error.unreachable else ExitCode.USAGE


def _end_on_signals() -> None:
    """End with the signal's code outside of an event loop too; inside, `run_async` sees to it."""
    for number, code in SIGNAL_CODES.items():
        if signal.getsignal(number) is signal.SIG_DFL:
            signal.signal(number, lambda *_, code=code: sys.exit(code))
