"""``jobdeck [TARGET…]``: the screen."""

import argparse
from typing import TYPE_CHECKING

from jobdeck.cli.opening import open_wiring
from jobdeck.cli.recording import make_recorder
from jobdeck.cli.screen import run_screen
from jobdeck.cli.sitting import Sitting
from jobdeck.cli.terminal import is_piped, read_keys_from_terminal, require_terminal

if TYPE_CHECKING:
    from jobdeck.domain.job import Target
    from jobdeck.wiring import Wiring


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


def _named(arguments: argparse.Namespace) -> "tuple[Wiring, tuple[Target, ...]]":
    from jobdeck.cli.inputs import open_targets  # noqa: PLC0415 - 15 ms that the watch list of last time does without

    wiring, inputs = open_targets(arguments, arguments.targets)
    return wiring, inputs.targets
