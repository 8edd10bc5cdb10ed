"""The parts of every simulated API: routes, its own shape of errors, and checks of query parameters."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol, TypeAlias

from jobdeck.simulator.lifecycle import JobState, SimulatedJobs
from jobdeck.simulator.scenario import Api, Endpoint

JsonObject: TypeAlias = dict[str, object]

_CURSOR = re.compile(r"(-?[0-9.e+-]{1,40})~(.{1,200})")


@dataclass(frozen=True, slots=True)
class ApiRequest:
    """One request as a route receives it."""

    method: str
    path: str
    # Its request or trace ID.
    trace: str
    # The scheme and host that it was sent to.
    origin: str
    # The simulated date.
    at: str
    # The values of the names in the route's path.
    params: Mapping[str, str] = field(default_factory=dict)
    query: Mapping[str, str] = field(default_factory=dict)
    # The parsed JSON object of a POST, empty without one.
    body: JsonObject = field(default_factory=dict)
    idempotency_key: str | None = None


@dataclass(frozen=True, slots=True)
class ApiResponse:
    """A status and a JSON value."""

    status: int
    body: object
    headers: tuple[tuple[str, str], ...] = ()


class ApiError(Exception):
    """A documented error response: `status`, `message`, and `details` in the API's own shape."""

    def __init__(self, status: int, message: str | None = None, details: object = None) -> None:
        super().__init__(message or str(status))
        self.status = status
        self.message = message
        self.details = details


Handler = Callable[[SimulatedJobs, ApiRequest], ApiResponse]


@dataclass(frozen=True, slots=True)
class Route:
    """A method and a path pattern with names in braces, the kind of endpoint, its rate bucket, and its handler."""

    method: str
    path: str
    endpoint: Endpoint
    bucket: str
    handler: Handler


class Dialect(Protocol):
    """One simulated API."""

    @property
    def api(self) -> Api:
        """The API that this is."""
        ...

    @property
    def routes(self) -> tuple[Route, ...]:
        """Every documented route."""
        ...

    def trace(self, key: str) -> str:
        """Return a request or trace ID in this API's shape, derived from `key`."""
        ...

    def trace_headers(self, trace: str) -> tuple[tuple[str, str], ...]:
        """Return the headers that carry the ID."""
        ...

    def error(self, request: ApiRequest, error: ApiError) -> ApiResponse:
        """Return the response for an error in this API's documented shape."""
        ...


def integer_parameter(request: ApiRequest, name: str, default: int, most: int, *, clamp: bool) -> int:
    """Return a query parameter within 1–`most`; a larger one is clamped or an error. Raises ApiError (400)."""
    raw = request.query.get(name)
    if raw is None:
        return default
    if not (raw.isascii() and raw.isdigit() and len(raw) < 10) or int(raw) < 1:
        raise validation_error(f"query.{name}", f"{name} must be a positive integer", "isInt")
    if int(raw) > most and not clamp:
        raise validation_error(f"query.{name}", f"{name} must not be greater than {most}", "max")
    return min(int(raw), most)


def validation_error(where: str, message: str, constraint: str) -> ApiError:
    """Return the error for one invalid value, with one documented item of details."""
    return ApiError(
        400, "Validation failed", [{"property": where, "message": message, "constraints": {constraint: message}}]
    )


def page_after(states: Sequence[JobState], cursor: str | None, limit: int) -> tuple[Sequence[JobState], str | None]:
    """Return the page of `states` (newest first) after `cursor`, and the next cursor. Raises ApiError (400).

    A cursor is a position in the order, not a job: the job it was made from may have left the filtered list.
    """
    rest = [state for state in states if _position(state) < _parse_cursor(cursor)] if cursor is not None else states
    page = rest[:limit]
    if len(rest) <= limit:
        return page, None
    created, job_id = _position(page[-1])
    return page, f"{created!r}~{job_id}"


def _position(state: JobState) -> tuple[float, str]:
    return state.created, state.script.id


def _parse_cursor(cursor: str) -> tuple[float, str]:
    match = _CURSOR.fullmatch(cursor)
    try:
        if match is not None:
            return float(match[1]), match[2]
    except ValueError:
        pass
    raise validation_error("query.cursor", "cursor is not valid", "isCursor")
