"""Bounds on the work that one answer may cost, since a server may send it in any number of pieces."""

import asyncio
import ssl
import typing
from collections.abc import AsyncIterator, Callable, Iterable
from contextvars import ContextVar

import httpcore
import httpx
from httpcore._utils import is_socket_readable

HEAD_BYTES = 131_072
"""Most bytes of an answer before its head is complete, 1xx answers included; h11 itself refuses one head of 100 kB."""

HEAD_READS = 4_000
MOST_HEADERS = 500
"""Most headers of an answer that are read: each is searched for credentials."""

FREE_PIECES = 20_000
"""Pieces of a body that may have any size.

A server that streams its output needs thousands. Without a bound, one-byte chunks kept a processor busy for all of the
thirty seconds that a request may take, and so did endless 1xx answers.
"""

BYTES_PER_PIECE = 256
"""Mean bytes that each further piece must have."""

TURN = 500
"""Pieces after which other tasks get a turn."""


class TooManyPiecesError(Exception):
    """An answer has so many pieces that reading it would cost too much; the message says which part of it."""


class _Work:
    """The reads and bytes of the answer to one request so far."""

    __slots__ = ("bytes", "head", "reads")

    def __init__(self) -> None:
        self.head = True
        self.reads = 0
        self.bytes = 0

    def note(self, size: int) -> None:
        self.reads += 1
        self.bytes += size
        if self.head and (self.bytes > HEAD_BYTES or self.reads > HEAD_READS):
            raise TooManyPiecesError(f"no response within {self.bytes} bytes of headers and 1xx responses")
        if not self.head:
            check_pieces(self.reads, self.bytes)


_WORK: ContextVar[_Work | None] = ContextVar("_WORK", default=None)


def check_pieces(pieces: int, size: int) -> None:
    """Raise `TooManyPiecesError` if `size` bytes of a body came in too many pieces."""
    if pieces > FREE_PIECES + size / BYTES_PER_PIECE:
        raise TooManyPiecesError(f"{size} bytes of a body in {pieces} pieces")


async def bounded(chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Yield the chunks of a body; raises `TooManyPiecesError` when they are too many for their size."""
    size = count = 0
    async for chunk in chunks:
        count += 1
        size += len(chunk)
        check_pieces(count, size)
        if count % TURN == 0:
            # A single read may contain ten thousand chunks.
            await asyncio.sleep(0)
        yield chunk


class BoundedTransport(httpx.AsyncHTTPTransport):
    """httpx's own transport on streams that count what is read for each request."""

    def __init__(self, **options: typing.Any) -> None:
        super().__init__(**options)
        # httpx has no way to give its pool a backend, and httpcore's has no other way to see a 1xx answer go by.
        self.connect_with(_Backend)

    def connect_with(self, wrap: Callable[[httpcore.AsyncNetworkBackend], httpcore.AsyncNetworkBackend]) -> None:
        """Make new connections by what `wrap` makes of what has made them so far."""
        self._pool._network_backend = wrap(self._pool._network_backend)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request, with bounds for its answer."""
        work = _Work()
        _WORK.set(work)
        response = await super().handle_async_request(request)
        work.head, work.reads, work.bytes = False, 0, 0
        return response


class _Backend(httpcore.AsyncNetworkBackend):
    def __init__(self, inner: httpcore.AsyncNetworkBackend) -> None:
        self._inner = inner

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        return _Stream(await self._inner.connect_tcp(host, port, timeout, local_address, socket_options))

    async def sleep(self, seconds: float) -> None:
        await self._inner.sleep(seconds)


class _Stream(httpcore.AsyncNetworkStream):
    def __init__(self, inner: httpcore.AsyncNetworkStream) -> None:
        self._inner = inner
        self._socket = inner.get_extra_info("socket")

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        data = await self._inner.read(max_bytes, timeout)
        work = _WORK.get()
        if work is not None:
            work.note(len(data))
        return data

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:
        await self._inner.write(buffer, timeout)

    async def aclose(self) -> None:
        await self._inner.aclose()

    async def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore.AsyncNetworkStream:
        return _Stream(await self._inner.start_tls(ssl_context, server_hostname, timeout))

    def get_extra_info(self, info: str) -> typing.Any:
        if info == "is_readable":
            # Asked of every idle connection, twice a request: anyio asks the system for both ends' addresses, too.
            return is_socket_readable(self._socket)
        return self._inner.get_extra_info(info)
