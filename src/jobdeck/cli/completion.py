"""``jobdeck completion``: a completion script made from the command line's own grammar."""

import argparse
import sys

import shtab

from jobdeck.cli.exit_codes import ExitCode
from jobdeck.cli.parser import add_open, build_parser


def run(arguments: argparse.Namespace) -> ExitCode:
    """Print the script for a shell."""
    parser = build_parser()
    add_open(parser)
    _complete_files(parser)
    script = shtab.complete(parser, arguments.shell)
    if arguments.shell == "bash":
        # Where the grammar has nothing to offer stands a target, which may be a file.
        script = script.replace("complete -o bashdefault ", "complete -o bashdefault -o default ")
    sys.stdout.write(script + "\n")
    sys.stdout.flush()
    return ExitCode.OK


def _complete_files(parser: argparse.ArgumentParser) -> None:
    """Have names of files offered where one may stand."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for command in action.choices.values():
                _complete_files(command)
        elif action.metavar in {"FILE", "TARGET"}:
            action.complete = shtab.FILE  # type: ignore[attr-defined] # where shtab looks
