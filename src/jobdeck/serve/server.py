"""The server in the caller's event loop, on 127.0.0.1 and nowhere else."""

import asyncio
import logging
import socket
import sys
from collections.abc import Callable
from types import TracebackType
from typing import Self, cast

from uvicorn import Config
from uvicorn.server import ServerState

from jobdeck.serve.access_control import AccessControl
from jobdeck.serve.connections import Connections
from jobdeck.serve.view import MakeView
from jobdeck.serve.viewer import LARGEST_MESSAGE
from jobdeck.serve.web import WebApp

CLOSE_SECONDS = 2.0
_QUIET = ("uvicorn", "uvicorn.error", "uvicorn.access")

if sys.platform == "win32":
    # What lets a port be taken again at once elsewhere, there lets anybody take it while it is in use.
    _OURS_ALONE = socket.SO_EXCLUSIVEADDRUSE
else:
    _OURS_ALONE = socket.SO_REUSEADDR


class ScreenServer:
    """Serves screens to browsers from `async with` on until its end; raises OSError when the port is taken.

    Nothing is logged: an address with its token must not be.
    """

    def __init__(self, make_view: MakeView, port: int = 0) -> None:
        self._listening = _bind(port)
        self.port: int = self._listening.getsockname()[1]
        access = AccessControl(self.port)
        self.connections = Connections(self._listening, self._protocol)
        self.site = WebApp(access, make_view, self.connections)
        self.url = f"http://127.0.0.1:{self.port}/?token={access.token}"
        """The address that lets a person in."""
        for name in _QUIET:
            logging.getLogger(name).addHandler(logging.NullHandler())
            logging.getLogger(name).propagate = False
        self._config = Config(
            self.site.app(),
            ws="websockets-sansio",
            # Larger ones end the view; those between are read and ignored.
            ws_max_size=4 * LARGEST_MESSAGE,
            ws_per_message_deflate=False,
            lifespan="off",
            log_config=None,
            access_log=False,
            proxy_headers=False,
            server_header=False,
            date_header=False,
        )
        self._config.load()
        self._state = ServerState()

    async def __aenter__(self) -> Self:
        """Accept connections."""
        self.connections.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close every view, within two seconds; a browser that reads too slowly is not waited for."""
        await self.connections.stop_accepting()
        views = list(self._state.tasks)
        for view in views:
            view.cancel()
        if views:
            await asyncio.wait(views, timeout=CLOSE_SECONDS)
        await self.connections.close()

    def _protocol(self) -> asyncio.Protocol:
        # What uvicorn's own server makes of each connection, which takes over signals and accepts without end.
        make = cast("Callable[..., asyncio.Protocol]", self._config.http_protocol_class)
        loop = asyncio.get_running_loop()
        return make(config=self._config, server_state=self._state, app_state={}, _loop=loop)


def _bind(port: int) -> socket.socket:
    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listening.setsockopt(socket.SOL_SOCKET, _OURS_ALONE, 1)
        listening.bind(("127.0.0.1", port))
        listening.setblocking(False)
    except OSError:
        listening.close()
        raise
    return listening
