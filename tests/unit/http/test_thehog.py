import json

import pytest

from jobdeck.domain.job import Observation
from jobdeck.domain.phase import Phase
from jobdeck.domain.problem import ProblemKind
from jobdeck.http.base import PollResult
from jobdeck.scheduling.actions import ListPage
from tests.unit.http.samples import HOG_ACCEPTED, HOG_INVALID, HOG_RATE_LIMITED, OP, hog_error
from tests.unit.http.wire import ACCESS, NOON_US, SECRET, answer, hog_target, serve, the_hog

SEARCH = {
    "id": "s1",
    "status": "succeeded",
    "type": "web_search",
    "query": "who sells anvils",
    "results": [{"url": "https://example.org", "title": "Anvils"}],
    "total_results": 1,
    "error": None,
    "created_at": "2026-04-28T11:00:00.000Z",
    "completed_at": "2026-04-28T11:00:42.500Z",
}


async def poll(body: object, job_id: str = "op_1", resource: str = "operation") -> PollResult:
    async with serve(answer(body)) as wire, the_hog(wire.base_url) as hog:
        return await hog.poll(hog_target(job_id, resource))


async def observed(body: object, job_id: str = "op_1", resource: str = "operation") -> Observation:
    reply = await poll(body, job_id, resource)
    assert reply.problem is None, reply.problem
    (observation,) = reply.observations
    return observation


@pytest.mark.parametrize(
    ("status", "phase"),
    [
        ("queued", Phase.QUEUED),
        ("processing", Phase.RUNNING),
        ("succeeded", Phase.SUCCEEDED),
        ("failed", Phase.FAILED),
        ("partial_success", Phase.PARTIAL),
        ("cancelled", Phase.CANCELLED),
        ("Succeeded", Phase.UNKNOWN),
        ("on_hold", Phase.UNKNOWN),
    ],
)
async def test_every_status_has_its_phase_and_stays_as_the_server_wrote_it(status: str, phase: Phase) -> None:
    observation = await observed({"id": "op_1", "status": status})
    assert (observation.status, observation.phase) == (status, phase)


async def test_an_operation_is_asked_for_with_its_keys_and_read_in_full() -> None:
    body = {
        "id": "op_1",
        "status": "partial_success",
        "progress": 66,
        "result": {"data": [1], "π": float(1)},
        "error": {"code": "UPSTREAM", "message": "late", "hint": "wait"},
    }
    async with serve(answer(body, headers={"X-Request-Id": "req-head"})) as wire, the_hog(wire.base_url) as hog:
        reply = await hog.poll(hog_target("op_1"))
    request = wire.requests[0].decode()
    assert request.startswith("GET /api/operations/op_1 HTTP/1.1\r\n")
    assert f"X-Access-Key: {ACCESS}\r\n" in request
    assert f"X-Secret-Key: {SECRET}\r\n" in request
    assert "authorization" not in request.lower()
    assert "Accept: application/json\r\n" in request
    assert "Accept-Encoding: gzip\r\n" in request
    assert "User-Agent: jobdeck/" in request
    (observation,) = reply.observations
    assert observation.progress == 0.66
    assert observation.result is not None
    assert json.loads(observation.result) == {"data": [1], "π": 1.0}
    assert observation.result.isascii()
    assert observation.error is not None
    assert (observation.error.code, observation.error.message) == ("UPSTREAM", "late")
    assert json.loads(observation.error.details or "") == {"hint": "wait"}
    assert observation.kind == "operation"
    assert observation.whole
    exchange = reply.exchange
    assert (exchange.method, exchange.url) == ("GET", f"{wire.base_url}/api/operations/op_1")
    assert (exchange.http_status, exchange.request_id, exchange.body_request_id) == (200, "req-head", None)
    assert (exchange.started.us, exchange.duration) == (NOON_US, 0.25)
    assert exchange.size == len(json.dumps(body))


async def test_an_accepted_body_polled_again_is_an_observation_with_the_request_id_of_its_meta() -> None:
    reply = await poll(HOG_ACCEPTED, OP)
    assert reply.observations[0].phase is Phase.QUEUED
    assert reply.exchange.request_id == reply.exchange.body_request_id == "3f7a1c2e-88b4-4d0e-a1f5-0c9e2b3d7f4a"


