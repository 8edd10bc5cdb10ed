"""Running the screen, for every command that draws one."""

import os
import sys
from typing import TYPE_CHECKING, TextIO

from jobdeck.cli.crash import report_crash
from jobdeck.cli.exit_codes import CommandError
from jobdeck.cli.log import log
from jobdeck.cli.run_async import run_async
from jobdeck.config import ConfigError
from jobdeck.tui.multiplexer import in_gnu_screen

if TYPE_CHECKING:
    from jobdeck.app.session import HintMemory, Playback, Session


_KEYS = "CONIN$" if sys.platform == "win32" else "/dev/tty"
"""Where keys come from, whatever standard input is."""

DUMB = frozenset({"dumb", "unknown"})
"""Values of TERM by which a terminal, or an editor's window that is none, says that it knows no sequences."""


def screen_stream() -> TextIO | None:
    """Return where a screen is drawn: standard error, so that standard output stays free; on Windows the latter."""
    return sys.stdout if sys.platform == "win32" else sys.stderr


def require_terminal(*, piped: bool) -> None:
    """Raise `CommandError` (exit 2) naming the headless command, unless keys can be read and a screen drawn."""
    screen = screen_stream()
    drawable = screen is not None and screen.isatty() and os.environ.get("TERM") not in DUMB
    readable = _has_controlling_terminal() if piped else sys.stdin is not None and sys.stdin.isatty()
    if not (drawable and readable):
        raise CommandError("the screen needs a terminal; without one, use jobdeck status [--json] TARGET…")


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


RECORDING = ("TEXTUAL_LOG", "TEXTUAL", "TEXTUAL_DEBUG")
"""Variables of Textual that are for those who write screens, not for those who look at them."""


def run_screen(
    session: "Session",
    playback: "Playback | None" = None,
    *,
    command: str = "open",
    mouse: bool | None = None,
    hints: "HintMemory | None" = None,
) -> int:
    """Run the screen until it is left; a fault is reported when the terminal is as it was before.

    With `playback`, the session is one on a recording; `command` is what the report names. `mouse` says whether the
    mouse is used; None leaves it to what is between us and the terminal. With `hints` a line names
    keys until they are used.

    Raises `ConfigError` when the engine could not be opened for one.
    """
    _refuse_recording()
    in_screen = in_gnu_screen(os.environ)
    if in_screen:
        # Inherited from the terminal around it, which has colours that GNU screen has not: the selection vanishes.
        os.environ.pop("COLORTERM", None)
    from jobdeck.tui.app import JobdeckApp  # noqa: PLC0415 - Textual, for the commands that draw

    # While the mouse is used, GNU screen keeps Esc until the next key.
    app = JobdeckApp(session, playback=playback, mouse=not in_screen if mouse is None else mouse, hints=hints)
    run_async(app.run_async(mouse=app.mouse))
    if isinstance(app.fault, ConfigError):
        raise app.fault
    if app.fault is not None:
        return report_crash(app.fault, command)
    return app.return_code or 0


def _refuse_recording() -> None:
    """Take from the environment what makes Textual write keystrokes and pasted secrets to a file or a socket."""
    for name in RECORDING:
        if os.environ.pop(name, ""):
            log(f"ignoring {name}: it would log everything typed and displayed")
