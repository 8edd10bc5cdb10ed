"""The last wall: whatever a server, a proxy or a library says, our own credentials are taken out of it."""

import base64
import re
from collections.abc import Iterable, Iterator, Sequence

from jobdeck.providers.profile import AccessKeys, Basic, Bearer, Credentials, HeaderToken

REDACTED = "[redacted]"
_LEAST = 4
_LEAST_IN_BODY = 16
_SLICE = 64 * 1024
"""Characters that are searched in one go: 10 ms if every third of them begins an escape."""

_LONGEST_SPELLING = 6
"""Characters of ``\\u0041``, the longest way to write one."""


def secrets_of(credentials: Credentials | None) -> tuple[str, ...]:
    """Return the secret values in `credentials`, for a `Scrubber` only."""
    match credentials:
        case AccessKeys(access_key, secret_key):
            return (access_key.reveal(), secret_key.reveal())
        case Bearer(token) | HeaderToken(token=token) | Basic(token=token):
            return (token.reveal(),)
        case None:
            return ()


class Scrubber:
    """Replaces secrets by ``[redacted]``, in upper and lower case, in base64 and hex, with URL and JSON escapes.

    One is shared by all profiles of a run: a server that knows the keys of two may say either back to either.
    """

    __slots__ = ("_in_body", "_in_text", "_secrets")

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        """Prepare for `secrets`; those shorter than 4 characters would take words apart and are left alone."""
        self._secrets: dict[str, None] = {}
        self._in_text = self._in_body = _Search(())
        self.add(secrets)

    def add(self, secrets: Iterable[str]) -> None:
        """Take these out as well, of all that is searched from now on; what is known already costs nothing."""
        new = dict.fromkeys(secret for secret in secrets if len(secret) >= _LEAST and secret not in self._secrets)
        if not new:
            return
        self._secrets |= new
        finders = [_Finder(_forms(secret)) for secret in new]
        self._in_text = self._in_text.with_more(finders)
        # A short one could be a word of the answer itself, such as "succeeded", and break it.
        self._in_body = self._in_body.with_more(finder.at_least(_LEAST_IN_BODY) for finder in finders)

    def text(self, text: str) -> str:
        """Return `text` without secrets."""
        return "".join(self._in_text.slices(text))

    def start(self, text: str) -> str:
        """Return the beginning of `text`, at most 64 Ki characters, without secrets; the rest is not looked at."""
        return next(self._in_text.slices(text), "")[:_SLICE]

    def body(self, body: bytes) -> bytes:
        """Return `body` without secrets of 16 characters or more."""
        return b"".join(self.body_in_slices(body))

    def body_in_slices(self, body: bytes) -> Iterator[bytes]:
        """Yield `body` without secrets of 16 characters or more, a slice at a time.

        A slice takes some milliseconds at the worst, so that a caller can let others have their turn: 8 MiB that are
        nothing but escapes take over a second in all.
        """
        for piece in self._in_body.slices(body.decode("latin-1")):
            yield piece.encode("latin-1")

    def __repr__(self) -> str:
        return f"Scrubber({len(self._secrets)} secrets)"


class _Finder:
    """Finds the forms of one secret. Their pattern takes milliseconds to compile: it waits until one of them is met."""

    __slots__ = ("_ordered", "_pattern", "low")

    def __init__(self, forms: Iterable[str]) -> None:
        self._ordered = sorted(set(forms), key=len, reverse=True)
        self._pattern: re.Pattern[str] | None = None
        self.low = tuple({form.lower(): None for form in self._ordered})

    @property
    def longest(self) -> int:
        return max(map(len, self._ordered), default=0)

    def at_least(self, size: int) -> "_Finder":
        """Return a finder of the forms of at least so many characters; a short secret may have none."""
        long = [form for form in self._ordered if len(form) >= size]
        return self if len(long) == len(self._ordered) else _Finder(long)

    def is_in(self, low: str) -> bool:
        # With the keys of twenty profiles, any() doubles what a header costs.
        for form in self.low:  # noqa: SIM110 - see above
            if form in low:
                return True
        return False

    def spans(self, window: str, size: int) -> Iterator[tuple[int, int]]:
        """Yield from where to where there is a form, for those that begin in the first `size` characters."""
        if self._pattern is None:
            self._pattern = re.compile("|".join(map(_spelled, self._ordered)), flags=re.IGNORECASE)
        for match in self._pattern.finditer(window):
            if match.start() >= size:
                return
            yield match.span()


