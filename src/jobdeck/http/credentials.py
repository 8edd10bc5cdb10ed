"""Credentials: headers made of secrets; and the settings of a profile that the HTTP client needs."""

import base64
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from jobdeck.http.origin import Origin
from jobdeck.http.throttling import RateLimitWords

_WELL_FORMED = re.compile(r"[\x21-\x7e]{8,512}")
_seen: set[str] = set()


class MalformedSecretError(ValueError):
    """A credential is not 8 to 512 printable ASCII characters. The message never contains it."""


def secrets_seen() -> frozenset[str]:
    """Return every credential that this process has read, even malformed ones; only for the redactor of crash files."""
    return frozenset(_seen)


class Secret:
    """A credential: its text forms are masked, and only `reveal` returns it."""

    __slots__ = ("_value",)

    def __init__(self, value: str, origin: str = "the credential") -> None:
        """Take `value` without surrounding white space.

        Raises `MalformedSecretError`, which names `origin` (where it was found), if it cannot be sent in a header.
        """
        value = value.strip()
        _seen.add(value)
        if not _WELL_FORMED.fullmatch(value):
            message = f"{origin} is not 8 to 512 printable ASCII characters (no blanks, no line breaks)"
            raise MalformedSecretError(message)
        self._value = value

    def reveal(self) -> str:
        """Return the credential itself; only for the function that puts it into a request."""
        return self._value

    @property
    def masked(self) -> str:
        """A part of the credential, enough to recognize it (``sk_live_…4f2a``), too little to use it."""
        value = self._value
        if len(value) < 16:
            return "…"
        head = re.match(r"(?:hog|[a-z]{2})(?:_live|_test)?_", value)
        return f"{head[0] if head else ''}…{value[-4:]}"

    def __repr__(self) -> str:
        return f"Secret({self.masked!r})"

    __str__ = __repr__

    def __reduce__(self) -> str:
        raise TypeError("a Secret is never pickled")


_NAME = re.compile(r"\{([a-z][a-z0-9_]{0,31})\}")


@dataclass(frozen=True, slots=True)
class Credentials:
    """Headers as templates such as ``Bearer {token}``, or a basic user and password, and the secrets they name."""

    secrets: Mapping[str, Secret] = field(default_factory=lambda: MappingProxyType({}), repr=False)
    headers: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    basic_user: str = ""
    basic_password: str = ""

    def reveal(self) -> dict[str, str]:
        """Return the headers with the secrets filled in; only for `authorize`."""
        found = {name: self._fill(template) for name, template in self.headers.items()}
        if self.basic_password:
            pair = f"{self.basic_user}:{self._fill(self.basic_password)}"
            found["Authorization"] = f"Basic {base64.b64encode(pair.encode()).decode()}"
        return found

    def values(self) -> tuple[str, ...]:
        """Return the secrets themselves; only for the redactor."""
        return tuple(secret.reveal() for secret in self.secrets.values())

    def _fill(self, template: str) -> str:
        return _NAME.sub(lambda match: self.secrets[match[1]].reveal(), template)


@dataclass(frozen=True, slots=True)
class HttpProfile:
    """The settings of a profile that the HTTP client needs."""

    name: str
    # Without a trailing slash.
    base_url: str
    origin: Origin
    credentials: Credentials | None = field(default=None, repr=False)
    # Sent with every request; they hold no secret.
    headers: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    request_id_headers: tuple[str, ...] = ("x-request-id",)
    trace_id_headers: tuple[str, ...] = ("x-trace-id",)
    # Whether a 403 with an exhausted limit is a rate limit, not a rejected key.
    forbidden_may_be_rate_limit: bool = False
    # How to recognize a rate limit in a refusal with another status.
    rate_limit: RateLimitWords = field(default_factory=RateLimitWords)
