"""The server, in the caller's event loop and only on 127.0.0.1."""

import asyncio
import logging
import socket
import sys
from types import TracebackType
from typing import Self

from aiohttp.web import Server

from jobdeck.serve.access_control import AccessControl
from jobdeck.serve.connections import Connections
from jobdeck.serve.viewer import MakeView
from jobdeck.serve.web import WebApp

CLOSE_SECONDS = 2.0

# Nothing is logged, because URLs contain the token.
_LOGGER = logging.getLogger("jobdeck.serve")
_LOGGER.addHandler(logging.NullHandler())
_LOGGER.propagate = False

if sys.platform == "win32":
    # On Windows, SO_REUSEADDR would let any process take the port while it is in use.
    _OURS_ALONE = socket.SO_EXCLUSIVEADDRUSE
else:
    _OURS_ALONE = socket.SO_REUSEADDR


class ScreenServer:
    """Serves screens to browsers within `async with`; raises OSError if the port is in use."""

    def __init__(self, make_view: MakeView, port: int = 0) -> None:
        self._listening = _bind(port)
        self.port: int = self._listening.getsockname()[1]
        access = AccessControl(self.port)
        self.connections = Connections(self._listening, self._protocol)
        self.site = WebApp(access, make_view, self.connections)
        self.url = f"http://127.0.0.1:{self.port}/?token={access.token}"
        """The URL with the token."""
        self._http = Server(self.site, access_log=None, logger=_LOGGER)

    async def __aenter__(self) -> Self:
        """Start accepting connections."""
        self.connections.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close every view within two seconds, without waiting for slow browsers."""
        await self.connections.stop_accepting()
        await self.site.close_views(CLOSE_SECONDS)
        await self.connections.close()
        await self._http.shutdown(CLOSE_SECONDS)

    def _protocol(self) -> asyncio.Protocol:
        return self._http()


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
