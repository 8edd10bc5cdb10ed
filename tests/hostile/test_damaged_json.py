"""Rule 7: one odd byte does not hide how a job ended. What was read leniently says so, and is no success too many."""

import gzip
import json
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic_core import from_json

from jobdeck.apis.damaged import parse_repaired
from jobdeck.apis.extract import Extractor, ParsedBody, ResponseBody
from jobdeck.domain.exchange import Exchange
from jobdeck.domain.instant import Instant
from jobdeck.domain.job import Job
from jobdeck.domain.phase import Phase
from jobdeck.domain.problem import ProblemKind
from jobdeck.domain.transitions import apply_observation
from jobdeck.http.base import PollResult
from jobdeck.http.repair import repair
from jobdeck.scheduling.actions import ListPage
from tests.builders import APIS
from tests.cleanness import is_clean
from tests.unit.http.wire import answer, hog_target, serve, sonarly, sonarly_target, the_hog

HEAD = b'{"id": "op_1", "status": "failed", "error": {"code": "X", "message": "'
TAIL = b'"}, "result": {"a": 1}}'
PACKED = gzip.compress(HEAD + TAIL, mtime=0)
"""Without the time in it: a test is called by it, and has to be called alike in every worker."""

ENVELOPE = (
    b'{"success": true, "data": {"jobId": "op_1", "status": "failed", "error": {"message": "MARK"}}, "traceId": "t"}'
)


async def poll(body: bytes, headers: dict[str, str] | None = None) -> PollResult:
    async with serve(answer(body, headers=headers)) as wire, the_hog(wire.base_url) as hog:
        return await hog.poll(hog_target("op_1"))


@pytest.mark.parametrize(
    ("middle", "content_type", "message", "note"),
    [
        (b"caf\xc3", None, "caf\ufffd", "bytes that are not UTF-8"),
        ("日本".encode()[:-1], "application/json; charset=utf-8", "日\ufffd", "bytes that are not UTF-8"),
        (b"caf\xe9", "application/json", "caf\ufffd", "bytes that are not UTF-8"),
        (b"caf\xe9", "application/json; charset=iso-8859-1", "café", None),
        (b"\x93q\x94", 'application/json;charset="windows-1252"', "“q”", None),
        ("日本".encode("shift_jis"), "application/json; charset=Shift_JIS", "日本", None),
        (b"\x81", "application/json; charset=cp1252", "\ufffd", "bytes that are not CP1252"),
        ("é".encode(), "application/json; charset=iso-8859-1", "é", None),
        (b"caf\xe9", "application/json; charset=idna", "caf\ufffd", "bytes that are not UTF-8"),
        (b"caf\xe9", "application/json; charset=\x1b[2J", "caf\ufffd", "bytes that are not UTF-8"),
        (b"two\nlines\x1b[2J\0", None, "two lines\\x1b[2J\\x00", "control characters in a string"),
        (b"\\x41 \\' \\u12", None, "\\x41 \\' \\u12", "invalid escapes"),
    ],
)
async def test_an_odd_character_in_a_message_hides_no_end(
    middle: bytes, content_type: str | None, message: str, note: str | None
) -> None:
    reply = await poll(HEAD + middle + TAIL, None if content_type is None else {"Content-Type": content_type})
    assert reply.problem is None
    (seen,) = reply.observations
    assert (seen.phase, seen.error and seen.error.message, seen.result) == (Phase.FAILED, message, '{"a":1}')
    assert seen.note == (None if note is None else f"malformed response, parsed leniently: {note}")
    assert is_clean(message)


@pytest.mark.parametrize("charset", ["utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-be", "utf-8-sig"])
async def test_a_whole_answer_in_another_charset_is_read(charset: str) -> None:
    reply = await poll((HEAD + "é".encode() + TAIL).decode().encode(charset))
    assert reply.problem is None
    assert reply.observations[0].error is not None
    assert (reply.observations[0].error.message, reply.observations[0].note) == ("é", None)


