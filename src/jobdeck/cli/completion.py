"""``jobdeck completion``: a completion script made from the command line's own grammar."""

import argparse
import sys

import shtab

from jobdeck.cli.exit_codes import ExitCode
from jobdeck.cli.parser import build_parser


def run(arguments: argparse.Namespace) -> ExitCode:
    """Print the script for a shell."""
    script = shtab.complete(build_parser(bare=False), arguments.shell)
    if arguments.shell == "bash":
        # Where the grammar has nothing to offer stands a target, which may be a file.
        script = script.replace("complete -o bashdefault ", "complete -o bashdefault -o default ")
    sys.stdout.write(script + "\n")
    sys.stdout.flush()
    return ExitCode.OK
