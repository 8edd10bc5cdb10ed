import json

import pytest

from jobdeck.domain.job import Observation, Stage
from jobdeck.domain.phase import Phase
from jobdeck.domain.problem import ProblemKind
from jobdeck.http.base import PollResult
from jobdeck.scheduling.actions import ListPage
from tests.unit.http.samples import JOB, SONARLY_ACCEPTED, SONARLY_JOB, sonarly_error
from tests.unit.http.wire import TOKEN, answer, hog_target, serve, sonarly, sonarly_target

CREATED_US = 1_777_390_200_000_000


async def poll(body: object, status: int = 200) -> PollResult:
    async with serve(answer(body, status)) as wire, sonarly(wire.base_url) as provider:
        return await provider.poll(sonarly_target(JOB))


async def observed(**data: object) -> Observation:
    reply = await poll({"success": True, "data": {"jobId": JOB, "status": "running", **data}, "error": None})
    assert reply.problem is None, reply.problem
    return reply.observations[0]


async def test_the_documented_job_is_read_word_for_word() -> None:
    async with serve(answer(SONARLY_JOB)) as wire, sonarly(wire.base_url) as provider:
        reply = await provider.poll(sonarly_target(JOB))
    request = wire.requests[0].decode()
    assert request.startswith(f"GET /v1/accounts/group1/prospecting/{JOB} HTTP/1.1\r\n")
    assert f"Authorization: Bearer {TOKEN}\r\n" in request
    assert "x-access-key" not in request.lower()
    (observation,) = reply.observations
    assert observation == Observation(
        id=JOB,
        status="running",
        phase=Phase.RUNNING,
        stages=(Stage("import", "running", Phase.RUNNING, 0.82), Stage("enrichment", "queued", Phase.QUEUED, 0.0)),
        error=observation.error,
        kind="prospecting",
        account_group="group1",
        created_us=CREATED_US,
        updated_us=CREATED_US,
    )
    assert observation.error is not None
    assert (observation.error.code, observation.error.message) == ("string", "…")
    assert observation.progress is None
    assert (reply.exchange.trace_id, reply.exchange.request_id) == (JOB, None)
    assert reply.exchange.support_id == JOB


async def test_an_accepted_body_read_as_a_status_is_a_queued_job() -> None:
    reply = await poll(SONARLY_ACCEPTED)
    assert reply.observations[0].phase is Phase.QUEUED
    assert reply.exchange.trace_id == "trace-9"


@pytest.mark.parametrize(
    ("status", "phase", "ended"),
    [
        ("queued", Phase.QUEUED, None),
        ("running", Phase.RUNNING, None),
        ("completed", Phase.SUCCEEDED, CREATED_US),
        ("failed", Phase.FAILED, CREATED_US),
        ("cancelled", Phase.CANCELLED, CREATED_US),
        ("COMPLETED", Phase.UNKNOWN, None),
        ("archiving", Phase.UNKNOWN, None),
    ],
)
async def test_every_status_has_its_phase_and_a_terminal_one_its_end(
    status: str, phase: Phase, ended: int | None
) -> None:
    observation = await observed(status=status, updatedAt="2026-04-28T15:30:00.000Z")
    assert (observation.status, observation.phase, observation.ended_us) == (status, phase, ended)


async def test_stages_keep_the_order_of_the_object_and_odd_ones_do_not_lose_the_rest() -> None:
    stages = {
        "z-last": {"status": "completed", "progress": 7},
        "bare": "running",
        "number": 5,
        "none": None,
        "list": [],
        "word": {"status": "paused", "progress": "half"},
        "": {"status": "running"},
        "only progress": {"progress": -1},
        "evil\x1b[2J": {"status": "que\u202eued", "progress": True},
    }
    observation = await observed(stages=stages)
    assert [(stage.name, stage.status, stage.phase, stage.progress) for stage in observation.stages] == [
        ("z-last", "completed", Phase.SUCCEEDED, None),
        ("bare", "running", Phase.RUNNING, None),
        ("number", "5", Phase.UNKNOWN, None),
        ("word", "paused", Phase.UNKNOWN, None),
        ("only progress", "", Phase.UNKNOWN, 0.0),
        ("evil\\x1b[2J", "que\\u202eued", Phase.UNKNOWN, None),
    ]


async def test_stages_in_a_list_are_read_by_their_names() -> None:
    observation = await observed(
        stages=[{"name": "import", "status": "running", "progress": 0.5}, "x", {"status": "a"}]
    )
    assert observation.stages == (Stage("import", "running", Phase.RUNNING, 0.5),)


async def test_a_flood_of_stages_is_cut_and_the_cut_is_said() -> None:
    observation = await observed(stages={f"stage {number}": {"status": "running"} for number in range(150)})
    assert len(observation.stages) == 100
    assert observation.facts == (("stages_not_shown", "50"),)