@pytest.mark.parametrize(
    ("body", "note"),
    [
        (HEAD + b'"}, "progress": nan}', "invalid values read as null"),
        (HEAD + b'"}, "progress": }', "missing value read as null"),
        (HEAD + b'"}, "progress": undefined, "n": 007}', "invalid values read as null"),
        (HEAD + b'"}, "progress": ' + b"9" * 5_000 + b"}", "invalid values read as null"),
        (HEAD + b'"}, "tags": ["a", "b",],}', "trailing comma"),
        (HEAD + TAIL + b"<br />\n<b>Warning</b>: x", "ignored text after the value"),
        (HEAD + TAIL + b"\0\0\n", None),
        (b"\xef\xbb\xbf\xef\xbb\xbf" + HEAD + TAIL, None),
        (b")]}',\n" + HEAD + TAIL, "ignored text before the value"),
        (HEAD + b'"}, "result": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", "dropped deeply nested values"),
        (HEAD + b'"}, "result": {"rows": [1, 2', "truncated"),
        (HEAD + b"It went on and", "truncated"),
    ],
)
async def test_damage_elsewhere_hides_no_end(body: bytes, note: str | None) -> None:
    reply = await poll(body)
    assert reply.problem is None
    assert reply.observations[0].phase is Phase.FAILED
    assert reply.observations[0].note == (None if note is None else f"malformed response, parsed leniently: {note}")


@pytest.mark.parametrize(
    "body",
    [
        HEAD + TAIL + b'\n{"id": "op_1", "status": "succeeded"}',
        b'{"id": "op_1", "status": "succeeded", "message": "he said "no" again", "status": "failed"}',
        b'{"id": "op_1" "status": "failed"}',
        b'{"id": "op_1", "status": "failed"]',
        b"{'id': 'op_1', 'status': 'failed'}",
        b'{"id": "op_1", "status": failed}',
        b'{"id": "op_1", "status": "fail',
        b"<b>Notice</b>" + HEAD + TAIL,
    ],
)
async def test_what_can_be_read_in_two_ways_is_not_read(body: bytes) -> None:
    reply = await poll(body)
    assert reply.problem is not None
    assert reply.problem.kind in {ProblemKind.NOT_JSON, ProblemKind.PROTOCOL}


@pytest.mark.parametrize(
    ("status", "kind"), [("succeeded", ProblemKind.PROTOCOL), ("partial_success", None), ("processing", None)]
)
async def test_a_success_that_is_cut_short_is_not_believed(status: str, kind: ProblemKind | None) -> None:
    reply = await poll(json.dumps({"id": "op_1", "status": status, "result": [1, 2]}).encode()[:-2])
    assert (reply.problem and reply.problem.kind) is kind
    if reply.problem is not None:
        assert (
            reply.problem.message == "truncated response: it says succeeded, but the missing part could contradict that"
        )


async def test_the_last_row_of_a_list_that_is_cut_short_is_not_believed() -> None:
    rows = [{"id": f"op_{number}", "status": "succeeded", "error": None} for number in range(3)]
    body = json.dumps({"data": rows}).encode()
    async with serve(answer(body[: body.rindex(b', "error"')])) as wire, the_hog(wire.base_url) as hog:
        reply = await hog.list_page(ListPage("operation"))
    assert [row.id for row in reply.observations] == ["op_0", "op_1"]
    assert reply.partial_error == "malformed response, parsed leniently: truncated"


@pytest.mark.parametrize(
    ("body", "coding", "note"),
    [
        (HEAD + TAIL, "gzip", "Content-Encoding 'gzip' on an unencoded body"),
        (HEAD + TAIL, "utf-8", "Content-Encoding 'utf-8' on an unencoded body"),
        (b"\n" + HEAD + TAIL, "br", "Content-Encoding 'br' on an unencoded body"),
        (HEAD + TAIL, "none, aws-chunked", "Content-Encoding 'none, aws-chunked' on an unencoded body"),
        (PACKED, "", "gzip without a Content-Encoding"),
        (PACKED[:-8], "gzip", "truncated gzip stream"),
        (PACKED + b"tail", "gzip", "data after the gzip stream ignored"),
        (PACKED + bytes(512), "gzip", None),
    ],
)
async def test_a_label_that_is_wrong_hides_no_end(body: bytes, coding: str, note: str | None) -> None:
    reply = await poll(body, {"Content-Encoding": coding} if coding else None)
    assert reply.problem is None
    assert reply.observations[0].phase is Phase.FAILED
    assert reply.observations[0].note == (None if note is None else f"malformed response, parsed leniently: {note}")


async def test_a_gzip_stream_that_is_cut_short_is_read_as_far_as_it_goes() -> None:
    rows = [random.Random(1).getrandbits(64) for _ in range(1_000)]
    whole = {"id": "op_1", "status": "STATUS", "result": rows}
    for status, phase in (("failed", Phase.FAILED), ("succeeded", None)):
        body = gzip.compress(json.dumps(whole).replace("STATUS", status).encode())
        reply = await poll(body[: len(body) // 2], {"Content-Encoding": "gzip"})
        assert (reply.observations[0].phase if reply.observations else None) is phase


async def test_an_envelope_and_an_error_answer_are_read_leniently_too() -> None:
    damaged = ENVELOPE.replace(b"MARK", b"caf\xc3")
    async with serve(answer(damaged)) as wire, sonarly(wire.base_url) as other:
        reply = await other.poll(sonarly_target("op_1"))
    assert reply.observations[0].phase is Phase.FAILED
    error = b'{"statusCode": 429, "message": "slow\tdown", "requestId": "r1",}'
    async with serve(answer(error, 429)) as wire, the_hog(wire.base_url) as hog:
        problem = (await hog.poll(hog_target("op_1"))).problem
    assert problem is not None
    assert (problem.message, problem.request_id) == ("slow down", "r1")


async def test_the_damage_is_told_once_as_an_anomaly() -> None:
    (seen,) = (await poll(HEAD + b"caf\xc3" + TAIL)).observations
    now = Instant(0, 0.0)
    job, events = Job(target=hog_target("op_1"), added=now), ()
    for _ in range(2):
        exchange = Exchange("hog", "GET", "", now, 0.0)
        job, events = apply_observation(job, seen, exchange, now)
    assert job.anomalies == ("malformed response, parsed leniently: bytes that are not UTF-8",)
    assert events == ()


@given(st.text(max_size=60), st.randoms(use_true_random=False))
def test_what_is_mended_is_json_or_nothing(text: str, chance: random.Random) -> None:
    value = {"id": "op", "error": {"message": text, "list": [1, -1.5e3, {"x": None}, [], {}]}}
    body = bytearray(json.dumps(value, ensure_ascii=chance.random() < 0.5).encode())
    for _ in range(chance.randint(1, 4)):
        at = chance.randrange(len(body)) if body else 0
        match chance.randrange(4):
            case 0:
                del body[at : at + 1]
            case 1:
                body[at : at + 1] = bytes([chance.randrange(256)])
            case 2:
                body.insert(at, chance.choice(b'{}[],:"\\ \n1n'))
            case _:
                del body[at:]
    repaired = repair(bytes(body))
    if repaired is not None:
        from_json(repaired.body.replace(b"\\ud", b"\\u0"))


@pytest.mark.parametrize("value", ["undefined", "'DEADLINE'", "ERR_OOM", ""])
def test_no_success_stands_on_a_value_that_cannot_be_read(value: str) -> None:
    repaired = repair(f'{{"name": "operations/1", "done": true, "error": {value}}}'.encode())
    assert repaired is not None

    extractor = Extractor(APIS.spec("google-lro"))

    def parse(body: ResponseBody) -> ParsedBody:
        return extractor.job("job", body, None)

    for one in (True, False):
        assert parse_repaired(parse, repaired, ResponseBody(b""), one=one).observations == ()
    problem = parse_repaired(parse, repaired, ResponseBody(b""), one=True).problem
    assert problem is not None
    assert "cannot be read" in problem.message


async def test_a_success_that_holds_whatever_cannot_be_read_is_believed() -> None:
    reply = await poll(b'{"id": "op_1", "status": "succeeded", "progress": undefined}')
    assert reply.problem is None
    assert reply.observations[0].phase is Phase.SUCCEEDED
