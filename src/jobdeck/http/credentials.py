"""Credentials: headers made of secrets; and the settings of a profile that the HTTP client needs."""

import base64
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from jobdeck.http.origin import Origin
from jobdeck.http.secret import Secret
from jobdeck.http.throttling import RateLimitWords

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
