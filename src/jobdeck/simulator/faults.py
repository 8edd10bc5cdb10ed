"""The faults that apply to a request, and their effects on its response."""

import json
import struct
import zlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace

from jobdeck.simulator.dialect import ApiError, ApiRequest, ApiResponse, Dialect, JsonObject
from jobdeck.simulator.scenario import Api, Endpoint, Fault, FaultKind, Scenario, seeded_random

_JSON = ("Content-Type", "application/json; charset=utf-8")
_HTML = (
    "<!DOCTYPE html><html><head><title>502 Bad Gateway</title></head>"
    "<body><h1>502 Bad Gateway</h1><hr><p>edge</p></body></html>"
)

_PADDING_START, _PADDING_END = b'{"padding": "', b'"}'
_PADDING = b"x" * 2**20
_GZIP_HEADER = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\xff"

_MIN_PADDED_BYTES = len(_PADDING_START) + len(_PADDING_END)
"""Fewest bytes of a padded JSON object."""


@dataclass(frozen=True, slots=True)
class AppliedFaults:
    """The faults of one request: a delay in real seconds, and at most one other fault."""

    delay: float = 0.0
    fault: Fault | None = None

    @property
    def name(self) -> str | None:
        """The fault's kind, for the request log."""
        if self.fault is not None:
            return self.fault.kind.value
        return FaultKind.DELAY.value if self.delay else None


@dataclass(frozen=True, slots=True)
class RequestPlace:
    """The API and endpoint of a request; `job` is the ID in its path, if there is one."""

    api: Api
    endpoint: Endpoint
    job: str | None


class FaultPlan:
    """The faults of a scenario: the same requests at the same times get the same faults."""

    def __init__(self, scenario: Scenario) -> None:
        self._scenario = scenario
        self._times_applied: Counter[int] = Counter()

    def faults_of(self, number: int, place: RequestPlace, now: float) -> AppliedFaults:
        """Return the faults of a request, by its number, at the simulated time `now`."""
        delay = 0.0
        chosen: Fault | None = None
        for index, fault in enumerate(self._scenario.faults):
            if chosen is not None and fault.kind is not FaultKind.DELAY:
                continue
            if not (_matches(fault, place, now) and self._is_drawn(index, number)):
                continue
            self._times_applied[index] += 1
            if fault.kind is FaultKind.DELAY:
                delay += fault.seconds
            else:
                chosen = fault
        return AppliedFaults(delay, chosen)

    def _is_drawn(self, index: int, number: int) -> bool:
        fault = self._scenario.faults[index]
        if fault.count is not None and self._times_applied[index] >= fault.count:
            return False
        return (
            fault.probability >= 1
            or seeded_random(f"{self._scenario.seed}/{index}/{number}").random() < fault.probability
        )


def _matches(fault: Fault, place: RequestPlace, now: float) -> bool:
    in_time = now >= fault.start and (fault.end is None or now < fault.end)
    return (
        in_time
        and fault.api in {None, place.api}
        and fault.endpoint in {None, place.endpoint}
        and fault.job in {None, place.job}
    )


@dataclass(frozen=True, slots=True)
class RawResponse:
    """A response as it is sent: status, headers, and a body of `length` bytes in pieces."""

    status: int
    headers: tuple[tuple[str, str], ...]
    pieces: Iterator[bytes]
    length: int
    # Real seconds between two pieces.
    interval: float = 0.0
    # Bytes after which the connection is reset.
    reset_after: int | None = None


def as_json(response: ApiResponse) -> RawResponse:
    """Return the response as documented."""
    return with_body(response, json.dumps(response.body, ensure_ascii=False).encode())


def corrupt(response: ApiResponse, fault: Fault, dialect: Dialect, request: ApiRequest) -> RawResponse:
    """Return a correct response after the effects of `fault`."""
    match fault.kind:
        case FaultKind.STATUS:
            return _status_response(response, fault, dialect, request)
        case FaultKind.REDIRECT:
            headers = (*response.headers, ("Location", fault.text))
            return with_body(ApiResponse(fault.status or 307, None, headers), b"")
        case FaultKind.WRONG_ID | FaultKind.STATUS_WORD | FaultKind.NAN:
            return as_json(replace(response, body=_corrupt_value(response.body, fault)))
        case FaultKind.HUGE | FaultKind.BOMB:
            return _oversized(response, fault)
        case FaultKind.DELAY:
            return as_json(response)
        case _:
            return _corrupt_bytes(response, fault)


