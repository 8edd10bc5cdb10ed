"""What a hostile or broken server may answer: each answer by name, and what may be made of it."""

import asyncio
import gzip
import json
import zlib
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from functools import cache

from jobdeck.domain.phase import Phase
from jobdeck.domain.problem import ProblemKind as Kind

EVIL = "\x1b]52;c;aGk=\x07\u202e\u2066\x9b2J\u200b\x7f[@click=app.quit]x[/]\r\n\x00"


@dataclass(frozen=True)
class Ask:
    """A request as the server sees it: whose API, which job, and how often it was asked for before."""

    provider: str
    id: str
    times: int = 0

    def body(self, **changes: object) -> dict[str, object]:
        """A running job as its API tells it, with `changes` in what describes the job."""
        if self.provider == "thehog":
            return {"id": self.id, "status": "processing", "progress": 50} | changes
        stages = {"import": {"status": "running", "progress": changes.pop("progress", 0.5)}}
        data = {"jobId": self.id, "type": "prospecting", "status": "running", "stages": stages} | changes
        if "id" in changes:
            data["jobId"] = data.pop("id")
        if data["status"] in WORDS:
            data["status"] = WORDS[str(data["status"])]
        return {"success": True, "data": data, "error": None, "traceId": "t1"}

    def text(self, **changes: object) -> str:
        return json.dumps(self.body(**changes))


WORDS = {"processing": "running", "succeeded": "completed"}
"""The Hog's words in Sonarly's."""

Make = Callable[[Ask], bytes]
Stream = Callable[[Ask], AsyncIterator[bytes]]


@dataclass(frozen=True)
class Hostile:
    """An answer: its bytes, and the problem or the phase that may come of it.

    `before` is the job's status in the good answer that came first. `slow` answers never end.
    """

    name: str
    make: Make | Stream
    expect: Kind | Phase
    before: str = "processing"
    slow: bool = False


def head(status: int | str = 200, headers: Mapping[str, str] | None = None, length: int | None = None) -> bytes:
    # The server leaves after each answer: a client that is not told may send its next request to nobody.
    lines = "".join(f"{name}: {value}\r\n" for name, value in {"Connection": "close", **(headers or {})}.items())
    told = "" if length is None else f"Content-Length: {length}\r\n"
    return f"HTTP/1.1 {status} Word\r\n{told}{lines}\r\n".encode("latin-1")


def whole(body: bytes | str, status: int | str = 200, headers: Mapping[str, str] | None = None) -> bytes:
    raw = body.encode("utf-8", "surrogateescape") if isinstance(body, str) else body
    return head(status, headers, len(raw)) + raw


@cache
def gzip_parts() -> tuple[bytes, bytes]:
    """The beginning of a gzip stream, and a part of it that means a mebibyte of zeros however often it is said."""
    stream = zlib.compressobj(9, wbits=31)
    begin = stream.flush(zlib.Z_FULL_FLUSH)
    return begin, stream.compress(bytes(2**20)) + stream.flush(zlib.Z_FULL_FLUSH)


def zeros(mebibytes: int) -> bytes:
    begin, part = gzip_parts()
    return begin + part * mebibytes


@cache
def nested(mebibytes: int) -> bytes:
    return gzip.compress(zeros(mebibytes))


def packed(coding: str, data: Callable[[], bytes], status: int = 200) -> Make:
    return lambda _: whole(data(), status, {"Content-Encoding": coding})


def good(**changes: object) -> Make:
    return lambda ask: whole(ask.text(**changes))


def raw(data: bytes) -> Make:
    return lambda _: data


def said(body: bytes | str, status: int | str = 200, headers: Mapping[str, str] | None = None) -> Make:
    return lambda _: whole(body, status, headers)


def swapped(old: str, new: str) -> Make:
    """A good answer in which one piece of the JSON is replaced by what no encoder would write."""
    return lambda ask: whole(ask.text(progress=0.625, result={"x": "MARK"}).replace(old, new, 1))


