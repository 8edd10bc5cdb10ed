"""Origins: the destinations of requests, and the boundary that credentials never cross."""

import ipaddress
import re
from dataclasses import dataclass
from urllib.parse import urlsplit

DEFAULT_PORTS = {"https": 443, "http": 80}
_URL = re.compile(r"[\x21-\x7e]{1,2048}")
_HOST = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?|\[[0-9A-Fa-f:.]{2,45}\]")


class OriginError(ValueError):
    """A URL is not acceptable as an origin; the message says why, with at most scheme and host of the URL."""


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
            raise OriginError("a URL must not contain a user name or password")
        netloc_host = parts.netloc.rsplit(":", 1)[0] if port is not None else parts.netloc.removesuffix(":")
        host = (parts.hostname or "").lower()
        if not host or not _HOST.fullmatch(netloc_host):
            raise OriginError("not a valid host")
        if scheme == "http" and not is_loopback(host):
            raise OriginError(f"http is allowed only for loopback addresses, not for {host}")
        return cls(scheme, host, port if port is not None else DEFAULT_PORTS[scheme])

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}" + ("" if self.port == DEFAULT_PORTS[self.scheme] else f":{self.port}")


def origin_of_base(url: str) -> Origin:
    """Return the origin of a base URL; raises `OriginError` if it is invalid, or has a query or fragment."""
    origin = Origin.of(url)
    if "?" in url or "#" in url:
        raise OriginError("a base URL must not have a query or fragment")
    if not _URL.fullmatch(url) or "\\" in url:
        raise OriginError("a base URL must be printable ASCII without a backslash")
    return origin


def is_loopback(host: str) -> bool:
    """Whether `host` is a loopback address, or ``localhost``, which is never looked up (see `is_localhost`)."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return is_localhost(host)


def is_localhost(host: str) -> bool:
    """Whether `host` is ``localhost`` or a name below it, which a resolver may resolve to any address."""
    return host == "localhost" or host.endswith(".localhost")
