"""``jobdeck serve``: a read-only screen in browsers on this machine."""

import argparse
import asyncio
import os
import sys
from collections.abc import Callable
from importlib.util import find_spec

from jobdeck.app.live_session import LiveSession
from jobdeck.app.viewers import ReadOnlySession, ViewerGroup
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
            _serve_screens(
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


async def _serve_screens(
    session: LiveSession, port: int, print_url: Callable[[str], None], log_line: Callable[[str], None]
) -> ExitCode:
    """Run the engine and the server until either ends; `print_url` gets the URL, `log_line` each notice."""
    from jobdeck.serve.server import ScreenServer  # noqa: PLC0415 - an extra, imported when the arguments are known
    from jobdeck.tui.remote import RemoteView  # noqa: PLC0415 - Textual, which reads the variable set above

    session.on_jobs_ended(lambda _: None, log_line)
    engine = await session.start()
    for notice in session.notices:
        log_line(notice)
    viewers = ViewerGroup(engine, engine)
    changes = engine.subscribe()

    async def run_hooks() -> None:
        is_saving = not session.storage_error
        async for batch in changes:
            session.run_hooks(batch, ())
            if is_saving and session.storage_error:
                is_saving = False
                log_line(session.storage_error)

    def make_view(write: Callable[[str], None], width: int, height: int) -> RemoteView:
        return RemoteView(ReadOnlySession(session, viewers), write, width, height)

    try:
        async with ScreenServer(make_view, port) as server, asyncio.TaskGroup() as group:
            print_url(server.url)
            group.create_task(engine.run(), name="engine")
            group.create_task(run_hooks(), name="hooks")
    finally:
        changes.close()
        await session.close()
    return ExitCode.OK
