import re

import pytest

from jobdeck.simulator.scenario import (
    Api,
    Credentials,
    JobFailure,
    JobScript,
    Outcome,
    PollUrlForm,
    ProgressForm,
    RateLimit,
    Resource,
    ResultKind,
    Scenario,
    StageScript,
)
from tests.simulator_fixture import BEARER, KEYS, Play, client_of, playing

OP = "op_01HZ9K2QW3RV4M5N6P7Q8R9S0T"
GROUP = "507f1f77bcf86cd799439011"
JOB = "507f1f77bcf86cd799439012"
UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
PROSPECTING = JobScript(id=JOB, api=Api.SONARLY, resource=Resource.PROSPECTING, duration=100.0)
JOB_PATH = f"/v1/accounts/{GROUP}/prospecting/{JOB}"


async def body(play: Play, path: str, status: int = 200) -> object:
    response = await play.get(path)
    assert response.status_code == status, response.text
    return response.json()


async def test_an_operation_goes_through_its_documented_states() -> None:
    job = JobScript(id=OP, queued_for=5.0, duration=100.0, result={"answer": 42})
    async with playing(Scenario(jobs=(job,))) as play:
        path = f"/api/operations/{OP}"
        unfinished = {"id": OP, "result": None, "error": None}
        assert await body(play, path) == {**unfinished, "status": "queued", "progress": 0}
        play.clock.advance(71.0)
        assert await body(play, path) == {**unfinished, "status": "processing", "progress": 66}
        play.clock.advance(100.0)
        ended = {"id": OP, "status": "succeeded", "progress": 100, "result": {"answer": 42}, "error": None}
        assert await body(play, path) == ended
        assert list(ended) == list((await play.get(path)).json())


@pytest.mark.parametrize(("form", "shown"), [("integer", "12"), ("float", "12.5"), ("none", "null")])
async def test_progress_is_a_percentage_in_the_form_that_the_job_has(form: str, shown: str) -> None:
    job = JobScript(id=OP, duration=80.0, progress=ProgressForm(form))
    async with playing(Scenario(jobs=(job,))) as play:
        play.clock.advance(10.0)
        assert f'"progress": {shown},' in (await play.get(f"/api/operations/{OP}")).text


async def test_a_failed_operation_says_why_and_a_partial_one_brings_its_result() -> None:
    error = JobFailure("UPSTREAM_TIMEOUT", "provider did not answer", {"attempts": 3})
    failed = JobScript(id="op_f", duration=1.0, outcome=Outcome.FAILED, error=error)
    partial = JobScript(id="op_p", duration=1.0, outcome=Outcome.PARTIAL_SUCCESS, result_kind=ResultKind.PEOPLE_SEARCH)
    async with playing(Scenario(jobs=(failed, partial))) as play:
        play.clock.advance(2.0)
        assert await body(play, "/api/operations/op_f") == {
            "id": "op_f",
            "status": "failed",
            "progress": 76,
            "result": None,
            "error": {"code": "UPSTREAM_TIMEOUT", "message": "provider did not answer", "details": {"attempts": 3}},
        }
        answer = (await play.get("/api/operations/op_p")).json()
        assert answer["status"] == "partial_success"
        meta = answer["result"]["meta"]
        assert meta["targetAccountSearchMode"] == "profile_current_company"
        assert meta["targetAccountOutcome"] == "unverified_or_conflicting_linkedin_candidates"
        assert meta["providerOutcome"] == "hit"
        assert meta["message"]
        assert {row["companyMatchEvidence"] for row in answer["result"]["data"]} == {"profile_current_job"}


