"""The last wall: whatever a server, a proxy or a library says, our own credentials are taken out of it."""

import base64
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from jobdeck.http.escapes import LONGEST, Decoder, View

REDACTED = "[redacted]"
_LEAST = 4
_LEAST_IN_BODY = 8
_LONG = 16
_LEAST_ENCODED = 10
_SLICE = 32 * 1024
"""Characters that are searched in one go: some 10 ms if they are nothing but escapes."""

_LEVELS = 3
"""Escapes within escapes that are undone: JSON in JSON in JSON, a URL in a URL in JSON."""

_LINE_END = re.compile(r"(?:[\r\n]|\\{1,8}(?:[rn]|u000[ad])|%(?:25){0,3}0[ad]|&#(?:x0?[ad]|1[03]);)[ \t]*+")
"""Bounded, and without blanks before it: a slice of backslashes or of blanks would take seconds."""

_LINE_SIGNS = ("\n", "\r", "\\n", "\\r", "%0", "%250", "%25250", "u000", "&#")
_ESCAPE = re.compile(r"(?:%|\\x)[0-9a-f]{2}$|\\u[0-9a-f]{4}$|\\[bfnrt]$")
_TWO_ALNUM = re.compile(r"[^\W_]{2}")


class Redactor:
    """Replaces secrets by ``[redacted]``, however they are spelled.

    That is in upper and lower case, in base64 (with line ends in it) and hex, with the escapes of URLs, JSON and HTML,
    and with escapes of escapes. One is shared by all profiles of a run: a server that knows the keys of two may say
    either back to either.

    Of a body that is yet to be parsed only those are taken out that cannot be a word or a number of the answer itself:
    such as ``succeeded``, without which nobody would know how the job ended. `words` takes out those from what was
    parsed.
    """

    __slots__ = ("_in_body", "_in_text", "_secrets", "_words")

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        """Prepare for `secrets`; those shorter than 4 characters would take words apart and are left alone."""
        self._secrets: dict[str, None] = {}
        self._in_text = self._in_body = self._words = _Search(())
        self.add(secrets)

    def add(self, secrets: Iterable[str]) -> None:
        """Take these out as well, of all that is searched from now on; what is known already costs nothing."""
        new = dict.fromkeys(secret for secret in secrets if len(secret) >= _LEAST and secret not in self._secrets)
        if not new:
            return
        self._secrets |= new
        forms = [form for secret in new for form in _forms(secret)]
        self._in_text = self._in_text.with_more(forms)
        self._in_body = self._in_body.with_more(form for form in forms if form.is_no_word)
        self._words = self._words.with_more(
            form for form in forms if not form.is_no_word and len(form.low) >= _LEAST_IN_BODY
        )

    @property
    def has_words(self) -> bool:
        """Whether a secret could be a word or a number of an answer, so that `words` finds more than `body` does."""
        return self._words.finds_any

    def text(self, text: str) -> str:
        """Return `text` without secrets."""
        return "".join(self._in_text.slices(text))

    def texts(self, texts: Sequence[str]) -> list[str]:
        """Return each text without secrets; one search for all of them is enough where there are none."""
        # Whatever is found in one is found in all of them, for no escape goes on across a NUL.
        joined = "\0".join(texts)
        return list(texts) if self.text(joined) == joined else [self.text(text) for text in texts]

    def start(self, text: str) -> str:
        """Return the beginning of `text`, at most 32 Ki characters, without secrets; the rest is not looked at."""
        return next(self._in_text.slices(text), "")[:_SLICE]

    def body(self, body: bytes) -> bytes:
        """Return `body` without secrets that are no words."""
        return b"".join(self.body_in_slices(body))

    def body_in_slices(self, body: bytes) -> Iterator[bytes]:
        """Yield `body` without secrets that are no words, a slice at a time.

        A slice takes some milliseconds at the worst, so that a caller can let others have their turn: 8 MiB that are
        nothing but escapes take some seconds in all.
        """
        for piece in self._in_body.slices(body):
            yield piece.encode("latin-1")

    def stream(self) -> "RedactedStream":
        """Return what takes out of a body that comes in pieces all that `body` and `words_in_slices` do."""
        return RedactedStream(self._in_body.with_more(self._words.forms))

    def words_in_slices(self, text: str) -> Iterator[str]:
        """Yield `text` without the secrets that `body` leaves, a slice at a time."""
        yield from self._words.slices(text)

    def __repr__(self) -> str:
        return f"Redactor({len(self._secrets)} secrets)"


