"""An HTTP/1.1 server on loopback, with h11 and asyncio; a handler can also break its connection."""

import asyncio
import logging
import re
import socket
import struct
import sys
from collections.abc import Awaitable, Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from typing import Self
from urllib.parse import parse_qsl, unquote

import h11

# Without a handler of its own, an error of the simulator would be printed over the screen.
_LOGGER = logging.getLogger("jobdeck.simulator")
_LOGGER.addHandler(logging.NullHandler())

MAX_BODY = 2**20
"""Most bytes of a request's body; a larger one is answered with 413."""

_READ_BYTES = 65_536
_BACKLOG = 2048
_RETRY_SECONDS = 0.2
"""Seconds between attempts to accept while the process has no free file descriptor."""

_LINGER_AND_DISCARD = struct.pack("ii", 1, 0)
_HOST = re.compile(r"[A-Za-z0-9.:\[\]-]{1,255}")


@dataclass(frozen=True)
class Request:
    """A received request. Header names are in lower case; `target` is the path and query as sent."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def raw_path(self) -> str:
        """The path as sent."""
        return self.target.partition("?")[0]

    @property
    def path(self) -> str:
        """The path without percent-encoding."""
        return unquote(self.raw_path)

    @property
    def query_string(self) -> str:
        """The query as sent."""
        return self.target.partition("?")[2]

    @cached_property
    def query(self) -> Mapping[str, str]:
        """The parameters of the query; of a repeated parameter, the last."""
        return dict(parse_qsl(self.query_string, keep_blank_values=True))

    @property
    def origin(self) -> str:
        """The scheme and host that the client sent the request to."""
        host = self.headers.get("host", "")
        return f"http://{host}" if _HOST.fullmatch(host) else "http://127.0.0.1"


class Connection:
    """One connection, which reads requests and sends responses. Raises OSError once the client has left."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._protocol = h11.Connection(h11.SERVER)
        self._method = ""

    @classmethod
    async def of(cls, accepted: socket.socket) -> Self:
        """Return the connection over an accepted socket."""
        loop = asyncio.get_running_loop()
        reader = asyncio.StreamReader(limit=_READ_BYTES)
        protocol = asyncio.StreamReaderProtocol(reader)
        transport, _ = await loop.connect_accepted_socket(lambda: protocol, accepted)
        return cls(reader, asyncio.StreamWriter(transport, protocol, reader, loop))

    async def read(self) -> Request | None:
        """Return the next complete request; None if there are no more. Raises h11.RemoteProtocolError for a bad one."""
        if self._protocol.our_state is h11.DONE:
            self._protocol.start_next_cycle()
        if self._protocol.our_state is not h11.IDLE:
            return None
        head = await self._event()
        if not isinstance(head, h11.Request):
            return None
        self._method = head.method.decode("ascii")
        if self._protocol.they_are_waiting_for_100_continue:
            await self._send(h11.InformationalResponse(status_code=100, headers=[]))
        body = bytearray()
        while isinstance(event := await self._event(), h11.Data):
            body += event.data
            if len(body) > MAX_BODY:
                raise h11.RemoteProtocolError("the body is too large", error_status_hint=413)
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in head.headers}
        return Request(self._method, head.target.decode("latin-1"), headers, bytes(body))

    async def _event(self) -> h11.Event | type[h11.PAUSED]:
        while (event := self._protocol.next_event()) is h11.NEED_DATA:
            self._protocol.receive_data(await self._reader.read(_READ_BYTES))
        return event  # type: ignore[return-value] # NEED_DATA is what the loop waits out

    async def begin(self, status: int, headers: Iterable[tuple[str, str]]) -> None:
        """Send the head of a response; without a Content-Length the body is chunked."""
        raw = [(name.encode("latin-1"), value.encode("latin-1", "replace")) for name, value in headers]
        await self._send(h11.Response(status_code=status, headers=raw))

    async def write(self, piece: bytes) -> None:
        """Send a piece of a response's body; for a HEAD, nothing."""
        if self._method != "HEAD":
            await self._send(h11.Data(data=piece))

    async def end(self) -> None:
        """Send the end of a response."""
        await self._send(h11.EndOfMessage())

    async def respond_error(self, status: int) -> None:
        """Respond to a request that cannot be read."""
        if self._protocol.our_state in {h11.IDLE, h11.SEND_RESPONSE}:
            await self.begin(status, (("Content-Type", "text/plain"), ("Connection", "close"), ("Content-Length", "0")))
            await self.end()

    async def close(self) -> None:
        """Close the connection after everything is sent."""
        self._writer.close()
        await self._writer.wait_closed()

    def reset(self) -> None:
        """Reset the connection (RST instead of FIN); unsent data is dropped."""
        self._writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_AND_DISCARD)
        self._writer.transport.abort()

    def drop(self) -> None:
        """Close the connection at once."""
        self._writer.transport.abort()

    async def _send(self, event: h11.Event) -> None:
        data = self._protocol.send(event)
        if data:
            self._writer.write(data)
            await self._writer.drain()