def with_headers(*lines: bytes) -> Make:
    def make(ask: Ask) -> bytes:
        body = ask.text().encode()
        given = b"".join(line + b"\r\n" for line in lines)
        return head(length=len(body)).removesuffix(b"\r\n") + given + b"\r\n" + body

    return make


def envelope(provider: str, status: int, message: str = "Something is wrong.") -> str:
    """An error as its API writes it."""
    if provider == "thehog":
        return json.dumps(
            {"statusCode": status, "error": "Word", "message": message, "path": "/x", "requestId": "r1",
             "errors": [{"property": "query", "message": "must be a string", "constraints": {}}]}
        )  # fmt: skip
    error = {"code": "WRONG", "message": message, "details": {"status": status}}
    return json.dumps({"success": False, "data": None, "error": error, "traceId": "t1"})


def failing(status: int, headers: Mapping[str, str] | None = None) -> Make:
    return lambda ask: whole(envelope(ask.provider, status), status, headers)


async def _drip(ask: Ask) -> AsyncIterator[bytes]:
    for byte in whole(ask.text()):
        yield bytes([byte])


async def _silence(_: Ask) -> AsyncIterator[bytes]:
    yield b""


async def _half(ask: Ask) -> AsyncIterator[bytes]:
    yield whole(ask.text())[:-3]


def _for_ever(part: bytes, begin: bytes = b"", pause: float = 0.0) -> Stream:
    async def stream(_: Ask) -> AsyncIterator[bytes]:
        yield begin
        while True:
            yield part
            await asyncio.sleep(pause)

    return stream


EARLY_HINTS = b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" * 5
PAUSE = 0.02
"""Seconds between two parts of what is to last longer than it may: sent faster, it would be refused for its size."""