async def test_a_search_has_its_own_body_without_progress() -> None:
    jobs = (
        JobScript(id="op_s", resource=Resource.SEARCH, duration=10.0, query="q", result=[{"url": "u", "title": "t"}]),
        JobScript(
            id="op_f",
            resource=Resource.SEARCH,
            duration=10.0,
            outcome=Outcome.FAILED,
            error=JobFailure(message="refused", retryable=True),
        ),
    )
    async with playing(Scenario(jobs=jobs)) as play:
        created = "2025-06-15T15:06:40.000Z"
        running = {
            "id": "op_s",
            "status": "processing",
            "type": "web_search",
            "query": "q",
            "results": None,
            "total_results": None,
            "error": None,
            "created_at": created,
            "completed_at": None,
        }
        assert await body(play, "/api/v1/search/op_s") == running
        play.clock.advance(10.25)
        assert await body(play, "/api/v1/search/op_s") == {
            **running,
            "status": "succeeded",
            "results": [{"url": "u", "title": "t"}],
            "total_results": 1,
            "completed_at": "2025-06-15T15:06:50.000Z",
        }
        failed = (await play.get("/api/v1/search/op_f")).json()
        assert failed["error"] == {"message": "refused", "retryable": True}


async def test_an_enrichment_is_found_at_both_of_its_addresses_and_only_there() -> None:
    async with playing(Scenario(jobs=(JobScript(id=OP, resource=Resource.ENRICHMENT),))) as play:
        assert await body(play, f"/api/enrichments/{OP}") == await body(play, f"/api/operations/{OP}")
        await body(play, f"/api/v1/search/{OP}", 404)
        await body(play, f"/v1/accounts/{GROUP}/prospecting/{OP}", 404)


async def test_the_list_of_operations_is_a_bare_array_newest_first() -> None:
    jobs = tuple(JobScript(id=f"op_{n}", arrival=-float(n), duration=1000.0) for n in range(120))
    done = JobScript(id="op_done", arrival=-500.0, duration=1.0)
    search = JobScript(id="op_search", resource=Resource.SEARCH)
    async with playing(Scenario(jobs=(*jobs, done, search))) as play:
        rows = (await play.get("/api/operations")).json()
        assert [row["id"] for row in rows] == [f"op_{n}" for n in range(20)]
        assert list(rows[0]) == ["id", "status", "progress", "result", "error"]
        assert len((await play.get("/api/operations?limit=100")).json()) == 100
        assert [row["id"] for row in (await play.get("/api/operations?status=succeeded")).json()] == ["op_done"]


@pytest.mark.parametrize("query", ["limit=101", "limit=0", "limit=-1", "limit=1_0", "limit=x", "status=running"])
async def test_the_list_of_operations_refuses_what_is_out_of_range(query: str) -> None:
    async with playing(Scenario()) as play:
        error = (await play.get(f"/api/operations?{query}")).json()
        assert error["statusCode"] == 400
        assert error["errors"][0]["property"] == f"query.{query.partition('=')[0]}"
        assert error["errors"][0]["constraints"]