class _Search:
    """Finds the forms of some secrets, fast where there is none: 8 MiB take some 80 ms."""

    __slots__ = ("_escaped", "_finders", "_overlap")

    def __init__(self, finders: Sequence[_Finder]) -> None:
        self._finders = tuple(finders)
        self._escaped: tuple[re.Pattern[str], ...] = ()
        self._overlap = _LONGEST_SPELLING * max((finder.longest for finder in finders), default=0)

    def with_more(self, finders: Iterable[_Finder]) -> "_Search":
        """Return a search for what these find too."""
        return _Search((*self._finders, *(finder for finder in finders if finder.low)))

    def slices(self, text: str) -> Iterator[str]:
        """Yield `text` with the forms cut out, a slice at a time.

        A slice is searched together with as much of the next as a form that begins in it may take.
        """
        if not self._finders:
            yield text
            return
        start = 0
        while start < len(text):
            end = min(start + _SLICE, len(text))
            whole = start == 0 and end == len(text)
            cut, taken = self._cut(text if whole else text[start : end + self._overlap], end - start)
            yield cut
            start += taken

    def _cut(self, window: str, size: int) -> tuple[str, int]:
        """Return the first `size` characters of a window without the forms that begin there, and where it goes on."""
        found = self._met(window)
        if not found:
            return window[:size], size
        pieces: list[str] = []
        kept = 0
        for begin, end in sorted(span for finder in found for span in finder.spans(window, size)):
            if begin >= kept:
                pieces += (window[kept:begin], REDACTED)
            kept = max(kept, end)
        return "".join((*pieces, window[kept:size])), max(kept, size)

    def _met(self, window: str) -> Sequence[_Finder]:
        """Return whose forms are in a window, whichever way they are written."""
        low = window.lower()
        if "%" not in low and "\\" not in low:
            return [finder for finder in self._finders if finder.is_in(low)]
        if not self._escaped:
            chars = "".join(form for finder in self._finders for form in finder.low)
            # Two backslashes are one in JSON, or one and the beginning of an escape: with a key that has one, both.
            quoted = ('"/\\', '"/') if "\\" in chars else ('"/',)
            self._escaped = tuple(re.compile(_escapes_of(chars, each)) for each in quoted)
        readings = (low, *(escaped.sub(_plain, low) for escaped in self._escaped))
        return [finder for finder in self._finders if any(map(finder.is_in, readings))]


def _escapes_of(chars: str, quoted: str) -> str:
    """Return a pattern for printable ASCII as a URL or as JSON may write it, in lower case, if it is among `chars`.

    Those in `quoted` may stand behind a backslash. What no form has in it, such as a blank, need not be understood, and
    is by far the most that is escaped.
    """
    codes: dict[str, set[str]] = {}
    for code in {f"{ord(case):02x}" for char in chars if char.isascii() for case in (char, char.upper())}:
        codes.setdefault(code[0], set()).add(code[1])
    spelled = "|".join(f"{first}[{''.join(sorted(second))}]" for first, second in sorted(codes.items()))
    with_backslash = "".join(re.escape(char) for char in quoted if char in chars)
    behind = rf"|\\([{with_backslash}])" if with_backslash else "|(?!)()"
    return rf"%({spelled})|\\u00({spelled}){behind}"


def _plain(match: re.Match[str]) -> str:
    code = match[1] or match[2]
    return chr(int(code, 16)).lower() if code else match[3]


def _spelled(form: str) -> str:
    """Return a pattern for a form, each of whose characters may be escaped."""
    return "".join(map(_any_spelling, form))


def _any_spelling(char: str) -> str:
    backslash = r"\\?" if char in '"/\\' else ""
    return rf"(?:{backslash}{re.escape(char)}|%{ord(char):02x}|\\u00{ord(char):02x})"


def _forms(secret: str) -> Iterable[str]:
    yield secret
    # A malformed one, of which crash files and hooks are to know nothing either, may hold anything.
    encoded = secret.encode("utf-8", "surrogatepass")
    yield encoded.hex()
    # In base64 a secret has three spellings, by where it begins in what was encoded ("user:SECRET").
    for offset, begin in ((0, 0), (1, 2), (2, 3)):
        raw = bytes(offset) + encoded
        whole = len(raw) * 8 // 6
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            yield encode(raw).decode()[begin:whole]
