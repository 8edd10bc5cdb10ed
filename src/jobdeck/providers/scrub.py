"""The last wall: whatever a server, a proxy or a library says, our own credentials are taken out of it."""

import base64
import re
from collections.abc import Iterable, Iterator

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
    """Replaces secrets by ``[redacted]``, in upper and lower case, in base64 and hex, with URL and JSON escapes."""

    __slots__ = ("_in_body", "_in_text")

    def __init__(self, secrets: Iterable[str]) -> None:
        """Prepare for `secrets`; those shorter than 4 characters would take words apart and are left alone."""
        forms = {form for secret in secrets if len(secret) >= _LEAST for form in _forms(secret)}
        self._in_text = _Search(forms)
        # A short one could be a word of the answer itself, such as "succeeded", and break it.
        self._in_body = _Search(form for form in forms if len(form) >= _LEAST_IN_BODY)

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
        return f"Scrubber({len(self._in_text)} forms)"


class _Search:
    """Finds any of some forms, fast where there is none: 8 MiB take some 80 ms."""

    __slots__ = ("_escaped", "_forms", "_overlap", "_pattern")

    def __init__(self, forms: Iterable[str]) -> None:
        ordered = sorted(forms, key=len, reverse=True)
        self._forms = tuple({form.lower(): None for form in ordered})
        self._pattern = "|".join(map(_spelled, ordered))
        self._escaped = re.compile(_escapes_of("".join(self._forms)))
        self._overlap = _LONGEST_SPELLING * len(ordered[0]) if ordered else 0

    def __len__(self) -> int:
        return len(self._forms)

    def slices(self, text: str) -> Iterator[str]:
        """Yield `text` with the forms cut out, a slice at a time.

        A slice is searched together with as much of the next as a form that begins in it may take.
        """
        if not self._forms:
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
        if not self._may_have(window):
            return window[:size], size
        pieces: list[str] = []
        kept = 0
        for match in re.finditer(self._pattern, window, flags=re.IGNORECASE):
            if match.start() >= size:
                break
            pieces += (window[kept : match.start()], REDACTED)
            kept = match.end()
        return "".join((*pieces, window[kept:size])), max(kept, size)

    def _may_have(self, window: str) -> bool:
        low = window.lower()
        if self._has(low):
            return True
        return ("%" in low or "\\" in low) and self._has(self._escaped.sub(_plain, low))

    def _has(self, low: str) -> bool:
        return any(form in low for form in self._forms)


def _escapes_of(chars: str) -> str:
    """Return a pattern for printable ASCII as a URL or as JSON may write it, in lower case, if it is among `chars`.

    What no form has in it, such as a blank, need not be understood, and is by far the most that is escaped.
    """
    codes: dict[str, set[str]] = {}
    for code in {f"{ord(case):02x}" for char in chars if char.isascii() for case in (char, char.upper())}:
        codes.setdefault(code[0], set()).add(code[1])
    spelled = "|".join(f"{first}[{''.join(sorted(second))}]" for first, second in sorted(codes.items()))
    with_backslash = "".join(re.escape(char) for char in '"/\\' if char in chars)
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
