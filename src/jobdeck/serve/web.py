"""The routes: the page, what it loads, and the socket of its terminal."""

import asyncio
from collections.abc import Awaitable, Callable

from starlette.applications import Starlette
from starlette.requests import HTTPConnection, Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket

from jobdeck.serve.access_control import AccessControl
from jobdeck.serve.connections import Connections
from jobdeck.serve.page import FILES, HEADERS, STATIC, asset, terminal_page, words_page
from jobdeck.serve.view import MakeView
from jobdeck.serve.viewer import TRY_AGAIN_LATER, Viewer

MOST_VIEWERS = 4
PATIENCE_SECONDS = 2.0
"""How long somebody waits for a place: a page that is loaded again asks for one before its old one has been left."""

FULL = f"\x1b[2J\x1b[H{MOST_VIEWERS} browsers are already connected; close one of them first.\r\n"
UNAUTHORIZED = "Open the URL printed by jobdeck serve: it contains the access token."

Answer = Callable[[Request], Awaitable[Response]]


class WebApp:
    """The site on one port, and how many look at it."""

    def __init__(self, access: AccessControl, make_view: MakeView, connections: Connections) -> None:
        self._access = access
        self._connections = connections
        self._make_view = make_view
        self.viewers = 0
        self._left = asyncio.Event()

    def app(self) -> Starlette:
        """Return the site as an ASGI application."""
        return Starlette(
            routes=[
                Route("/", self._guarded(self._page)),
                Route("/static/{name}", self._guarded(self._static)),
                WebSocketRoute("/socket", self._socket),
            ],
            exception_handlers={404: _not_found, 405: _not_found},
        )

    def _guarded(self, answer: Answer) -> Answer:
        async def guarded(request: Request) -> Response:
            if not self._access.own_host(request.headers):
                words = self._access.explain_host(request.headers)
                return HTMLResponse(words_page(words), 421, HEADERS)
            return await answer(request)

        return guarded

    async def _page(self, request: Request) -> Response:
        token = request.query_params.get("token")
        if token is not None and self._access.knows_token(token):
            response = RedirectResponse("/", 303, HEADERS)
            # Not "strict": a link that was clicked in another program would arrive without it.
            response.set_cookie(self._access.cookie, self._access.session_cookie, httponly=True, samesite="lax")
            self._let_stay(request)
            return response
        if token is not None or not self._access.is_authorized(request.cookies):
            return HTMLResponse(words_page(UNAUTHORIZED), 403, HEADERS)
        self._let_stay(request)
        return HTMLResponse(terminal_page(f"ws://{request.headers['host']}/socket"), headers=HEADERS)

    async def _static(self, request: Request) -> Response:
        name = request.path_params["name"]
        if not self._access.is_authorized(request.cookies):
            return HTMLResponse(words_page(UNAUTHORIZED), 403, HEADERS)
        self._let_stay(request)
        if name in STATIC:
            text, media_type = STATIC[name]
            return Response(text, headers=HEADERS, media_type=media_type)
        if name not in FILES:
            return await _not_found(request, None)
        return Response(asset(name).read_bytes(), headers=HEADERS, media_type=FILES[name][1])

    async def _socket(self, socket: WebSocket) -> None:
        access = self._access
        if not (
            access.own_host(socket.headers)
            and access.own_origin(socket.headers)
            and access.is_authorized(socket.cookies)
        ):
            await socket.close()  # before it was accepted: the browser is answered 403
            return
        self._let_stay(socket)
        await socket.accept()
        if not await self._acquire_slot():
            await socket.send_bytes(FULL.encode())
            await socket.close(TRY_AGAIN_LATER)
            return
        self.viewers += 1
        address = _address_of(socket)
        self._connections.set_viewing(address, viewing=True)
        try:
            await Viewer(socket, self._make_view).run()
        finally:
            self._connections.set_viewing(address, viewing=False)
            self.viewers -= 1
            self._left.set()

    def _let_stay(self, connection: HTTPConnection) -> None:
        self._connections.admit(_address_of(connection))

    async def _acquire_slot(self) -> bool:
        """Wait for a place; the caller takes it at once."""
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                while self.viewers >= MOST_VIEWERS:
                    self._left.clear()
                    await self._left.wait()
        except TimeoutError:
            return False
        return True


def _address_of(connection: HTTPConnection) -> tuple[str, int]:
    client = connection.client
    return ("", 0) if client is None else (client.host, client.port)


async def _not_found(_request: Request, _error: Exception | None) -> Response:
    return HTMLResponse(words_page("Not found."), 404, HEADERS)
