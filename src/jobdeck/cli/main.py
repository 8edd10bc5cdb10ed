"""The entry point of the command line: parse, run one command, turn errors into exit codes.

Nothing heavy is imported here, because --version and --help would wait for it.
"""

import sys
from collections.abc import Sequence

from jobdeck.cli.parser import parse
from jobdeck.cli.streams import prepare_streams

INTERRUPTED = 130
"""A copy of the `ExitCode`, for an interrupt before that is imported."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code; no expected error prints a traceback."""
    prepare_streams()
    command = ""
    try:
        try:
            arguments = parse(sys.argv[1:] if argv is None else argv)
        except SystemExit:
            sys.stdout.flush()  # for --help and --version
            raise
        command = arguments.command
        from jobdeck.cli.dispatch import run_command  # noqa: PLC0415 - 40 ms that --version and --help do without

        return run_command(arguments)
    except KeyboardInterrupt:
        return INTERRUPTED
    except Exception as error:  # noqa: BLE001 - the last one who could hear of it
        from jobdeck.cli.crash import fault_code  # noqa: PLC0415 - the same

        return fault_code(error, command)
