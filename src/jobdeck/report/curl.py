"""A request as a shell command, with variables in place of secrets."""

import shlex
from collections.abc import Iterable


def curl_line(method: str, url: str, secrets: Iterable[tuple[str, str]] = (), body: str = "") -> str:
    """Return a curl command for a request.

    `secrets` are pairs of a header's name and a template for its value, such as ``("Authorization", "Bearer
    $SONARLY_API_KEY")``. Templates are ours and go into double quotes, so that the shell fills in the variable; the URL
    and the JSON `body` are data, and quoted against every expansion.
    """
    verb = "" if method == "GET" else f" -X {shlex.quote(method)}"
    headers = "".join(f' -H "{name}: {template}"' for name, template in secrets)
    sent = f' -H "Content-Type: application/json" -d {shlex.quote(body)}' if body else ""
    return f"curl -sS{verb}{headers}{sent} {shlex.quote(url)}"
