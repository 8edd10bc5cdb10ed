"""Skipping JSON in bounded memory: the grammar of brackets, commas and colons is checked, values are not read."""

import re

MAX_DEPTH = 200
"""Most levels of a JSON text: parsers refuse deeper ones, or overflow the stack."""


class NotJsonError(Exception):
    """The text is no JSON object or array, or so damaged or deep that the ends of its values are unknown."""


_TOKEN = re.compile(rb'"(?:[^"\\]++|\\.)*+"|[{}\[\]]', re.DOTALL)
_MARK = re.compile(rb'"(?:[^"\\]++|\\.)*+"?|[{}\[\]]', re.DOTALL)
"""A token, or a string without its end."""

_REST_OF_STRING = re.compile(rb'(?:[^"\\]++|\\.)*+"', re.DOTALL)

_OUTLINE = bytes(byte if byte in b'{}[],:"' else 32 if byte in b" \t\r\n\0" else ord("v") for byte in range(256))
"""Translates the text outside of strings to its outline: v for each character of a number or word."""

_RULES = (
    (b'":v', b"m"),
    (b'":"', b"m"),
    (b'",', b"v,"),
    (b'"]', b"v]"),
    (b"v,v,v,v", b"v"),
    (b"v,v", b"v"),
    (b"m,m,m,m", b"m"),
    (b"m,m", b"m"),
    (b"[v,", b"["),
    (b"{m,", b"{"),
    (b"[v]", b"v"),
    (b"[]", b"v"),
    (b"{m}", b"v"),
    (b"{}", b"v"),
)
"""Reductions of an outline: v is a value, m a member of an object. A valid and complete value reduces to v."""

_OPEN = re.compile(rb'(?:\[|\{":)*+(?:[v"]|\{[m"]?)?+')
"""The reduced outline of a valid value that is not complete."""


class StringSkipper:
    """Skips to the end of a string that has begun; `size` is the number of bytes skipped, the quote included."""

    def __init__(self) -> None:
        self.size = 0
        self._half_escape = False

    def feed(self, data: bytes) -> int | None:
        """Return the index in `data` just after the end; None if the end is not in `data`."""
        text = _unescaped(data) if self._half_escape else data
        end = _REST_OF_STRING.match(text)
        self.size += len(data) if end is None else end.end()
        self._half_escape = _without_escapes(text).endswith(b"\\")
        return None if end is None else end.end()


class Skipper:
    """Skips to the end of an array or object that has begun with `opener`, at about 50 MB a second.

    `size` is the number of bytes skipped, the last bracket included. A trailing comma is accepted.
    """

    def __init__(self, opener: bytes) -> None:
        self.size = 0
        self._outline = opener
        self._in_string = False
        self._in_word = False
        self._half_escape = False

    def feed(self, data: bytes) -> int | None:
        """Return the index in `data` just after the end; None if it is not in `data`; raises `NotJsonError`."""
        text = _unescaped(data) if self._half_escape else data
        plain = _without_escapes(text)
        parts = plain.split(b'"')
        outline = _reduce(self._outline + self._outline_of(parts))
        if outline.startswith(b"v"):
            end = self._end_in(text)
            if _reduce(self._outline + self._outline_of(_without_escapes(text[:end]).split(b'"'))) != b"v":
                raise NotJsonError
            self.size += end
            return end
        if _OPEN.fullmatch(outline) is None or _depth(outline) > MAX_DEPTH:
            raise NotJsonError
        self._in_string ^= len(parts) % 2 == 0
        self._in_word = not self._in_string and _OUTLINE[parts[-1][-1]] == ord("v") if parts[-1] else False
        self._half_escape = self._in_string and plain.endswith(b"\\")
        self._outline = outline
        self.size += len(data)
        return None

    def _outline_of(self, parts: list[bytes]) -> bytes:
        """Return the outline of a slice that was split at its quotes, with a quote for each string that ends in it."""
        if self._in_string:
            outline = b'"'.join((b"", *parts[1::2])) if len(parts) > 1 else b""
        else:
            outline = b'"'.join(parts[::2])
        outline = outline.translate(_OUTLINE)
        while b"vv" in outline:
            outline = outline.replace(b"vvvv", b"v").replace(b"vv", b"v")
        if self._in_word and outline.startswith(b"v"):
            outline = outline[1:]
        # Two words separated by a blank stay two, which no rule reduces.
        return outline.replace(b" ", b"")

    def _end_in(self, text: bytes) -> int:
        at, depth = 0, _depth(self._outline)
        if self._in_string and (end := _REST_OF_STRING.match(text)) is not None:
            at = end.end()
        for token in _TOKEN.finditer(text, at):
            depth += (token[0] in {b"{", b"["}) - (token[0] in {b"}", b"]"})
            if depth == 0:
                return token.end()
        raise NotJsonError


def end_of(data: bytes, start: int, stop: int) -> int | None:
    """Return the end of the object or array that begins at `start`; None if it does not end before `stop`."""
    depth = 0
    for mark in _MARK.finditer(data, start, stop):
        depth += (mark[0] in {b"{", b"["}) - (mark[0] in {b"}", b"]"})
        if depth == 0:
            return mark.end()
    return None


def _reduce(outline: bytes) -> bytes:
    """Return an outline with v for each complete value, and without the complete members of incomplete ones."""
    for _ in range(2 * MAX_DEPTH):
        size = len(outline)
        for part, short in _RULES:
            outline = outline.replace(part, short)
        if len(outline) == size:
            return outline
    raise NotJsonError


def _depth(outline: bytes) -> int:
    return outline.count(b"[") + outline.count(b"{")


def _unescaped(text: bytes) -> bytes:
    """Return a slice with its first character, which is escaped, replaced by one that ends no string."""
    return b"_" + text[1:]


def _without_escapes(text: bytes) -> bytes:
    return text.replace(b"\\\\", b"").replace(b'\\"', b"") if b"\\" in text else text