@dataclass(frozen=True, slots=True)
class _Form:
    """A spelling of a secret in lower case.

    `encoded` is base64 or hex, which may be broken into lines; one that is `bounded` counts as a word of its own only.
    """

    low: str
    encoded: bool
    bounded: bool

    @property
    def is_no_word(self) -> bool:
        """Whether no answer has it of its own, as part of a word or of a number."""
        return not self.bounded and len(self.low) >= (_LEAST_ENCODED if self.encoded else _LEAST_IN_BODY)

    @property
    def pieces(self) -> tuple[str, str]:
        """Two parts next to each other: lines of 60 and more break one of them at most."""
        half = min(30, len(self.low) // 2)
        return self.low[:half], self.low[half : 2 * half]


class _Search:
    """Finds some forms, fast where there is none: 8 MiB take some 80 ms."""

    __slots__ = ("_decoder", "_encoded", "_forms", "_overlap")

    def __init__(self, forms: Sequence[_Form]) -> None:
        self._forms = tuple(forms)
        self._encoded = tuple(form for form in self._forms if form.encoded)
        self._decoder: Decoder | None = None
        self._overlap = LONGEST * max((len(form.low) for form in self._forms), default=0)

    @property
    def forms(self) -> tuple[_Form, ...]:
        """What is found."""
        return self._forms

    @property
    def finds_any(self) -> bool:
        return bool(self._forms)

    def with_more(self, forms: Iterable[_Form]) -> "_Search":
        """Return a search for what these find too."""
        return _Search(tuple(dict.fromkeys((*self._forms, *forms))))

    def slices(self, text: str | bytes) -> Iterator[str]:
        """Yield `text` with the forms cut out, a slice at a time; bytes are one character each.

        A slice is searched together with as much of the next as a form that begins in it may take.
        """
        if not self._forms:
            yield _characters(text)
            return
        start = 0
        while start < len(text):
            end = min(start + _SLICE, len(text))
            whole = start == 0 and end == len(text)
            window = text if whole else text[start : end + self._overlap]
            cut, taken = self.cut(_characters(window), end - start)
            yield cut
            start += taken

    @property
    def window(self) -> int:
        """Characters that a slice and what follows it take."""
        return _SLICE + self._overlap

    def cut(self, window: str, size: int) -> tuple[str, int]:
        """Return the first `size` characters of a window without the forms that begin there, and where it goes on."""
        low = _lower(window)
        if not self._meets_any(low):
            return window[:size], size
        pieces: list[str] = []
        kept = 0
        for begin, end in sorted(self._spans(low)):
            if begin >= size:
                break
            if begin >= kept:
                pieces += (window[kept:begin], REDACTED)
            kept = max(kept, end)
        return "".join((*pieces, window[kept:size])), max(kept, size)

    def _meets_any(self, low: str) -> bool:
        """Whether some form is in a window, whichever way it is written; without a word on where."""
        for reading in self._readings(low):
            # With the keys of twenty profiles, any() doubles what a header costs.
            for form in self._forms:
                if form.low in reading:
                    return True
            if self._may_be_broken(reading):
                return True
        return False

    def _readings(self, low: str) -> Iterator[str]:
        """Yield a text as it is, and with its escapes undone, again and again."""
        yield low
        if "%" not in low and "\\" not in low and "&" not in low:
            return
        decoder = self._escapes
        yield from decoder.otherwise(low)
        for _ in range(_LEVELS):
            before, low = low, decoder.decode(low)
            if low == before:
                return
            yield low

    @property
    def _escapes(self) -> Decoder:
        if self._decoder is None:
            self._decoder = Decoder("".join(form.low for form in self._forms))
        return self._decoder

    def _may_be_broken(self, reading: str) -> bool:
        # By far the slowest of the three comes last.
        if not any(sign in reading for sign in _LINE_SIGNS):
            return False
        if not any(piece in reading for form in self._encoded for piece in form.pieces):
            return False
        return _LINE_END.search(reading) is not None

    def _spans(self, low: str) -> Iterator[tuple[int, int]]:
        """Yield from where to where there is a form in a window, in whatever order."""
        decoder = self._escapes
        view = View(low)
        for other in decoder.otherwise_viewed(view):
            yield from self._found(other, self._forms)
        for _ in range(_LEVELS + 1):
            yield from self._found(view, self._forms)
            if self._may_be_broken(view.text):
                yield from self._found(view.without(_LINE_END), self._encoded)
            before, view = view, decoder.view(view)
            if view.text == before.text:
                return

    def _found(self, view: View, forms: Iterable[_Form]) -> Iterator[tuple[int, int]]:
        for form in forms:
            at = view.text.find(form.low)
            while at >= 0:
                end = at + len(form.low)
                if not form.bounded or not _is_in_word(view.text, at, end):
                    yield view.span(at, end)
                at = view.text.find(form.low, at + 1)


class RedactedStream:
    """Takes secrets out of bytes that come in pieces, also where one begins in one piece and ends in another."""

    def __init__(self, search: _Search) -> None:
        self._search = search
        self._rest = ""

    def feed(self, piece: bytes) -> Iterator[bytes]:
        """Yield what can be told so far, some 32 KiB at a time."""
        self._rest += piece.decode("latin-1")
        start = 0
        while len(self._rest) - start > self._search.window:
            cut, taken = self._search.cut(self._rest[start : start + self._search.window], _SLICE)
            start += taken
            yield cut.encode("latin-1")
        self._rest = self._rest[start:]

    def finish(self) -> Iterator[bytes]:
        """Yield the rest."""
        rest, self._rest = self._rest, ""
        for piece in self._search.slices(rest):
            yield piece.encode("latin-1")


def _characters(text: str | bytes) -> str:
    return text if isinstance(text, str) else text.decode("latin-1")


def _lower(text: str) -> str:
    """Return `text` in lower case, each character at its place."""
    # The one letter whose lower case is two.
    return text.lower() if text.isascii() else text.replace("\u0130", "i").lower()


def _is_in_word(text: str, begin: int, end: int) -> bool:
    """Whether a word goes on before or behind a part of a text; behind an escape one begins."""
    if _TWO_ALNUM.match(text, end - 1) is not None:
        return True
    return begin > 0 and _TWO_ALNUM.match(text, begin - 1) is not None and not _ESCAPE.search(text[:begin][-6:])


def _may_be_word(secret: str) -> bool:
    """Whether an answer may have such a secret of its own: one short or plain, all of letters or all of digits."""
    if len(secret) < _LEAST_IN_BODY or secret.isdigit():
        return True
    letters, digits = sum(map(str.isalpha, secret)), sum(map(str.isdigit, secret))
    return len(secret) < _LONG and (digits == 0 or letters < 2)


def _forms(secret: str) -> Iterator[_Form]:
    bounded = _may_be_word(secret)
    yield _Form(_lower(secret), encoded=False, bounded=bounded)
    # A malformed one, of which crash files and hooks are to know nothing either, may hold anything.
    encoded = secret.encode("utf-8", "surrogatepass")
    if not secret.isascii():
        yield _Form(_lower(encoded.decode("latin-1")), encoded=False, bounded=bounded)
    yield _Form(encoded.hex(), encoded=True, bounded=False)
    # In base64 a secret has three spellings, by where it begins in what was encoded ("user:SECRET").
    for offset, begin in ((0, 0), (1, 2), (2, 3)):
        raw = bytes(offset) + encoded
        whole = len(raw) * 8 // 6
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            yield _Form(encode(raw).decode()[begin:whole].lower(), encoded=True, bounded=False)
