"""The HTTP client of one profile: which certificates, which proxy, and nothing remembered between requests."""

import ipaddress
import logging
import os
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from http.client import HTTPResponse
from http.cookiejar import CookieJar
from urllib.request import Request

import certifi
import httpx

from jobdeck import __version__
from jobdeck.domain.text import one_line
from jobdeck.http.credentials import HttpProfile
from jobdeck.http.origin import DEFAULT_PORTS, Origin, is_localhost, is_loopback
from jobdeck.http.pieces import BoundedTransport

MAX_CONNECTIONS = 10
"""httpcore's cost of a request grows with its pool: 2.8 ms of CPU at 10 connections, 12.9 at 50, 32 at 100."""

_LIMITS = httpx.Limits(
    max_connections=MAX_CONNECTIONS, max_keepalive_connections=MAX_CONNECTIONS, keepalive_expiry=30.0
)

# At DEBUG httpcore logs an answer's headers, and httpx its reason: either may contain our keys.
for _library in ("httpcore", "httpx"):
    logging.getLogger(_library).setLevel(logging.WARNING)

_PROXY_VARIABLES = ("https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY")


class _NoCookies(CookieJar):
    """Neither reads a cookie, however odd, nor sends one."""

    def extract_cookies(self, response: HTTPResponse, request: Request) -> None:
        """Keep nothing."""

    def add_cookie_header(self, request: Request) -> None:
        """Add nothing."""


class TransportError(Exception):
    """The environment names a proxy or certificates that cannot be used; the message names the variable."""


class RedirectedError(Exception):
    """The answer is a redirect, whose head is all that is wanted of it."""

    def __init__(self, response: httpx.Response) -> None:
        super().__init__("redirected")
        self.response = response


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
                context.load_verify_locations(cafile=_certifi())
    except (OSError, ValueError) as error:
        where = f"{variable}={env[variable]}" if variable else "certifi's certificates"
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        message = f"{one_line(where, 300)} cannot be read: {one_line(reason, 200) or type(error).__name__}"
        raise TransportError(message) from error
    return context


def open_client(
    profile: HttpProfile, proxy: ProxyChoice | None, env: Mapping[str, str] = os.environ
) -> httpx.AsyncClient:
    """Return a client without credentials: HTTP/1.1, no redirects, no cookies, nothing of the environment.

    It must be used only below one semaphore and one deadline: its own timeouts are per read. Raises
    `TransportError`; a request that is redirected raises `RedirectedError`.
    """
    # With plain http there is no TLS; loading the roots would cost 20 ms for nothing.
    context = tls_context(env) if profile.origin.scheme == "https" else ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    plain_localhost = profile.origin.scheme == "http" and is_localhost(profile.origin.host)
    if plain_localhost:
        transport: httpx.AsyncHTTPTransport = _LocalhostTransport(limits=_LIMITS)
    else:
        through = None if proxy is None else _proxy(proxy.url, context)
        transport = BoundedTransport(verify=context, proxy=through, limits=_LIMITS, trust_env=False)
    return httpx.AsyncClient(
        headers={"User-Agent": f"jobdeck/{__version__}", "Accept": "application/json", "Accept-Encoding": "gzip"},
        transport=transport,
        follow_redirects=False,
        trust_env=False,
        cookies=_NoCookies(),
        event_hooks={"response": [_stop_at_redirect]},
        timeout=None,  # noqa: S113 - the total deadline of `HttpClient` is around every request
    )


class _LocalhostTransport(BoundedTransport):
    """Connects to 127.0.0.1, or to ::1 if nothing listens there, whatever a resolver says about ``localhost``.

    The ``Host`` header stays that of the URL.
    """

    def __init__(self, limits: httpx.Limits) -> None:
        super().__init__(verify=ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), trust_env=False, limits=limits)
        self._addresses = ("127.0.0.1", "::1")

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request to the address that answered last, else to the other."""
        first, second = self._addresses
        try:
            return await self._send(request, first)
        except httpx.ConnectError as refused:
            try:
                response = await self._send(request, second)
            except httpx.ConnectError:
                # The first error says more: the second is often just a lack of IPv6.
                raise refused from None
        self._addresses = (second, first)
        return response

    async def _send(self, request: httpx.Request, address: str) -> httpx.Response:
        url = request.url.copy_with(host=address)
        return await super().handle_async_request(
            httpx.Request(
                request.method, url, headers=request.headers, stream=request.stream, extensions=request.extensions
            )
        )


async def _stop_at_redirect(response: httpx.Response) -> None:
    """Stop before httpx makes the next request, with our keys in it, which it does even when it will not send it."""
    if response.has_redirect_location:
        raise RedirectedError(response)


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


def _certifi() -> str:
    return certifi.where()


class ForeignOriginError(Exception):
    """A request is not for its profile's origin; the message names its destination."""


def origin_of(url: httpx.URL) -> Origin:
    """Return scheme, host and effective port that httpx would connect to."""
    port = url.port if url.port is not None else DEFAULT_PORTS.get(url.scheme, 0)
    return Origin(url.scheme, url.raw_host.decode("ascii").lower(), port)


def authorize(request: httpx.Request, profile: HttpProfile) -> None:
    """Add the credentials of `profile` to `request`, which must be for its origin.

    Raises `ForeignOriginError` when scheme, host or effective port differ; then the request must not be sent.
    Credentials are no default headers of a client: httpx would send custom ones such as ``X-Secret-Key`` to any origin.
    """
    origin = origin_of(request.url)
    if origin != profile.origin:
        message = f"refused a request to {origin}: profile {profile.name} belongs to {profile.origin}"
        raise ForeignOriginError(message)
    if profile.credentials is not None:
        for name, value in profile.credentials.reveal().items():
            request.headers[name] = value
