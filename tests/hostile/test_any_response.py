"""Rule 8: any bytes and any status give a result or one of a closed set of problems, with words."""

import asyncio
import socket
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobdeck.domain.problem import ProblemKind
from jobdeck.http.base import PollResult
from jobdeck.scheduling.actions import ListPage
from tests.cleanness import is_clean
from tests.support.examples import examples
from tests.unit.http.wire import answer, hog_target, serve, sonarly, sonarly_target, the_hog


def check(reply: PollResult) -> None:
    problem = reply.problem
    if problem is None:
        assert reply.exchange.http_status is not None
        assert 200 <= reply.exchange.http_status < 300
    else:
        assert problem.kind in ProblemKind
        assert problem.message.strip()
        assert is_clean(problem.message)
        assert reply.observations == ()
    assert reply.retry_after is None or 0.2 <= reply.retry_after <= 900.0


def replies_to(raw: bytes) -> list[PollResult]:
    """Have both providers ask a server that answers `raw` to everything, and hangs up."""

    async def ask() -> list[PollResult]:
        async with (
            serve(raw) as wire,
            the_hog(wire.base_url, deadline=60) as hog,
            sonarly(wire.base_url, deadline=60) as other,
        ):
            return [
                await hog.poll(hog_target("op_1")),
                await hog.list_page(ListPage("search")),
                await other.poll(sonarly_target("op_1")),
                await other.list_page(ListPage("prospecting")),
            ]

    return asyncio.run(ask())


@given(st.binary(max_size=300))
@examples(20)
def test_any_bytes_instead_of_an_answer(raw: bytes) -> None:
    for reply in replies_to(raw):
        check(reply)
        assert reply.problem is not None


NAMES = st.sampled_from(
    [
        "Content-Type",
        "Content-Encoding",
        "Transfer-Encoding",
        "Content-Length",
        "Connection",
        "Upgrade",
        "Location",
        "Retry-After",
        "Date",
        "Set-Cookie",
        "X-Request-Id",
        "X-Trace-Id",
        "X-RateLimit-Reset",
        "RateLimit",
    ]
)
VALUES = st.binary(max_size=30) | st.sampled_from(
    [b"gzip", b"chunked", b"-1", b"keep-alive", b"2", b"text/html", b"9" * 30]
)
BODIES = st.binary(max_size=100) | st.sampled_from(
    [b"{}", b"[]", b"null", b"<html>", b"2\r\n{}\r\n0\r\n\r\n", b'{"id":"op_1","status":"queued"}']
)


@given(st.integers(0, 999), st.lists(st.tuples(NAMES, VALUES), max_size=4), BODIES)
@examples(20)
def test_any_status_headers_and_body(status: int, headers: list[tuple[str, bytes]], body: bytes) -> None:
    lines = b"".join(name.encode() + b": " + value + b"\r\n" for name, value in headers)
    for reply in replies_to(b"HTTP/1.1 %03d X\r\n" % status + lines + b"\r\n" + body):
        check(reply)


