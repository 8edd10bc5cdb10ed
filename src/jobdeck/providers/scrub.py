"""The last wall: whatever a server, a proxy or a library says, our own credentials are taken out of it."""

import base64
import re
from collections.abc import Iterable

from jobdeck.providers.profile import AccessKeys, Basic, Bearer, Credentials, HeaderToken

REDACTED = "[redacted]"
_LEAST = 4
_LEAST_IN_BODY = 16
_ESCAPED = re.compile(r'%([2-7][0-9a-f])|\\u00([2-7][0-9a-f])|\\(["/\\])')
"""Printable ASCII as a URL or as JSON may write it, in lower case."""


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
        return self._in_text.cut(text)

    def body(self, body: bytes) -> bytes:
        """Return `body` without secrets of 16 characters or more."""
        text = body.decode("latin-1")
        cut = self._in_body.cut(text)
        return body if cut is text else cut.encode("latin-1")

    def __repr__(self) -> str:
        return f"Scrubber({len(self._in_text)} forms)"


class _Search:
    """Finds any of some forms, fast where there is none: 8 MiB take some 20 ms."""

    __slots__ = ("_forms", "_pattern")

    def __init__(self, forms: Iterable[str]) -> None:
        ordered = sorted(forms, key=len, reverse=True)
        self._forms = tuple({form.lower(): None for form in ordered})
        self._pattern = "|".join(map(_spelled, ordered))

    def __len__(self) -> int:
        return len(self._forms)

    def cut(self, text: str) -> str:
        """Return `text` itself where there is nothing to cut."""
        low = text.lower()
        found = self._has(low)
        if not found and ("%" in low or "\\" in low):
            found = self._has(_ESCAPED.sub(_plain, low))
        return re.sub(self._pattern, REDACTED, text, flags=re.IGNORECASE) if found else text

    def _has(self, low: str) -> bool:
        return any(form in low for form in self._forms)


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
