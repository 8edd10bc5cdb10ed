"""``jobdeck serve``: the screen in browsers on this machine, for looking only."""

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
    """Poll the targets and serve screens on them until a signal."""
    if any(find_spec(name) is None for name in NEEDED):
        raise CommandError("serve needs extra packages: pip install 'jobdeck[serve]'")
    context, inputs = open_targets(arguments, arguments.targets)
    for settings in context.settings.profiles.values():
        settings.prompt()
    # Read by Textual when it is imported: the terminal that counts is not the one in front of this process.
    os.environ["TEXTUAL_COLOR_SYSTEM"] = "truecolor"
    output, errors = sys.stdout, sys.stderr

    def tell(url: str) -> None:
        errors.write("jobdeck: anyone on this machine with this URL can watch (read-only)\n")
        errors.flush()
        output.write(f"{url}\n")
        output.flush()

    def complain(line: str) -> None:
        errors.write(f"jobdeck: {line}\n")
        errors.flush()

    try:
        return run_async(
            _serve(LiveSession(context, inputs.targets, lists=arguments.discover), arguments.port, tell, complain)
        )
    except OSError as error:
        if error.errno not in LISTEN_ERRORS:
            raise
        raise CommandError(f"cannot listen on port {arguments.port}: {error.strerror}") from None
    finally:
        # Textual lends the process's streams to each screen, and gives them back in the wrong order when there are two.
        sys.stdout, sys.stderr = output, errors


async def _serve(
    session: LiveSession, port: int, tell: Callable[[str], None], complain: Callable[[str], None]
) -> ExitCode:
    from jobdeck.serve.server import ScreenServer  # noqa: PLC0415 - an extra, and Textual: after all is understood
    from jobdeck.tui.remote import RemoteView  # noqa: PLC0415 - the same

    session.on_jobs_ended(lambda _: None, complain)
    engine = await session.start()
    for notice in session.notices:
        complain(notice)
    viewers = ViewerGroup(engine, engine)
    changes = engine.subscribe()

    async def hear() -> None:
        kept = not session.storage_error
        async for batch in changes:
            session.run_hooks(batch, ())
            if kept and session.storage_error:
                kept = False
                complain(session.storage_error)

    def make_view(write: Callable[[str], None], width: int, height: int) -> RemoteView:
        return RemoteView(ReadOnlySession(session, viewers), write, width, height)

    try:
        async with ScreenServer(make_view, port) as server, asyncio.TaskGroup() as group:
            tell(server.url)
            group.create_task(engine.run(), name="engine")
            group.create_task(hear(), name="hooks")
    finally:
        changes.close()
        await session.close()
    return ExitCode.OK
