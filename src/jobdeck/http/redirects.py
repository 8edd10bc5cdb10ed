"""Where a redirect leads, in words: enough to mend a target by, and none of what may be a token."""

from urllib.parse import urljoin, urlsplit

from jobdeck.domain.text import mask_keys, one_line

_LONG_SEGMENT = 64
"""Characters of a path's segment beyond which it is left out unless it was requested: one-time tokens are that long."""

_MAX_SHOWN = 400


def describe_redirect(location: str | None, requested: str) -> str:
    """Return origin and path that a ``Location`` names as seen from the `requested` URL: ``to https://host/path``.

    User information, path parameters (``;jsessionid=``), query and fragment are never repeated; that there is a query
    is said. A relative one is a path alone where nothing was requested. Never raises.
    """
    if not location or not location.strip():
        return "without a destination"
    try:
        parts = urlsplit(urljoin(requested, location.strip()))
        host, port = parts.hostname, parts.port
    except ValueError:
        return "to an invalid URL"
    if parts.scheme not in ({"http", "https"} if host else {""}):
        return "to an invalid URL"
    known = set(urlsplit(requested).path.split("/"))
    path = "/".join(_segment(segment, known) for segment in parts.path.split("/"))
    origin = ""
    if host:
        name = f"[{host}]" if ":" in host else host
        origin = f"{parts.scheme}://{name}" + ("" if port is None else f":{port}")
    return f"to {mask_keys(one_line(origin + path + ('?…' if parts.query else ''), _MAX_SHOWN))}"


def _segment(segment: str, known: set[str]) -> str:
    name = segment.partition(";")[0]
    return "…" if len(name) > _LONG_SEGMENT and name not in known else name