def _corrupt_value(body: object, fault: Fault) -> object:
    match fault.kind:
        case FaultKind.WRONG_ID:
            return _replace_fields(body, ("id", "jobId"), fault.text or "op_another")
        case FaultKind.STATUS_WORD:
            return _replace_fields(body, ("status",), fault.text)
        case _:
            return _replace_fields(body, ("progress", "total_results"), float("nan"))


def _corrupt_bytes(response: ApiResponse, fault: Fault) -> RawResponse:
    raw = as_json(response)
    body = b"".join(raw.pieces)
    whole = replace(raw, pieces=iter((body,)))
    match fault.kind:
        case FaultKind.DRIP:
            return replace(raw, pieces=(body[n : n + 1] for n in range(len(body))), interval=fault.seconds)
        case FaultKind.RESET_BEFORE:
            return replace(whole, reset_after=0)
        case FaultKind.RESET_MIDDLE:
            return replace(whole, reset_after=max(1, len(body) // 2))
        case FaultKind.HTML:
            return with_body(response, _HTML.encode(), content_type="text/html; charset=utf-8")
        case _:
            return with_body(response, _unreadable_body(body, fault.kind))


def _unreadable_body(body: bytes, kind: FaultKind) -> bytes:
    match kind:
        case FaultKind.TRUNCATED:
            return body[: len(body) // 2]
        case FaultKind.NOT_UTF8:
            return body.replace(b'"', b'"\xff\xfe', 1)
        case _:
            return b""


def _status_response(response: ApiResponse, fault: Fault, dialect: Dialect, request: ApiRequest) -> RawResponse:
    status = fault.status or 500
    retry = () if fault.retry_after is None else (("Retry-After", fault.retry_after),)
    headers = (*response.headers, *retry)
    if status < 400:
        # A 204 and a 304 must not have a body; other unexpected statuses keep the usual one.
        return (
            with_body(ApiResponse(status, None, headers), b"")
            if status in {204, 304}
            else as_json(ApiResponse(status, response.body, headers))
        )
    error = dialect.error(request, ApiError(status, fault.text or None))
    return as_json(replace(error, headers=headers))


def with_body(response: ApiResponse, body: bytes, content_type: str | None = None) -> RawResponse:
    """Return the status and headers of `response` with these bytes as its body: JSON, unless another type is given."""
    kind = (("Content-Type", content_type) if content_type else _JSON,) if body else ()
    return RawResponse(response.status, (*response.headers, *kind), iter((body,)), len(body))


def _replace_fields(body: object, names: tuple[str, ...], value: object) -> object:
    """Return `body` with `value` in every field with one of `names`, in the job, its stages and the rows of a list."""
    if isinstance(body, list):
        return [_replace_fields(item, names, value) for item in body]
    if not isinstance(body, dict):
        return body
    changed: JsonObject = {}
    for name, old in body.items():
        deeper = name in {"data", "items", "stages", "import", "enrichment"}
        changed[name] = value if name in names else _replace_fields(old, names, value) if deeper else old
    return changed


def _oversized(response: ApiResponse, fault: Fault) -> RawResponse:
    headers = (*response.headers, _JSON)
    if fault.kind is FaultKind.HUGE:
        return RawResponse(response.status, headers, padded_json(fault.size), max(fault.size, _MIN_PADDED_BYTES))
    packed = gzip_of_padded_json(fault.size)
    return RawResponse(response.status, (*headers, ("Content-Encoding", "gzip")), iter((packed,)), len(packed))


def padded_json(size: int) -> Iterator[bytes]:
    """Yield the pieces of a JSON object of `size` bytes, but at least of the shortest possible one."""
    fill = max(0, size - _MIN_PADDED_BYTES)
    yield _PADDING_START
    for _ in range(fill // len(_PADDING)):
        yield _PADDING
    yield _PADDING[: fill % len(_PADDING)]
    yield _PADDING_END


def gzip_of_padded_json(size: int) -> bytes:
    """Return a valid gzip body that inflates to `padded_json(size)`."""
    # After a full flush deflate starts again on a byte boundary, so a compressed piece can be repeated: a GiB then
    # costs only its checksum, and the server's other responses need not wait.
    packed: dict[bytes, bytes] = {}
    checksum = length = 0
    parts = [_GZIP_HEADER]
    for piece in padded_json(size):
        if piece not in packed:
            packer = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
            packed[piece] = packer.compress(piece) + packer.flush(zlib.Z_FULL_FLUSH)
        parts.append(packed[piece])
        checksum = zlib.crc32(piece, checksum)
        length += len(piece)
    end = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS).flush()
    return b"".join([*parts, end, struct.pack("<LL", checksum, length % 2**32)])
