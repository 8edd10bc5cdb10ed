"""Rule 7: an answer of any size up to 256 MiB tells how its job stands, in bounded memory; what is large is dropped."""

import gzip
import json
import tracemalloc
import zlib

import pytest

from jobdeck.domain.job import DROPPED_RESULT, Observation
from jobdeck.domain.phase import Phase
from jobdeck.domain.problem import ProblemKind
from jobdeck.http import body, inflate
from jobdeck.http.base import PollResult
from jobdeck.http.prune import Pruner
from jobdeck.scheduling.actions import ListPage
from tests.unit.http.wire import SECRET, answer, hog_target, serve, sonarly, sonarly_target, the_hog

LIMIT = 64 * 1024
"""What is kept whole here, so that a large answer need not be one of 8 MiB."""

ROWS = [{"n": number, "name": f"Jane {number}", "companyMatchEvidence": "exact"} for number in range(3_000)]


@pytest.fixture(autouse=True)
def _small_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(body.BodyReader.__init__, "__defaults__", (LIMIT, None))
    monkeypatch.setattr(Pruner.__init__, "__defaults__", (LIMIT,))


async def poll(value: object, status: int = 200, headers: dict[str, str] | None = None) -> PollResult:
    raw = value if isinstance(value, bytes) else json.dumps(value).encode()
    assert len(raw) > LIMIT or headers
    async with serve(answer(raw, status, headers)) as wire, the_hog(wire.base_url) as hog:
        return await hog.poll(hog_target("op_1"))


def dropped(seen: Observation) -> int:
    """How many bytes of a result are said to be dropped."""
    return int(dict(seen.facts)[DROPPED_RESULT])


ORDERS = [
    ("id", "status", "error", "progress", "meta", "created_at", "result"),
    ("result", "meta", "created_at", "progress", "error", "status", "id"),
    ("id", "error", "result", "status", "meta", "progress", "created_at"),
]


@pytest.mark.parametrize("order", ORDERS, ids=["first", "last", "middle"])
@pytest.mark.parametrize("coding", ["identity", "gzip"])
async def test_all_but_the_result_is_read_wherever_it_stands(order: tuple[str, ...], coding: str) -> None:
    value = {
        "id": "op_1",
        "status": "partial_success",
        "error": {"code": "X", "message": "some failed", "hint": ["a"]},
        "progress": 75,
        "meta": {"requestId": "req-9"},
        "created_at": "2026-04-28T11:00:00Z",
        "result": {"data": ROWS, "meta": {"targetAccountOutcome": "matched"}},
    }
    raw = json.dumps({name: value[name] for name in order}).encode()
    sent = gzip.compress(raw) if coding == "gzip" else raw
    reply = await poll(sent, headers={"Content-Encoding": coding})
    assert reply.problem is None
    (seen,) = reply.observations
    assert (seen.status, seen.phase, seen.progress) == ("partial_success", Phase.PARTIAL, 0.75)
    assert (seen.error and (seen.error.code, seen.error.message, seen.error.details)) == (
        "X", "some failed", '{"hint":["a"]}',
    )  # fmt: skip
    assert (seen.created_us, seen.facts[1:]) == (1_777_374_000_000_000, (("targetAccountOutcome", "matched"),))
    assert (seen.result, seen.note) == (None, None)
    assert abs(dropped(seen) - len(json.dumps(value["result"]))) < 4_000
    assert (reply.exchange.size, reply.exchange.body_request_id, reply.body) == (len(raw), "req-9", None)


async def test_a_result_that_is_kept_whole_has_no_size_of_its_own() -> None:
    async with (
        serve(answer({"id": "op_1", "status": "succeeded", "result": [1]})) as wire,
        the_hog(wire.base_url) as hog,
    ):
        (seen,) = (await hog.poll(hog_target("op_1"))).observations
    assert (seen.result, seen.facts) == ("[1]", ())


@pytest.mark.parametrize(
    "result",
    [
        "x" * 200_000,
        '\\"é\U0001f600' * 20_000,
        ["y" * 1_000] * 200,
        {f"k{number}": number for number in range(30_000)},
        {f"k{number}": {"a": "z" * 400} for number in range(500)},
        {"status": "failed", "id": "another", "rows": ROWS},
        [{"status": "failed", "rows": ROWS}],
        int("9" * 4_000),
    ],
    ids=["string", "escapes", "strings", "numbers", "objects", "like an answer", "a list of such", "number"],
)
async def test_any_large_result_is_dropped_and_its_size_told(result: object) -> None:
    padding = "" if not isinstance(result, int) else "p" * LIMIT
    reply = await poll({"id": "op_1", "result": result, "padding": padding, "status": "succeeded"})
    assert reply.problem is None
    (seen,) = reply.observations
    assert (seen.id, seen.phase) == ("op_1", Phase.SUCCEEDED)
    if not padding:
        size = len(json.dumps(result, separators=(",", ":")))
        assert seen.result is None
        assert 0.9 * size < dropped(seen) < 1.2 * size