async def test_searches_are_listed_page_by_page_without_a_gap() -> None:
    jobs = tuple(JobScript(id=f"op_{n:03}", resource=Resource.SEARCH, arrival=-float(n // 10)) for n in range(250))
    async with playing(Scenario(jobs=jobs)) as play:
        ids: list[str] = []
        cursor = ""
        for _ in range(3):
            page = (await play.client.get("/api/v1/search", params={"limit": "100"} | cursor_of(cursor))).json()
            assert list(page) == ["data", "next_cursor"]
            ids += [row["id"] for row in page["data"]]
            cursor = page["next_cursor"]
        assert cursor is None
        assert sorted(ids) == [job.id for job in jobs]
        assert len((await play.get("/api/v1/search?limit=500")).json()["data"]) == 200
        await body(play, "/api/v1/search?cursor=nonsense", 400)


def cursor_of(cursor: str) -> dict[str, str]:
    return {"cursor": cursor} if cursor else {}


async def test_a_prospecting_job_answers_in_the_envelope_with_its_stages_in_order() -> None:
    stages = (StageScript("import", share=50.0), StageScript("enrichment", share=50.0))
    script = JobScript(id=JOB, api=Api.SONARLY, resource=Resource.PROSPECTING, duration=100.0, stages=stages)
    async with playing(Scenario(jobs=(script,))) as play:
        play.clock.advance(41.5)
        response = await play.get(JOB_PATH)
        answer = response.json()
        assert re.fullmatch("[0-9a-f]{24}", answer["traceId"])
        assert answer == {
            "success": True,
            "data": {
                "jobId": JOB,
                "type": "prospecting",
                "status": "running",
                "createdAt": "2025-06-15T15:06:40.000Z",
                "updatedAt": "2025-06-15T15:07:21.000Z",
                "stages": {
                    "import": {"status": "running", "progress": 0.82},
                    "enrichment": {"status": "queued", "progress": 0},
                },
                "error": None,
            },
            "error": None,
            "traceId": answer["traceId"],
        }
        assert list(answer["data"]["stages"]) == ["import", "enrichment"]
        play.clock.advance(60.0)
        data = (await play.get(JOB_PATH)).json()["data"]
        assert data["status"] == "completed"
        assert data["stages"]["enrichment"] == {"status": "completed", "progress": 1.0}


async def test_a_job_that_failed_is_no_failed_request() -> None:
    script = JobScript(
        id=JOB,
        api=Api.SONARLY,
        resource=Resource.PROSPECTING,
        duration=1.0,
        outcome=Outcome.FAILED,
        error=JobFailure("UPSTREAM_TIMEOUT", "no response"),
    )
    async with playing(Scenario(jobs=(script,))) as play:
        play.clock.advance(2.0)
        answer = (await play.get(JOB_PATH)).json()
        assert answer["success"] is True
        assert answer["error"] is None
        assert answer["data"]["error"] == {"code": "UPSTREAM_TIMEOUT", "message": "no response"}


async def test_account_groups_and_their_jobs_are_listed() -> None:
    jobs = tuple(
        JobScript(id=f"{n:024x}", api=Api.SONARLY, resource=Resource.PROSPECTING, arrival=-float(n), duration=50.0)
        for n in range(30)
    )
    async with playing(Scenario(jobs=jobs)) as play:
        groups = (await play.get("/v1/accounts")).json()["data"]
        assert list(groups) == ["items", "nextCursor", "hasMore"]
        assert [(list(item), item["id"]) for item in groups["items"]] == [(["id", "name", "createdAt"], GROUP)]
        path = f"/v1/accounts/{GROUP}/prospecting"
        first = (await play.get(f"{path}?status=running")).json()["data"]
        assert (len(first["items"]), first["hasMore"]) == (20, True)
        assert list(first["items"][0]) == ["jobId", "type", "status", "createdAt", "updatedAt"]
        # The jobs of the first page end meanwhile: the cursor still knows its place.
        play.clock.advance(20.5)
        params = {"status": "running", "cursor": first["nextCursor"]}
        rest = (await play.client.get(path, params=params)).json()["data"]
        assert [row["jobId"] for row in rest["items"]] == [f"{n:024x}" for n in range(20, 30)]
        assert (rest["nextCursor"], rest["hasMore"]) == (None, False)
        await body(play, "/v1/accounts/another/prospecting", 404)
        refused = (await play.get(f"{path}?status=processing")).json()
        assert refused["error"]["code"] == "VALIDATION_ERROR"


async def test_a_job_is_cancelled_once() -> None:
    async with playing(Scenario(jobs=(PROSPECTING,))) as play:
        play.clock.advance(10.0)
        cancelled = (await play.post(f"{JOB_PATH}/cancel")).json()
        assert cancelled["data"] == {"jobId": JOB, "status": "cancelled"}
        assert (await play.get(JOB_PATH)).json()["data"]["status"] == "cancelled"
        again = await play.post(f"{JOB_PATH}/cancel")
        assert again.status_code == 422
        assert again.json()["error"]["code"] == "VALIDATION_ERROR"
        assert again.json()["data"] is None


@pytest.mark.parametrize(
    ("path", "poll", "absolute"),
    [
        ("/api/enrichments", "/api/enrichments/", False),
        ("/api/deep-research", "/api/operations/", True),
        ("/api/v1/people/search", "/api/operations/", True),
    ],
)
async def test_starting_work_answers_the_documented_accepted_body(path: str, poll: str, absolute: bool) -> None:
    async with playing(Scenario()) as play:
        response = await play.post(path, json={"prompt": "p"})
        assert response.status_code == 202
        job = response.json()["id"]
        origin = play.server.url if absolute else ""
        request = response.headers["X-Request-Id"]
        assert UUID.fullmatch(request)
        expected = {"id": job, "operationId": job, "status": "queued", "pollUrl": f"{origin}{poll}{job}"}
        assert response.json() == {**expected, "meta": {"requestId": request}}
        started = (await play.get(f"{poll}{job}")).json()
        assert (started["id"], started["status"]) == (job, "queued")
        play.clock.advance(300.0)
        assert (await play.get(f"{poll}{job}")).json()["status"] == "succeeded"


async def test_searches_are_accepted_in_snake_case_and_scrapers_in_a_wrapper() -> None:
    async with playing(Scenario(poll_urls=PollUrlForm.ABSOLUTE)) as play:
        response = await play.post("/api/v1/search", json={"type": "x_keyword", "query": "robots"})
        job = response.json()["id"]
        assert response.json() == {
            "id": job,
            "status": "queued",
            "poll_url": f"{play.server.url}/api/v1/search/{job}",
            "meta": {"request_id": response.headers["X-Request-Id"]},
        }
        search = (await play.get(f"/api/v1/search/{job}")).json()
        assert (search["type"], search["query"]) == ("x_keyword", "robots")
        crawl = await play.post("/api/v1/platform/scrapers/web/crawl", json={"url": "https://x.example"})
        assert list(crawl.json()) == ["data", "meta"]
        assert list(crawl.json()["data"]) == ["id", "operationId", "status", "pollUrl"]


async def test_prospecting_is_accepted_and_a_replay_gives_the_same_job() -> None:
    async with playing(Scenario()) as play:
        path, key = f"/v1/accounts/{GROUP}/prospecting", {"Idempotency-Key": "k1"}
        first, again = await play.post(path, headers=key), await play.post(path, headers=key)
        assert (first.status_code, again.status_code) == (202, 200)
        assert list(first.json()) == ["success", "data", "error", "traceId"]
        job = first.json()["data"]["jobId"]
        assert first.json()["data"] == {"jobId": job, "status": "queued", "createdAt": "2025-06-15T15:06:40.000Z"}
        assert again.json()["data"] == first.json()["data"]


async def test_bad_bodies_are_refused_with_the_property_by_name() -> None:
    async with playing(Scenario()) as play:
        error = (await play.post("/api/v1/search", json={"query": 5})).json()
        message = "query must be a string"
        assert error["errors"] == [{"property": "body.query", "message": message, "constraints": {"isString": message}}]
        assert (await play.post("/api/v1/search", content=b"{")).status_code == 400
        assert (await play.post("/api/v1/search", content=b"[]")).status_code == 400


async def test_errors_have_the_shape_of_their_api_even_for_unknown_routes() -> None:
    async with playing(Scenario()) as play:
        for path in ("/api/operations/op_none", "/api/nothing", "/", "/v2/x"):
            response = await play.get(path)
            error = response.json()
            assert list(error) == ["statusCode", "error", "message", "path", "requestId", "timestamp"]
            assert (error["statusCode"], error["error"], error["path"]) == (404, "Not Found", path)
            assert error["requestId"] == response.headers["X-Request-Id"]
            assert error["timestamp"] == "2025-06-15T15:06:40.000Z"
        for path in ("/v1/nothing", f"/v1/accounts/{GROUP}/prospecting/none"):
            error = (await play.get(path)).json()
            assert list(error) == ["success", "data", "error", "traceId"]
            assert (error["success"], error["data"]) == (False, None)
            assert list(error["error"]) == ["code", "message", "details"]


async def test_the_documented_refusal_is_answered_word_for_word() -> None:
    limit = RateLimit(Api.THEHOG, 1, bucket="polling")
    async with playing(Scenario(jobs=(JobScript(id=OP),), limits=(limit,))) as play:
        await play.get(f"/api/operations/{OP}")
        refused = await play.get(f"/api/operations/{OP}")
        assert refused.json() == {
            "statusCode": 429,
            "error": "Too Many Requests",
            "message": "Rate limit exceeded. Please slow down and retry.",
            "path": f"/api/operations/{OP}",
            "requestId": refused.headers["X-Request-Id"],
            "timestamp": "2025-06-15T15:06:40.000Z",
        }


@pytest.mark.parametrize(
    ("path", "headers", "status"),
    [
        (f"/api/operations/{OP}", KEYS, 200),
        (f"/api/operations/{OP}", BEARER, 200),
        (f"/api/operations/{OP}", {}, 401),
        (f"/api/operations/{OP}", {"X-Access-Key": "ak_test"}, 401),
        (f"/api/operations/{OP}", {"Authorization": "Bearer"}, 401),
        (f"/api/operations/{OP}", {"Authorization": "Basic abc"}, 401),
        (JOB_PATH, BEARER, 200),
        (JOB_PATH, KEYS, 401),
    ],
)
async def test_each_api_lets_in_its_own_credentials(path: str, headers: dict[str, str], status: int) -> None:
    scenario = Scenario(jobs=(JobScript(id=OP), PROSPECTING))
    async with playing(scenario) as play, client_of(play.server.url) as stranger:
        response = await stranger.get(path, headers=headers)
        assert response.status_code == status
        if status == 401:
            assert response.json().get("statusCode", 401) == 401
            assert response.json().get("success") in {None, False}


async def test_named_credentials_are_the_only_ones_accepted_and_never_shown() -> None:
    named = (
        Credentials(Api.THEHOG, access_key="ak_right", secret_key="sk_right"),
        Credentials(Api.SONARLY, token="tk_right"),
    )
    assert "right" not in repr(named)
    async with (
        playing(Scenario(jobs=(JobScript(id=OP),), credentials=named)) as play,
        client_of(play.server.url) as client,
    ):
        path = f"/api/operations/{OP}"
        right = {"X-Access-Key": "ak_right", "X-Secret-Key": "sk_right"}
        assert (await client.get(path, headers=right)).status_code == 200
        assert (await client.get(path, headers=right | {"X-Secret-Key": "sk_wrong"})).status_code == 401
        assert (await client.get(path, headers=BEARER)).status_code == 401
        assert (await client.get("/v1/accounts", headers={"Authorization": "Bearer tk_right"})).status_code == 200
        assert (await client.get("/v1/accounts", headers={"Authorization": "Bearer tk_wrong"})).status_code == 401
        assert "right" not in repr(play.server.requests)


async def test_the_same_seed_gives_the_same_answers() -> None:
    async def tour(seed: int) -> list[str]:
        scenario = Scenario(seed=seed, jobs=(JobScript(duration=3.0), PROSPECTING), poll_urls=PollUrlForm.RELATIVE)
        texts: list[str] = []
        async with playing(scenario) as play:
            for _ in range(3):
                texts.append((await play.get(f"/api/operations/{scenario.jobs[0].id}")).text)
                texts.append((await play.get(JOB_PATH)).text)
                texts.append((await play.post("/api/deep-research", json={"prompt": "p"})).text)
                play.clock.advance(2.0)
            texts.append((await play.get("/api/operations")).text)
        return texts

    assert await tour(1) == await tour(1)
    assert await tour(1) != await tour(2)
