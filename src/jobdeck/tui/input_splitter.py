"""What a terminal sends, split into what was typed, what was pasted, and sequences. Pure: time is an argument.

A terminal sends keys and its answers to queries down one line. What is an answer is known by its shape (ECMA-48), not
by a list of answers, so that one that nobody asked for, or that comes late, is never mistaken for keys.
"""

import re
from dataclasses import dataclass
from enum import Enum, auto
from typing import TypeAlias

ESCAPE_SECONDS = 0.1
"""How long an escape may be the beginning of a sequence before it is the key."""

TYPED_SECONDS = 0.005
"""How long one printable character waits for more: a paste without brackets may come byte by byte, a hand is never so
fast. 5 ms for a key; the arrows do not wait."""

BURST_SECONDS = 0.02
"""How long characters that came together wait for the rest: a paste is sent in pieces of some kB."""

LONGEST_BURST_SECONDS = 0.25
CLOSING_SECONDS = 0.05
"""How long after the end of a paste another end is looked for: the pasted text may contain one."""

OPEN_SECONDS = 1.0
"""After so long without a byte a sequence or a paste that was begun has no end: the line lost it."""

LONGEST_OPEN_SECONDS = 5.0
BYTES_A_SECOND = 1_000
"""A sequence may take `LONGEST_OPEN_SECONDS`, and longer if it comes faster than anybody types."""

LATE_SECONDS = 1.0
"""For so long after an escape that was taken for the key the rest of a sequence is still recognized."""

MOST_KEPT = 256
"""Characters of a sequence that are kept: no key is longer, and an answer of 100 kB is not worth its memory."""

MOST_PASTED = 8 << 20

PASTE_START, PASTE_END = "\x1b[200~", "\x1b[201~"
_PASTE_MARK = re.compile(r"(?:\x1b\[|[\x9b\udc9b])20([01])~")
_C1 = {0x8F: "O", 0x90: "P", 0x98: "X", 0x9B: "[", 0x9D: "]", 0x9E: "^", 0x9F: "_"}
"""The 8-bit forms of what begins a sequence, and the letter that stands for each after an escape."""

_STRINGS = "PX]^_"
"""What begins DCS, SOS, OSC, PM and APC."""

_LATE = re.compile(
    r"\\|\[[?<=>]?[0-9;:]*[A-Za-z~]|\[[?<=>]?[0-9][0-9;:]*[!-/]?[@-~]|O[A-Z]"
    r"|[P_^X\]][^\x07\x1b]*(?:\x07|\x1b\\)|\][0-9]+;|P[0-9>!]|_G"
)
"""The rest of a sequence whose escape came long before it. Nobody types these within 5 ms."""

_ITERM_NAME = "TERM2 "
"""What follows in iTerm2's report of its version after `CSI I`, which by itself is a change of focus."""


@dataclass(frozen=True, slots=True)
class Typed:
    """Characters outside of sequences, in the order in which they came; several came together, faster than by hand."""

    text: str


@dataclass(frozen=True, slots=True)
class EscapeSequence:
    r"""One complete sequence, in its 7-bit form; `\\x1b` alone is the key."""

    text: str


@dataclass(frozen=True, slots=True)
class Pasted:
    """A text that the terminal said was pasted."""

    text: str


Token: TypeAlias = Typed | EscapeSequence | Pasted


class _State(Enum):
    GROUND = auto()
    ESCAPE = auto()
    INTERMEDIATE = auto()
    CSI = auto()
    MOUSE = auto()
    SS3 = auto()
    STRING = auto()
    STRING_ESCAPE = auto()
    ITERM = auto()
    PASTE = auto()
    CLOSING = auto()


_BRIEF = frozenset({_State.ESCAPE, _State.INTERMEDIATE, _State.MOUSE, _State.SS3, _State.STRING_ESCAPE})
"""States in which a key may be waiting, so that the wait is that of an escape."""


