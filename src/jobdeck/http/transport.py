"""The connections of one profile: which certificates, which proxy, and nothing remembered between requests."""

import ipaddress
import logging
import os
import socket
import ssl
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import certifi
import httpx

from jobdeck import __version__
from jobdeck.domain.problem import ProblemKind
from jobdeck.domain.text import one_line
from jobdeck.http.credentials import HttpProfile
from jobdeck.http.network import BoundedTransport
from jobdeck.http.origin import DEFAULT_PORTS, Origin, is_loopback
from jobdeck.http.problems import ProblemDraft

_MAX_CAUSES = 20


def describe_transport_error(error: Exception, origin: Origin, proxy_variable: str | None) -> ProblemDraft:
    """Return the problem that an exception of httpx, or of a layer below it, means; its message is never empty."""
    through = f" through the proxy of {proxy_variable}" if proxy_variable else ""
    match error:
        case httpx.ConnectTimeout():
            return ProblemDraft(ProblemKind.TIMEOUT, f"connecting to {origin}{through} timed out")
        case httpx.TimeoutException():
            return ProblemDraft(ProblemKind.TIMEOUT, f"{origin}{through} did not respond in time")
        case httpx.ProxyError():
            return ProblemDraft(
                ProblemKind.NETWORK,
                f"the proxy of {proxy_variable or 'the environment'} refused the connection: {error}",
            )
        case httpx.ConnectError():
            return ProblemDraft(ProblemKind.NETWORK, f"cannot connect to {origin}{through}: {_reason(error)}")
        case httpx.NetworkError():
            return ProblemDraft(ProblemKind.NETWORK, f"lost the connection to {origin}{through}: {_reason(error)}")
        case httpx.RemoteProtocolError() if "disconnect" in str(error) or "closed connection" in str(error):
            return ProblemDraft(ProblemKind.NETWORK, f"{origin} closed the connection before its response was complete")
        case httpx.RemoteProtocolError():
            return ProblemDraft(ProblemKind.PROTOCOL, f"{origin} sent invalid HTTP: {error}")
        case httpx.LocalProtocolError():
            # h11's message repeats the header that it refused, which may be a key.
            return ProblemDraft(ProblemKind.PROTOCOL, f"cannot send a request to {origin}: malformed header")
        case OSError():
            return ProblemDraft(ProblemKind.NETWORK, f"cannot reach {origin}{through}: {_reason(error)}")
        case _:
            return ProblemDraft(
                ProblemKind.PROTOCOL, f"cannot read the response from {origin} ({type(error).__name__})"
            )


def _reason(error: BaseException) -> str:
    causes = list(_causes(error))
    for cause in causes:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return f"certificate verification failed: {cause.verify_message}"
        if isinstance(cause, ssl.SSLError):
            return f"TLS failed: {cause.reason or cause.strerror or 'no reason given'}"
        if isinstance(cause, socket.gaierror):
            return f"cannot resolve the host name ({cause.strerror or 'no reason given'})"
        if isinstance(cause, ConnectionRefusedError):
            return "connection refused"
    for cause in causes:
        if isinstance(cause, OSError) and cause.strerror:
            return cause.strerror
    return next((str(cause) for cause in causes if str(cause)), type(error).__name__)


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Yield an exception and its causes, members of groups included; at most 20, since they can be cyclic."""
    pending: list[BaseException] = [error]
    for _ in range(_MAX_CAUSES):
        if not pending:
            return
        cause = pending.pop(0)
        yield cause
        pending += getattr(cause, "exceptions", ())
        pending += [below for below in (cause.__cause__, cause.__context__) if below is not None]


MAX_CONNECTIONS = 10
"""Most connections of a profile."""

KEEPALIVE_SECONDS = 30.0
_ONE = httpx.Limits(max_connections=1, max_keepalive_connections=1, keepalive_expiry=KEEPALIVE_SECONDS)

HEADERS = {
    "Accept": "application/json",
    "Accept-Encoding": "gzip",
    "Connection": "keep-alive",
    "User-Agent": f"jobdeck/{__version__}",
}
"""What every request has, whatever its profile."""

# At DEBUG httpcore logs an answer's headers, and httpx its reason: either may contain our keys.
for _library in ("httpcore", "httpx"):
    logging.getLogger(_library).setLevel(logging.WARNING)

_PROXY_VARIABLES = ("https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY")


class TransportError(Exception):
    """The environment names a proxy or certificates that cannot be used; the message names the variable."""


@dataclass(frozen=True, slots=True)
class ProxyChoice:
    """A proxy's URL, which may hold a password, and the variable it comes from."""

    variable: str
    url: httpx.URL

    def __repr__(self) -> str:
        return f"ProxyChoice({self.variable!r})"


def choose_proxy(profile: HttpProfile, env: Mapping[str, str] = os.environ) -> ProxyChoice | None:
    """Return the proxy for a profile's origin, from ``HTTPS_PROXY`` or ``ALL_PROXY`` unless ``NO_PROXY`` excludes it.

    A loopback address never has one: a proxy for plain http could read the credentials.
    Raises `TransportError`, which never repeats the proxy's URL, if the proxy cannot be used.
    """
    origin = profile.origin
    if origin.scheme != "https" or is_loopback(origin.host):
        return None
    variable = next((name for name in _PROXY_VARIABLES if env.get(name, "").strip()), None)
    if variable is None:
        return None
    if _excepted(origin, env.get("no_proxy") or env.get("NO_PROXY") or ""):
        return None
    value = env[variable].strip()
    try:
        url = httpx.URL(value if "://" in value else f"http://{value}")
        port = url.port
    except (httpx.InvalidURL, ValueError, UnicodeError):
        raise TransportError(f"{variable} is not a valid proxy URL") from None
    if url.scheme not in {"http", "https"}:
        message = f"{variable} has an unsupported proxy scheme {one_line(url.scheme, 20)!r}; use http or https"
        raise TransportError(message)
    if not url.host or port == 0:
        raise TransportError(f"{variable} is not a valid proxy URL")
    return ProxyChoice(variable, url)


