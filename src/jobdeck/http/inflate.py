"""Decompressing bodies piece by piece, with a limit that is enforced while decoding, not afterwards."""

import re
import zlib
from collections.abc import Iterable, Iterator

MAX_DECODED = 256 * 1024 * 1024
"""Most decoded bytes of a body."""

_PIECE = 64 * 1024
"""Most decoded bytes of one piece."""


class TooBigError(Exception):
    """A body is larger than the limit; the message says which."""


class EncodingError(Exception):
    """A body contradicts its Content-Encoding; the message says how."""


_GZIP = b"\x1f\x8b"
_CODINGS = frozenset({"gzip", "x-gzip", "deflate", "br", "zstd", "compress", "x-compress", "dcb", "dcz"})
_TEXT = re.compile(rb"(?:\xef\xbb\xbf|\xff\xfe|\xfe\xff)?[\s\0]*[{\[<]")
"""The beginning of JSON and HTML in any charset."""


class Inflater:
    """Decodes one body chunk by chunk, identity or gzip, up to `limit` bytes in all.

    The first bytes of a body count more than its Content-Encoding: proxies decompress a body and leave the header, or
    compress it without one. zlib produces one piece at a time, so that a gigabyte out of 1.7 kB is rejected at the
    limit. `notes` say what was wrong with the header or the stream.
    """

    def __init__(self, content_encoding: Iterable[str], limit: int = MAX_DECODED) -> None:
        """Take the values of the Content-Encoding headers; raises `EncodingError` for several codings."""
        names = [name.strip().lower() for value in content_encoding for name in value.split(",")]
        self._names = [name for name in names if name not in {"", "identity"}]
        if len(self._names) > 1 and any(name in _CODINGS for name in self._names):
            raise EncodingError(f"unexpected content encoding {self._label!r}")
        self.notes: list[str] = []
        self._gzip: bool | None = None
        self._stream = zlib.decompressobj(31)
        self._limit = limit
        self._taken = 0
        self._size = 0
        self._begin = b""

    def feed(self, chunk: bytes) -> Iterator[bytes]:
        """Yield the decoded bytes of a chunk, in pieces; raises `TooBigError` or `EncodingError`."""
        self._taken += len(chunk)
        if self._taken > self._limit:
            # Raw bytes have the same limit: a stream of empty gzip members decodes to nothing, for ever.
            raise TooBigError(f"response exceeds {self._limit // 2**20} MiB")
        if self._gzip is None:
            chunk, self._begin = self._begin + chunk, b""
            if len(chunk) < len(_GZIP):
                self._begin = chunk
                return
            self._gzip = self._is_gzip(chunk)
        if self._gzip:
            yield from self._gunzip(chunk)
        else:
            yield self._counted(chunk)

    def finish(self) -> bytes:
        """Return the bytes that were held back; call it when the body has ended."""
        if self._gzip and not self._stream.eof:
            self.notes.append("truncated gzip stream")
        return self._counted(self._begin) if self._gzip is None else b""

    @property
    def size(self) -> int:
        """Bytes decoded so far."""
        return self._size

    @property
    def _label(self) -> str:
        return ", ".join(self._names)[:80]

    def _is_gzip(self, begin: bytes) -> bool:
        """Whether a body with this beginning is gzip; raises `EncodingError` if it is neither gzip nor text."""
        packed, labelled = begin.startswith(_GZIP), self._names in (["gzip"], ["x-gzip"])
        if packed == labelled and (packed or not self._names):
            return packed
        if packed and not self._names:
            self.notes.append("gzip without a Content-Encoding")
        elif _TEXT.match(begin) is not None:
            self.notes.append(f"Content-Encoding {self._label!r} on an unencoded body")
        elif labelled:
            raise EncodingError("not a gzip stream despite its Content-Encoding")
        else:
            raise EncodingError(f"unexpected content encoding {self._label!r}")
        return packed

    def _gunzip(self, chunk: bytes) -> Iterator[bytes]:
        more = True
        while chunk or more:
            if self._stream.eof:
                if not chunk.startswith(_GZIP[: len(chunk)]):
                    if "data after the gzip stream ignored" not in self.notes and chunk.strip(b"\0"):
                        self.notes.append("data after the gzip stream ignored")
                    return
                self._stream = zlib.decompressobj(31)
            try:
                data = self._stream.decompress(chunk, _PIECE)
            except zlib.error as error:
                raise EncodingError("incomplete gzip stream despite its Content-Encoding") from error
            yield self._counted(data)
            chunk = self._stream.unused_data if self._stream.eof else self._stream.unconsumed_tail
            # zlib may hold more output for the input that it has taken.
            more = len(data) == _PIECE and not self._stream.eof

    def _counted(self, data: bytes) -> bytes:
        self._size += len(data)
        if self._size > self._limit:
            raise TooBigError(f"response exceeds {self._limit // 2**20} MiB")
        return data
