"""Markers in a pruned document, in place of the bytes that were dropped."""

import re
import secrets

_PREFIX = "dropped-"
_END = 4_096
_HALF_ESCAPE = re.compile(r"(?<!\\)((?:\\\\)*)\\(?:u[0-9a-fA-F]{0,3})?\Z")


class Marker:
    """Makes and recognizes markers, which give the number of dropped bytes. Their random name cannot be guessed."""

    def __init__(self) -> None:
        name = f"{_PREFIX}{secrets.token_hex(8)}:"
        self._name = name
        self._pattern = re.compile(rf"{name}(\d+);")
        # A text that was cut may end in the middle of a marker.
        self._broken = re.compile(rf"{_PREFIX}[0-9a-f]{{0,16}}:?\d*(?=… \(truncated)")

    def of(self, size: int) -> bytes:
        """Return the marker for `size` dropped bytes, without quotes."""
        return f"{self._name}{size};".encode()

    def is_in(self, text: str) -> bool:
        """Whether a text has a marker."""
        return self._name in text

    def size(self, text: str) -> int:
        """Return the size of a text before bytes of it were dropped."""
        dropped = sum(int(match[1]) for match in self._pattern.finditer(text))
        return dropped + len(self._pattern.sub("", text))

    def replace_by_words(self, text: str) -> str:
        """Return a text with a note in place of each marker; without markers, the text as it is.

        A string that was cut loses another 4 KiB at its end: it may end in half a credential, which no search finds.
        """
        if _PREFIX not in text:
            return text
        pieces: list[str] = []
        at = 0
        for match in self._pattern.finditer(text):
            pieces += (_without_end(text[at : match.start()]), f"… (truncated, {match[1]} bytes)")
            at = match.end()
        return self._broken.sub("", "".join((*pieces, text[at:])))


def _without_end(text: str) -> str:
    """Return a text without the last 4 KiB of the string at its end, in JSON or not, and without a broken escape."""
    end = max(len(text) - _END, text.rfind('"') + 1)
    return _HALF_ESCAPE.sub(r"\1", text[:end])


def is_partial(value: object) -> bool:
    """Whether elements of an array or members of an object were dropped, so that it cannot be counted or searched."""
    match value:
        case dict() if value:
            last: object = next(reversed(value))
        case list() if value:
            last = value[-1]
        case _:
            return False
    return isinstance(last, str) and last.startswith(_PREFIX)