async def test_a_job_without_stages_and_error_is_whole() -> None:
    observation = await observed()
    assert observation.whole
    assert (observation.stages, observation.error, observation.created_us) == ((), None, None)


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (400, "VALIDATION_ERROR", ProblemKind.PROTOCOL),
        (401, "UNAUTHORIZED", ProblemKind.AUTH),
        (402, "INSUFFICIENT_CREDITS", ProblemKind.PAYMENT),
        (403, "FORBIDDEN", ProblemKind.PERMISSION),
        (404, "NOT_FOUND", ProblemKind.NOT_FOUND),
        (409, "CONFLICT", ProblemKind.PROTOCOL),
        (422, "VALIDATION_ERROR", ProblemKind.PROTOCOL),
        (429, "RATE_LIMITED", ProblemKind.RATE_LIMIT),
        (500, "INTERNAL_ERROR", ProblemKind.SERVER_ERROR),
        (502, "BAD_GATEWAY", ProblemKind.SERVER_ERROR),
    ],
)
@pytest.mark.parametrize("honest", [True, False], ids=["its own status", "HTTP 200"])
async def test_every_documented_error_has_its_kind_even_when_it_comes_with_200(
    status: int, code: str, kind: ProblemKind, honest: bool
) -> None:
    reply = await poll(sonarly_error(code, "in words"), status if honest else 200)
    problem = reply.problem
    assert problem is not None
    assert (problem.kind, problem.message) == (kind, f"{code}: in words")
    assert problem.trace_id == reply.exchange.trace_id == "trace-err"
    assert problem.http_status == (status if honest else 200)
    assert reply.observations == ()


async def test_the_jobs_own_failure_is_no_problem_of_the_request() -> None:
    observation = await observed(
        status="failed", error={"code": "NO_ROWS", "message": "empty file", "details": {"n": 0}}
    )
    assert observation.error is not None
    assert (observation.error.code, observation.error.message) == ("NO_ROWS", "empty file")
    assert json.loads(observation.error.details or "") == {"n": 0}


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"success": True, "data": None, "error": None}, "no data"),
        ({"success": True, "data": [], "error": None}, "no data"),
        ({"success": False, "data": {"jobId": JOB, "status": "running"}}, "a failure without a reason"),
        ({"success": True, "data": {"status": "running"}}, "which job"),
        ({"success": True, "data": {"jobId": JOB}}, "no status"),
        ({"success": True, "data": {"jobId": "other", "status": "running"}}, "another job"),
        ([1], "unexpected response"),
    ],
)
async def test_an_envelope_without_the_job_is_a_protocol_problem(body: object, words: str) -> None:
    problem = (await poll(body)).problem
    assert problem is not None
    assert problem.kind is ProblemKind.PROTOCOL
    assert words in problem.message


async def test_a_page_of_jobs_says_nothing_of_stages() -> None:
    rows = [{"jobId": "j1", "type": "prospecting", "status": "running", "error": {"code": "x"}}, {"jobId": "a/b"}, 4]
    body = {"success": True, "data": {"items": rows, "nextCursor": "c2", "hasMore": True}, "traceId": "t"}
    async with serve(answer(body)) as wire, sonarly(wire.base_url) as provider:
        reply = await provider.list_page(
            ListPage("prospecting", account_group="g2", status="running", cursor="c 1", limit=1000)
        )
    assert wire.requests[0].startswith(
        b"GET /v1/accounts/g2/prospecting?limit=100&cursor=c%201&status=running HTTP/1.1\r\n"
    )
    (row,) = reply.observations
    assert (row.id, row.account_group, row.whole, row.error) == ("j1", "g2", False, None)
    assert reply.next_cursor == "c2"


@pytest.mark.parametrize(
    ("extra", "cursor"),
    [
        ({"nextCursor": "c2", "hasMore": False}, None),
        ({"nextCursor": None, "hasMore": True}, None),
        ({"nextCursor": "c2"}, "c2"),
        ({"nextCursor": 7, "hasMore": True}, "7"),
        ({"nextCursor": "x" * 3000, "hasMore": True}, None),
    ],
)
async def test_a_list_ends_where_the_server_says_so(extra: dict[str, object], cursor: str | None) -> None:
    body = {"success": True, "data": {"items": [], **extra}}
    async with serve(answer(body)) as wire, sonarly(wire.base_url) as provider:
        reply = await provider.list_page(ListPage("prospecting"))
    assert wire.requests[0].startswith(b"GET /v1/accounts/group1/prospecting?limit=100 ")
    assert reply.problem is None
    assert reply.next_cursor == cursor


async def test_the_account_groups_of_a_key_can_be_listed() -> None:
    rows = [{"id": "g1", "name": "Acme\x1b", "createdAt": "2026-04-28T15:30:00.000Z"}, {"name": "no id"}, None]
    body = {"success": True, "data": {"items": rows, "nextCursor": "c", "hasMore": True}, "traceId": "t"}
    async with serve(answer(body)) as wire, sonarly(wire.base_url) as provider:
        page = await provider.list_values("account_group")
    assert wire.requests[0].startswith(b"GET /v1/accounts?limit=100 ")
    assert page.values == ("g1",)
    assert (page.next_cursor, page.problem, page.exchange.trace_id) == ("c", None, "t")


async def test_a_refused_list_of_account_groups_is_a_problem() -> None:
    async with serve(answer(sonarly_error("FORBIDDEN", "no"), 403)) as wire, sonarly(wire.base_url) as provider:
        page = await provider.list_values("account_group")
    assert page.problem is not None
    assert page.problem.kind is ProblemKind.PERMISSION


async def test_what_sonarly_does_not_have_is_refused_without_a_request() -> None:
    async with serve(answer()) as wire, sonarly(wire.base_url) as provider:
        for reply in (
            await provider.poll(hog_target("x")),
            await provider.list_page(ListPage("operation")),
        ):
            assert reply.problem is not None
    assert wire.requests == []
