"""uvicorn as a guest: in somebody else's event loop, without signals, without logging, stopped at once."""

import asyncio
import logging
import socket
import struct
import sys
from collections.abc import Callable
from typing import Any

from starlette.types import ASGIApp
from uvicorn import Config
from uvicorn._types import ASGIReceiveCallable, ASGISendCallable, Scope
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.server import Server, ServerState

# Without a handler of its own, a warning about a client's bad request would be printed over the screen.
_LOGGER = logging.getLogger("jobdeck.simulator")
_LOGGER.addHandler(logging.NullHandler())
ROUNDS_OF_ACCEPTING = 4
_LINGER_AND_DISCARD = struct.pack("ii", 1, 0)


class Connection(H11Protocol):
    """A connection that the application may reset; the application finds it in the scope's state."""

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self.logger = _LOGGER
        self.access_log = False
        self.lost = False
        inner = self.app

        async def with_connection(scope: Scope, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
            if scope["type"] == "http":
                scope["state"]["connection"] = self
            try:
                await inner(scope, receive, send)
            except asyncio.CancelledError:
                # Only `Listener.close` cancels, and then nobody is left to be told.
                return

        self.app = with_connection

    def connection_lost(self, exc: Exception | None) -> None:
        """Note the end for answers that are still being sent."""
        self.lost = True
        super().connection_lost(exc)

    def reset(self) -> None:
        """End the connection with a TCP reset; what was not yet sent is dropped."""
        raw = self.transport.get_extra_info("socket")
        if raw is not None:
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_AND_DISCARD)
        self.transport.abort()


class Listener:
    """One stretch of listening, from `open` to `close`."""

    def __init__(self, app: ASGIApp, on_connection: Callable[[], None]) -> None:
        def protocol(*args: Any, **kwargs: Any) -> Connection:
            on_connection()
            return Connection(*args, **kwargs)

        config = Config(
            app,
            http=Connection,
            ws="none",
            loop="none",
            lifespan="off",
            interface="asgi3",
            log_config=None,
            proxy_headers=False,
            server_header=False,
            date_header=False,
            timeout_keep_alive=75,
        )
        config.load()
        config.http_protocol_class = protocol  # type: ignore[assignment] # a factory serves where a class is called
        self._server = Server(config)
        self._server.lifespan = config.lifespan_class(config)

    async def open(self, listening: socket.socket) -> None:
        """Accept connections on a bound socket."""
        # `serve()` would take over the process's signals and wake up ten times a second.
        await self._server.startup(sockets=[listening])

    async def close(self) -> None:
        """Stop listening, drop every connection and end every answer; the port is free when this returns."""
        await self._stop_accepting()
        for server in self._server.servers:
            server.close()
        state = self._server.server_state
        for connection in list(state.connections):
            connection.transport.abort()
        # The transports report their loss in the loop's next round; after that nothing tries to answer.
        await asyncio.sleep(0)
        tasks = list(state.tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        # Connections that were just being accepted are known only some rounds of the loop later.
        for _ in range(ROUNDS_OF_ACCEPTING):
            await asyncio.sleep(0)
            for connection in list(state.connections):
                connection.transport.abort()
        # One that was dropped in the last of them closes its socket in the next.
        await asyncio.sleep(0)

    async def _stop_accepting(self) -> None:
        """Let the connections that are being accepted reach their protocol, and accept no more.

        asyncio gives an accepted socket its transport one round of the loop later. A server closed in between refuses
        it with an assertion, and nobody closes the socket: 1,204 were left over in 400 times of opening and closing.
        """
        if sys.platform == "win32":  # its loop accepts without readers
            return
        loop = asyncio.get_running_loop()
        for server in self._server.servers:
            for listening in server.sockets:
                loop.remove_reader(listening.fileno())
        await asyncio.sleep(0)


def bind(host: str, port: int) -> socket.socket:
    """A socket on a loopback address; ValueError for any other, OSError when the port is taken."""
    if host != "localhost" and not host.startswith("127."):
        raise ValueError(f"the simulator listens on loopback only, not on {host}")
    # asyncio turns Nagle's delay off only where the protocol is named; with it an answer takes 46 ms instead of 3.
    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        if sys.platform != "win32":  # where it would let two servers have one port
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(("127.0.0.1" if host == "localhost" else host, port))
        listening.setblocking(False)
    except OSError:
        listening.close()
        raise
    return listening