async def test_an_envelope_is_read_as_well() -> None:
    stages = {"import": {"status": "completed", "progress": 1}, "score": {"status": "failed"}}
    data = {"jobId": "job_1", "result": ROWS, "status": "failed", "stages": stages, "error": {"message": "no"}}
    raw = json.dumps({"data": data, "success": True, "traceId": "trace-9"}).encode()
    async with serve(answer(raw)) as wire, sonarly(wire.base_url) as other:
        reply = await other.poll(sonarly_target("job_1"))
    (seen,) = reply.observations
    assert (seen.phase, [stage.name for stage in seen.stages]) == (Phase.FAILED, ["import", "score"])
    assert (seen.error and seen.error.message, reply.exchange.trace_id) == ("no", "trace-9")


@pytest.mark.parametrize("where", ["bare", "data"])
async def test_every_row_of_a_list_of_large_ones_is_read(where: str) -> None:
    rows = [
        {"result": {"data": ROWS[:300]}, "id": f"op_{number}", "error": {"message": f"no {number}"}, "status": "failed"}
        for number in range(100)
    ]
    raw = json.dumps(rows if where == "bare" else {"data": rows, "next_cursor": "c9"}).encode()
    async with serve(answer(raw)) as wire, the_hog(wire.base_url) as hog:
        reply = await hog.list_page(ListPage("search" if where == "data" else "operation"))
    assert [row.id for row in reply.observations] == [f"op_{number}" for number in range(100)]
    assert {row.phase for row in reply.observations} == {Phase.FAILED}
    assert [row.error and row.error.message for row in reply.observations] == [f"no {n}" for n in range(100)]
    assert reply.next_cursor == ("c9" if where == "data" else None)


@pytest.mark.parametrize("status", [400, 404, 429, 503])
async def test_a_large_error_answer_tells_its_words(status: int) -> None:
    error = {
        "details": ROWS,
        "error": {"stack": "s" * 200_000, "code": "WRONG", "message": "m" * 50},
        "requestId": "r1",
    }
    reply = await poll(error, status)
    assert reply.problem is not None
    assert (reply.problem.message, reply.problem.request_id) == (f"WRONG: {'m' * 50}", "r1")


async def test_a_long_message_is_cut_and_no_part_of_a_key_is_left_at_its_end() -> None:
    for before in range(8_100, 8_200, 9):
        message = "x" * before + SECRET + "y" * 200_000
        reply = await poll(
            {"id": "op_1", "status": "failed", "error": {"code": "X", "odd": message, "message": message}}
        )
        (seen,) = reply.observations
        assert seen.error is not None
        assert "truncated" in (seen.error.message or "")
        assert "dropped-" not in repr(seen)
        assert SECRET[:5] not in repr(seen)
        assert json.loads(seen.error.details or "")["odd"].startswith("xxx")


async def test_what_is_counted_is_not_told_of_a_part() -> None:
    reply = await poll({"id": "op_1", "status": "succeeded", "result": {"data": ROWS}})
    assert "companyMatchEvidence" not in dict(reply.observations[0].facts)


