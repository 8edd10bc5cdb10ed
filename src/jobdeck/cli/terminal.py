"""Whether there is a terminal to draw on, and how keys reach the screen when standard input is a pipe."""

import os
import sys
from typing import TextIO

from jobdeck.cli.errors import CommandError

_KEYS = "CONIN$" if sys.platform == "win32" else "/dev/tty"
"""Where keys come from, whatever standard input is."""

DUMB = frozenset({"dumb", "unknown"})
"""Values of TERM by which a terminal, or an editor's window that is none, says that it knows no sequences."""


def screen_stream() -> TextIO | None:
    """Return where a screen is drawn: standard error, so that standard output stays free; on Windows the latter."""
    return sys.stdout if sys.platform == "win32" else sys.stderr


def is_piped(argument: str) -> bool:
    """Whether an argument stands for standard input: ``-`` or ``PROFILE:-``."""
    return argument == "-" or argument.endswith(":-")


def require_terminal(*, piped: bool) -> None:
    """Raise `CommandError` (exit 2) naming the headless command, unless keys can be read and a screen drawn."""
    screen = screen_stream()
    drawable = screen is not None and screen.isatty() and os.environ.get("TERM") not in DUMB
    readable = _has_controlling_terminal() if piped else sys.stdin is not None and sys.stdin.isatty()
    if not (drawable and readable):
        raise CommandError("the screen needs a terminal; without one use: jobdeck status [--json] TARGET…")


def read_keys_from_terminal() -> None:
    """Put the controlling terminal where the exhausted pipe was: Textual reads keys from file descriptor 0."""
    terminal = os.open(_KEYS, os.O_RDWR)
    os.dup2(terminal, 0)
    os.close(terminal)


def _has_controlling_terminal() -> bool:
    try:
        os.close(os.open(_KEYS, os.O_RDWR))
    except OSError:
        return False
    return True
