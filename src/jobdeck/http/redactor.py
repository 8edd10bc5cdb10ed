"""The last line of defence: our own credentials are removed from all text of servers, proxies and libraries."""

import base64
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from jobdeck.http.escapes import MAX_ESCAPE, Decoder, MappedText

REDACTED = "[redacted]"
_MIN_SECRET = 4
"""Fewest characters of a secret."""

_MIN_IN_BODY = 8
"""Fewest characters of a secret that is removed from a body before it is parsed."""

_MIN_ENCODED = 10
"""The same for a secret in base64 or hex."""

_NEVER_WORD = 16
"""Characters from which on a secret is no word of an answer, even if it has only letters."""

_SLICE = 32 * 1024
"""Characters that are searched at once: about 10 ms if all of them are escapes."""

_LEVELS = 3
"""Levels of escapes within escapes that are decoded: JSON in JSON in JSON, a URL in a URL in JSON."""

_LINE_END = re.compile(r"(?:[\r\n]|\\{1,8}(?:[rn]|u000[ad])|%(?:25){0,3}0[ad]|&#(?:x0?[ad]|1[03]);)[ \t]*+")
"""Its repetitions are bounded, and it skips no blanks before the line end: a slice of backslashes or blanks would
otherwise take seconds."""

_LINE_SIGNS = ("\n", "\r", "\\n", "\\r", "%0", "%250", "%25250", "u000", "&#")
_ESCAPE = re.compile(r"(?:%|\\x)[0-9a-f]{2}$|\\u[0-9a-f]{4}$|\\[bfnrt]$")
_TWO_ALNUM = re.compile(r"[^\W_]{2}")


class Redactor:
    """Replaces secrets by ``[redacted]``, in whatever form they appear.

    It finds them in upper and lower case, in base64 (even with line breaks) and hex, with the escapes of URLs, JSON and
    HTML, and with escapes of escapes. All profiles of a run share one redactor: a server that knows the keys of two
    profiles may send either key to either.

    In a body that is not parsed yet, a secret stays if it could be a word or a number of the answer itself, such as
    ``succeeded``, without which nobody would know how the job ended. `words_in_slices` removes those after parsing.
    """

    __slots__ = ("_in_body", "_in_text", "_secrets", "_words")

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        """Redact `secrets`; those shorter than 4 characters are ignored, since they would break up words."""
        self._secrets: dict[str, None] = {}
        self._in_text = self._in_body = self._words = _Search(())
        self.add(secrets)

    def add(self, secrets: Iterable[str]) -> None:
        """Redact more secrets from now on; those added before cost nothing."""
        new = dict.fromkeys(secret for secret in secrets if len(secret) >= _MIN_SECRET and secret not in self._secrets)
        if not new:
            return
        self._secrets |= new
        forms = [form for secret in new for form in _forms(secret)]
        self._in_text = self._in_text.with_more(forms)
        self._in_body = self._in_body.with_more(form for form in forms if form.is_no_word)
        self._words = self._words.with_more(
            form for form in forms if not form.is_no_word and len(form.low) >= _MIN_IN_BODY
        )

    @property
    def has_words(self) -> bool:
        """Whether some secret could be a word or a number of an answer, so that `body_in_slices` may leave it in."""
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
        """Return the beginning of `text`, at most 32 Ki characters, without secrets; the rest is not searched."""
        return next(self._in_text.slices(text), "")[:_SLICE]

    def body_in_slices(self, body: bytes) -> Iterator[bytes]:
        """Yield `body` without the secrets that cannot be words of an answer, a slice at a time.

        A slice takes some milliseconds at worst, so that the caller can give other tasks a turn: 8 MiB of nothing but
        escapes take some seconds.
        """
        for piece in self._in_body.slices(body):
            yield piece.encode("latin-1")

    def stream(self) -> "RedactedStream":
        """Return a redactor for a body in pieces: it removes what `body_in_slices` and `words_in_slices` remove."""
        return RedactedStream(self._in_body.with_more(self._words.forms))

    def words_in_slices(self, text: str) -> Iterator[str]:
        """Yield `text` without the secrets that `body_in_slices` leaves, a slice at a time."""
        yield from self._words.slices(text)

    def __repr__(self) -> str:
        return f"Redactor({len(self._secrets)} secrets)"


