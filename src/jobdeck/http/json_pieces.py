"""Large JSON texts, read and written a piece at a time.

A parser blocks the interpreter while it runs, even in a thread: 8 MiB of objects blocked the screen for 220 ms, nested
arrays for 1.2 s. Piece by piece nothing blocks it for more than 30 ms, and most bodies for no more than 15; the whole
takes half as long again.
"""

import re
from itertools import islice
from typing import TypeAlias

from jobdeck.http.json_text import json_text, read_json
from jobdeck.http.skip import MAX_DEPTH, end_of

PIECE = 64 * 1024
"""Bytes that are parsed at once, in one or two milliseconds."""

_Held: TypeAlias = "dict[object, object] | list[object]"

_STRING = rb'"(?:[^"\\]++|\\.)*+"'
_PLAIN = rb'[^"{}\[\]]++|' + _STRING


def _closed(levels: int) -> bytes:
    """Return the pattern of an object or array with at most `levels` levels inside; brackets need not match in kind."""
    inside = _PLAIN if levels == 0 else _PLAIN + b"|" + _closed(levels - 1)
    return rb"[{\[](?:" + inside + rb")*+[}\]]"


_MEMBERS = re.compile(rb'(?:(?:[^"{}\[\],]++|' + _STRING + b"|" + _closed(8) + rb")++,)*+", re.DOTALL)
"""Members of an object or array, each with its comma."""

_INSIDE = re.compile(rb'[^"\\]*+(?:\\.[^"\\]*+)*+', re.DOTALL)
"""The inside of a string."""

_WORD = re.compile(rb'[^\s,\[\]{}":]++')
_BLANK = re.compile(rb"[ \t\r\n]*+")


class LargeJson:
    """The value of a large JSON text. `close` it in the thread that read it: freeing it at once takes as long."""

    def __init__(self, body: bytes, piece: int = PIECE) -> None:
        """Read the text; raises ValueError if it is no JSON."""
        self._body = body
        self._piece = piece
        self._large: dict[int, tuple[_Held, list[int]]] = {}
        self.value: object = None
        try:
            self.value, end = self._read(self._skip(0), 0)
        except BaseException:
            self.close()
            raise
        if self._skip(end) != len(body):
            self.close()
            raise ValueError("extra data after the value")

    def text(self, value: object) -> str:
        """Return a part of the value as JSON text, like `json_text`."""
        if isinstance(value, str) and len(value) > self._piece:
            slices = (value[at : at + self._piece] for at in range(0, len(value), self._piece))
            return f'"{"".join(json_text(part)[1:-1] for part in slices)}"'
        held, counts = self._large.get(id(value), (None, []))
        if isinstance(held, list):
            rows = iter(held)
            pieces = [self._list_text(list(islice(rows, count))) for count in counts]
            return f"[{','.join(pieces)}]"
        if isinstance(held, dict) and sum(counts) == len(held):
            members = iter(held.items())
            pieces = [self._dict_text(dict(islice(members, count))) for count in counts]
            return f"{{{','.join(pieces)}}}"
        return json_text(value)

    def close(self) -> None:
        """Free the value, a piece at a time."""
        self.value = None
        for held, counts in self._large.values():
            if isinstance(held, dict):
                while held:
                    held.popitem()
            else:
                for count in reversed(counts):
                    del held[-count:]
        self._large.clear()

    def _list_text(self, rows: list[object]) -> str:
        return self.text(rows[0]) if len(rows) == 1 else json_text(rows)[1:-1]

    def _dict_text(self, members: dict[object, object]) -> str:
        if len(members) != 1:
            return json_text(members)[1:-1]
        ((key, value),) = members.items()
        return f"{json_text(key)}:{self.text(value)}"

    def _read(self, at: int, depth: int) -> tuple[object, int]:
        """Return the value that begins at `at`, and its end."""
        body = self._body
        match body[at : at + 1]:
            case b"{" | b"[":
                end = end_of(body, at, at + self._piece)
                if end is None:
                    return self._read_large(at, depth)
            case b'"':
                end = self._end_of_string(at)
            case _:
                word = _WORD.match(body, at)
                end = at if word is None else word.end()
        return read_json(body[at:end]), end

    def _read_large(self, at: int, depth: int) -> tuple[object, int]:
        """Return the object or array that begins at `at`, and its end; small members are read many at once."""
        if depth > MAX_DEPTH:
            raise ValueError(f"nested deeper than {MAX_DEPTH} levels")
        body = self._body
        is_object = body[at : at + 1] == b"{"
        begin, close = (b"{", b"}") if is_object else (b"[", b"]")
        members: dict[object, object] = {}
        rows: list[object] = []
        counts: list[int] = []
        self._large[id(members if is_object else rows)] = (members if is_object else rows, counts)
        at = self._skip(at + 1)
        while True:
            match = _MEMBERS.match(body, at, at + self._piece)
            if match is not None and match.end() > at:
                piece = read_json(begin + body[at : match.end() - 1] + close)
                if isinstance(piece, dict):
                    members.update(piece)
                elif isinstance(piece, list):
                    rows.extend(piece)
                counts.append(len(piece) if isinstance(piece, dict | list) else 0)
                at = self._skip(match.end())
                continue
            key: object = None
            if is_object:
                key, at = self._read_key(at)
            value, at = self._read(at, depth + 1)
            if is_object:
                members[key] = value
            else:
                rows.append(value)
            counts.append(1)
            at = self._skip(at)
            mark = body[at : at + 1]
            if mark == close:
                return (members if is_object else rows), at + 1
            if mark != b",":
                raise ValueError(f"expected a comma at {at}")
            at = self._skip(at + 1)

    def _read_key(self, at: int) -> tuple[object, int]:
        if self._body[at : at + 1] != b'"':
            raise ValueError(f"expected a key at {at}")
        end = self._end_of_string(at)
        colon = self._skip(end)
        if self._body[colon : colon + 1] != b":":
            raise ValueError(f"expected a colon at {colon}")
        return read_json(self._body[at:end]), self._skip(colon + 1)

    def _end_of_string(self, at: int) -> int:
        end = at + 1
        while self._body[end : end + 1] != b'"':
            # At most a piece at once: a string may be as long as the text.
            inside = _INSIDE.match(self._body, end, end + self._piece)
            if inside is None or inside.end() == end:
                raise ValueError(f"unterminated string at {at}")
            end = inside.end()
        return end + 1

    def _skip(self, at: int) -> int:
        blank = _BLANK.match(self._body, at)
        return at if blank is None else blank.end()
