"""JSON objects of any size, made without ever being held whole: plain, or as a gzip body a thousandth as long."""

import struct
import zlib
from collections.abc import Iterator

_HEAD, _TAIL = b'{"padding": "', b'"}'
_PIECE = b"x" * 2**20
_GZIP_HEADER = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\xff"

SMALLEST = len(_HEAD) + len(_TAIL)
"""The least number of bytes such an object has."""


def padded_json(size: int) -> Iterator[bytes]:
    """The pieces of a JSON object of `size` bytes, or of `SMALLEST` when that is more."""
    fill = max(0, size - SMALLEST)
    yield _HEAD
    for _ in range(fill // len(_PIECE)):
        yield _PIECE
    yield _PIECE[: fill % len(_PIECE)]
    yield _TAIL


def gzip_of_padded_json(size: int) -> bytes:
    """A gzip body, right to its checksum, that inflates to `padded_json(size)`."""
    # After a full flush deflate starts afresh on a byte's boundary, so a piece packed once can be repeated: a GiB
    # then costs only its checksum, and the server's other answers need not wait for the packing.
    packed: dict[bytes, bytes] = {}
    checksum = length = 0
    parts = [_GZIP_HEADER]
    for piece in padded_json(size):
        if piece not in packed:
            packer = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
            packed[piece] = packer.compress(piece) + packer.flush(zlib.Z_FULL_FLUSH)
        parts.append(packed[piece])
        checksum = zlib.crc32(piece, checksum)
        length += len(piece)
    end = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS).flush()
    return b"".join([*parts, end, struct.pack("<LL", checksum, length % 2**32)])
