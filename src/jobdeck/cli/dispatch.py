"""Runs one command: imports its module, and turns its errors into an exit code.

Separate from `main`, which --version and --help load alone: the imports here take as long as both together.
"""

import argparse
import importlib
import signal
import sys

from jobdeck.cli.crash import log_crashes, log_if_possible
from jobdeck.cli.exit_codes import SIGNAL_CODES, CommandError, ExitCode
from jobdeck.config.errors import ConfigError


def run_command(arguments: argparse.Namespace) -> int:
    """Run the parsed command and return its exit code; its error messages go to stderr."""
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
    """Exit with a signal's code outside of an event loop too; inside, `run_async` does it."""
    for number, code in SIGNAL_CODES.items():
        if signal.getsignal(number) is signal.SIG_DFL:
            signal.signal(number, lambda *_, code=code: sys.exit(code))
