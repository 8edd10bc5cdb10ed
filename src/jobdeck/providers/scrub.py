"""The last wall: whatever a server, a proxy or a library says, our own credentials are taken out of it."""

import base64
from collections.abc import Iterable
from urllib.parse import quote

from jobdeck.providers.profile import AccessKeys, Basic, Bearer, Credentials, HeaderToken

REDACTED = "[redacted]"
_LEAST = 4
_LEAST_IN_BODY = 16


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
    """Replaces secrets, their base64 and their percent-encoding by ``[redacted]``."""

    __slots__ = ("_body_forms", "_forms")

    def __init__(self, secrets: Iterable[str]) -> None:
        """Prepare for `secrets`; those shorter than 4 characters would take words apart and are left alone."""
        known = [secret for secret in secrets if len(secret) >= _LEAST]
        self._forms = tuple(sorted({form for secret in known for form in _forms(secret)}, key=len, reverse=True))
        # A short one could be a word of the answer itself, such as "succeeded", and break it.
        self._body_forms = tuple(form.encode() for form in self._forms if len(form) >= _LEAST_IN_BODY)

    def text(self, text: str) -> str:
        """Return `text` without secrets."""
        for form in self._forms:
            text = text.replace(form, REDACTED)
        return text

    def body(self, body: bytes) -> bytes:
        """Return `body` without secrets of 16 characters or more."""
        for form in self._body_forms:
            if form in body:
                body = body.replace(form, REDACTED.encode())
        return body

    def __repr__(self) -> str:
        return f"Scrubber({len(self._forms)} forms)"


def _forms(secret: str) -> Iterable[str]:
    yield secret
    yield quote(secret, safe="")
    # In base64 a secret has three spellings, by where it begins in what was encoded ("user:SECRET").
    for offset, begin in ((0, 0), (1, 2), (2, 3)):
        raw = bytes(offset) + secret.encode()
        whole = len(raw) * 8 // 6
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            yield encode(raw).decode()[begin:whole]
