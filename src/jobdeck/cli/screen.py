"""Runs the screen, for all commands that have one."""

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
"""The device that keys are read from, regardless of stdin."""

DUMB = frozenset({"dumb", "unknown"})
"""Values of TERM for terminals, or editor windows, without escape sequences."""


def screen_stream() -> TextIO | None:
    """Return the stream for the screen: stderr, so that stdout stays free; on Windows stdout."""
    return sys.stdout if sys.platform == "win32" else sys.stderr


def require_terminal(*, piped: bool) -> None:
    """Raise `CommandError` (exit 2), naming the headless command, without a terminal for keys and screen."""
    screen = screen_stream()
    drawable = screen is not None and screen.isatty() and os.environ.get("TERM") not in DUMB
    readable = _has_controlling_terminal() if piped else sys.stdin is not None and sys.stdin.isatty()
    if not (drawable and readable):
        raise CommandError("the screen needs a terminal; without one, use jobdeck status [--json] TARGET…")


def read_keys_from_terminal() -> None:
    """Replace the exhausted pipe on stdin by the controlling terminal: Textual reads keys from file descriptor 0."""
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
"""Textual's debugging variables."""


def run_screen(
    session: "Session",
    playback: "Playback | None" = None,
    *,
    command: str = "open",
    mouse: bool | None = None,
    hints: "HintMemory | None" = None,
) -> int:
    """Run the screen until the user quits; a crash is reported after the terminal is restored.

    With `playback`, the session is a recording. `command` is named in a crash report. `mouse` None decides by the
    terminal. With `hints`, a line suggests keys until they are used. Raises `ConfigError` if the engine could not be
    opened because of it.
    """
    _refuse_recording()
    in_screen = in_gnu_screen(os.environ)
    if in_screen:
        # Inherited from the outer terminal, which has more colors than GNU screen: the selection would be invisible.
        os.environ.pop("COLORTERM", None)
    from jobdeck.tui.app import JobdeckApp  # noqa: PLC0415 - Textual, for the commands that draw

    # GNU screen delays Esc until the next key while the mouse is used.
    app = JobdeckApp(session, playback=playback, mouse=not in_screen if mouse is None else mouse, hints=hints)
    run_async(app.run_async(mouse=app.mouse))
    if isinstance(app.error, ConfigError):
        raise app.error
    if app.error is not None:
        return report_crash(app.error, command)
    return app.return_code or 0


def _refuse_recording() -> None:
    """Remove variables from the environment that make Textual log keystrokes and pasted secrets."""
    for name in RECORDING:
        if os.environ.pop(name, ""):
            log(f"ignoring {name}: it would log everything typed and displayed")
