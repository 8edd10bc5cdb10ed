"""States that an HTTP status tells, jobs that are asked for by POST, and pages that a Link header continues."""

import json
from typing import Any

import pytest

from jobdeck.apis.client import ApiClient
from jobdeck.apis.tables import PageError
from jobdeck.domain.job import JobKey, Target
from jobdeck.domain.phase import Phase
from jobdeck.domain.problem import ProblemKind
from jobdeck.http.base import PollResult
from jobdeck.scheduling.actions import ListPage
from tests.builders import describe, make_profile
from tests.support.clocks import SteppingClock
from tests.unit.http.wire import NOON, Wire, answer, bearer, serve

PAGE: dict[str, Any] = {
    "job": {"url": "/jobs/{id}"},
    "fields": {
        "id": "$.id", "error": "$.problem", "progress": "header:x-progress", "progress_unit": "percent",
        "facts": {"where": "header:location"},
    },
    "phases": {"by_http_status": {"200": "succeeded", "202": "running", "303": "succeeded", "422": "failed"}},
}  # fmt: skip
GRAPH = {
    **PAGE,
    "job": {
        "url": "/graphql",
        "method": "POST",
        "body": '{"query": "query($id: ID!) { job(id: $id) { id state } }", "variables": {"id": "{id}"}}',
        "item": "$.data.job",
    },
    "fields": {"id": "$.id", "status": "$.state"},
    "phases": {"succeeded": ["DONE"], "running": ["GOING"]},
}


async def poll(raw: bytes, page: dict[str, Any] | None = None, job_id: str = "7") -> tuple[PollResult, Wire]:
    spec = describe("own", {"own": page or PAGE})
    async with serve(raw) as wire:
        profile = make_profile("own", spec, base_url=wire.base_url, credentials=bearer())
        client = ApiClient(profile, SteppingClock(NOON), deadline=60)
        try:
            return await client.poll(Target(JobKey("own", None, job_id), "own", "job")), wire
        finally:
            await client.aclose()


@pytest.mark.parametrize(
    ("raw", "status", "phase"),
    [
        (answer(b"", 202, {"X-Progress": "45%"}), "HTTP 202", Phase.RUNNING),
        (answer({"id": "7"}, 202), "HTTP 202", Phase.RUNNING),
        (answer({"id": "7"}), "HTTP 200", Phase.SUCCEEDED),
        (answer({"id": "7", "problem": {"code": "E1", "message": "no"}}), "HTTP 200", Phase.FAILED),
        (answer(b"", 303, {"Location": "/results/7"}), "HTTP 303", Phase.SUCCEEDED),
        (answer({"id": "7", "code": "E1", "message": "no such table"}, 422), "HTTP 422", Phase.FAILED),
    ],
)
async def test_a_status_of_http_may_be_the_state(raw: bytes, status: str, phase: Phase) -> None:
    reply, wire = await poll(raw)
    assert reply.problem is None
    (seen,) = reply.observations
    assert (seen.id, seen.status, seen.phase) == ("7", status, phase)
    assert len(wire.requests) == 1, "what a redirect leads to is not asked for"
    if phase is Phase.FAILED:
        assert seen.error is not None
        assert seen.error.code == "E1"
    if status == "HTTP 202":
        assert reply.exchange.http_status == 202


async def test_headers_tell_how_far_it_is_and_where_a_result_is() -> None:
    reply, _ = await poll(answer(b"", 202, {"X-Progress": "45%"}))
    assert reply.observations[0].progress == 0.45
    reply, _ = await poll(answer(b"", 303, {"Location": "/results/7"}))
    assert reply.observations[0].facts == (("where", "/results/7"),)


@pytest.mark.parametrize(
    ("raw", "kind"),
    [
        (answer(b"", 200), ProblemKind.NOT_JSON),
        (answer({"error": "no such thing"}), ProblemKind.PROTOCOL),
        (answer({"error": {"code": "RATE_LIMIT_EXCEEDED", "message": "slow"}}), ProblemKind.RATE_LIMIT),
        (answer({"id": "8"}), ProblemKind.PROTOCOL),
        (answer({"id": "8"}, 422), ProblemKind.PROTOCOL),
        (answer(b"", 303, {"Location": "https://evil.example/login"}), ProblemKind.REDIRECT),
        (answer(b"", 303), ProblemKind.REDIRECT),
        (answer(b"", 302, {"Location": "/login"}), ProblemKind.REDIRECT),
        (answer({"message": "too many requests"}, 422), ProblemKind.RATE_LIMIT),
        (answer({"id": "7"}, 500), ProblemKind.SERVER_ERROR),
        (answer({"id": "7"}, 404), ProblemKind.NOT_FOUND),
    ],
)
async def test_what_only_looks_like_a_state_is_a_problem(raw: bytes, kind: ProblemKind) -> None:
    reply, _ = await poll(raw)
    assert reply.problem is not None
    assert (reply.problem.kind, reply.observations) == (kind, ())


@pytest.mark.parametrize("job_id", ["7", 'a"b', "é%{x}"])
async def test_a_job_is_asked_for_by_post_with_the_id_as_a_text(job_id: str) -> None:
    reply, wire = await poll(answer({"data": {"job": {"id": job_id, "state": "done"}}}), GRAPH, job_id)
    head, _, body = wire.requests[0].partition(b"\r\n\r\n")
    assert head.startswith(b"POST /graphql HTTP/1.1\r\n")
    assert b"content-type: application/json" in head.lower()
    assert json.loads(body)["variables"] == {"id": job_id}
    assert (reply.problem, reply.exchange.method) == (None, "POST")
    assert [seen.phase for seen in reply.observations] == [Phase.SUCCEEDED]


@pytest.mark.parametrize("body", ["{id}", '{"id": {id}}', "id={id}", '{"id": "{id}"'])
def test_a_body_that_is_no_json_is_refused(body: str) -> None:
    with pytest.raises(PageError, match="body must be JSON"):
        describe("own", {"own": {**GRAPH, "job": {**GRAPH["job"], "body": body}}})


async def test_a_link_header_leads_to_the_next_page() -> None:
    page = {
        **GRAPH,
        "job": {"url": "/jobs/{id}"},
        "list": {"url": "/jobs", "items": "$[*]", "cursor": "header:link", "cursor_parameter": "page"},
    }
    link = '<https://evil.example/jobs?page=9>; rel="prev", <https://evil.example/jobs?page=3&key=x>; rel="next"'
    spec = describe("own", {"own": page})
    async with serve(answer([{"id": "1", "state": "DONE"}], headers={"Link": link})) as wire:
        client = ApiClient(make_profile("own", spec, base_url=wire.base_url, credentials=bearer()), SteppingClock(NOON))
        reply = await client.list_page(ListPage("job"))
        await client.list_page(ListPage("job", cursor=reply.next_cursor))
        await client.aclose()
    assert reply.next_cursor == "3"
    assert wire.requests[1].startswith(b"GET /jobs?page=3 HTTP/1.1\r\n")
