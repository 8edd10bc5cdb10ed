"""The destination of a redirect in words: enough to correct a target, and nothing that may be a token."""

from urllib.parse import urljoin, urlsplit

from jobdeck.domain.text import mask_keys, one_line

_LONG_SEGMENT = 64
"""Most characters of a path segment that was not requested; longer ones are left out, as one-time tokens are long."""

_MAX_SHOWN = 400


def describe_redirect(location: str | None, requested: str) -> str:
    """Return origin and path of a ``Location``, relative to the `requested` URL: ``to https://host/path``.

    User information, path parameters (``;jsessionid=``) and fragment are left out, and ``?…`` stands for a query. With
    an empty `requested`, a relative location gives only a path. Never raises.
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
    harmless = set(urlsplit(requested).path.split("/"))
    path = "/".join(_segment(segment, harmless) for segment in parts.path.split("/"))
    origin = ""
    if host:
        name = f"[{host}]" if ":" in host else host
        origin = f"{parts.scheme}://{name}" + ("" if port is None else f":{port}")
    return f"to {mask_keys(one_line(origin + path + ('?…' if parts.query else ''), _MAX_SHOWN))}"


def _segment(segment: str, harmless: set[str]) -> str:
    name = segment.partition(";")[0]
    return "…" if len(name) > _LONG_SEGMENT and name not in harmless else name
