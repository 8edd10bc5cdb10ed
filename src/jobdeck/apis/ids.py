"""The one rule for the form of IDs of jobs."""

import re

from jobdeck.domain.text import clean

MAX_ID = 200
_ASCII = re.compile(r"[\x21-\x2e\x30-\x5b\x5d-\x7e]{1,200}")


def is_id(text: object) -> bool:
    """Whether `text` may be an ID: 1 to 200 characters, no control character, white space, slash or backslash.

    ``.`` and ``..`` are no IDs: they would lead to another path. Characters outside ASCII must be printable and clean.
    """
    if not isinstance(text, str) or text in {".", ".."}:
        return False
    if text.isascii():
        return _ASCII.fullmatch(text) is not None
    unsafe = any(character.isspace() or character in "/\\" for character in text)
    return len(text) <= MAX_ID and text.isprintable() and not unsafe and clean(text) == text