SLOW = (
    Hostile("silence", _silence, Kind.TIMEOUT, slow=True),
    Hostile("half_a_body", _half, Kind.TIMEOUT, slow=True),
    Hostile("drip", _drip, Kind.TIMEOUT, slow=True),
    Hostile("endless_100", _for_ever(b"HTTP/1.1 100 Continue\r\n\r\n", pause=PAUSE), Kind.TIMEOUT, slow=True),
    Hostile("endless_103", _for_ever(EARLY_HINTS, pause=PAUSE), Kind.TIMEOUT, slow=True),
    Hostile("endless_blanks", _for_ever(b" ", head(), PAUSE), Kind.TIMEOUT, slow=True),
)
FLOODS = (
    Hostile("endless_head", _for_ever(b"X-A: b\r\n" * 50, b"HTTP/1.1 200 OK\r\n"), Kind.PROTOCOL),
    Hostile("endless_line", _for_ever(b"a" * 4096, b"HTTP/1.1 200 OK\r\nX: "), Kind.PROTOCOL),
    Hostile("endless_body", _for_ever(b" " * 65_536, head()), Kind.TOO_BIG),
    Hostile(
        "endless_chunks",
        _for_ever(b"8000\r\n" + b" " * 0x8000 + b"\r\n", head(headers={"Transfer-Encoding": "chunked"})),
        Kind.TOO_BIG,
    ),
    Hostile(
        "endless_gzip",
        _for_ever(gzip_parts()[1], head(headers={"Content-Encoding": "gzip"}) + gzip_parts()[0]),
        Kind.TOO_BIG,
    ),
)
CODINGS = (
    Hostile("gzip_bomb", packed("gzip", lambda: zeros(1024)), Kind.TOO_BIG),
    Hostile("gzip_bomb_500", packed("gzip", lambda: zeros(1024), 500), Kind.SERVER_ERROR),
    Hostile("gzip_bomb_302", packed("gzip", lambda: zeros(1024), 302), Kind.REDIRECT),
    Hostile("nested_gzip", packed("gzip, gzip", lambda: nested(1024)), Kind.PROTOCOL),
    Hostile("nested_gzip_hidden", packed("gzip", lambda: nested(1024)), Kind.NOT_JSON),
    Hostile("nested_gzip_500", packed("gzip, gzip", lambda: nested(1024), 500), Kind.SERVER_ERROR),
    Hostile("brotli", packed("br", lambda: b"\x0b\x02\x80hello\x03"), Kind.PROTOCOL),
    Hostile("deflate", packed("deflate", lambda: zlib.compress(bytes(2**20))), Kind.PROTOCOL),
    Hostile("zstd", packed("zstd", lambda: b"\x28\xb5\x2f\xfd" + bytes(99)), Kind.PROTOCOL),
    Hostile("unknown_coding", packed(EVIL[1:8], lambda: b"{}"), Kind.PROTOCOL),
    Hostile("long_coding", packed("x" * 50_000, lambda: b"{}"), Kind.PROTOCOL),
    Hostile("not_gzip", lambda ask: whole(ask.text(), headers={"Content-Encoding": "gzip"}), Phase.RUNNING),
    Hostile("no_gzip", lambda ask: whole("\x1f" + ask.text(), headers={"Content-Encoding": "gzip"}), Kind.PROTOCOL),
    Hostile("cut_gzip", packed("gzip", lambda: gzip.compress(b"{}" * 999)[:-9]), Kind.NOT_JSON),
)
FRAMING = (
    Hostile("hangs_up", raw(b""), Kind.NETWORK),
    Hostile("truncated", lambda ask: head(length=9_999) + ask.text().encode(), Kind.NETWORK),
    Hostile("truncated_chunk", raw(head(headers={"Transfer-Encoding": "chunked"}) + b"ff\r\n{"), Kind.NETWORK),
    Hostile("bad_chunk", raw(head(headers={"Transfer-Encoding": "chunked"}) + b"zz\r\n{}\r\n"), Kind.PROTOCOL),
    Hostile("huge_length", raw(head(length=10**18) + b"{}"), Kind.NETWORK),
    Hostile("negative_length", raw(head(length=-1) + b"{}"), Kind.PROTOCOL),
    Hostile("two_lengths", with_headers(b"Content-Length: 3"), Kind.PROTOCOL),
    Hostile("nine_mebibytes", said(b" " * (9 * 2**20)), Kind.TOO_BIG),
    Hostile("garbage", raw(bytes(range(256)) * 9), Kind.PROTOCOL),
    Hostile("ssh", raw(b"SSH-2.0-OpenSSH_9.7\r\n"), Kind.NETWORK),
    Hostile("tls_alert", raw(b"\x15\x03\x03\x00\x02\x02\x28"), Kind.PROTOCOL),
    Hostile("http2", raw(b"\x00\x00\x12\x04\x00\x00\x00\x00\x00" + bytes(18)), Kind.PROTOCOL),
    Hostile("http_0_9", raw(b'{"status": "succeeded"}\r\n'), Kind.NETWORK),
    Hostile(
        "switching",
        raw(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n"),
        Kind.PROTOCOL,
    ),
    Hostile("early_hints", lambda ask: b"HTTP/1.1 103 Early\r\n\r\n" * 20 + whole(ask.text()), Phase.RUNNING),
    Hostile("two_answers", lambda ask: whole(ask.text()) + whole(ask.text(status="failed")), Phase.RUNNING),
)
HEADERS = (
    Hostile("long_header", with_headers(b"X-Request-Id: " + b"a" * 60_000), Phase.RUNNING),
    Hostile("many_headers", with_headers(*(b"X-%d: y" % number for number in range(3_000))), Phase.RUNNING),
    Hostile("huge_headers", with_headers(*(b"X-%d: %s" % (n, b"y" * 60_000) for n in range(9))), Kind.PROTOCOL),
    Hostile("folded_header", with_headers(b"X-Request-Id: one\r\n two\r\n\tthree"), Phase.RUNNING),
    Hostile("bare_return", with_headers(b"X-Request-Id: one\rX-Evil: two"), Kind.PROTOCOL),
    Hostile("nul_header", with_headers(b"X-Request-Id: a\x00b"), Kind.PROTOCOL),
    Hostile("escape_header", with_headers(b"X-Request-Id: \x1b]52;c;aGk=\x07\x9b2J"), Phase.RUNNING),
    Hostile("c1_header", with_headers(b"X-Request-Id: a\x9b2Jb\xe2\x80\xae"), Phase.RUNNING),
    Hostile("limits_header", with_headers(b"X-RateLimit-Limit: 9e99", b"X-RateLimit-Remaining: -1",
                                          b"X-RateLimit-Reset: nan", b"RateLimit: x;q=;w=99999999999999999999"),
            Phase.RUNNING),
    Hostile("date_header", with_headers(b"Date: Fri, 31 Feb 9999 99:99:99 GMT"), Phase.RUNNING),
)  # fmt: skip
JSON = (
    Hostile("html", said(b"<!doctype html><h1>Sign in</h1>"), Kind.NOT_JSON),
    Hostile("empty", said(b""), Kind.NOT_JSON),
    Hostile("no_content", raw(b"HTTP/1.1 204 No Content\r\n\r\n"), Kind.NOT_JSON),
    Hostile("reset_content", raw(b"HTTP/1.1 205 Reset Content\r\nContent-Length: 0\r\n\r\n"), Kind.NOT_JSON),
    Hostile("null", said(b"null"), Kind.PROTOCOL),
    Hostile("number", said(b"7"), Kind.PROTOCOL),
    Hostile("list", said(b"[{}]"), Kind.PROTOCOL),
    Hostile("empty_object", said(b"{}"), Kind.PROTOCOL),
    Hostile("cut_json", lambda ask: whole(ask.text()[:-2]), Phase.RUNNING),
    Hostile("tail", lambda ask: whole(ask.text() + "}"), Phase.RUNNING),
    Hostile("non_utf8", swapped("MARK", "\udcff"), Phase.RUNNING),
    Hostile("utf16", lambda ask: whole(ask.text().encode("utf-16")), Phase.RUNNING),
    Hostile("byte_order_mark", lambda ask: whole(b"\xef\xbb\xbf" + ask.text().encode()), Phase.RUNNING),
    Hostile("deep", said(b"[" * 200_000), Kind.PROTOCOL),
    Hostile("deep_and_closed", swapped('"MARK"', "[" * 100_000 + "]" * 100_000), Phase.RUNNING),
    Hostile("lone_surrogate", swapped("MARK", "\\ud800"), Phase.RUNNING),
    Hostile("long_integer", swapped("0.625", "9" * 5_000), Phase.RUNNING),
    Hostile("nan", swapped("0.625", "NaN"), Phase.RUNNING),
    Hostile("infinity", swapped("0.625", "-Infinity"), Phase.RUNNING),
    Hostile("exponent", swapped("0.625", "1e999"), Phase.RUNNING),
    Hostile("bool_number", good(progress=True), Phase.RUNNING),
    Hostile("string_number", good(progress="50"), Phase.RUNNING),
    Hostile("negative_number", good(progress=-7), Phase.RUNNING),
    Hostile("list_number", good(progress=[50]), Phase.RUNNING),
    Hostile("bool_status", good(status=True), Kind.PROTOCOL),
    Hostile("null_status", good(status=None), Kind.PROTOCOL),
    Hostile("blank_status", good(status=" "), Kind.PROTOCOL),
    Hostile("number_status", good(status=200), Phase.UNKNOWN),
    Hostile("unknown_status", good(status="reticulating"), Phase.UNKNOWN),
    Hostile("shouted_status", good(status="SUCCEEDED"), Phase.UNKNOWN),
    Hostile("evil_status", good(status=EVIL), Phase.UNKNOWN),
    Hostile("long_status", good(status="s" * 100_000), Phase.UNKNOWN),
    Hostile("evil_words", good(error={"code": EVIL, EVIL: EVIL}, result={EVIL: [EVIL]}, type=EVIL), Phase.RUNNING),
    Hostile("odd_fields", good(error=[[]], result=7, meta=[], createdAt=-1, updatedAt={}, type={}), Phase.RUNNING),
    Hostile("duplicate_status", swapped('"status"', '"status": "failed", "status"'), Phase.RUNNING),
    Hostile("wrong_id", good(id="another_job"), Kind.PROTOCOL),
    Hostile("number_id", good(id=7), Kind.PROTOCOL),
    Hostile("no_id", good(id=None), Kind.PROTOCOL),
    Hostile("evil_id", good(id=EVIL), Kind.PROTOCOL),
    Hostile("foreign_poll_url", good(pollUrl="https://evil.example/api/operations/x"), Phase.RUNNING),
    Hostile("error_as_success", lambda ask: whole(envelope(ask.provider, 500)), Kind.PROTOCOL),
)
REGRESSIONS = tuple(
    Hostile(f"{before}_then_{after}", good(status=after, result=None), Phase(phase), before=before)
    for before, after, phase in (
        ("succeeded", "processing", "running"),
        ("succeeded", "failed", "failed"),
        ("succeeded", "reticulating", "unknown"),
        ("failed", "succeeded", "succeeded"),
        ("cancelled", "queued", "queued"),
        ("processing", "queued", "queued"),
    )
)
ELSEWHERE = {
    "absolute": "https://evil.example/api/operations/x", "no_scheme": "//evil.example/", "file": "file:///etc/passwd",
    "script": "javascript:alert(1)", "user": "https://me:hunter2@evil.example/", "same": "/api/operations/x",
    "broken": "https://[broken/", "escapes": "https://evil.example/\x9b2J", "empty": "",
}  # fmt: skip
REDIRECTS = (
    *(Hostile(f"redirect_{code}", said("", code, {"Location": ELSEWHERE["absolute"]}), Kind.REDIRECT)
      for code in (300, 301, 302, 303, 304, 307, 308)),
    *(Hostile(f"redirect_{name}", said("<html>", 302, {"Location": url}), Kind.REDIRECT)
      for name, url in ELSEWHERE.items()),
)  # fmt: skip
WAITS = (
    *(
        "0",
        "1",
        "900",
        "901",
        "3600",
        "999999999",
        "9999999999",
        "-1",
        "+5",
        "1.5",
        "1_000",
        "1e9",
        "nan",
        "inf",
        "0x10",
    ),
    *("\xb2", "\xd9\xa3", "", " 7\t", "soon", "Fri, 31 Dec 9999 23:59:59 GMT", "Thu, 01 Jan 1970 00:00:00 GMT"),
)
RETRIES = tuple(
    Hostile(f"retry_after_{number}", failing((429, 503)[number % 2], {"Retry-After": value}),
            (Kind.RATE_LIMIT, Kind.SERVER_ERROR)[number % 2])
    for number, value in enumerate(WAITS)
)  # fmt: skip
STATUSES = tuple(
    Hostile(f"status_{code}", failing(code), kind)
    for code, kind in (
        (400, Kind.PROTOCOL), (401, Kind.AUTH), (402, Kind.PAYMENT), (403, Kind.PERMISSION), (404, Kind.NOT_FOUND),
        (409, Kind.PROTOCOL), (410, Kind.NOT_FOUND), (422, Kind.PROTOCOL), (429, Kind.RATE_LIMIT),
        (500, Kind.SERVER_ERROR), (502, Kind.SERVER_ERROR), (599, Kind.SERVER_ERROR), (999, Kind.PROTOCOL),
    )
)  # fmt: skip
ANSWERS = (*CODINGS, *FLOODS, *FRAMING, *HEADERS, *JSON, *REGRESSIONS, *REDIRECTS, *RETRIES, *STATUSES)
BY_NAME = {answer.name: answer for answer in (*ANSWERS, *SLOW)}
