"""Where a JSON value ends: a scan without recursion, so that what is handed to a parser is one value, not too deep."""

import re
from dataclasses import dataclass

MAX_DEPTH = 200

_TOKEN = re.compile(rb'"[^"\\\n]*+(?:\\.[^"\\\n]*+)*+"?|[{}\[\]]')
_OPEN = frozenset(b"{[")
_CLOSE = frozenset(b"}]")


@dataclass(frozen=True, slots=True)
class Span:
    """A value's extent in bytes: `end` is one past it, or None when it does not end before the scan's stop."""

    end: int | None
    depth: int


def scan_value(data: bytes, start: int, stop: int) -> Span:
    """Return the extent of the object or array that begins at `start`, and the depth it reaches.

    Strings are skipped, brackets counted; whether the value is valid is for the parser to say. Linear in its size.
    """
    depth = deepest = 0
    for token in _TOKEN.finditer(data, start, stop):
        first = data[token.start()]
        if first in _OPEN:
            depth += 1
            deepest = max(deepest, depth)
        elif first in _CLOSE:
            depth -= 1
            if depth == 0:
                return Span(token.end(), deepest)
    return Span(None, deepest)