@dataclass(frozen=True, slots=True)
class _Form:
    """A form in which a secret may appear."""

    # In lower case.
    low: str
    # Base64 or hex, which may be broken into lines.
    encoded: bool
    # It counts only as a whole word.
    bounded: bool

    @property
    def is_no_word(self) -> bool:
        """Whether it cannot be a word or a number of an answer, or a part of one."""
        return not self.bounded and len(self.low) >= (_MIN_ENCODED if self.encoded else _MIN_IN_BODY)

    @property
    def pieces(self) -> tuple[str, str]:
        """Two adjacent parts: line breaks after 60 or more characters break at most one of them."""
        half = min(30, len(self.low) // 2)
        return self.low[:half], self.low[half : 2 * half]


class _Search:
    """Finds the given forms in a text; fast if there are none: 8 MiB take about 80 ms."""

    __slots__ = ("_decoder", "_encoded", "_forms", "_overlap")

    def __init__(self, forms: Sequence[_Form]) -> None:
        self._forms = tuple(forms)
        self._encoded = tuple(form for form in self._forms if form.encoded)
        self._decoder: Decoder | None = None
        self._overlap = MAX_ESCAPE * max((len(form.low) for form in self._forms), default=0)

    @property
    def forms(self) -> tuple[_Form, ...]:
        """The forms that it finds."""
        return self._forms

    @property
    def finds_any(self) -> bool:
        return bool(self._forms)

    def with_more(self, forms: Iterable[_Form]) -> "_Search":
        """Return a search that finds `forms` as well."""
        return _Search(tuple(dict.fromkeys((*self._forms, *forms))))

    def slices(self, text: str | bytes) -> Iterator[str]:
        """Yield `text` with the forms replaced, a slice at a time; each byte counts as a character.

        A slice is searched together with as much of the next one as a form that begins in the slice may take.
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
        """Characters of a slice and of the text after it that is searched with it."""
        return _SLICE + self._overlap

    def cut(self, window: str, size: int) -> tuple[str, int]:
        """Return the first `size` characters of a window without the forms that begin there, and where to go on."""
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
        """Whether a window contains some form, with or without escapes and line breaks."""
        for reading in self._readings(low):
            # With the keys of twenty profiles, any() would double the cost of a header.
            for form in self._forms:
                if form.low in reading:
                    return True
            if self._may_be_broken(reading):
                return True
        return False

    def _readings(self, low: str) -> Iterator[str]:
        """Yield a text as it is, and with its escapes decoded once and more often."""
        yield low
        if "%" not in low and "\\" not in low and "&" not in low:
            return
        decoder = self._escapes
        yield from decoder.alternatives(low)
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
        # The slowest of the three tests by far comes last.
        if not any(sign in reading for sign in _LINE_SIGNS):
            return False
        if not any(piece in reading for form in self._encoded for piece in form.pieces):
            return False
        return _LINE_END.search(reading) is not None

    def _spans(self, low: str) -> Iterator[tuple[int, int]]:
        """Yield begin and end of each form in a window, in no particular order."""
        decoder = self._escapes
        text = MappedText(low)
        for alternative in decoder.mapped_alternatives(text):
            yield from self._found(alternative, self._forms)
        for _ in range(_LEVELS + 1):
            yield from self._found(text, self._forms)
            if self._may_be_broken(text.text):
                yield from self._found(text.without(_LINE_END), self._encoded)
            before, text = text, decoder.decode_mapped(text)
            if text.text == before.text:
                return

    def _found(self, text: MappedText, forms: Iterable[_Form]) -> Iterator[tuple[int, int]]:
        for form in forms:
            at = text.text.find(form.low)
            while at >= 0:
                end = at + len(form.low)
                if not form.bounded or not _is_in_word(text.text, at, end):
                    yield text.span(at, end)
                at = text.text.find(form.low, at + 1)


class RedactedStream:
    """Removes secrets from bytes that arrive in pieces, even if a secret is in two of them."""

    def __init__(self, search: _Search) -> None:
        self._search = search
        self._rest = ""

    def feed(self, piece: bytes) -> Iterator[bytes]:
        """Yield the redacted bytes that are certain so far, about 32 KiB at a time."""
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
    """Return `text` in lower case, with each character at its old index."""
    # Only this letter has a lower case of two characters.
    return text.lower() if text.isascii() else text.replace("\u0130", "i").lower()


def _is_in_word(text: str, begin: int, end: int) -> bool:
    """Whether a word continues before or after a part of a text; a word begins after an escape."""
    if _TWO_ALNUM.match(text, end - 1) is not None:
        return True
    return begin > 0 and _TWO_ALNUM.match(text, begin - 1) is not None and not _ESCAPE.search(text[:begin][-6:])


def _may_be_word(secret: str) -> bool:
    """Whether a secret could be a word of an answer: it is short, or has only letters or only digits."""
    if len(secret) < _MIN_IN_BODY or secret.isdigit():
        return True
    letters, digits = sum(map(str.isalpha, secret)), sum(map(str.isdigit, secret))
    return len(secret) < _NEVER_WORD and (digits == 0 or letters < 2)


def _forms(secret: str) -> Iterator[_Form]:
    bounded = _may_be_word(secret)
    yield _Form(_lower(secret), encoded=False, bounded=bounded)
    # A malformed secret, which must not reach crash files and hooks either, may contain any character.
    encoded = secret.encode("utf-8", "surrogatepass")
    if not secret.isascii():
        yield _Form(_lower(encoded.decode("latin-1")), encoded=False, bounded=bounded)
    yield _Form(encoded.hex(), encoded=True, bounded=False)
    # In base64 a secret has three forms, by its offset in the encoded text ("user:SECRET").
    for offset, begin in ((0, 0), (1, 2), (2, 3)):
        raw = bytes(offset) + encoded
        whole = len(raw) * 8 // 6
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            yield _Form(encode(raw).decode()[begin:whole].lower(), encoded=True, bounded=False)
