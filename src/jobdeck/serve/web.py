"""The routes: the page, its files, and the socket of its terminal."""

import asyncio
from typing import cast

from aiohttp.web import BaseRequest, Response, StreamResponse, WebSocketResponse

from jobdeck.serve.access_control import AccessControl
from jobdeck.serve.connections import Connections
from jobdeck.serve.page import FILES, HEADERS, STATIC, asset, message_page, terminal_page
from jobdeck.serve.viewer import CLOSE_SECONDS, LARGEST_MESSAGE, TRY_AGAIN_LATER, MakeView, Viewer

MOST_VIEWERS = 4
PATIENCE_SECONDS = 2.0
"""How long a viewer waits for a slot: a reloaded page connects before its old connection is closed."""

FULL = f"\x1b[2J\x1b[H{MOST_VIEWERS} browsers are already connected; close one of them first.\r\n"
UNAUTHORIZED = "Open the URL printed by jobdeck serve: it contains the access token."

HEARTBEAT_SECONDS = 40.0
"""A browser that was silent this long is pinged, and has half of it to respond."""


class WebApp:
    """Handles the requests to one port, and counts the viewers."""

    def __init__(self, access: AccessControl, make_view: MakeView, connections: Connections) -> None:
        self._access = access
        self._connections = connections
        self._make_view = make_view
        self._views: set[asyncio.Task[object]] = set()
        self._left = asyncio.Event()

    @property
    def viewers(self) -> int:
        """The number of browsers with a view."""
        return len(self._views)

    async def __call__(self, request: BaseRequest) -> StreamResponse:
        """Handle one request."""
        if not self._access.own_host(request.headers):
            return _page(message_page(self._access.explain_host(request.headers)), 421)
        if request.method not in {"GET", "HEAD"}:
            return _page(message_page("Not found."), 404)
        if request.path == "/":
            return self._enter(request)
        if request.path == "/socket":
            return await self._socket(request)
        return self._static(request, request.path.removeprefix("/static/"))

    async def close_views(self, seconds: float) -> None:
        """Close every view, waiting for at most `seconds`."""
        views = list(self._views)
        for view in views:
            view.cancel()
        if views:
            await asyncio.wait(views, timeout=seconds)

    def _enter(self, request: BaseRequest) -> Response:
        token = request.query.get("token")
        if token is not None and self._access.knows_token(token):
            response = Response(status=303, headers={**HEADERS, "Location": "/"})
            # Not "strict", because a link clicked in another program would then arrive without the cookie.
            response.set_cookie(self._access.cookie, self._access.session_cookie, httponly=True, samesite="lax")
            self._mark_authorized(request)
            return response
        if token is not None or not self._access.is_authorized(request.cookies):
            return _page(message_page(UNAUTHORIZED), 403)
        self._mark_authorized(request)
        return _page(terminal_page(f"ws://{request.headers['host']}/socket"))

    def _static(self, request: BaseRequest, name: str) -> Response:
        if not self._access.is_authorized(request.cookies):
            return _page(message_page(UNAUTHORIZED), 403)
        self._mark_authorized(request)
        if name in STATIC:
            text, media_type = STATIC[name]
            return Response(text=text, headers=HEADERS, content_type=media_type)
        if name in FILES:
            return Response(body=asset(name).read_bytes(), headers=HEADERS, content_type=FILES[name][1])
        return _page(message_page("Not found."), 404)

    async def _socket(self, request: BaseRequest) -> StreamResponse:
        access = self._access
        if not (access.own_origin(request.headers) and access.is_authorized(request.cookies)):
            return _page(message_page(UNAUTHORIZED), 403)
        socket = WebSocketResponse(
            timeout=CLOSE_SECONDS,
            heartbeat=HEARTBEAT_SECONDS,
            compress=False,
            # Larger messages end the view; those between the two limits are read and ignored.
            max_msg_size=4 * LARGEST_MESSAGE,
        )
        if not socket.can_prepare(request):
            return _page(message_page("Not found."), 404)
        self._mark_authorized(request)
        await socket.prepare(request)
        if not await self._acquire_slot():
            await socket.send_bytes(FULL.encode())
            await socket.close(code=TRY_AGAIN_LATER)
            return socket
        view = cast("asyncio.Task[object]", asyncio.current_task())
        address = _address_of(request)
        self._connections.set_viewing(address, viewing=True)
        self._views.add(view)
        try:
            await Viewer(socket, request.query, self._make_view).run()
        finally:
            self._views.discard(view)
            self._connections.set_viewing(address, viewing=False)
            self._left.set()
        return socket

    def _mark_authorized(self, request: BaseRequest) -> None:
        self._connections.mark_authorized(_address_of(request))

    async def _acquire_slot(self) -> bool:
        """Wait for a slot; the caller takes it at once."""
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                while self.viewers >= MOST_VIEWERS:
                    self._left.clear()
                    await self._left.wait()
        except TimeoutError:
            return False
        return True


def _address_of(request: BaseRequest) -> tuple[str, int]:
    host, port = request.get_extra_info("peername", ("", 0))
    return host, port


def _page(page: str, status: int = 200) -> Response:
    return Response(text=page, status=status, headers=HEADERS, content_type="text/html")
