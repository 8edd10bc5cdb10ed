"""Connections for httpx by anyio, as httpcore's own, but without a timeout around each read, and with bounds.

The timeouts, which nobody sets here, take 4 % of a poll's processor time.
"""

import asyncio
import socket
import ssl
import typing
from collections.abc import Iterable

import anyio
import httpcore
import httpx
from anyio.abc import ByteStream, SocketAttribute
from anyio.streams.tls import TLSAttribute, TLSStream
from httpcore._utils import is_socket_readable

from jobdeck.http.origin import is_localhost
from jobdeck.http.pieces import WORK, Work


class BoundedTransport(httpx.AsyncHTTPTransport):
    """httpx's own transport on streams that count what is read for each request."""

    def __init__(self, **options: typing.Any) -> None:
        super().__init__(**options)
        # httpx has no way to give its pool a backend, and httpcore's has no other way to see a 1xx answer go by.
        self._pool._network_backend = _Network()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request, with bounds for its answer."""
        work = Work()
        WORK.set(work)
        response = await super().handle_async_request(request)
        work.end_head()
        return response


class _Network(httpcore.AsyncNetworkBackend):
    """Opens connections; ``localhost`` is 127.0.0.1, or ::1 if nothing listens there, whatever a resolver says."""

    def __init__(self) -> None:
        self._local = ("127.0.0.1", "::1")

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Connect to a host; raises `httpcore.ConnectError`."""
        try:
            if not is_localhost(host):
                return _Stream(await anyio.connect_tcp(host, port))
            try:
                return _Stream(await anyio.connect_tcp(self._local[0], port))
            except OSError as refused:
                try:
                    stream = _Stream(await anyio.connect_tcp(self._local[1], port))
                except OSError:
                    # The first error says more: the second is often just a lack of IPv6.
                    raise refused from None
                self._local = (self._local[1], self._local[0])
                return stream
        except (OSError, anyio.BrokenResourceError) as error:
            raise httpcore.ConnectError(str(error)) from error

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


class _Stream(httpcore.AsyncNetworkStream):
    def __init__(self, stream: ByteStream) -> None:
        self._stream = stream
        self._socket: socket.socket = stream.extra(SocketAttribute.raw_socket)

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        try:
            data = await self._stream.receive(max_bytes)
        except anyio.EndOfStream:
            data = b""
        except (anyio.BrokenResourceError, anyio.ClosedResourceError) as error:
            raise httpcore.ReadError(str(error)) from error
        work = WORK.get()
        if work is not None:
            work.note(len(data))
        return data

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:
        if not buffer:
            return
        try:
            await self._stream.send(buffer)
        except (anyio.BrokenResourceError, anyio.ClosedResourceError) as error:
            raise httpcore.WriteError(str(error)) from error

    async def aclose(self) -> None:
        await self._stream.aclose()

    async def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore.AsyncNetworkStream:
        try:
            wrapped = await TLSStream.wrap(
                self._stream,
                server_side=False,
                hostname=server_hostname,
                ssl_context=ssl_context,
                standard_compatible=False,
            )
        except (anyio.BrokenResourceError, anyio.EndOfStream, ssl.SSLError) as error:
            await self.aclose()
            raise httpcore.ConnectError(str(error)) from error
        except BaseException:
            await self.aclose()
            raise
        return _Stream(wrapped)

    def get_extra_info(self, info: str) -> typing.Any:
        match info:
            case "is_readable":
                return is_socket_readable(self._socket)
            case "socket":
                return self._socket
            case "ssl_object":
                return self._stream.extra(TLSAttribute.ssl_object, None)
            case "client_addr":
                return self._stream.extra(SocketAttribute.local_address, None)
            case "server_addr":
                return self._stream.extra(SocketAttribute.remote_address, None)
            case _:
                return None
