"""The connections to one origin: httpcore's own, without its pool, which looks at every one of them twice a request."""

from collections.abc import AsyncIterable, AsyncIterator, Callable
from typing import cast

import httpcore


class ConnectionPool:
    """Sends each request over the connection that was free last, or a new one; how many at once is up to the caller.

    `pool` makes them, by a proxy or not, and keeps none itself. Those that nobody needs are closed once they expire or
    the server closes them: the one that was not used for longest is looked at with every request.
    """

    def __init__(self, pool: httpcore.AsyncConnectionPool) -> None:
        self._pool = pool
        self._idle: list[httpcore.AsyncConnectionInterface] = []
        self._busy: set[httpcore.AsyncConnectionInterface] = set()

    async def handle_async_request(self, request: httpcore.Request) -> httpcore.Response:
        """Send a request; its connection is free again once the response is closed."""
        connection = await self._free_connection() or self._pool.create_connection(request.url.origin)
        self._busy.add(connection)
        try:
            response = await connection.handle_async_request(request)
        except BaseException:
            self._busy.discard(connection)
            await connection.aclose()
            raise
        content = _Content(response, lambda: self._release(connection))
        return httpcore.Response(
            response.status, headers=response.headers, content=content, extensions=response.extensions
        )

    async def aclose(self) -> None:
        """Close all, those in use as well."""
        connections = (*self._idle, *self._busy)
        self._idle.clear()
        self._busy.clear()
        for connection in connections:
            await connection.aclose()

    async def _free_connection(self) -> httpcore.AsyncConnectionInterface | None:
        while self._idle and self._idle[0].has_expired():
            await self._idle.pop(0).aclose()
        while self._idle:
            connection = self._idle.pop()
            if not connection.has_expired():
                return connection
            await connection.aclose()
        return None

    def _release(self, connection: httpcore.AsyncConnectionInterface) -> None:
        """Keep a connection whose response is closed, if it can take another request and none has closed it."""
        if connection in self._busy:
            self._busy.discard(connection)
            if connection.is_idle():
                self._idle.append(connection)


class _Content:
    """The content of a response, which gives its connection back when it is closed."""

    def __init__(self, response: httpcore.Response, release: Callable[[], None]) -> None:
        self._response = response
        self._release = release

    def __aiter__(self) -> AsyncIterator[bytes]:
        return aiter(cast("AsyncIterable[bytes]", self._response.stream))

    async def aclose(self) -> None:
        try:
            await self._response.aclose()
        finally:
            self._release()
