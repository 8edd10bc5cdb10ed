"""One viewer: a web socket connected to a screen."""

import asyncio
import json
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Protocol

from aiohttp.web import WebSocketResponse

Write = Callable[[str], None]
"""Takes terminal output. Must not block."""


class View(Protocol):
    """One viewer's screen."""

    async def run(self) -> None:
        """Draw until the viewer quits, `close` is called, or the screen crashes, which raises."""
        ...

    def type(self, text: str) -> None:
        """Process terminal input: keys, mouse reports, pastes."""
        ...

    def resize(self, width: int, height: int) -> None:
        """Draw for another size, in cells."""
        ...

    def set_user_present(self, *, present: bool) -> None:
        """Set whether the browser window has the focus."""
        ...

    async def close(self) -> None:
        """Close within two seconds; harmless after the end."""
        ...


MakeView = Callable[[Write, int, int], View]
"""Creates a screen of a width and height that writes to a viewer."""


LONGEST_LAG = 2_000_000
"""Characters that may wait for a browser; above it the view ends, because a screen must not wait for a connection."""

CLOSE_SECONDS = 1.0
LARGEST_MESSAGE = 4_096
"""Characters of one message from a browser: a larger one is ignored."""

CHARACTERS_OF_A_KEY = 25
"""A message costs as much as one key, plus one per this many characters."""

RESIZE_COST = 10.0
"""A resize costs as much as this many keys, because everything is redrawn."""

KEYS_PER_SECOND = 40.0
"""The sustained input rate of a viewer: a person types 10 keys per second, a moving mouse reports 30 cells."""

KEYS_AT_ONCE = 160.0
MAX_WIDTH, MAX_HEIGHT = 500, 200
TRY_AGAIN_LATER = 1013
INTERNAL_ERROR = 1011
NORMAL = 1000


class TokenBucket:
    """Allows a burst of `burst`, and `rate` per second; excess requests wait."""

    def __init__(self, rate: float, burst: float) -> None:
        self._rate = rate
        self._burst = burst
        self._tokens = burst
        self._at = time.monotonic()

    async def acquire(self, cost: float) -> None:
        """Take `cost` tokens, waiting until they are available."""
        now = time.monotonic()
        self._tokens = min(self._burst, self._tokens + (now - self._at) * self._rate) - cost
        self._at = now
        if self._tokens < 0:
            await asyncio.sleep(-self._tokens / self._rate)


class Viewer:
    """Passes the screen's output to the browser, and the browser's input to the screen."""

    def __init__(self, socket: WebSocketResponse, query: Mapping[str, str], make_view: MakeView) -> None:
        """Create the screen in the size that the browser asks for."""
        self._socket = socket
        self._waiting: list[str] = []
        self._lag = 0
        self._has_output = asyncio.Event()
        self._too_slow = asyncio.Event()
        self._input = TokenBucket(KEYS_PER_SECOND, KEYS_AT_ONCE)
        width, height = _cells(query.get("width"), 80, MAX_WIDTH), _cells(query.get("height"), 24, MAX_HEIGHT)
        self._view: View = make_view(self._write, width, height)

    async def run(self) -> None:
        """Run until either side ends."""
        view = asyncio.ensure_future(self._view.run())
        others = (self._send(), self._receive(), self._too_slow.wait())
        sides = [view, *(asyncio.ensure_future(other) for other in others)]
        code = NORMAL
        try:
            done, _ = await asyncio.wait(sides, return_when=asyncio.FIRST_COMPLETED)
            if view in done:
                code = INTERNAL_ERROR if view.exception() is not None else NORMAL
                await self._flush()
            elif self._too_slow.is_set():
                code = TRY_AGAIN_LATER
        finally:
            await self._view.close()
            for side in sides:
                side.cancel()
            await asyncio.gather(*sides, return_exceptions=True)
            with suppress(RuntimeError, OSError, TimeoutError):
                async with asyncio.timeout(CLOSE_SECONDS):
                    await self._socket.close(code=code)

    def _write(self, text: str) -> None:
        self._lag += len(text)
        if self._lag > LONGEST_LAG:
            self._waiting.clear()
            self._too_slow.set()
        else:
            self._waiting.append(text)
            self._has_output.set()

    async def _send(self) -> None:
        """Send pending output as fast as the browser takes it."""
        while True:
            await self._has_output.wait()
            self._has_output.clear()
            await self._flush()

    async def _flush(self) -> None:
        while self._waiting:
            text = "".join(self._waiting)
            self._waiting.clear()
            with suppress(RuntimeError, OSError):
                await self._socket.send_bytes(text.encode("utf-8", "replace"))
            self._lag -= len(text)

    async def _receive(self) -> None:
        """Process input from the browser; returns when it disconnects or sends something invalid.

        Input that arrives faster than anybody types waits in the browser, because nothing more is read.
        """
        with suppress(ValueError, TypeError, RuntimeError, RecursionError):
            while True:
                text = await self._socket.receive_str()
                await self._input.acquire(1.0 + len(text) / CHARACTERS_OF_A_KEY)
                if len(text) <= LARGEST_MESSAGE:
                    await self._take(json.loads(text))

    async def _take(self, message: object) -> None:
        match message:
            case ["stdin", str(text)]:
                self._view.type(text)
            case ["resize", {"width": int(width), "height": int(height)}] if width > 0 and height > 0:
                await self._input.acquire(RESIZE_COST)
                self._view.resize(min(width, MAX_WIDTH), min(height, MAX_HEIGHT))
            case ["focus"] | ["blur"]:
                self._view.set_user_present(present=message == ["focus"])
            case _:
                pass


def _cells(text: str | None, otherwise: int, most: int) -> int:
    usual = text is not None and len(text) <= 9 and text.isascii() and text.isdigit() and int(text) > 0
    return min(int(text), most) if usual and text is not None else otherwise
