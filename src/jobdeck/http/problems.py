"""The problem that an HTTP status and an error body mean, in the server's own words where it has any."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from urllib.parse import urljoin, urlsplit

from jobdeck.domain.problem import ProblemKind
from jobdeck.domain.text import mask_keys, one_line
from jobdeck.http.json_text import read_json
from jobdeck.http.repair import repair
from jobdeck.http.throttling import is_throttling_code

MAX_REFERENCE = 200
_MAX_ITEMS = 20
_JSON_VALUE = "a JSON value"
_EXPLANATIONS = ("detail", "error_description", "errorMessage", "reason", "title", "msg")
"""Keys whose text explains an error (`detail` and `title` are RFC 9457's)."""


_LONG_SEGMENT = 64
"""Most characters of a path segment that was not requested; longer ones are left out, as one-time tokens are long."""

_MAX_SHOWN = 400


@dataclass(frozen=True, slots=True)
class ProblemDraft:
    """The kind and message of a problem, before it becomes a `Problem` with the IDs and the status of its exchange.

    The message need not be clean yet.
    """

    kind: ProblemKind
    message: str


@dataclass(frozen=True, slots=True)
class ErrorBody:
    """The contents of an error body. Each field may be None, no text is clean yet; `value` is all of the JSON."""

    message: str | None = None
    request_id: str | None = None
    trace_id: str | None = None
    value: object = field(default=None, repr=False, compare=False)


def kind_of_status(status: int) -> ProblemKind | None:
    """Return the problem that a status means; None for 2xx, where the body decides."""
    match status:
        case 401:
            return ProblemKind.AUTH
        case 402:
            return ProblemKind.PAYMENT
        case 403:
            return ProblemKind.PERMISSION
        case 404 | 410:
            return ProblemKind.NOT_FOUND
        case 429:
            return ProblemKind.RATE_LIMIT
        case _ if 200 <= status < 300:
            return None
        case _ if 300 <= status < 400:
            return ProblemKind.REDIRECT
        case _ if 500 <= status < 600:
            return ProblemKind.SERVER_ERROR
        case _:
            return ProblemKind.PROTOCOL


def kind_of_code(code: str) -> ProblemKind:
    """Return the problem that the code in an error body means, for an error with a 2xx status."""
    word = code.upper()
    if word in {"UNAUTHORIZED", "UNAUTHENTICATED", "INVALID_API_KEY"}:
        return ProblemKind.AUTH
    if word in {"FORBIDDEN", "PERMISSION_DENIED"}:
        return ProblemKind.PERMISSION
    if word.endswith("NOT_FOUND"):
        return ProblemKind.NOT_FOUND
    if word.startswith("RATE_LIMIT") or is_throttling_code(code):
        return ProblemKind.RATE_LIMIT
    if word in {"INSUFFICIENT_CREDITS", "PAYMENT_REQUIRED"}:
        return ProblemKind.PAYMENT
    if word in {"INTERNAL_ERROR", "INTERNAL_SERVER_ERROR", "BAD_GATEWAY", "SERVICE_UNAVAILABLE"}:
        return ProblemKind.SERVER_ERROR
    return ProblemKind.PROTOCOL


def problem_of_status(status: int, kind: ProblemKind, body: bytes, destination: str, error: ErrorBody) -> ProblemDraft:
    """Return the problem of a status that is no success, in the server's words if it has any.

    `destination` describes where a redirect leads.
    """
    if kind is ProblemKind.REDIRECT:
        return ProblemDraft(kind, f"unexpected redirect {destination}")
    if error.message is not None:
        return ProblemDraft(kind, error.message)
    return ProblemDraft(kind, f"{_status_words(status)}, with {_kind_of_body(body)} instead of an error message")


def read_error(body: bytes, charset: str | None = None) -> ErrorBody:
    """Return the contents of an error body, even of a damaged one; empty for HTML or garbage. Never raises."""
    try:
        value = read_json(body)
    except ValueError:
        repaired = repair(body, charset)
        if repaired is None:
            return ErrorBody()
        value = read_json(repaired.body)
    if isinstance(value, list) and value:
        value = value[0]
    if not isinstance(value, dict):
        return ErrorBody()
    ids = ids_of(value)
    error = value.get("error")
    message = _nested(error) if isinstance(error, dict) else _flat(value)
    return ErrorBody(message, *ids, value=value)


def ids_of(body: Mapping[str, object]) -> tuple[str | None, str | None]:
    """Return the request ID and the trace ID in a body, from the usual places."""
    meta = body.get("meta")
    inner = meta if isinstance(meta, dict) else {}
    request_id = _text(inner.get("requestId")) or _text(inner.get("request_id")) or _text(body.get("requestId"))
    return request_id, _text(body.get("traceId"))


def describe_error(error: object) -> str | None:
    """Return ``CODE: message`` of an error object, else the message or the code, else None."""
    return _nested(error) if isinstance(error, dict) else _text(error)


def not_json(body: bytes, status: int) -> ProblemDraft:
    """Return the fault of a body that should have been JSON and is not."""
    kind = _kind_of_body(body)
    found = "damaged JSON" if kind == _JSON_VALUE else f"{kind} instead of JSON"
    return ProblemDraft(ProblemKind.NOT_JSON, f"{_status_words(status)}, with {found}")


def _nested(error: Mapping[str, object]) -> str | None:
    code, message = _text(error.get("code")), _text(error.get("message"))
    if message is None:
        message = _first(error, _EXPLANATIONS)
        code = code or _text(error.get("type"))
    return f"{code}: {message}" if code and message else code or message


def _flat(body: Mapping[str, object]) -> str | None:
    message = body.get("message")
    if isinstance(message, list):
        message = "; ".join(text for text in map(_text, message[:_MAX_ITEMS]) if text)
    text = _text(message) or _first(body, _EXPLANATIONS) or _text(body.get("error"))
    errors = body.get("errors")
    if isinstance(errors, list):
        items = [item for item in map(_validation, errors[:_MAX_ITEMS]) if item]
        return f"{text}: {'; '.join(items)}" if text and items else text or "; ".join(items) or None
    return text


def _validation(item: object) -> str | None:
    if not isinstance(item, dict):
        return _text(item)
    where, message = _text(item.get("property")), _text(item.get("message")) or _first(item, _EXPLANATIONS)
    return f"{where}: {message}" if where and message else where or message


def _first(body: Mapping[str, object], names: tuple[str, ...]) -> str | None:
    return next((text for name in names if (text := _text(body.get(name)))), None)


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value.strip() else None


def _status_words(status: int) -> str:
    try:
        return f"HTTP {status} {HTTPStatus(status).phrase}"
    except ValueError:
        return f"HTTP {status}"


def _kind_of_body(body: bytes) -> str:
    start = body[:512].lstrip()
    if not start:
        return "an empty body"
    if start.startswith(b"<"):
        return "an HTML page"
    return _JSON_VALUE if start[:1] in {b"{", b"["} else "a non-JSON body"


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
