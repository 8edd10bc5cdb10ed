"""Reading one body as it arrives: whole up to a limit, pruned beyond it."""

import asyncio
import time
from collections.abc import Callable, Iterable
from contextvars import ContextVar
from dataclasses import dataclass

from jobdeck.http.charset import Utf8Transcoder
from jobdeck.http.inflate import TooBigError
from jobdeck.http.marker import Marker
from jobdeck.http.prune import SLICE, Pruner
from jobdeck.http.redactor import RedactedStream

MAX_BODY = 8 * 1024 * 1024
"""Most decoded bytes of a body that is kept whole."""

SAVE_BODY: ContextVar[Callable[[bytes], object] | None] = ContextVar("SAVE_BODY", default=None)
"""A function that also receives the bodies of good answers in this context, in pieces, decoded and redacted."""

_MAX_BLOCK = 0.005
"""Seconds of work after which other tasks get a turn."""


@dataclass(frozen=True, slots=True)
class Body:
    """The body of an answer, with UTF-16 and UTF-32 converted to UTF-8; with a `marker`, large values were dropped."""

    data: bytes
    marker: Marker | None = None


class BodyReader:
    """Collects the decoded pieces of one body, in a few MiB more than `limit` bytes of memory.

    `beginning` are the first bytes of a body larger than `limit`, for a message about it.
    """

    def __init__(self, limit: int = MAX_BODY, redacted: RedactedStream | None = None) -> None:
        """Keep up to `limit` bytes whole; with `redacted`, pass its output to `SAVE_BODY`."""
        self._limit = limit
        self._redacted = redacted
        self._save = SAVE_BODY.get() if redacted is not None else None
        self._transcoder = Utf8Transcoder()
        self._parts: list[bytes] = []
        self._size = 0
        self._waiting = 0
        self.beginning = b""
        self._pruner: Pruner | None = None
        self._since = time.perf_counter()

    async def add(self, piece: bytes) -> None:
        """Add the next piece; raises `NotJsonError` or `TooBigError` if the body is large and no JSON."""
        data = self._transcoder.feed(piece)
        self._size += len(data)
        if self._redacted is not None:
            await self._write(self._redacted.feed(data))
        self._parts.append(data)
        self._waiting += len(data)
        if self._pruner is not None:
            # Each feed makes the pruner scan again from the start of an incomplete value.
            if self._waiting >= SLICE:
                await self._prune(self._pruner, self._take_parts())
            return
        if self._size > self._limit:
            self._pruner = Pruner()
            self.beginning = b"".join(self._parts[:1])[:SLICE]
            await self._prune(self._pruner, self._take_parts())
            if not self._pruner.begun:
                raise TooBigError(f"response contains more than {self._limit // 2**20} MiB of whitespace")

    async def finish(self) -> Body:
        """Return the body; raises `NotJsonError` as `add` does."""
        await self.add(b"")
        rest = self._transcoder.finish()
        if self._redacted is not None:
            await self._write(self._redacted.feed(rest))
            await self._write(self._redacted.finish())
        if self._pruner is None:
            return Body(b"".join((*self._parts, rest)))
        await self._prune(self._pruner, self._take_parts() + rest)
        return Body(self._pruner.finish(), self._pruner.marker)

    def _take_parts(self) -> bytes:
        parts, self._parts, self._waiting = self._parts, [], 0
        return b"".join(parts)

    async def _write(self, pieces: Iterable[bytes]) -> None:
        for piece in pieces:
            if self._save is not None:
                self._save(piece)
            await self._breathe()

    async def _breathe(self) -> None:
        """Give other tasks a turn if they have waited for long."""
        if time.perf_counter() - self._since > _MAX_BLOCK:
            await asyncio.sleep(0)
            self._since = time.perf_counter()

    async def _prune(self, pruner: Pruner, data: bytes) -> None:
        for start in range(0, len(data), SLICE):
            for _ in pruner.feed_in_steps(data[start : start + SLICE]):
                await self._breathe()
            await self._breathe()
