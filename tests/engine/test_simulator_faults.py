import asyncio
import gzip
import json

import httpx
import pytest

from jobdeck.simulator.scenario import Api, Endpoint, Fault, FaultKind, JobScript, Resource, Scenario
from tests.simulator_fixture import Play, playing

OP = "op_a"
PATH = f"/api/operations/{OP}"
JOBS = (
    JobScript(id=OP, duration=1000.0),
    JobScript(id="op_b", duration=1000.0),
    JobScript(id="op_s", resource=Resource.SEARCH, duration=1000.0),
    JobScript(id="507f1f77bcf86cd799439012", api=Api.SONARLY, resource=Resource.PROSPECTING, duration=1000.0),
)
SONARLY = f"/v1/accounts/{JOBS[3].account_group}/prospecting/{JOBS[3].id}"


def faulty(*faults: Fault) -> Scenario:
    return Scenario(jobs=JOBS, faults=faults)


async def raw(play: Play, path: str = PATH) -> tuple[int, httpx.Headers, bytes]:
    """What came over the wire, before any decoding."""
    async with play.client.stream("GET", path) as response:
        return response.status_code, response.headers, b"".join([piece async for piece in response.aiter_raw()])


@pytest.mark.parametrize("status", [400, 401, 402, 403, 404, 409, 418, 422, 429, 500, 502, 503, 504, 599])
async def test_a_status_is_answered_in_each_api_s_own_error_shape(status: int) -> None:
    async with playing(faulty(Fault(FaultKind.STATUS, status=status, text="on purpose", retry_after="soon"))) as play:
        hog = await play.get(PATH)
        assert hog.status_code == hog.json()["statusCode"] == status
        assert hog.json()["message"] == "on purpose"
        assert ("errors" in hog.json()) == (status == 400)
        assert hog.headers["Retry-After"] == "soon"
        sonarly = await play.get(SONARLY)
        assert sonarly.status_code == status
        assert sonarly.json()["success"] is False
        assert sonarly.json()["error"]["message"] == "on purpose"


@pytest.mark.parametrize("status", [201, 202, 204, 206, 300, 304])
async def test_an_unexpected_status_is_sent_with_the_body_it_may_have(status: int) -> None:
    async with playing(faulty(Fault(FaultKind.STATUS, status=status))) as play:
        got, _, body = await raw(play)
        assert got == status
        assert (body == b"") == (status in {204, 304})
        assert (await play.get(PATH)).status_code == status


@pytest.mark.parametrize("status", [None, 301, 302, 303, 307, 308])
async def test_a_redirect_names_its_location_and_has_no_body(status: int | None) -> None:
    target = "https://evil.example/api/operations/op_a"
    async with playing(faulty(Fault(FaultKind.REDIRECT, status=status, text=target))) as play:
        got, headers, body = await raw(play)
        assert (got, headers["Location"], body) == (status or 307, target, b"")


async def test_faults_have_a_time_a_count_and_a_scope() -> None:
    faults = (
        Fault(FaultKind.STATUS, api=Api.THEHOG, job=OP, start=10.0, end=20.0, status=503),
        Fault(FaultKind.STATUS, api=Api.SONARLY, count=2, status=502),
        Fault(FaultKind.STATUS, endpoint=Endpoint.LIST, status=500),
    )
    async with playing(faulty(*faults)) as play:
        assert [(await play.get(SONARLY)).status_code for _ in range(3)] == [502, 502, 200]
        assert (await play.get("/api/operations")).status_code == 500
        seen = []
        for _ in range(4):
            seen.append(((await play.get(PATH)).status_code, (await play.get("/api/operations/op_b")).status_code))
            play.clock.advance(7.0)
        assert seen == [(200, 200), (200, 200), (503, 200), (200, 200)]
        assert play.server.stats.by_fault == {"status": 4}


async def test_chance_is_drawn_from_the_seed() -> None:
    async def pattern(seed: int) -> list[int]:
        fault = Fault(FaultKind.STATUS, status=503, probability=0.5)
        async with playing(Scenario(seed=seed, jobs=JOBS, faults=(fault,))) as play:
            return [(await play.get(PATH)).status_code for _ in range(24)]

    first = await pattern(1)
    assert set(first) == {200, 503}
    assert await pattern(1) == first
    assert await pattern(2) != first


async def test_delays_add_up_and_go_along_with_another_fault() -> None:
    faults = (
        Fault(FaultKind.DELAY, seconds=1.5),
        Fault(FaultKind.STATUS, status=500),
        Fault(FaultKind.DELAY, seconds=2.0, count=1),
    )
    async with playing(faulty(*faults)) as play:
        assert (await play.get(PATH)).status_code == 500
        assert (await play.get(PATH)).status_code == 500
        assert play.clock.slept == [3.5, 1.5]


async def test_a_drip_sends_the_right_answer_byte_by_byte() -> None:
    async with playing(faulty(Fault(FaultKind.DRIP, seconds=0.25, count=1))) as play:
        dripped, whole = await play.get(PATH), await play.get(PATH)
        assert dripped.json()["id"] == whole.json()["id"] == OP
        assert play.clock.slept == [0.25] * len(dripped.content)


