"""What an ID may look like, and how it goes into a path: the one rule for job and account group IDs."""

import re
from urllib.parse import quote

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.~:-]{0,199}")


def is_id(text: object) -> bool:
    """Whether `text` is a string that may be an ID (``.`` and ``..`` never are: the first character is no dot)."""
    return isinstance(text, str) and _ID.fullmatch(text) is not None


def encode_piece(text: str) -> str:
    """Return `text` as one path or query piece, percent-encoded with nothing safe but the unreserved characters."""
    return quote(text, safe="")
