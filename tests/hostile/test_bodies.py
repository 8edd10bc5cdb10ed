"""Rule 7: bodies of at most 8 MiB decoded, gzip or identity, on errors too; 30 seconds in all; finite numbers."""

import asyncio
import gzip
import json
import zlib

import pytest

from jobdeck.domain.problem import Problem, ProblemKind
from jobdeck.domain.text import clean
from jobdeck.http import client
from jobdeck.http.base import PollResult
from jobdeck.http.inflate import EncodingError, Inflater, TooBigError
from tests.unit.http.wire import Wire, answer, hog_target, serve, the_hog

BODY = json.dumps({"id": "op_1", "status": "queued"}).encode()
GZIP = {"Content-Encoding": "gzip"}
MEMBER = gzip.compress(BODY, mtime=0)
"""Without the time in it: a test is called by it, and has to be called alike in every worker."""


async def poll(raw: bytes) -> PollResult:
    async with serve(raw) as wire, the_hog(wire.base_url) as hog:
        return await hog.poll(hog_target("op_1"))


async def problem_of(raw: bytes) -> Problem:
    problem = (await poll(raw)).problem
    assert problem is not None
    return problem


@pytest.mark.parametrize("name", ["gzip", "GZip", "x-gzip", "identity, gzip"])
async def test_gzip_is_inflated(name: str) -> None:
    reply = await poll(answer(gzip.compress(BODY), headers={"Content-Encoding": name}))
    assert reply.problem is None
    assert reply.exchange.size == len(BODY)


@pytest.mark.parametrize("name", ["identity", "", "Identity,"])
async def test_identity_is_taken_as_it_is(name: str) -> None:
    assert (await poll(answer(BODY, headers={"Content-Encoding": name}))).problem is None


async def test_a_gzip_stream_of_several_members_is_one_body() -> None:
    reply = await poll(answer(gzip.compress(BODY[:10]) + gzip.compress(BODY[10:]), headers=GZIP))
    assert reply.problem is None


@pytest.mark.parametrize("name", ["br", "deflate", "zstd", "gzip, gzip", "gzip, br", "x\x1b[2J"])
async def test_any_other_or_stacked_encoding_is_refused(name: str) -> None:
    problem = await problem_of(answer(gzip.compress(gzip.compress(BODY)), headers={"Content-Encoding": name}))
    assert problem.kind is ProblemKind.PROTOCOL


async def test_two_encoding_headers_are_stacked_too() -> None:
    raw = answer(gzip.compress(gzip.compress(BODY)), headers={"Content-Encoding": "gzip", "content-encoding": "gzip"})
    problem = await problem_of(raw)
    assert (problem.kind, problem.message) == (ProblemKind.PROTOCOL, "unexpected content encoding 'gzip, gzip'")


@pytest.mark.parametrize("raw", [b"x" + BODY, MEMBER[:-8] + bytes(8), MEMBER[:20] + b"x" * 9, zlib.compress(BODY)])
async def test_what_is_no_sound_gzip_stream_is_refused(raw: bytes) -> None:
    assert (await problem_of(answer(raw, headers=GZIP))).kind is ProblemKind.PROTOCOL


