"""Three described APIs through the engine, over real HTTP: from the first look to the end, and everything between."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from types import MappingProxyType

from jobdeck.apis.targets import ProfileRegistry, parse_target
from jobdeck.app.context import AppContext
from jobdeck.config import ProfileSettings, Settings
from jobdeck.config.credentials import SecretRef
from jobdeck.domain.events import Event, PhaseChanged, ProfileHalted
from jobdeck.domain.job import Job, JobKey
from jobdeck.domain.phase import Phase
from jobdeck.domain.problem import ProblemKind
from jobdeck.engine.engine import Engine
from tests.builders import APIS, make_profile
from tests.engine.running import PATIENCE
from tests.scripted_server import Say, Scripted, scripted
from tests.support.clocks import FastClock
from tests.unit.http.shapes import AZURE_ERROR, AZURE_ID, OPERATION, OPERATION_ID, azure, operation, run

TOKEN = "tok_canary_0123456789"
RUN = "/repos/octocat/Hello-World/actions/runs/30433642"
AZURE_PLACE = "sub-1/providers/Microsoft.Compute/locations/westus/operations"


@dataclass
class Sight:
    engine: Engine
    server: Scripted
    clock: FastClock
    events: list[Event]
    directory: ProfileRegistry

    def job(self) -> Job:
        (job,) = self.engine.jobs.values()
        return job

    async def ended(self) -> Job:
        async with asyncio.timeout(PATIENCE):
            while not self.job().terminal:
                await asyncio.sleep(0.005)
        return self.job()

    async def until_asked(self, path: str, times: int) -> None:
        async with asyncio.timeout(PATIENCE):
            while len(self.server.asked(path)) < times:
                await asyncio.sleep(0.005)


@asynccontextmanager
async def sight(
    name: str,
    script: Mapping[str, Sequence[Say]],
    target: str,
    prefix: str = "",
    speed: float = 100.0,
    **variables: str,
) -> AsyncIterator[Sight]:
    clock = FastClock(speed)
    async with scripted(script) as server:
        profile = make_profile(
            "it", APIS.spec(name), base_url=server.url + prefix, requests_per_minute=6_000, variables=variables
        )
        settings = ProfileSettings(profile, {"token": SecretRef(TOKEN, "test")})
        context = AppContext({}, settings=Settings(MappingProxyType({"it": settings}), "it", None), clock=clock)
        engine = context.engine()
        seen = Sight(engine, server, clock, [], context.registry)

        async def listen() -> None:
            async for batch in engine.subscribe():
                seen.events.extend(batch.events)

        listening = asyncio.create_task(listen())
        engine.add([parse_target(target, context.registry)])
        running = asyncio.create_task(engine.run())
        try:
            yield seen
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
            await engine.aclose()
            await listening


async def test_an_operation_of_google_from_its_name_to_its_error() -> None:
    path = f"/v1/{OPERATION}"
    error = {"code": 3, "message": "bad audio"}
    script = {path: [Say(operation()), Say({}), Say(operation(done=True, error=error))]}
    async with sight("google-lro", script, OPERATION, prefix="/v1") as seen:
        job = await seen.ended()
        asked = seen.server.asked(path)
    assert (job.key.id, job.key.account_group) == (OPERATION_ID, OPERATION.rpartition("/operations/")[0])
    assert (job.status, job.phase, job.progress, job.kind) == ("done", Phase.FAILED, 0.34, "operation")
    assert job.error is not None
    assert job.error.message == "bad audio"
    # The answer in between was about nothing, so it changed nothing, and is on record.
    assert [exchange.problem.kind for exchange in seen.engine.exchanges(job.key) if exchange.problem] == [
        ProblemKind.PROTOCOL
    ]
    assert all(request.headers["authorization"] == f"Bearer {TOKEN}" for request in asked)


async def test_an_operation_of_azure_is_left_alone_as_long_as_retry_after_says() -> None:
    path = f"/subscriptions/{AZURE_PLACE}/{AZURE_ID}"
    ids = {"x-ms-request-id": "ms-1", "x-ms-correlation-request-id": "corr-1"}
    script = {
        path: [
            Say(azure("InProgress", percentComplete=20), headers={"Retry-After": "60", **ids}),
            Say(azure("Failed", error=AZURE_ERROR), headers=ids),
        ]
    }
    async with sight("azure-async", script, f"it:{AZURE_PLACE}/{AZURE_ID}", api_version="2024-03-01") as seen:
        await seen.until_asked(path, 1)
        # Even a job that somebody looks at.
        seen.engine.set_selected(seen.job().key)
        job = await seen.ended()
        first, second = reversed(seen.engine.exchanges(job.key))
        asked = seen.server.asked(path)
    assert [dict(request.query) for request in asked] == [{"api-version": "2024-03-01"}] * 2
    assert second.started.since(first.started) >= 60.0
    assert (job.status, job.phase, job.request_id, job.trace_id) == ("Failed", Phase.FAILED, "ms-1", "corr-1")
    assert job.error is not None
    assert job.error.code == "ResourceNotFound"


async def test_a_run_of_github_to_its_conclusion() -> None:
    ids = {"X-GitHub-Request-Id": "C0FF:EE"}
    script = {
        RUN: [
            Say(run("queued"), headers=ids),
            Say(run("in_progress"), headers=ids),
            Say(run("levitating"), headers=ids),
            Say(run("completed", "success"), headers=ids),
        ]
    }
    async with sight("github-actions", script, "Hello-World/30433642", owner="octocat") as seen:
        job = await seen.ended()
        asked = seen.server.asked(RUN)
        learnt = [name for lane in seen.engine._workers.values() for name in lane.scheduler.export_estimates()]
    assert (job.status, job.phase, job.kind, job.request_id) == ("success", Phase.SUCCEEDED, "Build", "C0FF:EE")
    words = [event.status for event in seen.events if isinstance(event, PhaseChanged)]
    # A word that nobody knows is shown as it is, and ends nothing.
    assert words == ["queued", "in_progress", "levitating", "success"]
    assert asked[0].headers["x-github-api-version"] == "2022-11-28"
    assert "Build" in learnt


async def test_many_runs_are_looked_at_with_one_request() -> None:
    rows = [run("in_progress", id=number) for number in range(1, 41)]
    paths = {f"{RUN.rpartition('/')[0]}/{row['id']}": [Say(row)] for row in rows}
    script = {**paths, RUN.rpartition("/")[0]: [Say({"workflow_runs": rows})]}
    place = {"owner": "octocat", "repo": "Hello-World"}
    async with sight("github-actions", script, "1", **place) as seen:
        seen.engine.add(parse_target(str(number), seen.directory) for number in range(2, 41))
        async with asyncio.timeout(PATIENCE):
            while any(job.observed is None for job in seen.engine.jobs.values()):
                await asyncio.sleep(0.005)
        pages = seen.server.asked(RUN.rpartition("/")[0])
        assert len(seen.server.requests) < 10
    assert pages[0].query["per_page"] == "100"


async def test_a_full_page_with_a_row_that_cannot_be_read_ends_no_job_that_is_not_on_it() -> None:
    watched = [{"id": f"op_{number}", "status": "processing"} for number in range(10)]
    others = [{"id": f"op_{number}", "status": "processing"} for number in range(100, 199)]
    pages = [Say({"data": [*others[:90], *watched]}), Say({"data": [*others, {"id": "op_99"}]})]
    script = {**{f"/api/operations/{row['id']}": [Say(row)] for row in watched}, "/api/operations": pages}
    suspects: set[JobKey] = set()
    async with sight("thehog", script, "op_0") as seen:
        seen.engine.add(parse_target(f"op_{number}", seen.directory) for number in range(1, 10))
        table = seen.engine._workers["it"].scheduler._table
        async with asyncio.timeout(PATIENCE):
            while len(seen.server.asked("/api/operations")) < 4:
                suspects.update(key for key, job in table.jobs.items() if job.suspected_end)
                await asyncio.sleep(0)
    assert not suspects


async def test_a_limit_that_is_used_up_is_no_refusal_of_the_key() -> None:
    spent = {"X-RateLimit-Limit": "60", "X-RateLimit-Remaining": "0", "Retry-After": "5"}
    script = {
        RUN: [Say({"message": "API rate limit exceeded"}, 403, spent), Say(run("completed", "cancelled"))],
    }
    async with sight("github-actions", script, "octocat/Hello-World/30433642") as seen:
        job = await seen.ended()
        problems = [exchange.problem for exchange in seen.engine.exchanges(job.key) if exchange.problem]
    assert job.phase is Phase.CANCELLED
    assert [(problem.kind, problem.message) for problem in problems] == [
        (ProblemKind.RATE_LIMIT, "API rate limit exceeded")
    ]


async def test_a_refused_key_stops_the_profile_and_leaks_nowhere() -> None:
    script = {RUN: [Say({"message": f"Bad credentials: {TOKEN}"}, 401)]}
    async with sight("github-actions", script, "octocat/Hello-World/30433642") as seen:
        async with asyncio.timeout(PATIENCE):
            while not any(isinstance(event, ProfileHalted) for event in seen.events):
                await asyncio.sleep(0.005)
        job = seen.job()
        assert seen.engine.halted().keys() == {"it"}
        assert len(seen.server.requests) == 1
    assert job.problem is not None
    assert job.problem.kind is ProblemKind.AUTH
    assert job.problem.message == "Bad credentials: [redacted]"
    assert job.phase is Phase.UNKNOWN
