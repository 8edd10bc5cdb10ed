"""Bounds on the work that one answer may cost, since a server may send it in any number of pieces."""

import asyncio
from collections.abc import AsyncIterator
from contextvars import ContextVar

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


class Work:
    """The reads and bytes of the answer to one request so far."""

    __slots__ = ("bytes", "head", "reads")

    def __init__(self) -> None:
        self.head = True
        self.reads = 0
        self.bytes = 0

    def end_head(self) -> None:
        """Count anew from here on: the head of the answer is complete."""
        self.head, self.reads, self.bytes = False, 0, 0

    def note(self, size: int) -> None:
        """Count a read; raises `TooManyPiecesError` when it is one too many."""
        self.reads += 1
        self.bytes += size
        if self.head and (self.bytes > HEAD_BYTES or self.reads > HEAD_READS):
            raise TooManyPiecesError(f"no response within {self.bytes} bytes of headers and 1xx responses")
        if not self.head:
            check_pieces(self.reads, self.bytes)


WORK: ContextVar[Work | None] = ContextVar("WORK", default=None)
"""The work of the request that is sent in this context."""


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