def test_a_stream_that_decodes_to_nothing_for_ever_is_refused() -> None:
    inflater = Inflater(["gzip"], limit=10_000)
    member = gzip.compress(b"")
    for _ in range(10_000 // len(member)):
        assert b"".join(inflater.feed(member)) == b""
    with pytest.raises(TooBigError):
        list(inflater.feed(member))


def test_a_stream_is_the_same_in_chunks_of_any_size() -> None:
    data = gzip.compress(BODY) + gzip.compress(BODY)
    for size in range(1, len(data)):
        inflater = Inflater(["gzip"])
        pieces = [piece for start in range(0, len(data), size) for piece in inflater.feed(data[start : start + size])]
        assert b"".join((*pieces, inflater.finish())) == BODY * 2


@pytest.mark.parametrize("size", [65_535, 65_536, 65_537, 131_072, 300_000])
def test_nothing_of_a_stream_is_left_behind_where_a_piece_is_full(size: int) -> None:
    inflater = Inflater(["gzip"])
    pieces = list(inflater.feed(gzip.compress(b"{" + b"x" * (size - 1))))
    assert (sum(map(len, pieces)), max(map(len, pieces)) <= 65_536, inflater.finish()) == (size, True, b"")
    assert inflater.notes == []


def test_a_name_of_an_encoding_is_cut() -> None:
    with pytest.raises(EncodingError) as caught:
        list(Inflater(["x" * 10_000]).feed(b"\x01\x02"))
    assert len(str(caught.value)) < 200


async def stalled(raw: bytes) -> tuple[PollResult, Wire]:
    async with serve(raw, stall=True) as wire, the_hog(wire.base_url, deadline=0.2) as hog:
        reply = await hog.poll(hog_target("op_1"))
        await asyncio.wait_for(wire.left.wait(), 60)
        return reply, wire


@pytest.mark.parametrize(
    ("raw", "status"),
    [(b"", None), (b"HTTP/1.1 200 OK\r\nContent-Le", None), (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{", 200)],
    ids=["silence", "half a head", "half a body"],
)
async def test_an_answer_that_does_not_come_in_time_is_a_timeout_and_the_connection_is_dropped(
    raw: bytes, status: int | None
) -> None:
    reply, _ = await stalled(raw)
    assert reply.problem is not None
    assert (reply.problem.kind, reply.problem.http_status) == (ProblemKind.TIMEOUT, status)
    assert "within 0.2 s" in reply.problem.message


async def test_a_drip_that_never_pauses_long_meets_the_deadline() -> None:
    async with serve(answer(BODY), drip=0.02) as wire, the_hog(wire.base_url, deadline=0.2) as hog:
        reply = await hog.poll(hog_target("op_1"))
    assert reply.problem is not None
    assert reply.problem.kind is ProblemKind.TIMEOUT


async def test_an_error_status_outlives_the_body_that_never_came() -> None:
    reply, _ = await stalled(b"HTTP/1.1 429 No\r\nRetry-After: 7\r\nContent-Length: 9\r\n\r\n{")
    assert reply.problem is not None
    assert reply.problem.kind is ProblemKind.RATE_LIMIT
    assert reply.retry_after == 7.0


async def test_cancelling_a_poll_drops_the_connection_and_is_not_swallowed() -> None:
    async with serve(b"", stall=True) as wire, the_hog(wire.base_url) as hog:
        poll = asyncio.ensure_future(hog.poll(hog_target("op_1")))
        while not wire.requests:
            await asyncio.sleep(0)
        poll.cancel()
        with pytest.raises(asyncio.CancelledError):
            await poll
        await asyncio.wait_for(wire.left.wait(), 60)


@pytest.mark.parametrize("number", [b"NaN", b"Infinity", b"1e999", b"-1e999"])
async def test_no_number_gets_in_that_is_not_finite(number: bytes) -> None:
    reply = await poll(answer(b'{"id":"op_1","status":"queued","progress":%s}' % number))
    assert reply.problem is None
    assert reply.observations[0].progress is None


async def test_numbers_in_a_result_become_null_when_they_are_not_finite() -> None:
    body = b'{"id":"op_1","status":"succeeded","result":{"a":[NaN,-Infinity,1e999,1]}}'
    assert (await poll(answer(body))).observations[0].result == '{"a":[null,null,null,1]}'


@pytest.mark.parametrize(
    "body",
    [
        b"[" * 100_000,
        b'{"id":"op_1","progress":' + b"9" * 10_000 + b"}",
        b'{"id":"op_1"',
        b"\x00",
        b"\x00{",
    ],
    ids=["open", "no status", "cut", "NUL", "half a character"],
)
async def test_json_that_would_hurt_a_parser_gives_a_problem(body: bytes) -> None:
    assert (await problem_of(answer(body))).kind in {ProblemKind.NOT_JSON, ProblemKind.PROTOCOL}


async def test_an_id_and_a_message_of_megabytes_are_looked_at_no_further_than_they_are_shown(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sizes: list[int] = []

    def noting(text: str) -> str:
        sizes.append(len(text))
        return clean(text)

    monkeypatch.setattr(client, "clean", noting)
    long = "%41" * 700_000
    said = {"error": {"message": long}, "meta": {"requestId": long}, "traceId": "\x1b" * 100_000}
    reply = await poll(answer(json.dumps(said).encode(), 500))
    assert reply.problem is not None
    assert reply.problem.message.endswith("… (truncated, 2100000 bytes)")
    assert (len(reply.exchange.request_id or ""), len(reply.exchange.trace_id or "")) == (200, 200)
    assert max(sizes) <= 65_536


EARLY = b"HTTP/1.1 103 Early Hints\r\n\r\n"
JOB = b'{"id": "op_1", "status": "processing"}'


def in_pieces(body: bytes) -> bytes:
    """Return an answer whose body comes in chunks of one byte."""
    chunks = b"".join(b"1\r\n" + body[index : index + 1] + b"\r\n" for index in range(len(body)))
    return b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks + b"0\r\n\r\n"


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (EARLY * 10_000 + answer(JOB), "the response is too expensive to read: no response within"),
        (in_pieces(JOB + b" " * 30_000), "the response is too expensive to read: 2"),
        (EARLY * 100 + answer(JOB), None),
        (in_pieces(JOB + b" " * 5_000), None),
        (b"HTTP/1.1 200 OK\r\n" + b"a: b\r\n" * 10_000 + b"Content-Length: 38\r\n\r\n" + JOB, None),
    ],
    ids=["1xx without an end", "chunks of one byte", "a few 1xx", "some chunks", "many headers"],
)
async def test_the_work_for_an_answer_is_bounded(raw: bytes, message: str | None) -> None:
    async with serve(raw) as wire, the_hog(wire.base_url) as hog:
        reply = await hog.poll(hog_target("op_1"))
    if message is None:
        assert reply.problem is None
        assert [one.status for one in reply.observations] == ["processing"]
    else:
        assert reply.problem is not None
        assert reply.problem.kind is ProblemKind.PROTOCOL
        assert reply.problem.message.startswith(message)


async def test_one_answer_that_costs_too_much_spoils_no_other() -> None:
    raw = (EARLY * 10_000, answer(JOB), in_pieces(b" " * 30_000), answer(JOB))
    async with serve(*raw) as wire, the_hog(wire.base_url) as hog:
        problems = [(await hog.poll(hog_target("op_1"))).problem for _ in raw]
    kinds = [problem and problem.kind for problem in problems]
    assert kinds == [ProblemKind.PROTOCOL, None, ProblemKind.PROTOCOL, None]
