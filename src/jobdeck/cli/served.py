"""The screens of ``jobdeck serve`` around one engine. Imports Textual, so the command imports it last."""

import asyncio
from collections.abc import Callable

from jobdeck.app.live_session import LiveSession
from jobdeck.app.viewers import ReadOnlySession, ViewerGroup
from jobdeck.cli.exit_codes import ExitCode
from jobdeck.serve.server import ScreenServer
from jobdeck.tui.remote import RemoteView


async def serve_screens(
    session: LiveSession, port: int, print_url: Callable[[str], None], log_line: Callable[[str], None]
) -> ExitCode:
    """Run the engine and the server until either ends; `print_url` gets the URL, `log_line` each notice."""
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
