"""Repairing JSON that strict parsers refuse: one odd byte must not hide how a job ended.

Only damage that cannot change the meaning of the rest is repaired: characters that should have been escaped, values
that are no JSON (they become null), extra commas, text after the end, a missing end. Damage that allows two readings
is not: a missing comma or quote, a second document after the first.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from jobdeck.http.charset import decode
from jobdeck.http.skip import MAX_DEPTH

_TOKEN = re.compile(
    r'(?P<string>"[^"\\]*+(?:\\.[^"\\]*+)*+")|(?P<mark>[{}\[\],:])|(?P<space>[\s\0]++)'
    r'|(?P<open>"(?s:.*))|(?P<word>[^{}\[\],:"\s\0]++)',
    re.DOTALL,
)
_PLAIN_STRING = re.compile(r'"[^"\\\x00-\x1f]*+(?:\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})[^"\\\x00-\x1f]*+)*+"')
_IN_STRING = re.compile(r'[\x00-\x1f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})|\\')
_LITERAL = re.compile(r"true|false|null|NaN|-?Infinity|-?(?:0|[1-9]\d*+)(?:\.\d++)?(?:[eE][+-]?\d++)?", re.ASCII)
_MAX_NUMBER = 300
_GUARDS = re.compile(r"[\s\0\ufeff]*(?:\)\]\}',?|while\s*\(1\);|for\s*\(;;\);)?[\s\0\ufeff]*")
"""White space, and guards against running the document as a script, which may come before it."""

_SLICE = 20_000
"""Tokens between two yields: about 20 ms."""

_BLANKS = " \t\r\n\0\ufeff"


@dataclass(frozen=True, slots=True)
class Repaired:
    """A repaired body."""

    # Strict JSON in UTF-8.
    body: bytes
    # What was wrong with it, in words.
    notes: tuple[str, ...]
    # Whether its end was missing.
    cut: bool = False
    # The tokens of `body`, if some value could not be read; `unread` are the indices of these values, which are null.
    pieces: tuple[str, ...] = ()
    unread: tuple[int, ...] = ()

    def with_unread_as(self, value: str) -> bytes:
        """Return the body with the JSON text `value` in place of each value that could not be read."""
        pieces = list(self.pieces)
        for at in self.unread:
            pieces[at] = value
        return _encode(pieces)


def repair(body: bytes, charset: str | None = None) -> Repaired | None:
    """Return a body repaired, None if it cannot be. Takes about 1 s for 8 MiB."""
    *_, repaired = repair_in_slices(body, charset)
    return repaired


def repair_in_slices(body: bytes, charset: str | None = None) -> Iterator[Repaired | None]:
    """Yield None every now and then, so that other tasks can have a turn, and finally the result of `repair`."""
    decoded = decode(body, charset)
    begin = _GUARDS.match(decoded.text)
    start = begin.end() if begin is not None else 0
    if decoded.text[start : start + 1] not in {"{", "["}:
        yield None
        return
    document = _Document(decoded.text, start)
    if begin is not None and begin[0].strip(_BLANKS):
        document.notes["ignored text before the value"] = None
    if decoded.note is not None:
        document.notes[decoded.note] = None
    yield from document.read()
    yield document.result()


class _Document:
    """Reads tokens and writes valid JSON; `notes` has each kind of damage once, in the order of occurrence."""

    def __init__(self, text: str, start: int) -> None:
        self.notes: dict[str, None] = {}
        self._text = text
        self._start = start
        self._out: list[str] = []
        self._closers: list[str] = []
        self._state = "value"
        self._skipped = 0
        self._unread: list[int] = []
        self._damaged = False
        self._end: int | None = None
        self._safe = 0

    def read(self) -> Iterator[None]:
        """Read the text; yields every now and then."""
        for number, match in enumerate(_TOKEN.finditer(self._text, self._start)):
            kind = match.lastgroup
            if kind == "open":
                break
            if kind != "space":
                self._take(kind or "", match[0], last=match.end() == len(self._text))
            if self._damaged:
                return
            if not self._closers:
                self._end = match.end()
                return
            if number % _SLICE == _SLICE - 1:
                yield

    def result(self) -> Repaired | None:
        """Return the repaired body, None if the damage allows two readings."""
        if self._damaged:
            return None
        cut = self._end is None
        if cut:
            self._close()
        else:
            rest = self._text[self._end :].strip(_BLANKS)
            if rest[:1] in {"{", "["}:
                return None
            if rest:
                self.notes["ignored text after the value"] = None
        unread = tuple(at for at in self._unread if at < self._safe)
        return Repaired(_encode(self._out), tuple(self.notes), cut, tuple(self._out) if unread else (), unread)

    def _take(self, kind: str, token: str, *, last: bool) -> None:
        if self._skipped:
            self._skip(token if kind == "mark" else "")
        elif kind == "mark":
            self._mark(token)
        elif kind == "string":
            self._string(token)
        elif not last:
            # The last word of a text may be the beginning of a longer one: 1 of 100.
            self._word(token)

    def _mark(self, mark: str) -> None:
        match mark:
            case "{" | "[":
                self._open(mark)
            case "}" | "]":
                self._shut(mark)
            case ":":
                self._damaged = self._state != "colon"
                self._out.append(":")
                self._state = "value"
            case _:
                if self._state == "value" and self._closers[-1] == "}":
                    self._null("missing value read as null")
                self._damaged = self._state != "comma"
                self._state = "next"

    def _open(self, mark: str) -> None:
        if len(self._closers) >= MAX_DEPTH - 1:
            self._null("dropped deeply nested values")
            self._skipped = 1
            return
        self._begin_value()
        self._out.append(mark)
        self._closers.append("}" if mark == "{" else "]")
        self._state = "first"
        self._safe = len(self._out)

    def _shut(self, mark: str) -> None:
        if self._state == "value" and mark == "}":
            self._null("missing value read as null")
        if self._closers[-1] != mark or self._state not in {"first", "comma", "next"}:
            self._damaged = True
            return
        if self._state == "next":
            self.notes["trailing comma"] = None
        self._out.append(self._closers.pop())
        self._state = "comma"
        self._safe = len(self._out)

    def _skip(self, mark: str) -> None:
        self._skipped += (mark in ("{", "[")) - (mark in ("}", "]"))

    def _string(self, token: str) -> None:
        if _PLAIN_STRING.fullmatch(token) is None:
            token = f'"{_IN_STRING.sub(self._escape, token[1:-1])}"'
        if self._closers[-1] == "}" and self._state in {"first", "next"}:
            if self._state == "next":
                self._out.append(",")
            self._out.append(token)
            self._state = "colon"
        else:
            self._value(token)

    def _escape(self, match: re.Match[str]) -> str:
        found = match[0]
        if found == "\\":
            self.notes["invalid escapes"] = None
            return "\\\\"
        if found[0] == "\\":
            return found
        self.notes["control characters in a string"] = None
        return f"\\u{ord(found):04x}"

    def _word(self, word: str) -> None:
        if _LITERAL.fullmatch(word) is not None and len(word) <= _MAX_NUMBER:
            self._value(word)
        else:
            self._null("invalid values read as null")

    def _null(self, note: str) -> None:
        """Write null for a value that cannot be read."""
        self.notes[note] = None
        self._value("null")
        self._unread.append(len(self._out) - 1)

    def _value(self, text: str) -> None:
        self._begin_value()
        self._out.append(text)
        self._state = "comma"
        self._safe = len(self._out)

    def _begin_value(self) -> None:
        if self._closers and self._closers[-1] == "]" and self._state == "next":
            self._out.append(",")
        elif self._state not in {"value", "first"} or (self._state == "first" and self._closers[-1] == "}"):
            self._damaged = True

    def _close(self) -> None:
        """End a truncated text after its last complete value."""
        self.notes["truncated"] = None
        del self._out[self._safe :]
        self._out.extend(reversed(self._closers))


def _encode(pieces: Iterable[str]) -> bytes:
    # `read_json` handles the escapes of lone surrogates.
    return "".join(pieces).encode("utf-8", "replace")
