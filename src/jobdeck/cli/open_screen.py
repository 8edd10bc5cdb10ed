"""``jobdeck [TARGET…]``: the screen."""

import argparse
import os
from typing import TYPE_CHECKING

from jobdeck.cli.crash import report_crash
from jobdeck.cli.narration import narrate
from jobdeck.cli.opening import open_wiring
from jobdeck.cli.recording import make_recorder
from jobdeck.cli.run_async import run_async
from jobdeck.cli.sitting import Sitting
from jobdeck.cli.terminal import is_piped, read_keys_from_terminal, require_terminal
from jobdeck.config import ConfigError
from jobdeck.tui.multiplexer import in_gnu_screen

if TYPE_CHECKING:
    from jobdeck.domain.job import Target
    from jobdeck.tui.session import Playback, Session
    from jobdeck.wiring import Wiring

RECORDING = ("TEXTUAL_LOG", "TEXTUAL", "TEXTUAL_DEBUG")
"""Variables of Textual that are for those who write screens, not for those who look at them."""


def run(arguments: argparse.Namespace) -> int:
    """Open the screen on the targets and return its exit code."""
    piped = any(map(is_piped, arguments.targets))
    require_terminal(piped=piped)
    wiring, targets = _named(arguments) if arguments.targets else (open_wiring(arguments), ())
    for settings in wiring.settings.profiles.values():
        settings.prompt()
    if piped:
        read_keys_from_terminal()
    recorder = make_recorder(arguments.record, wiring)
    sitting = Sitting(wiring, targets, wiring.settings.notices, lists=arguments.discover, recorder=recorder)
    return run_screen(sitting, mouse=wiring.settings.mouse)


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


def _named(arguments: argparse.Namespace) -> "tuple[Wiring, tuple[Target, ...]]":
    from jobdeck.cli.inputs import open_targets  # noqa: PLC0415 - 15 ms that the watch list of last time does without

    wiring, inputs = open_targets(arguments, arguments.targets)
    return wiring, inputs.targets


def _refuse_recording() -> None:
    """Take from the environment what makes Textual write keystrokes and pasted secrets to a file or a socket."""
    for name in RECORDING:
        if os.environ.pop(name, ""):
            narrate(f"{name} is ignored: it would record what is typed and shown")