async def test_an_enrichment_is_polled_at_its_own_path() -> None:
    async with (
        serve(answer({"id": "e:1", "status": "queued", "progress": None})) as wire,
        the_hog(wire.base_url) as hog,
    ):
        reply = await hog.poll(hog_target("e:1", "enrichment"))
    assert wire.requests[0].startswith(b"GET /api/enrichments/e%3A1 HTTP/1.1\r\n")
    assert reply.observations[0].kind == "enrichment"


async def test_an_operation_that_says_its_kind_is_believed() -> None:
    assert (await observed({"id": "op_1", "status": "queued", "kind": "crawl"})).kind == "crawl"
    assert (await observed({"id": "op_1", "status": "queued", "type": "deep_research"})).kind == "deep_research"


async def test_a_search_is_read_in_full() -> None:
    async with serve(answer(SEARCH)) as wire, the_hog(wire.base_url) as hog:
        reply = await hog.poll(hog_target("s1", "search"))
    assert wire.requests[0].startswith(b"GET /api/v1/search/s1 HTTP/1.1\r\n")
    (observation,) = reply.observations
    assert observation.progress is None
    assert observation.kind == "search"
    assert observation.facts == (("type", "web_search"), ("query", "who sells anvils"), ("total_results", "1"))
    assert json.loads(observation.result or "") == {"results": SEARCH["results"], "total_results": 1}
    assert observation.created_us == 1_777_374_000_000_000
    assert observation.ended_us == 1_777_374_042_500_000


async def test_a_failed_search_keeps_whether_a_retry_may_help() -> None:
    body = {**SEARCH, "status": "failed", "results": None, "error": {"message": "upstream", "retryable": True}}
    observation = await observed({**body, "total_results": None}, "s1", "search")
    assert observation.phase is Phase.FAILED
    assert observation.result is None
    assert observation.error is not None
    assert observation.error.message == "upstream"
    assert json.loads(observation.error.details or "") == {"retryable": True}


async def test_what_a_people_search_says_of_its_target_accounts_is_kept_as_facts() -> None:
    result = {
        "data": [{"companyMatchEvidence": "company_page"}] * 2 + [{"companyMatchEvidence": "profile_current_job"}, 7],
        "meta": {"targetAccountSearchMode": "unavailable", "providerOutcome": "empty_clean", "message": "none found"},
    }
    observation = await observed({"id": "op_1", "status": "succeeded", "result": result})
    assert dict(observation.facts) == {
        "targetAccountSearchMode": "unavailable",
        "providerOutcome": "empty_clean",
        "message": "none found",
        "companyMatchEvidence": "company_page 2, profile_current_job 1",
    }


async def test_the_rows_of_a_search_are_counted_by_their_evidence_as_well() -> None:
    result = {"results": [{"companyMatchEvidence": "company_page"}] * 3}
    observation = await observed({"id": "op_1", "status": "succeeded", "result": result})
    assert dict(observation.facts) == {"companyMatchEvidence": "company_page 3"}


@pytest.mark.parametrize("wrap", [lambda rows: rows, lambda rows: {"data": rows}, lambda rows: {"items": rows}])
async def test_a_list_of_operations_is_read_bare_or_wrapped(wrap: object) -> None:
    rows = [{"id": "op_2", "status": "processing", "progress": 10}, {"id": "op_1", "status": "succeeded", "result": {}}]
    assert callable(wrap)
    async with serve(answer(wrap(rows))) as wire, the_hog(wire.base_url) as hog:
        reply = await hog.list_page(ListPage("operation", status="a&b", limit=500))
    assert wire.requests[0].startswith(b"GET /api/operations?limit=100&status=a%26b HTTP/1.1\r\n")
    assert [(row.id, row.progress, row.whole, row.kind) for row in reply.observations] == [
        ("op_2", 0.1, True, None),
        ("op_1", None, True, None),
    ]
    assert reply.exchange.job is None


async def test_bad_rows_of_a_list_do_not_lose_the_good_ones() -> None:
    rows = [None, 3, "op_9", {}, {"id": "../x", "status": "queued"}, {"id": "op_1"}, {"id": "op_2", "status": "queued"}]
    async with serve(answer(rows)) as wire, the_hog(wire.base_url) as hog:
        reply = await hog.list_page(ListPage("enrichment"))
    assert [row.id for row in reply.observations] == ["op_2"]


