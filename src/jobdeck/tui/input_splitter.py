"""Splits terminal input into typed characters, pastes and escape sequences. Pure: time is an argument.

Keys and a terminal's replies to queries arrive in one stream. A reply is recognized by its shape (ECMA-48), not by a
list of known replies, so that an unexpected or late one is never mistaken for keys.
"""

import re
from dataclasses import dataclass
from enum import Enum, auto
from typing import TypeAlias

ESCAPE_SECONDS = 0.1
"""How long ESC may be the start of a sequence before it counts as the key."""

TYPED_SECONDS = 0.005
"""How long one printable character waits for more, because an unbracketed paste may arrive byte by byte, and no hand is
that fast. A key costs 5 ms; arrow keys do not wait."""

BURST_SECONDS = 0.02
"""How long characters that arrived together wait for more: a paste is sent in pieces of a few kB."""

LONGEST_BURST_SECONDS = 0.25
CLOSING_SECONDS = 0.05
"""How long after the end of a paste a second end is awaited: the pasted text may contain one."""

OPEN_SECONDS = 1.0
"""After this long without a byte, an unfinished sequence or paste has lost its end on the line."""

LONGEST_OPEN_SECONDS = 5.0
BYTES_A_SECOND = 1_000
"""A sequence may take `LONGEST_OPEN_SECONDS`, or longer if it arrives faster than anybody types."""

LATE_SECONDS = 1.0
"""How long after ESC was taken for the key the rest of a sequence is still recognized."""

MOST_KEPT = 256
"""Characters of a sequence that are kept: no key is longer, and a reply of 100 kB is not worth the memory."""

MOST_PASTED = 8 << 20

PASTE_START, PASTE_END = "\x1b[200~", "\x1b[201~"
_PASTE_MARK = re.compile(r"(?:\x1b\[|[\x9b\udc9b])20([01])~")
_C1 = {0x8F: "O", 0x90: "P", 0x98: "X", 0x9B: "[", 0x9D: "]", 0x9E: "^", 0x9F: "_"}
"""The 8-bit introducers of sequences, and the letter that follows ESC in the 7-bit form."""

_STRINGS = "PX]^_"
"""The letters that introduce DCS, SOS, OSC, PM and APC."""

_LATE = re.compile(
    r"\\|\[[?<=>]?[0-9;:]*[A-Za-z~]|\[[?<=>]?[0-9][0-9;:]*[!-/]?[@-~]|O[A-Z]"
    r"|[P_^X\]][^\x07\x1b]*(?:\x07|\x1b\\)|\][0-9]+;|P[0-9>!]|_G"
)
"""The rest of a sequence whose ESC arrived long before. Nobody types these within 5 ms."""

_ITERM_NAME = "TERM2 "
"""The rest of iTerm2's version report after `CSI I`, which alone means that the terminal got the focus."""


@dataclass(frozen=True, slots=True)
class Typed:
    """Characters outside of sequences, in order; more than one if they arrived faster than a hand types."""

    text: str


@dataclass(frozen=True, slots=True)
class EscapeSequence:
    r"""One complete sequence, in its 7-bit form; `\\x1b` alone is the key."""

    text: str


@dataclass(frozen=True, slots=True)
class Pasted:
    """A bracketed paste."""

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
"""States in which the input may be a key, so that they end after `ESCAPE_SECONDS`."""


class InputSplitter:
    """Splits a stream of characters, no matter how it is cut into reads.

    Bytes that are not UTF-8 arrive as lone surrogates (``surrogateescape``); 8-bit introducers are among them. Call
    `tick` after `deadline` (on the clock of `now`): some input is complete only because nothing followed.
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
        """When the pending input is decided by time; None if nothing is pending."""
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
        """Process what was read, and return the complete tokens.

        Input read after the deadline may have arrived before it on a busy machine, so that only `tick` ends anything.
        """
        self._last = now
        if self._state is _State.GROUND and not self._typed and now < self._late_until:
            text = ("\x1b" if _LATE.match(text) else "\x1b[I" if text.startswith(_ITERM_NAME) else "") + text
        if text:
            self._late_until = 0.0
        self._take(text, now)
        return self._flush()

    def tick(self, now: float) -> list[Token]:
        """Return the tokens that are complete because time has passed."""
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
            # A control character is always a key by itself.
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
                # As in a terminal: an ESC within a string ends it, even if it starts another sequence.
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
            # ctrl+c takes effect at once.
            self._drop()
            self._tokens.append(Typed(char))
        elif "@" <= char <= "~":
            self._keep(char)
            self._end_csi(now)
        elif " " <= char <= "?":
            self._keep(char)
            if self._sequence[-1] == "$" and re.fullmatch(r"\x1b\[[0-9]+\$", self._sequence):
                # rxvt ends shifted keys with "$", elsewhere an intermediate character; mode reports have a "?" and are
                # not meant.
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
            # The function keys of the Linux console have one more letter.
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
        """Process pasted text; returns what follows its end."""
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
        """Look for a second end of the paste; returns the text to process again."""
        held = self._held + text
        found = _PASTE_MARK.search(held)
        if found is None:
            self._held = held
            return ""
        self._held = ""
        if found.start() == 0 and found[1] == "0":
            self._end_paste()
            return held
        # The pasted text contained an end mark: nobody typed what arrived between two marks.
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
        """Abandon an unfinished sequence, but keep what may have been typed."""
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
        """End what has passed its deadline."""
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
