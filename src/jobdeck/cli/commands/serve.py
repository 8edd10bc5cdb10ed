"""``jobdeck serve``: a read-only screen in browsers on this machine."""

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
    """Poll the targets and serve screens until a signal."""
    if any(find_spec(name) is None for name in NEEDED):
        raise CommandError("serve needs extra packages: pip install 'jobdeck[serve]'")
    context, inputs = open_targets(arguments, arguments.targets)
    for settings in context.settings.profiles.values():
        settings.prompt()
    # Textual reads it when it is imported; the terminal of this process is irrelevant.
    os.environ["TEXTUAL_COLOR_SYSTEM"] = "truecolor"
    from jobdeck.cli.served import serve_screens  # noqa: PLC0415 - an extra, and Textual: after all is understood

    output, errors = sys.stdout, sys.stderr

    def print_url(url: str) -> None:
        errors.write("jobdeck: anyone on this machine with this URL can watch (read-only)\n")
        errors.flush()
        output.write(f"{url}\n")
        output.flush()

    def log_line(line: str) -> None:
        errors.write(f"jobdeck: {line}\n")
        errors.flush()

    try:
        return run_async(
            serve_screens(
                LiveSession(context, inputs.targets, lists=arguments.discover), arguments.port, print_url, log_line
            )
        )
    except OSError as error:
        if error.errno not in LISTEN_ERRORS:
            raise
        raise CommandError(f"cannot listen on port {arguments.port}: {error.strerror}") from None
    finally:
        # Textual replaces the process's streams for each screen, and restores them in the wrong order if there are two.
        sys.stdout, sys.stderr = output, errors