async def test_a_page_of_searches_has_a_cursor_and_is_filtered_here() -> None:
    body = {"data": [SEARCH, {**SEARCH, "id": "s2", "status": "queued"}], "next_cursor": "2026-04-28T11:00:00Z"}
    async with serve(answer(body)) as wire, the_hog(wire.base_url) as hog:
        reply = await hog.list_page(ListPage("search", cursor="a b/c", status="queued", limit=1000))
    assert wire.requests[0].startswith(b"GET /api/v1/search?limit=200&cursor=a%20b%2Fc HTTP/1.1\r\n")
    assert [row.id for row in reply.observations] == ["s2"]
    assert reply.next_cursor == "2026-04-28T11:00:00Z"


async def test_a_list_that_is_none_is_a_problem() -> None:
    async with serve(answer({"rows": []})) as wire, the_hog(wire.base_url) as hog:
        reply = await hog.list_page(ListPage("operation"))
    assert reply.problem is not None
    assert reply.problem.kind is ProblemKind.PROTOCOL


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"status": "queued"}, "which job"),
        ({"id": "op_1"}, "no status"),
        ({"id": "op_1", "status": None}, "no status"),
        ({"id": "op_1", "status": ["queued"]}, "no status"),
        ({"id": "op_2", "status": "queued"}, "another job: op_2 instead of op_1"),
        ([], "unexpected response"),
        ("op_1", "unexpected response"),
        (None, "unexpected response"),
    ],
)
@pytest.mark.parametrize("resource", ["operation", "search"])
async def test_an_answer_without_identity_or_status_is_a_protocol_problem(
    body: object, words: str, resource: str
) -> None:
    reply = await poll(body, "op_1", resource)
    assert reply.observations == ()
    assert reply.problem is not None
    assert reply.problem.kind is ProblemKind.PROTOCOL
    assert words in reply.problem.message


async def test_a_rate_limit_keeps_the_servers_words_and_its_wait() -> None:
    headers = {"Retry-After": "12", "X-Request-Id": "req-head", "X-RateLimit-Remaining-poll": "0"}
    async with serve(answer(HOG_RATE_LIMITED, 429, headers)) as wire, the_hog(wire.base_url) as hog:
        reply = await hog.poll(hog_target("op_1"))
    problem = reply.problem
    assert problem is not None
    assert problem.kind is ProblemKind.RATE_LIMIT
    assert problem.message.startswith("Rate limit exceeded. Please slow down and retry.")
    assert reply.retry_after == 12.0
    assert problem.retry_at_us == NOON_US + 250_000 + 12_000_000
    assert (problem.request_id, reply.exchange.body_request_id) == ("req-head", "3f7a…")
    assert [(window.name, window.remaining) for window in reply.windows] == [("poll", 0)]


async def test_a_validation_error_names_every_property() -> None:
    async with serve(answer(HOG_INVALID, 400)) as wire, the_hog(wire.base_url) as hog:
        problem = (await hog.poll(hog_target("op_1"))).problem
    assert problem is not None
    assert (problem.kind, problem.message) == (
        ProblemKind.PROTOCOL,
        "Validation failed: body.query: query must be a string",
    )
    assert problem.request_id == "506af9b3-01a9-43be-9eb4-8458fe3e4f5b"


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (401, ProblemKind.AUTH),
        (402, ProblemKind.PAYMENT),
        (403, ProblemKind.PERMISSION),
        (404, ProblemKind.NOT_FOUND),
        (410, ProblemKind.NOT_FOUND),
        (422, ProblemKind.PROTOCOL),
        (429, ProblemKind.RATE_LIMIT),
        (500, ProblemKind.SERVER_ERROR),
        (502, ProblemKind.SERVER_ERROR),
        (503, ProblemKind.SERVER_ERROR),
        (504, ProblemKind.SERVER_ERROR),
    ],
)
async def test_every_error_status_has_its_kind(status: int, kind: ProblemKind) -> None:
    async with serve(answer(hog_error(status, "in so many words"), status)) as wire, the_hog(wire.base_url) as hog:
        reply = await hog.poll(hog_target("op_1"))
    problem = reply.problem
    assert problem is not None
    assert (problem.kind, problem.message, problem.http_status) == (kind, "in so many words", status)
    assert problem.request_id == reply.exchange.request_id == "req-body"


async def test_what_the_hog_does_not_have_is_refused_without_a_request() -> None:
    async with serve(answer()) as wire, the_hog(wire.base_url) as hog:
        for reply in (
            await hog.poll(hog_target("x", "prospecting")),
            await hog.list_page(ListPage("prospecting")),
            await hog.list_values("account_group"),
        ):
            assert reply.problem is not None
            assert reply.problem.kind is ProblemKind.PROTOCOL
    assert wire.requests == []
