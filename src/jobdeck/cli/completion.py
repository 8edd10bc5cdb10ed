"""``jobdeck completion``: a completion script made from the command line's own grammar."""

import argparse
import sys

import shtab

from jobdeck.cli.exit_codes import ExitCode
from jobdeck.cli.parser import build_parser


def run(arguments: argparse.Namespace) -> ExitCode:
    """Print the script for a shell."""
    sys.stdout.write(shtab.complete(build_parser(bare=False), arguments.shell) + "\n")
    sys.stdout.flush()
    return ExitCode.OK
