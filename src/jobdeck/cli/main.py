"""The command line's entry: parse, run one command, turn what ends it into an exit code.

Nothing heavy is imported here: each command imports what it needs when it runs.
"""

import argparse
import os
import signal
import sys
from collections.abc import Sequence

from jobdeck.cli.narration import narrate
from jobdeck.cli.parser import parse
from jobdeck.cli.streams import prepare_streams, silence_stdout

_MODULES = {"open": "open_screen"}
"""Commands whose module is not called like them."""

_TELLING = ("status", "watch", "wait")
"""Commands whose exit code tells how jobs ended."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code; no expected fault leaves a traceback."""
    prepare_streams()
    arguments = parse(sys.argv[1:] if argv is None else argv)
    from jobdeck.cli.errors import CommandError  # noqa: PLC0415 - 40 ms that --version and --help do without
    from jobdeck.cli.exit_codes import ExitCode  # noqa: PLC0415 - the same
    from jobdeck.config.errors import ConfigError  # noqa: PLC0415 - the same

    _on_termination()
    try:
        return _run(arguments)
    except (CommandError, ConfigError) as error:
        for line in str(error).splitlines() or [""]:
            _narrate(line)
        return error.code if isinstance(error, CommandError) else ExitCode.USAGE
    except KeyboardInterrupt:
        return ExitCode.INTERRUPTED
    except BrokenPipeError:
        silence_stdout()
        # Nobody reads any more. Where the code tells how jobs ended, nothing may be mistaken for "all succeeded".
        return ExitCode.UNREAD if arguments.command in _TELLING else ExitCode.OK
    except OSError as error:
        silence_stdout()
        _narrate(f"cannot go on: {error.strerror or type(error).__name__}")
        return ExitCode.FAILED
    except Exception as error:  # noqa: BLE001 - the last one who could hear of it
        from jobdeck.cli.crash import report_crash  # noqa: PLC0415 - for a crash only

        return report_crash(error, arguments.command)


def _run(arguments: argparse.Namespace) -> int:
    import importlib  # noqa: PLC0415 - after --version and --help

    from jobdeck.cli.crash import keeping_faults  # noqa: PLC0415 - the same

    module = _MODULES.get(arguments.command, arguments.command)
    with keeping_faults(arguments.command):
        code: int = importlib.import_module(f"jobdeck.cli.{module}").run(arguments)
    return code


def _on_termination() -> None:
    """End with the signal's code outside of an event loop too; inside, `run_async` sees to it."""
    from jobdeck.cli.exit_codes import SIGNAL_CODES  # noqa: PLC0415 - as in `main`

    for number, code in SIGNAL_CODES.items():
        if signal.getsignal(number) is signal.SIG_DFL:
            signal.signal(number, lambda *_, code=code: sys.exit(code))


def _narrate(line: str) -> None:
    try:
        narrate(line)
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