@pytest.mark.parametrize("kind", [FaultKind.RESET_BEFORE, FaultKind.RESET_MIDDLE])
async def test_a_reset_is_a_reset_on_the_wire(kind: FaultKind) -> None:
    async with playing(faulty(Fault(kind, count=1))) as play:
        reader, writer = await asyncio.open_connection("127.0.0.1", play.server.port)
        writer.write(f"GET {PATH} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer k\r\n\r\n".encode())
        with pytest.raises(ConnectionResetError):
            await reader.read()
        writer.close()
        assert (await play.get(PATH)).status_code == 200
        assert play.server.requests[0].status == (None if kind is FaultKind.RESET_BEFORE else 200)
        assert play.server.stats.in_flight == 0


async def test_a_client_sees_a_reset_as_a_failed_read() -> None:
    async with playing(faulty(Fault(FaultKind.RESET_MIDDLE, count=1))) as play:
        with pytest.raises((httpx.ReadError, httpx.RemoteProtocolError)):
            await play.get(PATH)


async def test_bodies_that_are_no_json() -> None:
    kinds = (FaultKind.TRUNCATED, FaultKind.HTML, FaultKind.NOT_UTF8, FaultKind.EMPTY)
    async with playing(faulty(*[Fault(kind, count=1) for kind in kinds])) as play:
        _, _, truncated = await raw(play)
        assert truncated.startswith(b'{"id": "op_a"')
        _, headers, html = await raw(play)
        assert html.startswith(b"<!DOCTYPE html>")
        assert headers["Content-Type"].startswith("text/html")
        _, _, bytes_ = await raw(play)
        assert b"\xff\xfe" in bytes_
        assert (await raw(play))[2] == b""
        for body in (truncated, html, bytes_):
            with pytest.raises(ValueError, match=r"."):
                json.loads(body)


async def test_values_that_do_not_belong() -> None:
    faults = (
        Fault(FaultKind.WRONG_ID, count=1),
        Fault(FaultKind.WRONG_ID, count=1, text="op_b"),
        Fault(FaultKind.STATUS_WORD, count=1, text="pausé\x1b[2J"),
        Fault(FaultKind.NAN, count=1),
    )
    async with playing(faulty(*faults)) as play:
        assert (await play.get(PATH)).json()["id"] == "op_another"
        assert (await play.get(PATH)).json()["id"] == "op_b"
        assert (await play.get(PATH)).json()["status"] == "pausé\x1b[2J"
        assert b'"progress": NaN' in (await raw(play))[2]


async def test_values_that_do_not_belong_reach_into_envelopes_stages_and_lists() -> None:
    faults = (
        Fault(FaultKind.NAN, count=1),
        Fault(FaultKind.STATUS_WORD, count=1, text="odd"),
        Fault(FaultKind.WRONG_ID, count=1),
        Fault(FaultKind.WRONG_ID, count=1),
        Fault(FaultKind.NAN, count=1),
    )
    async with playing(faulty(*faults)) as play:
        assert (await raw(play, SONARLY))[2].count(b'"progress": NaN') == 2
        assert (await play.get(SONARLY)).json()["data"]["status"] == "odd"
        assert (await play.get(SONARLY)).json()["data"]["jobId"] == "op_another"
        assert {row["id"] for row in (await play.get("/api/operations")).json()} == {"op_another"}
        assert b'"total_results": NaN' in (await raw(play, "/api/v1/search/op_s"))[2]


async def test_a_huge_body_is_as_long_as_it_says() -> None:
    async with playing(faulty(Fault(FaultKind.HUGE, size=3_000_000))) as play:
        _, headers, body = await raw(play)
        assert len(body) == int(headers["Content-Length"]) == 3_000_000
        assert list(json.loads(body)) == ["padding"]


async def test_a_bomb_is_small_until_it_is_inflated() -> None:
    async with playing(faulty(Fault(FaultKind.BOMB, size=20_000_000))) as play:
        _, headers, body = await raw(play)
        assert headers["Content-Encoding"] == "gzip"
        assert len(body) < 100_000
        assert len(gzip.decompress(body)) == 20_000_000


async def test_work_that_was_turned_away_was_not_started() -> None:
    faults = (
        Fault(FaultKind.STATUS, endpoint=Endpoint.START, count=1, status=503),
        Fault(FaultKind.RESET_BEFORE, endpoint=Endpoint.START, count=1),
        Fault(FaultKind.TRUNCATED, endpoint=Endpoint.START, count=1),
    )
    async with playing(faulty(*faults)) as play:
        before = len((await play.get("/api/operations")).json())
        assert (await play.post("/api/deep-research")).status_code == 503
        with pytest.raises(httpx.HTTPError):
            await play.post("/api/deep-research")
        assert len((await play.get("/api/operations")).json()) == before
        await play.post("/api/deep-research")
        assert len((await play.get("/api/operations")).json()) == before + 1
