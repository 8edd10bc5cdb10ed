"""The screens of ``jobdeck serve`` around one engine: an extra and Textual, imported after all is understood."""

import asyncio
from collections.abc import Callable

from jobdeck.app.live_session import LiveSession
from jobdeck.app.viewers import ReadOnlySession, ViewerGroup
from jobdeck.cli.exit_codes import ExitCode
from jobdeck.serve.server import ScreenServer
from jobdeck.tui.remote import RemoteView


async def serve_screens(
    session: LiveSession, port: int, tell: Callable[[str], None], complain: Callable[[str], None]
) -> ExitCode:
    """Run the engine and the server until either ends; `tell` gets the URL, `complain` what there is to say."""
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
