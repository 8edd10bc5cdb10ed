"""Running the screen, for every command that draws one."""

import os
from typing import TYPE_CHECKING

from jobdeck.cli.crash import report_crash
from jobdeck.cli.narration import narrate
from jobdeck.cli.run_async import run_async
from jobdeck.config import ConfigError
from jobdeck.tui.multiplexer import in_gnu_screen

if TYPE_CHECKING:
    from jobdeck.tui.session import Playback, Session

RECORDING = ("TEXTUAL_LOG", "TEXTUAL", "TEXTUAL_DEBUG")
"""Variables of Textual that are for those who write screens, not for those who look at them."""


def run_screen(
    sitting: "Session", playback: "Playback | None" = None, *, command: str = "open", mouse: bool | None = None
) -> int:
    """Run the screen until it is left; a fault is reported when the terminal is as it was before.

    With `playback`, the sitting is one on a recording; `command` is what the report names. `mouse` says whether the
    mouse is used; None leaves it to what is between us and the terminal.

    Raises `ConfigError` when the engine could not be opened for one.
    """
    _refuse_recording()
    in_screen = in_gnu_screen(os.environ)
    if in_screen:
        # Inherited from the terminal around it, which has colours that GNU screen has not: the selection vanishes.
        os.environ.pop("COLORTERM", None)
    from jobdeck.tui.app import JobdeckApp  # noqa: PLC0415 - Textual, for the commands that draw

    # While the mouse is used, GNU screen keeps Esc until the next key.
    app = JobdeckApp(sitting, playback=playback, mouse=not in_screen if mouse is None else mouse)
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
            narrate(f"{name} is ignored: it would record what is typed and shown")