def tls_context(env: Mapping[str, str] = os.environ) -> ssl.SSLContext:
    """Return a verifying context with the roots of ``SSL_CERT_FILE`` or ``SSL_CERT_DIR`` if set, else certifi's.

    `ssl.create_default_context` is not used: it would write every session's keys to ``SSLKEYLOGFILE``.
    Raises `TransportError` for certificates that cannot be read.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    variable = next((name for name in ("SSL_CERT_FILE", "SSL_CERT_DIR") if env.get(name)), None)
    try:
        match variable:
            case "SSL_CERT_FILE":
                context.load_verify_locations(cafile=env[variable])
            case "SSL_CERT_DIR":
                # OpenSSL treats a missing directory as an empty one, and then trusts nobody.
                os.scandir(env[variable]).close()
                context.load_verify_locations(capath=env[variable])
            case _:
                context.load_verify_locations(cafile=certifi.where())
    except (OSError, ValueError) as error:
        where = f"{variable}={env[variable]}" if variable else "certifi's certificates"
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        message = f"{one_line(where, 300)} cannot be read: {one_line(reason, 200) or type(error).__name__}"
        raise TransportError(message) from error
    return context


class Transports:
    """The transports of one profile: HTTP/1.1, no credentials, redirects or cookies, nothing of the environment.

    Each has one connection, for httpcore looks at all connections of a pool twice a request: ten in one pool cost a
    twentieth of a poll's processor time. The last used is used next, and those idle for `KEEPALIVE_SECONDS` are closed.
    `httpx.AsyncClient` would add only what is not wanted here, for a quarter of its time. There are no timeouts: use
    them only below one semaphore and one deadline. Raises `TransportError`.
    """

    def __init__(self, profile: HttpProfile, proxy: ProxyChoice | None, env: Mapping[str, str] = os.environ) -> None:
        origin = profile.origin
        # With plain http there is no TLS; loading the roots would cost 20 ms for nothing.
        self._context = tls_context(env) if origin.scheme == "https" else ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        self._proxy = None if proxy is None else _proxy(proxy.url, self._context)
        self._busy: set[BoundedTransport] = set()
        self._idle: list[tuple[float, BoundedTransport]] = []

    def acquire(self) -> BoundedTransport:
        """Return a transport for one request."""
        transport = self._idle.pop()[1] if self._idle else self._open()
        self._busy.add(transport)
        return transport

    async def release(self, transport: BoundedTransport) -> None:
        """Take a transport back whose request has ended."""
        if transport not in self._busy:
            return
        self._busy.remove(transport)
        now = time.monotonic()
        self._idle.append((now, transport))
        while self._idle and self._idle[0][0] <= now - KEEPALIVE_SECONDS:
            await self._idle.pop(0)[1].aclose()

    async def aclose(self) -> None:
        """Close all connections, those in use as well."""
        transports = (*self._busy, *(transport for _, transport in self._idle))
        self._busy.clear()
        self._idle.clear()
        for transport in transports:
            await transport.aclose()

    def _open(self) -> BoundedTransport:
        return BoundedTransport(verify=self._context, proxy=self._proxy, limits=_ONE, trust_env=False)


def _proxy(url: httpx.URL, context: ssl.SSLContext) -> httpx.Proxy:
    # httpcore refuses a TLS context for a plain http proxy.
    return httpx.Proxy(url, ssl_context=context if url.scheme == "https" else None)


def _excepted(origin: Origin, no_proxy: str) -> bool:
    """Whether ``NO_PROXY`` has the host: ``*``, a name or a domain, with or without port, an address or a network."""
    for entry in no_proxy.lower().split(","):
        name = entry.strip()
        if name == "*":
            return True
        host, colon, port = name.rpartition(":")
        if colon and port.isdecimal() and (":" not in host or host.startswith("[")):
            if int(port) != origin.port:
                continue
            name = host
        name = name.strip("[]").lstrip(".")
        if name and (origin.host == name or origin.host.endswith("." + name) or _in_network(origin.host, name)):
            return True
    return False


def _in_network(host: str, network: str) -> bool:
    try:
        return ipaddress.ip_address(host) in ipaddress.ip_network(network, strict=False)
    except ValueError:
        return False


class ForeignOriginError(Exception):
    """A request is not for its profile's origin; the message names its destination."""


def origin_of(url: httpx.URL) -> Origin:
    """Return scheme, host and effective port that httpx would connect to."""
    port = url.port if url.port is not None else DEFAULT_PORTS.get(url.scheme, 0)
    return Origin(url.scheme, url.raw_host.decode("ascii").lower(), port)


def authorize(request: httpx.Request, profile: HttpProfile) -> None:
    """Add the credentials of `profile` to `request`, which must be for its origin.

    Raises `ForeignOriginError` when scheme, host or effective port differ; then the request must not be sent.
    Only this adds them, so that no other origin gets them.
    """
    origin = origin_of(request.url)
    if origin != profile.origin:
        message = f"refused a request to {origin}: profile {profile.name} belongs to {profile.origin}"
        raise ForeignOriginError(message)
    if profile.credentials is not None:
        for name, value in profile.credentials.reveal().items():
            request.headers[name] = value
