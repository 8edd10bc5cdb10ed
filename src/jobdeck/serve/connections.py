"""Accepts connections and closes idle ones, because any process on the machine can open many."""

import asyncio
import errno
import socket
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

MAX_CONNECTIONS = 64
BACKLOG = 1_024
AUTHORIZE_SECONDS = 10.0
"""How long a connection may stay open without showing the token or the cookie."""

RETRY_SECONDS = 0.5
"""How often to retry when no file descriptor is free; asyncio's own loop would spin."""

CROWDED_SECONDS = 0.01
"""Pause after a connection that replaced another, so that a flood of connections does not block the loop."""

Address = tuple[str, int]


@dataclass(slots=True)
class _Connection:
    transport: asyncio.Transport
    authorized: bool = False
    viewing: bool = False


class Connections:
    """The connections of one listening socket, at most `MAX_CONNECTIONS`.

    At the limit, the oldest connection is closed: unauthorized ones first, then those without a view. `close` closes
    all.
    """

    def __init__(self, listening: socket.socket, make_protocol: Callable[[], asyncio.Protocol]) -> None:
        self._listening = listening
        self._make_protocol = make_protocol
        self._open: dict[Address, _Connection] = {}
        self._accepting: asyncio.Task[None] | None = None
        self._next: asyncio.Future[tuple[socket.socket, Address]] | None = None

    def __len__(self) -> int:
        """Return the number of open connections."""
        self._forget_closed()
        return len(self._open)

    def start(self) -> None:
        """Start accepting connections, in the running loop."""
        self._listening.listen(BACKLOG)
        self._accepting = asyncio.create_task(self._accept(), name="accept")

    def mark_authorized(self, client: Address) -> None:
        """Mark the connection from an address as authorized, so that it may stay."""
        if connection := self._open.get(client):
            connection.authorized = True

    def set_viewing(self, client: Address, *, viewing: bool) -> None:
        """Set whether a view uses a connection, which is then never closed for another."""
        if connection := self._open.get(client):
            connection.viewing = viewing

    async def stop_accepting(self) -> None:
        """Close the listening socket, without leaving a half-accepted connection."""
        if self._accepting is not None:
            self._accepting.cancel()
            await asyncio.wait([self._accepting])
        with suppress(NotImplementedError):  # event loops on Windows have no readers
            asyncio.get_running_loop().remove_reader(self._listening)
        if self._next is not None:
            # A connection accepted just now completes in the loop's next round; cancelled earlier, it would be left
            # open.
            await asyncio.sleep(0)
            self._next.cancel()
            await asyncio.wait([self._next])
            if not self._next.cancelled() and self._next.exception() is None:
                self._next.result()[0].close()
        self._listening.close()

    async def close(self) -> None:
        """Close every connection."""
        for connection in self._open.values():
            connection.transport.abort()
        self._open.clear()
        # The transports report the loss and close their sockets in the loop's next round.
        await asyncio.sleep(0)
        await asyncio.sleep(0)

    async def _accept(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            self._next = asyncio.ensure_future(loop.sock_accept(self._listening))
            await asyncio.wait([self._next])
            try:
                accepted, client = self._next.result()
            except OSError as error:
                # Either no descriptor is free, but will be soon, or the client has already disconnected.
                if error.errno in {errno.EMFILE, errno.ENFILE}:
                    self._make_room()
                await asyncio.sleep(RETRY_SECONDS)
                continue
            self._next = None
            crowded = len(self) >= MAX_CONNECTIONS
            if crowded and not self._make_room():
                accepted.close()
            else:
                with suppress(OSError):  # this connection is closed; accepting continues
                    await self._take(accepted, client[:2])
            if crowded:
                await asyncio.sleep(CROWDED_SECONDS)

    async def _take(self, accepted: socket.socket, client: Address) -> None:
        loop = asyncio.get_running_loop()
        with suppress(OSError):
            # Nagle's algorithm would delay typed keys by 40 ms.
            accepted.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            transport, _ = await loop.connect_accepted_socket(self._make_protocol, accepted)
        except BaseException:
            accepted.close()
            raise
        self._open[client] = connection = _Connection(transport)
        loop.call_later(AUTHORIZE_SECONDS, self._expire, connection)

    def _expire(self, connection: _Connection) -> None:
        if not connection.authorized:
            connection.transport.abort()
            self._forget_closed()

    def _make_room(self) -> bool:
        """Close the oldest of the least important connections; false if all of them have views."""
        self._forget_closed()
        for authorized in (False, True):
            for client, connection in self._open.items():
                if connection.authorized is authorized and not connection.viewing:
                    connection.transport.abort()
                    del self._open[client]
                    return True
        return False

    def _forget_closed(self) -> None:
        for client in [client for client, connection in self._open.items() if connection.transport.is_closing()]:
            del self._open[client]