@pytest.mark.parametrize(
    ("raw", "kind"),
    [
        (b"<html>" + b"x" * 2 * LIMIT, ProblemKind.NOT_JSON),
        (b" " * 4 * LIMIT, ProblemKind.TOO_BIG),
        (b"\0" * 4 * LIMIT, ProblemKind.TOO_BIG),
        (b"[" * 4 * LIMIT, ProblemKind.NOT_JSON),
        (b'{"a":' * LIMIT, ProblemKind.NOT_JSON),
        (b'{"id":"op_1","status":"failed"' + b" " * LIMIT + b"]", ProblemKind.NOT_JSON),
        (b'{"id":"op_1",' + b'"k' + b"k" * 4 * LIMIT, ProblemKind.NOT_JSON),
        (b'{"id":"op_1","result":[' + b"1," * LIMIT, ProblemKind.PROTOCOL),
        (b'{"id":"op_1","status":"succeeded","result":[' + b"1," * LIMIT, ProblemKind.PROTOCOL),
        (b'{"id":"op_1","status":"succeeded","result":[' + b"1," * LIMIT + b"1 2]}", ProblemKind.NOT_JSON),
        (b'{"id":"op_1","status":"succeeded","result":[' + b"1," * LIMIT + b"1}}", ProblemKind.NOT_JSON),
        (b'{"id":"op_1","status":"succeeded",' + b'"k":1,' * LIMIT + b'"l":1}', ProblemKind.TOO_BIG),
        (b'{"id":"op_2","status":"failed","result":[' + b"1," * LIMIT + b"1]}", ProblemKind.PROTOCOL),
        (b'{"id":"op_1","status":"failed","r":"' + b"x" * 2 * LIMIT + b'"}{"id":"op_1"}', ProblemKind.NOT_JSON),
    ],
    ids=lambda value: str(value)[:40],
)
async def test_what_cannot_be_read_is_a_problem_of_the_closed_set(raw: bytes, kind: ProblemKind) -> None:
    problem = (await poll(raw)).problem
    assert problem is not None
    assert problem.kind is kind
    assert problem.message


@pytest.mark.parametrize(
    ("raw", "note"),
    [
        (b'{"id":"op_1","status":"failed","result":[' + b"1," * LIMIT, "truncated"),
        (b'{"id":"op_1","status":"failed","r":"' + b"x" * 2 * LIMIT + b'","m":"caf\xc3"}', "bytes that are not UTF-8"),
        (b'{"id":"op_1","status":"failed","r":"' + b"x" * 2 * LIMIT + b'"}<br>', "ignored text after the value"),
    ],
    ids=lambda value: str(value)[-30:],
)
async def test_a_large_answer_is_read_leniently_too(raw: bytes, note: str) -> None:
    reply = await poll(raw)
    assert reply.problem is None
    assert reply.observations[0].phase is Phase.FAILED
    assert reply.observations[0].note == f"malformed response, parsed leniently: {note}"


async def test_a_large_answer_in_utf_16_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    value = {"id": "op_1", "result": ROWS, "error": {"message": f"é {SECRET}"}, "status": "failed"}
    reply = await poll(json.dumps(value, ensure_ascii=False).encode("utf-16"))
    assert reply.observations[0].error is not None
    assert reply.observations[0].error.message == "é [redacted]"


def bomb(mebibytes: int) -> bytes:
    """An answer whose result is so large, in a few hundred kilobytes."""
    stream = zlib.compressobj(9, wbits=31)
    begin = stream.compress(b'{"id":"op_1","status":"failed","result":"')
    full = [stream.compress(b"x" * 2**20) for _ in range(mebibytes)]
    return b"".join([begin, *full, stream.compress(b'"}'), stream.flush()])


@pytest.mark.parametrize(("status", "kind"), [(200, ProblemKind.TOO_BIG), (500, ProblemKind.SERVER_ERROR)])
async def test_a_bomb_is_refused_in_bounded_memory(
    status: int, kind: ProblemKind, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inflate.Inflater.__init__, "__defaults__", (16 * 2**20,))
    raw = answer(bomb(20), status, {"Content-Encoding": "gzip"})
    tracemalloc.start()
    try:
        async with serve(raw) as wire, the_hog(wire.base_url) as hog:
            problem = (await hog.poll(hog_target("op_1"))).problem
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert problem is not None
    assert problem.kind is kind
    assert "exceeds 16 MiB" in problem.message
    assert peak < 8 * 2**20


@pytest.mark.parametrize("size", [60_000, 300_000])
async def test_a_body_is_saved_as_it_comes_without_the_keys_in_it(size: int) -> None:
    saved: list[bytes] = []
    token = body.SAVE_BODY.set(saved.append)
    try:
        for before in range(32_700, 32_800, 7):
            text = "x" * before + SECRET + "y" * (size - before)
            raw = json.dumps({"id": "op_1", "status": "succeeded", "result": text}).encode()
            async with serve(answer(raw)) as wire, the_hog(wire.base_url) as hog:
                assert (await hog.poll(hog_target("op_1"))).problem is None
            assert b"".join(saved) == raw.replace(SECRET.encode(), b"[redacted]")
            saved.clear()
        async with serve(answer(raw, 500)) as wire, the_hog(wire.base_url) as hog:
            assert (await hog.poll(hog_target("op_1"))).problem is not None
        assert saved == []
    finally:
        body.SAVE_BODY.reset(token)
