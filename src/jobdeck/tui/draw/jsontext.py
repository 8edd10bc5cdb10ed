"""JSON text laid out for reading, from its first bytes alone: an answer of 8 MB must not hold the screen."""

import json
import re

from jobdeck.domain.text import clean
from jobdeck.tui.cells import DETAIL_LIMIT

_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"?|[{}\[\],:]|[^\s"{}\[\],:]+')
_ESCAPES = re.compile(r"\\\\|((?:\\u[0-9a-fA-F]{4})+)")
_DEEPEST = 24


def layout(text: str) -> str:
    r"""Return at most `DETAIL_LIMIT` characters of JSON `text`, indented; text cut anywhere still lays out.

    Escaped letters (``\u4e16``) are shown as letters; escapes that hide something unprintable stay escapes.
    """
    out: list[str] = []
    depth = 0
    previous = ""
    for match in _TOKEN.finditer(text[:DETAIL_LIMIT]):
        piece = match[0]
        if piece in {"}", "]"}:
            depth = max(0, depth - 1)
            out.append(piece if previous in {"{", "["} else _newline(depth) + piece)
        else:
            if previous in {"{", "[", ","}:
                out.append(_newline(depth))
            if piece in {"{", "["}:
                depth += 1
            out.append(f"{piece} " if piece == ":" else readable(piece))
        previous = piece
    return "".join(out)


def readable(piece: str) -> str:
    """Return a JSON string piece with its escaped letters as letters."""
    return _ESCAPES.sub(_letters, piece) if "\\u" in piece else piece


def _letters(match: re.Match[str]) -> str:
    if match[1] is None:
        return match[0]
    letters: str = json.loads(f'"{match[1]}"')
    # What is invisible by itself may belong to its word, and that may begin before the escapes.
    start, end = match.span()
    text = f"{match.string[max(0, start - 1) : start]}{letters}{match.string[end : end + 1]}"
    harmless = clean(text) == text and '"' not in letters and "\\" not in letters
    return letters if harmless else match[0]


def _newline(depth: int) -> str:
    return "\n" + "  " * min(depth, _DEEPEST)
