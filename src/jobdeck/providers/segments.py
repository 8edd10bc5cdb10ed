"""Segments of a path: percent-encoded with nothing safe, and decoded once."""

import re
from urllib.parse import quote, unquote_to_bytes

_BROKEN_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")


def encode_segment(text: str) -> str:
    """Return `text` as one segment of a path or one value of a query, percent-encoded with nothing safe."""
    return quote(text, safe="")


def decode_segment(text: str) -> str | None:
    """Return a segment decoded once; None where its escapes are broken or it is no UTF-8.

    Once only: a doubly encoded dot or slash keeps its per cent sign.
    """
    if _BROKEN_ESCAPE.search(text):
        return None
    try:
        return unquote_to_bytes(text).decode("utf-8")
    except UnicodeDecodeError:
        return None