class InputSplitter:
    """Splits a stream of characters, however it is cut into reads.

    Bytes that are no UTF-8 come as lone surrogates (``surrogateescape``): among them are the 8-bit forms of sequences.
    After `deadline` (on the clock of `now`) `tick` must be called, for time ends what has no end of its own.
    """

    def __init__(self) -> None:
        self._state = _State.GROUND
        self._sequence = ""
        self._count = 0
        self._began = 0.0
        self._last = 0.0
        self._typed = ""
        self._typed_at = 0.0
        self._paste: list[str] = []
        self._pasted = 0
        self._tail = ""
        self._held = ""
        self._late_until = 0.0
        self._tokens: list[Token] = []

    @property
    def deadline(self) -> float | None:
        """When time decides what has come so far; None when nothing waits."""
        if self._state is _State.GROUND:
            if not self._typed:
                return None
            wait = TYPED_SECONDS if len(self._typed) == 1 else BURST_SECONDS
            return min(self._last + wait, self._typed_at + LONGEST_BURST_SECONDS)
        if self._state is _State.CLOSING:
            return min(self._last + CLOSING_SECONDS, self._began + OPEN_SECONDS)
        if self._state in _BRIEF or (self._state is _State.ITERM and not self._sequence):
            return self._last + ESCAPE_SECONDS
        came = self._pasted if self._state is _State.PASTE else self._count
        return min(self._last + OPEN_SECONDS, self._began + LONGEST_OPEN_SECONDS + came / BYTES_A_SECOND)

    def feed(self, text: str, now: float) -> list[Token]:
        """Take in what has been read, and return what is complete by now.

        What was read after the deadline may have come before it, where the machine was busy: only `tick` ends anything.
        """
        self._last = now
        if self._state is _State.GROUND and not self._typed and now < self._late_until:
            text = ("\x1b" if _LATE.match(text) else "\x1b[I" if text.startswith(_ITERM_NAME) else "") + text
        if text:
            self._late_until = 0.0
        self._take(text, now)
        return self._flush()

    def tick(self, now: float) -> list[Token]:
        """Return what time has completed."""
        self._expire(now)
        return self._flush()

    def _flush(self) -> list[Token]:
        tokens, self._tokens = self._tokens, []
        return tokens

    def _take(self, text: str, now: float) -> None:
        position = 0
        while position < len(text):
            if self._state is _State.PASTE:
                text, position = self._take_paste(text[position:]), 0
            elif self._state is _State.CLOSING:
                text, position = self._take_closing(text[position:]), 0
            else:
                self._take_character(text[position], now)
                position += 1

    def _take_character(self, char: str, now: float) -> None:
        code = ord(char)
        c1 = code - 0xDC00 if 0xDC80 <= code <= 0xDC9F else code
        introducer = _C1.get(c1)
        if char == "\x1b" and self._state is not _State.STRING:
            self._escape(now)
        elif introducer is not None and self._state not in (_State.STRING, _State.MOUSE):
            self._abandon()
            self._begin(_State.ESCAPE, "\x1b", now)
            self._take_escaped(introducer)
        elif self._state is _State.GROUND:
            self._take_ground(char, c1, now)
        else:
            self._count += 1
            self._take_in_sequence(char, c1, now)

    def _take_ground(self, char: str, c1: int, now: float) -> None:
        if 0x80 <= c1 <= 0x9F or "\ud800" <= char <= "\udfff":
            return
        if char == "\x7f" or (char < " " and char not in "\r\n\t"):
            # A control character is a key by itself, whatever comes with it.
            self._end_typed()
            self._tokens.append(Typed(char))
            return
        if not self._typed:
            self._typed_at = now
        self._typed += char

    def _take_in_sequence(self, char: str, c1: int, now: float) -> None:
        match self._state:
            case _State.ESCAPE:
                self._take_escaped(char)
            case _State.INTERMEDIATE:
                self._emit(self._sequence + char)
            case _State.CSI:
                self._take_csi(char, now)
            case _State.MOUSE:
                self._sequence += char
                if len(self._sequence) == len("\x1b[Mbxy"):
                    self._emit(self._sequence)
            case _State.SS3:
                if char in "0123456789;":
                    self._keep(char)
                else:
                    self._emit(self._sequence + char)
            case _State.STRING:
                self._take_string(char, c1)
            case _State.STRING_ESCAPE if char == "\\":
                self._drop()
            case _State.STRING_ESCAPE:
                # As in a terminal: an escape that does not end the string ends it nevertheless, and begins another.
                self._begin(_State.ESCAPE, "\x1b", now)
                self._take_escaped(char)
            case _:
                self._take_iterm(char, now)

    def _escape(self, now: float) -> None:
        if self._state is _State.ESCAPE:
            self._tokens.append(EscapeSequence("\x1b"))
        else:
            self._abandon()
        self._begin(_State.ESCAPE, "\x1b", now)

    def _take_escaped(self, char: str) -> None:
        self._sequence = "\x1b" + char
        if char == "[":
            self._state = _State.CSI
        elif char == "O":
            self._state = _State.SS3
        elif char in _STRINGS:
            self._state = _State.STRING
        elif " " <= char <= "/":
            self._state = _State.INTERMEDIATE
        else:
            self._emit(self._sequence)

    def _take_csi(self, char: str, now: float) -> None:
        if char == "\x03":
            # Whoever presses ctrl+c does not wait.
            self._drop()
            self._tokens.append(Typed(char))
        elif "@" <= char <= "~":
            self._keep(char)
            self._end_csi(now)
        elif " " <= char <= "?":
            self._keep(char)
            if self._sequence[-1] == "$" and re.fullmatch(r"\x1b\[[0-9]+\$", self._sequence):
                # rxvt ends shifted keys with what elsewhere is no end; reports of modes begin with a question mark.
                self._emit(self._sequence)
        elif char > "\x7f":
            self._drop()
            self._take_character(char, now)

    def _end_csi(self, now: float) -> None:
        sequence = self._sequence
        if sequence == PASTE_START:
            self._paste, self._pasted, self._tail = [], 0, ""
            self._begin(_State.PASTE, "", now)
        elif sequence == "\x1b[M":
            self._state = _State.MOUSE
        elif sequence == "\x1b[[":
            # The Linux console's function keys have one letter more.
            return
        elif sequence == "\x1b[I":
            self._tokens.append(EscapeSequence(sequence))
            self._begin(_State.ITERM, "", now)
        elif self._count <= MOST_KEPT:
            self._emit(sequence)
        else:
            self._drop()

    def _take_string(self, char: str, c1: int) -> None:
        if char == "\x1b":
            self._state = _State.STRING_ESCAPE
        elif c1 == 0x9C or (char == "\a" and self._sequence == "\x1b]"):
            self._drop()

    def _take_iterm(self, char: str, now: float) -> None:
        expected = _ITERM_NAME[len(self._sequence) : len(self._sequence) + 1]
        if expected and char != expected:
            self._abandon()
            self._take_character(char, now)
        elif expected:
            self._sequence += char
        elif char == "n":
            self._drop()

    def _take_paste(self, text: str) -> str:
        """Take in pasted text; returns what follows its end."""
        window = self._tail + text
        found = _PASTE_MARK.search(window)
        while found is not None and found[1] == "0":
            found = _PASTE_MARK.search(window, found.end())
        if found is None:
            keep = len(PASTE_END) - 1
            self._put(window[:-keep])
            self._tail = window[-keep:]
            return ""
        self._put(window[: found.start()])
        self._tail = ""
        self._state, self._held, self._began = _State.CLOSING, "", self._last
        return window[found.end() :]

    def _take_closing(self, text: str) -> str:
        """Look for another end of what was pasted; returns what is to be looked at anew."""
        held = self._held + text
        found = _PASTE_MARK.search(held)
        if found is None:
            self._held = held
            return ""
        self._held = ""
        if found.start() == 0 and found[1] == "0":
            self._end_paste()
            return held
        # The text had an end of its own in it: what came between two marks at once was typed by nobody.
        self._state = _State.PASTE
        return held[: found.start()] + (PASTE_END + held[found.end() :] if found[1] == "1" else held[found.end() :])

    def _put(self, text: str) -> None:
        room = MOST_PASTED - self._pasted
        if text and room > 0:
            self._paste.append(text[:room])
            self._pasted += len(text)

    def _end_paste(self) -> None:
        text = "".join(self._paste).replace("\x00", "")
        self._tokens.append(Pasted(text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")))
        self._paste, self._pasted, self._tail = [], 0, ""
        self._drop()

    def _begin(self, state: _State, sequence: str, now: float) -> None:
        self._end_typed()
        self._state, self._sequence, self._count, self._began = state, sequence, 0, now

    def _keep(self, char: str) -> None:
        if self._count <= MOST_KEPT:
            self._sequence += char

    def _emit(self, sequence: str) -> None:
        self._tokens.append(EscapeSequence(sequence))
        self._drop()

    def _drop(self) -> None:
        self._state, self._sequence, self._count = _State.GROUND, "", 0

    def _abandon(self) -> None:
        """Give up the sequence that was begun; what could be typed stays."""
        text = self._sequence if self._state is _State.ITERM and len(self._sequence) < len(_ITERM_NAME) else ""
        self._drop()
        if text:
            self._typed_at = self._last
            self._typed += text

    def _end_typed(self) -> None:
        if self._typed:
            self._tokens.append(Typed(self._typed))
            self._typed = ""

    def _expire(self, now: float) -> None:
        """End what time ends."""
        while (deadline := self.deadline) is not None and now >= deadline:
            match self._state:
                case _State.GROUND:
                    self._end_typed()
                case _State.ESCAPE:
                    self._late_until = now + LATE_SECONDS
                    self._emit("\x1b")
                case _State.INTERMEDIATE | _State.SS3:
                    self._emit(self._sequence)
                case _State.PASTE:
                    self._put(self._tail)
                    self._end_paste()
                case _State.CLOSING:
                    held, self._held = self._held, ""
                    self._end_paste()
                    self._take(held, now)
                case _:
                    self._late_until = now + LATE_SECONDS
                    self._abandon()
