"""Reading JSON of any size in bounded memory: small values are kept wherever they are, large ones are dropped.

A status may come after a result of 100 MB. So a document is scanned as it arrives: values that fit are kept as they
are written, larger objects and arrays keep those of their members that fit, and a marker replaces what is dropped. The
output has the shape of the whole document, so that a reader of the whole can read it.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import Enum, auto

from jobdeck.http.marker import Marker
from jobdeck.http.skip import NotJsonError, Skipper, StringSkipper, end_of

KEPT = 1024 * 1024
"""Most bytes that are kept, and so parsed: at worst 10 MB of objects, and 25 ms."""

SLICE = 16 * 1024
"""Most bytes to feed at once: about 70 ms if they are members of a few characters, 0.6 ms if they are dropped."""

_SMALL = 16 * 1024
"""Most bytes of a value that is kept as it is written, and of a key or number."""

_PREFIX = 8 * 1024
"""Bytes that are kept of a longer string."""

_ELEMENTS = 256
"""Large elements of an array that fit, such as the rows of a page; of small elements more fit."""

_MIN_ROOM = 128
"""Bytes of an object's or array's budget below which nothing more of it is kept."""

_MARKER = 64
"""Bytes reserved for a marker, outside the budget."""

_MAX_OPEN = 64
"""Levels of objects and arrays that are kept."""

_MOVES_PER_STEP = 200
"""Tokens scanned at once: two or three milliseconds."""

_LONGEST_KEY = 1_024
_BLANK = re.compile(rb"[ \t\r\n\0]*+")
_BEGINNING = re.compile(rb"[\s\0]*+(?:\)\]\}',?|while\s*\(1\);|for\s*\(;;\);)?[\s\0]*+")
"""White space, and guards against running the document as a script, which may come before it."""

_LONGEST_BEGINNING = 32
_STRING = re.compile(rb'"(?:[^"\\]++|\\.)*+"', re.DOTALL)
_WORD = re.compile(rb'[^\s,\[\]{}":\0]++')
_WORDS = re.compile(rb'[^\s,\[\]{}":\0]++(?:,[^\s,\[\]{}":\0]++){1,200}+(?=,)')
"""Many numbers of an array, a kilobyte or two, which cost no more than one."""

_HALF_ESCAPE = re.compile(rb"(?:\\++u[dD][89abAB][0-9a-fA-F]{2})?\\++[^\\]{0,5}\Z", re.DOTALL)
_HALF_CHARACTER = re.compile(rb"[\x80-\xff]{1,4}\Z")


class _Expect(Enum):
    """The next token expected in an object or array."""

    ITEM = auto()
    COLON = auto()
    VALUE = auto()
    COMMA = auto()


@dataclass(slots=True)
class _Open:
    """An object or array that has begun and not yet ended."""

    is_object: bool
    # Most bytes of its members that are kept.
    budget: int
    # The members that are kept, and their size.
    members: list[bytes] = field(default_factory=list)
    size: int = 0
    # Dropped bytes.
    dropped: int = 0
    # The key whose value comes next.
    key: bytes | None = None
    expect: _Expect = _Expect.ITEM

    @property
    def left(self) -> int:
        """Bytes that may still be kept."""
        return self.budget - self.size

    @property
    def room(self) -> int:
        """Most bytes of a value that is kept as it is written."""
        return min(self.left // 2, _SMALL) if self.is_object else min(self.left, self._share)

    @property
    def budget_inside(self) -> int:
        """Most bytes kept of an object or array inside this one; an object reserves a quarter for its other members."""
        if self.is_object:
            return (self.left - self.budget // 4) // 2 - _MARKER
        return min(self._share, self.left // 2) - _MARKER

    @property
    def _share(self) -> int:
        return min(max(self.budget // _ELEMENTS, min(1_024, self.budget // 4)), _SMALL)

    def keep(self, value: bytes) -> None:
        """Keep the value of the present key, or the next element."""
        member = value if self.key is None else self.key + b":" + value
        self.key = None
        self.members.append(member)
        self.size += len(member) + 1
        self.expect = _Expect.COMMA

    def text(self, marker: Marker, *, ended: bool = True) -> bytes:
        """Return the kept members, with a marker for the dropped ones; without a closing bracket unless `ended`."""
        members = list(self.members)
        if self.dropped:
            mark = b'"' + marker.of(self.dropped) + b'"'
            members.append(mark + b":0" if self.is_object else mark)
        begin, end = (b"{", b"}") if self.is_object else (b"[", b"]")
        return begin + b",".join(members) + (end if ended else b"")


class _Dropping(Enum):
    """The kind of text being dropped: an object or array, the rest of one, or the rest of a string."""

    VALUE = auto()
    REST = auto()
    STRING = auto()


class Pruner:
    """Prunes one document that arrives in slices, in a few times `kept` bytes of memory."""

    def __init__(self, kept: int = KEPT) -> None:
        self.marker = Marker()
        self._kept = kept
        self._data = b""
        self._at = 0
        self._stack: list[_Open] = []
        self._skipper: Skipper | StringSkipper | None = None
        self._dropping = _Dropping.VALUE
        self._before = b""
        self._begin = b""
        self._result: bytes | None = None
        self._final = False

    @property
    def begun(self) -> bool:
        """Whether anything but white space has arrived."""
        return bool(self._stack) or self._result is not None or self._at < len(self._data)

    def feed(self, data: bytes) -> None:
        """Prune the next slice, of at most `SLICE` bytes; raises `NotJsonError`."""
        for _ in self.feed_in_steps(data):
            pass

    def feed_in_steps(self, data: bytes) -> Iterator[None]:
        """Prune like `feed`, and yield now and then: a slice of empty objects takes 70 ms."""
        self._data = self._data[self._at :] + data
        self._at = moves = 0
        while self._at < len(self._data) and self._move():
            moves += 1
            if moves % _MOVES_PER_STEP == 0:
                yield

    def finish(self) -> bytes:
        """Return the pruned document, which is incomplete if the document is; raises `NotJsonError`."""
        self._final = True
        self.feed(b"")
        if self._result is not None:
            return self._before + self._result + self._data[self._at :]
        if not self._stack:
            raise NotJsonError
        text = b""
        for frame in reversed(self._stack):
            if text:
                frame.keep(text)
            text = frame.text(self.marker, ended=False)
        return self._before + text

    def _move(self) -> bool:
        """Read one token or value; False if it is not complete yet."""
        if self._skipper is not None:
            return self._skip(self._skipper)
        blanks = _BLANK.match(self._data, self._at)
        if blanks is not None:
            self._at = blanks.end()
        if self._at == len(self._data):
            return False
        if self._result is not None:
            # The reader of the document judges the text after its end, and needs only the beginning of that.
            self._data = self._data[: self._at + _MIN_ROOM]
            return False
        if not self._stack:
            return self._begin_document()
        frame, first = self._stack[-1], self._data[self._at : self._at + 1]
        if frame.expect is _Expect.COMMA or (frame.expect is _Expect.ITEM and first in {b"}", b"]"}):
            return self._read_mark(frame, first)
        if frame.expect is _Expect.COLON:
            if first != b":":
                raise NotJsonError
            self._at += 1
            frame.expect = _Expect.VALUE
            return True
        if frame.left < _MIN_ROOM and frame.expect is _Expect.ITEM:
            self._drop_rest(frame)
            return True
        if frame.is_object and frame.expect is _Expect.ITEM:
            return self._read_key(frame)
        return self._read_value(frame, first)

    def _begin_document(self) -> bool:
        if len(self._data) - self._at < _LONGEST_BEGINNING and not self._final:
            return False
        before = _BEGINNING.match(self._data, self._at)
        if before is not None:
            self._before, self._at = before[0].strip(), before.end()
        first = self._data[self._at : self._at + 1]
        if first not in {b"{", b"["}:
            raise NotJsonError
        return self._open(first, self._kept)

    def _read_mark(self, frame: _Open, first: bytes) -> bool:
        self._at += 1
        if first == b",":
            frame.expect = _Expect.ITEM
        elif first == (b"}" if frame.is_object else b"]"):
            self._close()
        else:
            raise NotJsonError
        return True

    def _read_key(self, frame: _Open) -> bool:
        match = _STRING.match(self._data, self._at)
        if match is None:
            if self._data[self._at : self._at + 1] != b'"' or len(self._data) - self._at > _SMALL:
                raise NotJsonError
            return False
        frame.key = match[0] if len(match[0]) <= _LONGEST_KEY else b'"key too long"'
        frame.expect = _Expect.COLON
        self._at = match.end()
        return True

    def _read_value(self, frame: _Open, first: bytes) -> bool:
        available = len(self._data) - self._at
        if first in {b"{", b"["}:
            end = end_of(self._data, self._at, min(len(self._data), self._at + _SMALL))
            if end is None and available < _SMALL and not self._final:
                return False
            if end is None or end - self._at > frame.room:
                return self._open_in(frame, first)
        elif first == b'"':
            match = _STRING.match(self._data, self._at)
            end = None if match is None else match.end()
            if end is None and available <= _SMALL:
                return False
            if end is None or end - self._at > frame.room:
                return self._cut_string(frame)
        else:
            match = None if frame.is_object else _WORDS.match(self._data, self._at)
            match = match or _WORD.match(self._data, self._at)
            if match is None or match.end() - self._at > _SMALL:
                raise NotJsonError
            end = match.end()
            if end == len(self._data):
                return False
            if end - self._at > frame.room:
                return self._drop_word(frame, end)
        frame.keep(self._data[self._at : end])
        self._at = end
        return True

    def _open_in(self, frame: _Open, first: bytes) -> bool:
        """Enter an object or array, or skip it if nothing of it would be kept."""
        budget = frame.budget_inside
        if budget >= _MIN_ROOM and len(self._stack) < _MAX_OPEN:
            return self._open(first, budget)
        if not frame.is_object:
            self._drop_rest(frame)
            return True
        self._at += 1
        self._drop(_Dropping.VALUE, Skipper(first))
        return True

    def _open(self, first: bytes, budget: int) -> bool:
        self._stack.append(_Open(first == b"{", budget))
        self._at += 1
        return True

    def _close(self) -> None:
        text = self._stack.pop().text(self.marker)
        if self._stack:
            self._stack[-1].keep(text)
        else:
            self._result = text

    def _cut_string(self, frame: _Open) -> bool:
        self._begin = self._data[self._at + 1 : self._at + min(_PREFIX, max(frame.left // 2, 1))]
        self._at += 1
        self._drop(_Dropping.STRING, StringSkipper())
        return True

    def _drop_word(self, frame: _Open, end: int) -> bool:
        """Drop a number that is too long: of an object only this one, of an array all that follows."""
        if not frame.is_object:
            self._drop_rest(frame)
            return True
        frame.keep(b'"' + self.marker.of(end - self._at) + b'"')
        self._at = end
        return True

    def _drop_rest(self, frame: _Open) -> None:
        """Skip the rest of an object or array."""
        self._drop(_Dropping.REST, Skipper(b"{" if frame.is_object else b"["))

    def _drop(self, dropping: _Dropping, skipper: Skipper | StringSkipper) -> None:
        self._dropping, self._skipper = dropping, skipper

    def _skip(self, skipper: Skipper | StringSkipper) -> bool:
        end = skipper.feed(self._data[self._at :] if self._at else self._data)
        if end is None:
            self._data, self._at = b"", 0
            return False
        self._at += end
        self._skipper = None
        frame = self._stack[-1]
        match self._dropping:
            case _Dropping.STRING:
                # The beginning was cut by length, and may reach beyond the end of a short string.
                frame.keep(self._string(self._begin[: skipper.size - 1], skipper.size))
            case _Dropping.VALUE:
                frame.keep(b'"' + self.marker.of(skipper.size + 1) + b'"')
            case _Dropping.REST:
                frame.dropped += skipper.size - 1
                self._close()
        return True

    def _string(self, begin: bytes, size: int) -> bytes:
        """Return a string of `size` bytes with only its beginning, and a marker."""
        whole = _HALF_CHARACTER.sub(b"", _HALF_ESCAPE.sub(b"", begin))
        return b'"' + whole + self.marker.of(max(0, size - len(whole))) + b'"'
