"""Which fault strikes a request, and what it does to the answer."""

import json
import struct
import zlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace

from jobdeck.simulator.dialect import Answer, ApiError, Ask, Dialect, JsonObject
from jobdeck.simulator.ids import dice
from jobdeck.simulator.scenario import Api, Endpoint, Fault, FaultKind, Scenario

_JSON = ("Content-Type", "application/json; charset=utf-8")
_HTML = (
    "<!DOCTYPE html><html><head><title>502 Bad Gateway</title></head>"
    "<body><h1>502 Bad Gateway</h1><hr><p>edge</p></body></html>"
)

_HEAD, _TAIL = b'{"padding": "', b'"}'
_PIECE = b"x" * 2**20
_GZIP_HEADER = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\xff"

_SMALLEST = len(_HEAD) + len(_TAIL)
"""The least number of bytes such an object has."""


@dataclass(frozen=True, slots=True)
class Strike:
    """What befalls one request: a delay in real seconds, and then at most one other fault."""

    delay: float = 0.0
    fault: Fault | None = None

    @property
    def name(self) -> str | None:
        """The fault's kind, for the record."""
        if self.fault is not None:
            return self.fault.kind.value
        return FaultKind.DELAY.value if self.delay else None


@dataclass(frozen=True, slots=True)
class Scope:
    """Where a request is going; `job` is the ID in its path, if there is one."""

    api: Api
    endpoint: Endpoint
    job: str | None


class FaultPlan:
    """Decides by the scenario alone: the same requests at the same times are struck by the same faults."""

    def __init__(self, scenario: Scenario) -> None:
        self._scenario = scenario
        self._struck: Counter[int] = Counter()

    def strike(self, number: int, scope: Scope, now: float) -> Strike:
        """What befalls the request of that number at the simulated time `now`."""
        delay = 0.0
        chosen: Fault | None = None
        for index, fault in enumerate(self._scenario.faults):
            if chosen is not None and fault.kind is not FaultKind.DELAY:
                continue
            if not (_concerns(fault, scope, now) and self._lot(index, number)):
                continue
            self._struck[index] += 1
            if fault.kind is FaultKind.DELAY:
                delay += fault.seconds
            else:
                chosen = fault
        return Strike(delay, chosen)

    def _lot(self, index: int, number: int) -> bool:
        fault = self._scenario.faults[index]
        if fault.count is not None and self._struck[index] >= fault.count:
            return False
        return fault.probability >= 1 or dice(f"{self._scenario.seed}/{index}/{number}").random() < fault.probability


def _concerns(fault: Fault, scope: Scope, now: float) -> bool:
    in_time = now >= fault.start and (fault.end is None or now < fault.end)
    return (
        in_time
        and fault.api in {None, scope.api}
        and fault.endpoint in {None, scope.endpoint}
        and fault.job in {None, scope.job}
    )


@dataclass(frozen=True, slots=True)
class Wire:
    """What goes out: status, headers, and a body of `length` bytes in pieces.

    `interval` is the real seconds between two pieces. `reset_after` resets the connection after that many bytes.
    """

    status: int
    headers: tuple[tuple[str, str], ...]
    pieces: Iterator[bytes]
    length: int
    interval: float = 0.0
    reset_after: int | None = None


def plain(answer: Answer) -> Wire:
    """The answer as it is."""
    return of_bytes(answer, json.dumps(answer.body, ensure_ascii=False).encode())


def spoil(answer: Answer, fault: Fault, dialect: Dialect, ask: Ask) -> Wire:
    """The answer after `fault`."""
    match fault.kind:
        case FaultKind.STATUS:
            return _status(answer, fault, dialect, ask)
        case FaultKind.REDIRECT:
            headers = (*answer.headers, ("Location", fault.text))
            return of_bytes(Answer(fault.status or 307, None, headers), b"")
        case FaultKind.WRONG_ID | FaultKind.STATUS_WORD | FaultKind.NAN:
            return plain(replace(answer, body=_spoil_value(answer.body, fault)))
        case FaultKind.HUGE | FaultKind.BOMB:
            return _oversized(answer, fault)
        case FaultKind.DELAY:
            return plain(answer)
        case _:
            return _spoil_bytes(answer, fault)


