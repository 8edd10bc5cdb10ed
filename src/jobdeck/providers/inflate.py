"""Bodies decoded under a cap that holds while decoding, not after."""

import re
import zlib
from collections.abc import Iterable

MAX_BODY = 8 * 1024 * 1024
"""Decoded bytes of one body."""


class TooBigError(Exception):
    """A body is bigger than the cap."""


class EncodingError(Exception):
    """A body is not what its Content-Encoding says; the message says how."""


_GZIP = b"\x1f\x8b"
_CODINGS = frozenset({"gzip", "x-gzip", "deflate", "br", "zstd", "compress", "x-compress", "dcb", "dcz"})
_TEXT = re.compile(rb"(?:\xef\xbb\xbf|\xff\xfe|\xfe\xff)?[\s\0]*[{\[<]")
"""How JSON and HTML begin, in any charset."""


class Inflater:
    """Decodes one body chunk by chunk, identity or gzip, up to `limit` bytes.

    What a body begins with counts more than its label: proxies unpack it and leave the label, or pack it without one.
    `max_length` bounds what zlib may produce from one chunk: 1 GiB out of 1.7 kB is refused with 22 MiB more
    memory, where a cap on decoded chunks would see the whole of it first. `notes` say what was wrong with the label or
    the stream.
    """

    def __init__(self, content_encoding: Iterable[str], limit: int = MAX_BODY) -> None:
        """Prepare for the values of the Content-Encoding headers; raises `EncodingError` for several codings."""
        names = [name.strip().lower() for value in content_encoding for name in value.split(",")]
        self._names = [name for name in names if name not in {"", "identity"}]
        if len(self._names) > 1 and any(name in _CODINGS for name in self._names):
            raise EncodingError(f"unexpected content encoding {self._label!r}")
        self.notes: list[str] = []
        self._gzip: bool | None = None
        self._stream = zlib.decompressobj(31)
        self._limit = limit
        self._taken = 0
        self._parts: list[bytes] = []
        self._size = 0
        self._begin = b""

    def feed(self, chunk: bytes) -> None:
        """Decode a chunk; raises `TooBigError` or `EncodingError`."""
        self._taken += len(chunk)
        if self._taken > self._limit:
            # Raw bytes have the same cap: a stream of empty gzip members decodes to nothing, for ever.
            raise TooBigError
        if self._gzip is None:
            chunk, self._begin = self._begin + chunk, b""
            if len(chunk) < len(_GZIP):
                self._begin = chunk
                return
            self._gzip = self._is_gzip(chunk)
        while chunk:
            chunk = self._gunzip(chunk) if self._gzip else self._keep(chunk)

    def finish(self) -> bytes:
        """Return the whole body, or what there is of it."""
        if self._gzip is None:
            self._keep(self._begin)
        if self._gzip and not self._stream.eof:
            self.notes.append("gzip stream cut short")
        return b"".join(self._parts)

    @property
    def size(self) -> int:
        """Bytes decoded so far."""
        return self._size

    @property
    def _label(self) -> str:
        return ", ".join(self._names)[:80]

    def _is_gzip(self, begin: bytes) -> bool:
        """Whether a body that begins so is gzip; raises `EncodingError` where it is something else, and no text."""
        packed, labelled = begin.startswith(_GZIP), self._names in (["gzip"], ["x-gzip"])
        if packed == labelled and (packed or not self._names):
            return packed
        if packed and not self._names:
            self.notes.append("gzip without a Content-Encoding")
        elif _TEXT.match(begin) is not None:
            self.notes.append(f"Content-Encoding {self._label!r} on a body that is not encoded")
        elif labelled:
            raise EncodingError("not a gzip stream, although its content encoding says so")
        else:
            raise EncodingError(f"unexpected content encoding {self._label!r}")
        return packed

    def _gunzip(self, chunk: bytes) -> bytes:
        if self._stream.eof:
            if not chunk.startswith(_GZIP[: len(chunk)]):
                if "data after the gzip stream ignored" not in self.notes and chunk.strip(b"\0"):
                    self.notes.append("data after the gzip stream ignored")
                return b""
            self._stream = zlib.decompressobj(31)
        try:
            self._keep(self._stream.decompress(chunk, self._limit - self._size + 1))
        except zlib.error as error:
            raise EncodingError("not a whole gzip stream, although its content encoding says so") from error
        return self._stream.unused_data

    def _keep(self, data: bytes) -> bytes:
        self._size += len(data)
        if self._size > self._limit:
            raise TooBigError
        self._parts.append(data)
        return b""
