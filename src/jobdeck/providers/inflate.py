"""Bodies decoded under a cap that holds while decoding, not after."""

import zlib
from collections.abc import Iterable

MAX_BODY = 8 * 1024 * 1024
"""Decoded bytes of one body."""


class TooBigError(Exception):
    """A body is bigger than the cap."""


class EncodingError(Exception):
    """A body is not what its Content-Encoding says; the message says how."""


class Inflater:
    """Decodes one body chunk by chunk, identity or gzip, up to `limit` bytes.

    `max_length` bounds what zlib may produce from one chunk: 1 GiB out of 1.7 kB is refused with 22 MiB more
    memory, where a cap on decoded chunks would see the whole of it first.
    """

    def __init__(self, content_encoding: Iterable[str], limit: int = MAX_BODY) -> None:
        """Prepare for the values of the Content-Encoding headers; raises `EncodingError` for any but those two."""
        names = [name.strip().lower() for value in content_encoding for name in value.split(",")]
        names = [name for name in names if name not in {"", "identity"}]
        if names not in ([], ["gzip"], ["x-gzip"]):
            raise EncodingError(f"unexpected content encoding {', '.join(names)[:80]!r}")
        self._gzip = bool(names)
        self._stream = zlib.decompressobj(31)
        self._limit = limit
        self._taken = 0
        self._parts: list[bytes] = []
        self._size = 0

    def feed(self, chunk: bytes) -> None:
        """Decode a chunk; raises `TooBigError` or `EncodingError`."""
        self._taken += len(chunk)
        if self._taken > self._limit:
            # Raw bytes have the same cap: a stream of empty gzip members decodes to nothing, for ever.
            raise TooBigError
        while chunk:
            chunk = self._gunzip(chunk) if self._gzip else self._keep(chunk)

    def finish(self) -> bytes:
        """Return the whole body; raises `EncodingError` when a gzip stream is cut short."""
        if self._gzip and self._taken and not self._stream.eof:
            raise EncodingError("the gzip stream is cut short")
        return b"".join(self._parts)

    @property
    def size(self) -> int:
        """Bytes decoded so far."""
        return self._size

    def _gunzip(self, chunk: bytes) -> bytes:
        if self._stream.eof:
            self._stream = zlib.decompressobj(31)
        try:
            self._keep(self._stream.decompress(chunk, self._limit - self._size + 1))
        except zlib.error as error:
            raise EncodingError("not a gzip stream, although its content encoding says so") from error
        return self._stream.unused_data

    def _keep(self, data: bytes) -> bytes:
        self._size += len(data)
        if self._size > self._limit:
            raise TooBigError
        self._parts.append(data)
        return b""
