"""One viewer: a socket on one side, a screen on the other."""

import asyncio
import json
from contextlib import suppress

from starlette.websockets import WebSocket, WebSocketDisconnect

from jobdeck.serve.view import MakeView, View

LONGEST_LAG = 2_000_000
"""Characters that may wait for a browser; past it the view ends, for a screen must not wait for a connection."""

CLOSE_SECONDS = 1.0
LARGEST_INPUT = 64_000
SIZES = range(1, 1_000)
TRY_AGAIN_LATER = 1013
INTERNAL_ERROR = 1011
NORMAL = 1000


class Viewer:
    """Carries what the screen writes to the browser, and what the browser sends to the screen."""

    def __init__(self, socket: WebSocket, make_view: MakeView) -> None:
        """Make the screen as large as the browser asks for."""
        self._socket = socket
        self._waiting: list[str] = []
        self._lag = 0
        self._stirred = asyncio.Event()
        self._left_behind = asyncio.Event()
        query = socket.query_params
        self._view: View = make_view(self._write, _cells(query.get("width"), 80), _cells(query.get("height"), 24))

    async def run(self) -> None:
        """Serve until either side ends."""
        view = asyncio.ensure_future(self._view.run())
        others = (self._send(), self._receive(), self._left_behind.wait())
        sides = [view, *(asyncio.ensure_future(other) for other in others)]
        code = NORMAL
        try:
            done, _ = await asyncio.wait(sides, return_when=asyncio.FIRST_COMPLETED)
            if view in done:
                code = INTERNAL_ERROR if view.exception() is not None else NORMAL
                await self._flush()
            elif self._left_behind.is_set():
                code = TRY_AGAIN_LATER
        finally:
            await self._view.close()
            for side in sides:
                side.cancel()
            await asyncio.gather(*sides, return_exceptions=True)
            with suppress(RuntimeError, WebSocketDisconnect, TimeoutError):
                async with asyncio.timeout(CLOSE_SECONDS):
                    await self._socket.close(code)

    def _write(self, text: str) -> None:
        self._lag += len(text)
        if self._lag > LONGEST_LAG:
            self._waiting.clear()
            self._left_behind.set()
        else:
            self._waiting.append(text)
            self._stirred.set()

    async def _send(self) -> None:
        """Send what waits, for as long as the browser takes it."""
        while True:
            await self._stirred.wait()
            self._stirred.clear()
            await self._flush()

    async def _flush(self) -> None:
        while self._waiting:
            text = "".join(self._waiting)
            self._waiting.clear()
            with suppress(RuntimeError, WebSocketDisconnect):
                await self._socket.send_bytes(text.encode("utf-8", "replace"))
            self._lag -= len(text)

    async def _receive(self) -> None:
        """Hand on what the browser sends; ends when it goes, or speaks otherwise than our page does."""
        with suppress(WebSocketDisconnect, ValueError, TypeError, KeyError, RuntimeError):
            while True:
                self._take(json.loads(await self._socket.receive_text()))

    def _take(self, message: object) -> None:
        match message:
            case ["stdin", str(text)] if len(text) <= LARGEST_INPUT:
                self._view.type(text)
            case ["resize", {"width": int(width), "height": int(height)}] if width in SIZES and height in SIZES:
                self._view.resize(width, height)
            case ["focus"] | ["blur"]:
                self._view.attend(present=message == ["focus"])
            case _:
                pass


def _cells(text: str | None, otherwise: int) -> int:
    return int(text) if text is not None and text.isascii() and text.isdigit() and int(text) in SIZES else otherwise
