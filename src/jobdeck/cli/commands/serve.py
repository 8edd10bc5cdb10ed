"""``jobdeck serve``: the screen in browsers on this machine, for looking only."""

import argparse
import os
import sys
from importlib.util import find_spec

from jobdeck.app.live_session import LiveSession
from jobdeck.cli.exit_codes import LISTEN_ERRORS, CommandError, ExitCode
from jobdeck.cli.run_async import run_async
from jobdeck.cli.targets import open_targets

NEEDED = ("aiohttp", "textual_serve")


def run(arguments: argparse.Namespace) -> ExitCode:
    """Poll the targets and serve screens on them until a signal."""
    if any(find_spec(name) is None for name in NEEDED):
        raise CommandError("serve needs extra packages: pip install 'jobdeck[serve]'")
    context, inputs = open_targets(arguments, arguments.targets)
    for settings in context.settings.profiles.values():
        settings.prompt()
    # Read by Textual when it is imported: the terminal that counts is not the one in front of this process.
    os.environ["TEXTUAL_COLOR_SYSTEM"] = "truecolor"
    from jobdeck.cli.served import serve_screens  # noqa: PLC0415 - an extra, and Textual: after all is understood

    output, errors = sys.stdout, sys.stderr

    def tell(url: str) -> None:
        errors.write("jobdeck: anyone on this machine who has this URL can watch; nobody can change anything\n")
        errors.flush()
        output.write(f"{url}\n")
        output.flush()

    def complain(line: str) -> None:
        errors.write(f"jobdeck: {line}\n")
        errors.flush()

    try:
        return run_async(
            serve_screens(
                LiveSession(context, inputs.targets, lists=arguments.discover), arguments.port, tell, complain
            )
        )
    except OSError as error:
        if error.errno not in LISTEN_ERRORS:
            raise
        raise CommandError(f"cannot listen on port {arguments.port}: {error.strerror}") from None
    finally:
        # Textual lends the process's streams to each screen, and gives them back in the wrong order when there are two.
        sys.stdout, sys.stderr = output, errors
