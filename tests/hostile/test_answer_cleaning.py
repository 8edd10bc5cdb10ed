"""Rule 5 at the transport: what a server writes cannot drive a terminal, wherever it writes it."""

import dataclasses
from collections.abc import Iterator

import pytest

from tests.cleanness import is_clean
from tests.unit.http.wire import answer, hog_target, serve, sonarly, sonarly_target, the_hog

EVIL = "\x1b]52;c;aGk=\x07\u202e\u2066\x9b2J\u200b\x7f[@click=app.quit]x[/]\r\n\x00"


def strings(thing: object) -> Iterator[str]:
    """Yield every string in a tree of dataclasses, tuples and texts."""
    if isinstance(thing, str):
        yield thing
    elif isinstance(thing, tuple):
        for part in thing:
            yield from strings(part)
    elif dataclasses.is_dataclass(thing):
        for field in dataclasses.fields(thing):
            yield from strings(getattr(thing, field.name))


@pytest.mark.parametrize("status", [200, 400, 404, 500])
async def test_every_string_of_a_reply_is_clean(status: int) -> None:
    hog_body = {
        "id": "op_1",
        "status": EVIL,
        "kind": EVIL,
        "result": {EVIL: EVIL, "meta": {"message": EVIL}, "data": [{"companyMatchEvidence": EVIL}]},
        "error": {"code": EVIL, "message": EVIL, EVIL: EVIL},
        "message": EVIL,
        "errors": [{"property": EVIL, "message": EVIL}],
        "requestId": EVIL,
    }
    sonarly_body = {
        "success": True,
        "data": {"jobId": "j1", "status": EVIL, "type": EVIL, "stages": {EVIL: {"status": EVIL}}, "error": EVIL},
        "error": {"code": EVIL, "message": EVIL} if status != 200 else None,
        "traceId": EVIL,
    }
    headers = {"X-Request-Id": "caf\xe9 \u202e", "X-Trace-Id": "a\u200bb", "X-RateLimit-Limit-poll": "1"}
    async with (
        serve(answer(hog_body, status, headers)) as one,
        serve(answer(sonarly_body, status, headers)) as two,
        the_hog(one.base_url) as hog,
        sonarly(two.base_url) as other,
    ):
        replies = (await hog.poll(hog_target("op_1")), await other.poll(sonarly_target("j1")))
    found = list(strings(replies))
    assert len(found) > 15
    assert [text for text in found if not is_clean(text)] == []
    assert any("\\x1b]52;c;aGk=" in text for text in found)


async def test_long_words_are_cut_and_ids_to_200_characters() -> None:
    body = {"id": "op_1", "status": "s" * 10_000, "error": {"message": "m" * 100_000}, "requestId": "r" * 10_000}
    headers = {"X-Request-Id": "h" * 10_000}
    async with serve(answer(body, headers=headers)) as wire, the_hog(wire.base_url) as hog:
        reply = await hog.poll(hog_target("op_1"))
    (observation,) = reply.observations
    assert len(observation.status) < 300
    assert observation.error is not None
    assert len(observation.error.message or "") < 4_200
    assert (reply.exchange.request_id, reply.exchange.body_request_id) == ("h" * 200, "r" * 200)


async def test_a_long_error_message_is_cut_and_the_cut_is_said() -> None:
    async with serve(answer({"message": "m" * 100_000}, 500)) as wire, the_hog(wire.base_url) as hog:
        reply = await hog.poll(hog_target("op_1"))
    assert reply.problem is not None
    assert len(reply.problem.message) < 4_200
    assert "truncated, 100000 bytes" in reply.problem.message


async def test_a_message_keeps_what_belongs_to_its_words() -> None:
    message = "⚠️ quota of the 👨‍👩‍👧‍👦 plan, cafe\u0301, می‌خواهم"
    body = {"id": "op_1", "status": "failed", "error": {"code": "E", "message": message}}
    async with serve(answer(body, 200, {})) as server, the_hog(server.base_url) as hog:
        reply = await hog.poll(hog_target("op_1"))
    (seen,) = reply.observations
    assert seen.error is not None
    assert seen.error.message == message