Handler = Callable[[Request, Connection], Awaitable[None]]


class HttpServer:
    """Calls `handle` for every request on a bound socket, from `open` to `close`."""

    def __init__(self, handle: Handler, on_connection: Callable[[], None] = lambda: None) -> None:
        self._handle = handle
        self._on_connection = on_connection
        self._listening: socket.socket | None = None
        self._accepting: asyncio.Task[None] | None = None
        self._open: dict[asyncio.Task[None], socket.socket] = {}

    def open(self, listening: socket.socket) -> None:
        """Accept connections on a bound, non-blocking socket."""
        listening.listen(_BACKLOG)
        self._listening = listening
        if sys.platform == "win32":  # its loop accepts without readers
            self._accepting = asyncio.get_running_loop().create_task(self._accept_in_turn(listening))
        else:
            # asyncio's own server gives an accepted socket its transport one round of the loop later. If the server is
            # closed in between, the socket stays open: 400 times of opening and closing left 1,204 of them.
            self._accept_when_ready(listening)

    async def close(self) -> None:
        """Stop listening, and drop every connection and response; the port is free when this returns."""
        listening, self._listening = self._listening, None
        if listening is None:
            return
        if self._accepting is not None:
            self._accepting.cancel()
        else:
            asyncio.get_running_loop().remove_reader(listening.fileno())
        listening.close()
        opened = dict(self._open)
        for task in opened:
            task.cancel()
        await asyncio.gather(*opened, return_exceptions=True)
        # A transport closes its socket in the loop's next round; a task that never began has no transport.
        await asyncio.sleep(0)
        for accepted in opened.values():
            accepted.close()

    def _accept_when_ready(self, listening: socket.socket) -> None:
        if self._listening is listening:
            asyncio.get_running_loop().add_reader(listening.fileno(), self._accept, listening)

    def _accept(self, listening: socket.socket) -> None:
        try:
            while True:
                self._start_connection(listening.accept()[0])
        except (BlockingIOError, ConnectionError):
            return
        except OSError:
            # No file descriptor is free. The socket stays readable, so the loop would call this again and again.
            loop = asyncio.get_running_loop()
            loop.remove_reader(listening.fileno())
            loop.call_later(_RETRY_SECONDS, self._accept_when_ready, listening)

    async def _accept_in_turn(self, listening: socket.socket) -> None:
        while True:
            try:
                accepted, _ = await asyncio.get_running_loop().sock_accept(listening)
            except OSError:
                await asyncio.sleep(_RETRY_SECONDS)
            else:
                self._start_connection(accepted)

    def _start_connection(self, accepted: socket.socket) -> None:
        accepted.setblocking(False)
        self._on_connection()
        task = asyncio.get_running_loop().create_task(self._serve_connection(accepted))
        self._open[task] = accepted
        task.add_done_callback(self._forget)

    def _forget(self, task: asyncio.Task[None]) -> None:
        self._open.pop(task, None)
        if not task.cancelled() and (error := task.exception()) is not None:
            _LOGGER.error("a request failed", exc_info=error)

    async def _serve_connection(self, accepted: socket.socket) -> None:
        connection = await Connection.of(accepted)
        try:
            with suppress(OSError):  # the client has left
                try:
                    while (request := await connection.read()) is not None:
                        await self._handle(request, connection)
                except h11.RemoteProtocolError as error:
                    await connection.respond_error(error.error_status_hint)
                await connection.close()
        finally:
            connection.drop()


def bind(host: str, port: int) -> socket.socket:
    """Return a socket on a loopback address. Raises ValueError for another address, OSError if the port is taken."""
    if host != "localhost" and not host.startswith("127."):
        raise ValueError(f"the simulator listens on loopback only, not on {host}")
    # asyncio disables Nagle's delay only if the protocol is named; with the delay a response takes 46 ms instead of 3.
    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        if sys.platform != "win32":  # there it would let two servers have the same port
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(("127.0.0.1" if host == "localhost" else host, port))
        listening.setblocking(False)
    except OSError:
        listening.close()
        raise
    return listening