@pytest.mark.parametrize(
    ("raw", "kind"),
    [
        (b"", ProblemKind.NETWORK),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{", ProblemKind.NETWORK),
        (b"SSH-2.0-OpenSSH\r\n\r\n", ProblemKind.PROTOCOL),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n{}", ProblemKind.PROTOCOL),
        (b"HTTP/1.1 200 OK\r\nX: " + b"a" * 200_000 + b"\r\n\r\n", ProblemKind.PROTOCOL),
        (b"HTTP/1.1 101 Switching\r\n\r\n", ProblemKind.PROTOCOL),
        (b"HTTP/1.1 204 No Content\r\n\r\n", ProblemKind.NOT_JSON),
        (answer(b"", 200), ProblemKind.NOT_JSON),
        (answer(b"<html>proxy</html>", 200), ProblemKind.NOT_JSON),
        (answer(b"OK", 202), ProblemKind.NOT_JSON),
        (answer(b"3", 200), ProblemKind.PROTOCOL),
        (answer(b"", 304), ProblemKind.REDIRECT),
        (answer(b"", 300), ProblemKind.REDIRECT),
        (answer(b"", 418), ProblemKind.PROTOCOL),
        (answer(b"<html>", 503), ProblemKind.SERVER_ERROR),
        (answer(b"", 599), ProblemKind.SERVER_ERROR),
        (answer(b"", 999), ProblemKind.PROTOCOL),
    ],
)
def test_each_oddity_has_its_kind(raw: bytes, kind: ProblemKind) -> None:
    for reply in replies_to(raw):
        check(reply)
        assert reply.problem is not None
        assert reply.problem.kind is kind


async def test_half_a_character_in_one_job_hides_no_other() -> None:
    rows = rb"""[{"id": "op_1", "status": "failed", "error": {"message": "cut \ud83d, \\ud83d, \ud83d\udca9"}},
                 {"id": "op_2", "status": "queued"}]"""
    async with serve(answer(rows)) as wire, the_hog(wire.base_url) as hog:
        reply = await hog.list_page(ListPage("operation"))
    assert reply.problem is None
    first, second = reply.observations
    assert second.id == "op_2"
    assert first.error is not None
    assert first.error.message == "cut \\ud83d, \\ud83d, \U0001f4a9"


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (b'{"id": "op_1" "status": "failed"}', "HTTP 200 OK, with damaged JSON"),
        (b"<html>", "HTTP 200 OK, with an HTML page instead of JSON"),
    ],
)
def test_a_body_that_is_no_json_is_called_what_it_is(raw: bytes, message: str) -> None:
    for reply in replies_to(answer(raw, 200)):
        assert reply.problem is not None
        assert reply.problem.message == message


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"", "HTTP 502 Bad Gateway, with an empty body instead of an error message"),
        (b" <!doctype html>", "HTTP 502 Bad Gateway, with an HTML page instead of an error message"),
        (b"\xff\xfe", "HTTP 502 Bad Gateway, with an empty body instead of an error message"),
        (b"[1]", "HTTP 502 Bad Gateway, with a JSON value instead of an error message"),
        (b'{"message": ["a", "b"]}', "a; b"),
        (b'{"message": " "}', "HTTP 502 Bad Gateway, with a JSON value instead of an error message"),
        (b'{"error": "Bad Gateway"}', "Bad Gateway"),
        (b'{"error": {"code": "X"}}', "X"),
        (b'{"errors": [{"message": "no property"}, 7, "text"]}', "no property; text"),
    ],
)
def test_an_error_body_of_any_shape_gives_words(body: bytes, words: str) -> None:
    for reply in replies_to(answer(body, 502)):
        assert reply.problem is not None
        assert reply.problem.message == words


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.mark.parametrize(
    ("base_url", "words"),
    [
        (lambda: f"http://127.0.0.1:{free_port()}", "connection refused"),
        (lambda: f"https://127.0.0.1:{free_port()}", "connection refused"),
        (lambda: "https://no-such-host.invalid", "cannot resolve the host name"),
    ],
)
async def test_what_cannot_be_reached_says_why(
    base_url: Callable[[], str], words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    url = base_url()
    async with the_hog(url) as hog:
        reply = await hog.poll(hog_target("op_1"))
    check(reply)
    assert reply.problem is not None
    assert reply.problem.kind is ProblemKind.NETWORK
    assert reply.problem.message.startswith(f"cannot connect to {url}: {words}")
    assert reply.exchange.http_status is None


async def test_a_plain_server_spoken_to_in_tls_is_unreachable_in_words() -> None:
    async def greet(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 ready\r\n")
        writer.close()

    server = await asyncio.start_server(greet, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with the_hog(f"https://127.0.0.1:{port}") as hog:
        reply = await hog.poll(hog_target("op_1"))
    server.close()
    assert reply.problem is not None
    assert reply.problem.kind is ProblemKind.NETWORK
    assert "TLS failed" in reply.problem.message


async def test_a_closed_provider_has_a_problem_and_closing_twice_is_harmless() -> None:
    async with serve(answer({"id": "op_1", "status": "queued"})) as wire, the_hog(wire.base_url) as hog:
        assert (await hog.poll(hog_target("op_1"))).problem is None
        await hog.aclose()
        reply = await hog.poll(hog_target("op_1"))
    assert reply.problem is not None
    assert "is closed" in reply.problem.message
