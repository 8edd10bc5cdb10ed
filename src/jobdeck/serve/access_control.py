"""Access control: only browsers on this machine with the token, and only from our own page."""

import hmac
import secrets
from collections.abc import Mapping


class AccessControl:
    """Checks requests to the server on one port.

    The URL contains the token, which is exchanged for a cookie, so that it disappears from the address bar. Other web
    pages can neither read the cookie nor pass the Origin check, and a domain name pointed at this machine (DNS
    rebinding) does not pass the Host check.
    """

    def __init__(self, port: int) -> None:
        self.token = secrets.token_urlsafe(32)
        self.cookie = f"jobdeck_{port}"
        self.session_cookie = secrets.token_urlsafe(32)
        self._port = port
        self._hosts = frozenset({f"127.0.0.1:{port}", f"localhost:{port}"})

    def own_host(self, headers: Mapping[str, str]) -> bool:
        """Whether the Host header is one of this server's two names."""
        return headers.get("host", "") in self._hosts

    def explain_host(self, headers: Mapping[str, str]) -> str:
        """Return why the Host header is wrong, and what to do about it."""
        name, _, port = headers.get("host", "").rpartition(":")
        if name in {"127.0.0.1", "localhost"} and port.isascii() and port.isdigit() and len(port) <= 5:
            return (
                f"jobdeck serve listens on port {self._port}, but this page was opened on port {port}. "
                f"Forward the same port (ssh -L {self._port}:127.0.0.1:{self._port} HOST), or start "
                f"jobdeck serve --port {port}."
            )
        return (
            f"jobdeck serve accepts only 127.0.0.1:{self._port} and localhost:{self._port}. From another machine: "
            f"ssh -L {self._port}:127.0.0.1:{self._port} HOST, then open the URL it printed."
        )

    def own_origin(self, headers: Mapping[str, str]) -> bool:
        """Whether a request comes from a page of this server."""
        return headers.get("origin", "") == f"http://{headers.get('host', '')}"

    def knows_token(self, token: str) -> bool:
        """Check a token, in constant time."""
        return hmac.compare_digest(token.encode(), self.token.encode())

    def is_authorized(self, cookies: Mapping[str, str]) -> bool:
        """Whether the request has the cookie, which is compared in constant time."""
        return hmac.compare_digest(cookies.get(self.cookie, "").encode(), self.session_cookie.encode())
