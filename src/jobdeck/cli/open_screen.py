"""``jobdeck [TARGET…]``: the screen."""

import argparse

from jobdeck.cli.inputs import gather_targets
from jobdeck.cli.opening import open_wiring
from jobdeck.cli.sitting import Sitting
from jobdeck.cli.terminal import read_keys_from_terminal, require_terminal


def run(arguments: argparse.Namespace) -> int:
    """Open the screen on the targets and return its exit code."""
    require_terminal(piped="-" in arguments.targets)
    wiring = open_wiring(arguments)
    inputs = gather_targets(arguments.targets, wiring.directory)
    for profile in {target.key.profile for target in inputs.targets}:
        # A missing credential is better said here, in a line, than on a screen that has nothing to show.
        wiring.profile(profile)
    if inputs.piped:
        read_keys_from_terminal()
    return run_screen(Sitting(wiring, inputs.targets, lists=arguments.discover))


def run_screen(sitting: Sitting) -> int:
    """Run the screen until it is left."""
    from jobdeck.tui.app import JobdeckApp  # noqa: PLC0415 - Textual, for the commands that draw

    app = JobdeckApp(sitting)
    app.run()
    return app.return_code or 0
