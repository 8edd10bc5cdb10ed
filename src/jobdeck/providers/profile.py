"""Where and as whom to ask: origin, credentials and limits of one profile."""

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal, TypeAlias
from urllib.parse import urlsplit

from jobdeck.domain.scope import Scope
from jobdeck.providers.secret import Secret

if TYPE_CHECKING:
    # 15 ms that only those with a described API need to spend.
    from jobdeck.providers.description import Description

ProviderName: TypeAlias = Literal["thehog", "sonarly"]
"""The APIs that jobdeck has code for."""

Api: TypeAlias = "ProviderName | Description"
"""What a profile speaks: an API with code of its own, or one that is described."""

BUILT_IN = ("azure-async", "github-actions", "google-lro")
"""The descriptions that come with jobdeck."""

MAX_REQUESTS_PER_MINUTE = 60_000

DEFAULT_BASE_URL: dict[ProviderName, str] = {
    "thehog": "https://developer.thehog.ai",
    "sonarly": "https://api.sonarly.io",
}
DEFAULT_PORTS = {"https": 443, "http": 80}
_URL = re.compile(r"[\x21-\x7e]{1,2048}")
_HOST = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?|\[[0-9A-Fa-f:.]{2,45}\]")


class OriginError(ValueError):
    """A URL is no acceptable origin: the message says why, and never more of the URL than scheme and host."""


@dataclass(frozen=True, slots=True)
class Origin:
    """Scheme, host and effective port: the boundary that credentials never cross."""

    scheme: str
    host: str
    port: int

    @classmethod
    def of(cls, url: str) -> "Origin":
        """Return the origin of an absolute URL.

        Raises `OriginError` unless it is https, or http to a loopback address or localhost, without user information.
        """
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError as error:
            raise OriginError("not a valid URL") from error
        scheme = parts.scheme.lower()
        if scheme not in DEFAULT_PORTS:
            raise OriginError("not an https URL")
        if "@" in parts.netloc:
            raise OriginError("a URL with user information is refused")
        netloc_host = parts.netloc.rsplit(":", 1)[0] if port is not None else parts.netloc.removesuffix(":")
        host = (parts.hostname or "").lower()
        if not host or not _HOST.fullmatch(netloc_host):
            raise OriginError("not a valid host")
        if scheme == "http" and not is_loopback(host):
            raise OriginError(f"http is accepted for a loopback address only, not for {host}")
        return cls(scheme, host, port if port is not None else DEFAULT_PORTS[scheme])

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}" + ("" if self.port == DEFAULT_PORTS[self.scheme] else f":{self.port}")


def origin_of_base(url: str) -> Origin:
    """Return the origin of a base URL; raises `OriginError` for one that is none, or is more than a beginning."""
    origin = Origin.of(url)
    if "?" in url or "#" in url:
        raise OriginError("a base URL has no query and no fragment")
    if not _URL.fullmatch(url) or "\\" in url:
        raise OriginError("a base URL is printable ASCII, without a backslash")
    return origin


def is_loopback(host: str) -> bool:
    """Whether `host` is a loopback address, or ``localhost``, which is never looked up (see `is_localhost`)."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return is_localhost(host)


def is_localhost(host: str) -> bool:
    """Whether `host` is ``localhost`` or a name below it, which a resolver can be made to lead anywhere."""
    return host == "localhost" or host.endswith(".localhost")


@dataclass(frozen=True, slots=True)
class AccessKeys:
    """The Hog's pair of ``X-Access-Key`` and ``X-Secret-Key``."""

    access_key: Secret
    secret_key: Secret


@dataclass(frozen=True, slots=True)
class Bearer:
    """A token for ``Authorization: Bearer``."""

    token: Secret


@dataclass(frozen=True, slots=True)
class HeaderToken:
    """A token in a header of the API's choice, `prefix` before it."""

    header: str
    prefix: str
    token: Secret


@dataclass(frozen=True, slots=True)
class Basic:
    """A user and a token for ``Authorization: Basic``."""

    user: str
    token: Secret


Credentials: TypeAlias = AccessKeys | Bearer | HeaderToken | Basic


@dataclass(frozen=True, slots=True)
class Profile:
    """A named provider with its base URL, credentials and limit.

    `base_url` has no trailing slash. `requests_per_minute` is None when nobody said: then the provider's
    lower documented limit holds until headers tell more. `variables` are those of a described API's URLs, its
    defaults among them. `organization` is whose jobs and rate limit these are, None when nobody said: then they are
    those of the profile's name.
    """

    name: str
    api: Api
    base_url: str
    origin: Origin
    credentials: Credentials | None = field(default=None, repr=False)
    project_id: str | None = None
    account_group: str | None = None
    requests_per_minute: int | None = None
    variables: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    organization: str | None = None

    @property
    def scope(self) -> Scope:
        """Whose jobs and budget these are."""
        return Scope(str(self.origin), self.organization or self.name, self.provider)

    @property
    def provider(self) -> str:
        """The name of what it speaks."""
        return self.api if isinstance(self.api, str) else self.api.name

    @property
    def described(self) -> "Description | None":
        """The description of the API, None for one with code of its own."""
        return None if isinstance(self.api, str) else self.api

    @classmethod
    def create(
        cls,
        name: str,
        api: Api,
        *,
        base_url: str | None = None,
        credentials: Credentials | None = None,
        project_id: str | None = None,
        account_group: str | None = None,
        requests_per_minute: int | None = None,
        variables: Mapping[str, str] | None = None,
        organization: str | None = None,
    ) -> "Profile":
        """Build a profile with the provider's defaults; raises `OriginError` for an unacceptable base URL."""
        described = None if isinstance(api, str) else api
        default = DEFAULT_BASE_URL[api] if isinstance(api, str) else api.base_url
        url = (base_url or default or "").rstrip("/")
        if not url:
            message = (
                f"{name} speaks {described.name if described else api}, which has no base URL of its own: give it one"
            )
            raise OriginError(message)
        origin = origin_of_base(url)
        known = {**(described.variables if described is not None else {}), **(variables or {})}
        return cls(
            name,
            api,
            url,
            origin,
            credentials,
            project_id,
            account_group,
            requests_per_minute,
            MappingProxyType(known),
            organization,
        )