def _spoil_value(body: object, fault: Fault) -> object:
    match fault.kind:
        case FaultKind.WRONG_ID:
            return _put(body, ("id", "jobId"), fault.text or "op_another")
        case FaultKind.STATUS_WORD:
            return _put(body, ("status",), fault.text)
        case _:
            return _put(body, ("progress", "total_results"), float("nan"))


def _spoil_bytes(answer: Answer, fault: Fault) -> Wire:
    wire = plain(answer)
    body = b"".join(wire.pieces)
    whole = replace(wire, pieces=iter((body,)))
    match fault.kind:
        case FaultKind.DRIP:
            return replace(wire, pieces=(body[n : n + 1] for n in range(len(body))), interval=fault.seconds)
        case FaultKind.RESET_BEFORE:
            return replace(whole, reset_after=0)
        case FaultKind.RESET_MIDDLE:
            return replace(whole, reset_after=max(1, len(body) // 2))
        case FaultKind.HTML:
            return of_bytes(answer, _HTML.encode(), content_type="text/html; charset=utf-8")
        case _:
            return of_bytes(answer, _unreadable(body, fault.kind))


def _unreadable(body: bytes, kind: FaultKind) -> bytes:
    match kind:
        case FaultKind.TRUNCATED:
            return body[: len(body) // 2]
        case FaultKind.NOT_UTF8:
            return body.replace(b'"', b'"\xff\xfe', 1)
        case _:
            return b""


def _status(answer: Answer, fault: Fault, dialect: Dialect, ask: Ask) -> Wire:
    status = fault.status or 500
    retry = () if fault.retry_after is None else (("Retry-After", fault.retry_after),)
    headers = (*answer.headers, *retry)
    if status < 400:
        # A 204 and a 304 must not have a body; the other unexpected ones bring the usual one.
        return (
            of_bytes(Answer(status, None, headers), b"")
            if status in {204, 304}
            else plain(Answer(status, answer.body, headers))
        )
    error = dialect.error(ask, ApiError(status, fault.text or None))
    return plain(replace(error, headers=headers))


def of_bytes(answer: Answer, body: bytes, content_type: str | None = None) -> Wire:
    """Status and headers of `answer` with these bytes in place of its body: JSON unless another type is given."""
    kind = (("Content-Type", content_type) if content_type else _JSON,) if body else ()
    return Wire(answer.status, (*answer.headers, *kind), iter((body,)), len(body))


def _put(body: object, names: tuple[str, ...], value: object) -> object:
    """`body` with `value` in every field of those names, in the job itself, its stages and the rows of a list."""
    if isinstance(body, list):
        return [_put(item, names, value) for item in body]
    if not isinstance(body, dict):
        return body
    changed: JsonObject = {}
    for name, old in body.items():
        deeper = name in {"data", "items", "stages", "import", "enrichment"}
        changed[name] = value if name in names else _put(old, names, value) if deeper else old
    return changed


def _oversized(answer: Answer, fault: Fault) -> Wire:
    headers = (*answer.headers, _JSON)
    if fault.kind is FaultKind.HUGE:
        return Wire(answer.status, headers, padded_json(fault.size), max(fault.size, _SMALLEST))
    packed = gzip_of_padded_json(fault.size)
    return Wire(answer.status, (*headers, ("Content-Encoding", "gzip")), iter((packed,)), len(packed))


def padded_json(size: int) -> Iterator[bytes]:
    """The pieces of a JSON object of `size` bytes, or of `_SMALLEST` when that is more."""
    fill = max(0, size - _SMALLEST)
    yield _HEAD
    for _ in range(fill // len(_PIECE)):
        yield _PIECE
    yield _PIECE[: fill % len(_PIECE)]
    yield _TAIL


def gzip_of_padded_json(size: int) -> bytes:
    """A gzip body, right to its checksum, that inflates to `padded_json(size)`."""
    # After a full flush deflate starts afresh on a byte's boundary, so a piece packed once can be repeated: a GiB
    # then costs only its checksum, and the server's other answers need not wait for the packing.
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
