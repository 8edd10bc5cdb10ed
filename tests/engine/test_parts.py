"""Stages and results at URLs of their own, over real HTTP: what is asked when, what it costs, and what goes wrong."""

import asyncio
import itertools
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import pytest

from jobdeck.apis.targets import parse_target
from jobdeck.app.context import AppContext
from jobdeck.config import ProfileSettings, Settings
from jobdeck.config.credentials import SecretRef
from jobdeck.domain.exchange import Exchange
from jobdeck.domain.job import Job
from jobdeck.domain.phase import Phase
from jobdeck.domain.problem import ProblemKind
from jobdeck.engine.engine import Engine
from tests.builders import describe, make_profile
from tests.engine.running import PATIENCE
from tests.scripted_server import Say, Scripted, scripted
from tests.support.clocks import FastClock

TOKEN = "tok_canary_0123456789"
PAGE: dict[str, Any] = {
    "job": {"url": "/jobs/{id}", "interval": "1s"},
    "fields": {"id": "$.id", "status": "$.state", "error": "$.error"},
    "stages": {"url": "/jobs/{id}/steps", "items": "$.steps[*]", "name": "$.name", "status": "$.state"},
    "result": {"url": "/jobs/{id}/output", "path": "$.output"},
    "phases": {"running": ["busy"], "succeeded": ["done"], "failed": ["broken"]},
}
STEPS = {"steps": [{"name": "load", "state": "done"}, {"name": "index", "state": "busy"}]}
ALL_DONE = {"steps": [{"name": "load", "state": "done"}, {"name": "index", "state": "done"}]}
BUSY, DONE, BROKEN = ({"id": "1", "state": word} for word in ("busy", "done", "broken"))


@dataclass
class Sight:
    engine: Engine
    server: Scripted
    exchanges: list[Exchange] = field(default_factory=list)

    @property
    def job(self) -> Job:
        return next(iter(self.engine.jobs.values()))

    async def until(self, *, whole: bool = True) -> Job:
        async with asyncio.timeout(PATIENCE):
            while not self.job.terminal or (whole and self.job.awaits_part):
                await asyncio.sleep(0.005)
        return self.job

    def paths(self) -> list[str]:
        return [request.raw_path for request in self.server.requests]


@asynccontextmanager
async def sight(
    script: Mapping[str, Sequence[Say]], page: Mapping[str, Any] = PAGE, ids: Sequence[str] = ("1",), limit: int = 6_000
) -> AsyncIterator[Sight]:
    clock = FastClock(50.0)
    async with scripted(script) as server:
        for answers in server.script.values():
            answers[:] = [_placed(say, server.url) for say in answers]
        spec = describe("own", {"own": dict(page)})
        profile = make_profile("it", spec, base_url=server.url, requests_per_minute=limit)
        settings = ProfileSettings(profile, {"token": SecretRef(TOKEN, "test")})
        context = AppContext(
            {}, settings=Settings(MappingProxyType({"it": settings}), "it", None), clock=clock, keep=False
        )
        running = await context.open()
        seen = Sight(running.engine, server)

        async def listen() -> None:
            async for batch in seen.engine.subscribe():
                seen.exchanges.extend(batch.exchanges)

        listening = asyncio.create_task(listen())
        seen.engine.add([parse_target(f"it:{each}", context.registry) for each in ids])
        polling = asyncio.create_task(seen.engine.run())
        try:
            yield seen
        finally:
            polling.cancel()
            await asyncio.gather(polling, return_exceptions=True)
            await seen.engine.aclose()
            await listening


def _placed(say: Say, url: str) -> Say:
    """Fill in the server's own URL, which is known once it listens."""
    headers = {name: value.replace("SERVER", url) for name, value in say.headers.items()}
    body = say.body
    if isinstance(body, dict):
        body = {name: value.replace("SERVER", url) if isinstance(value, str) else value for name, value in body.items()}
    return Say(body, say.status, headers)


async def test_an_ended_job_has_its_stages_and_its_result_fetched_once() -> None:
    ids = {"x-request-id": "r-result"}
    script = {
        "/jobs/1": [Say(BUSY), Say(DONE, headers={"x-request-id": "r-job"})],
        "/jobs/1/steps": [Say(STEPS)],
        "/jobs/1/output": [Say({"output": {"rows": 3}}, headers=ids)],
    }
    async with sight(script) as seen:
        job = await seen.until()
        exchanges = seen.engine.exchanges(job.key)
    assert (job.phase, job.result, job.request_id, job.anomalies) == (Phase.SUCCEEDED, '{"rows":3}', "r-job", ())
    assert [(one.stage.name, one.stage.phase) for one in job.stages] == [
        ("load", Phase.SUCCEEDED),
        ("index", Phase.RUNNING),
    ]
    # Not while it went on: nobody looked at it. Each is on record as a request about the job, with its own ID.
    assert seen.paths() == ["/jobs/1", "/jobs/1", "/jobs/1/steps", "/jobs/1/output"]
    assert [one.url.rpartition("/")[2] for one in exchanges] == ["output", "steps", "1", "1"]
    assert exchanges[0].request_id == "r-result"
    assert all(request.headers["authorization"] == f"Bearer {TOKEN}" for request in seen.server.requests)


async def test_a_failed_job_has_no_result_to_fetch() -> None:
    async with sight({"/jobs/1": [Say(BROKEN)], "/jobs/1/steps": [Say(STEPS)]}) as seen:
        job = await seen.until()
    assert (job.phase, len(job.stages), job.anomalies) == (Phase.FAILED, 2, ())
    assert seen.paths() == ["/jobs/1", "/jobs/1/steps"]


async def test_the_stages_of_the_selected_job_are_fetched_while_it_goes_on_and_stay_between() -> None:
    page = {key: value for key, value in PAGE.items() if key != "result"}
    script = {"/jobs/1": [Say(BUSY)], "/jobs/1/steps": [Say(STEPS), Say(ALL_DONE)]}
    async with sight(script, page) as seen:
        async with asyncio.timeout(PATIENCE):
            while len(seen.paths()) < 3:
                await asyncio.sleep(0.005)
            assert "/jobs/1/steps" not in seen.paths()
            seen.engine.set_selected(seen.job.key)
            while seen.paths().count("/jobs/1/steps") < 3 or len(seen.server.asked("/jobs/1")) < 6:
                await asyncio.sleep(0.005)
        job = seen.job
    assert [one.stage.phase for one in job.stages] == [Phase.SUCCEEDED, Phase.SUCCEEDED]
    assert not job.terminal


async def test_a_part_that_cannot_be_had_is_said_and_changes_no_state() -> None:
    script = {
        "/jobs/1": [Say(DONE)],
        "/jobs/1/steps": [Say({"message": "you may not"}, 403, {"x-request-id": "r-403"})],
        "/jobs/1/output": [Say({"error": "overloaded"}, 503)],
    }
    async with sight(script) as seen:
        job = await seen.until()
        halted = seen.engine.halted()
    assert (job.phase, job.problem, job.failures, job.outage, job.confirmed) == (Phase.SUCCEEDED, None, 0, None, True)
    assert not halted
    assert job.anomalies == (
        "stages not fetched: permission denied: you may not",
        "result not fetched: server error: overloaded",
    )
    assert seen.paths().count("/jobs/1/output") == 3
    assert seen.paths().count("/jobs/1/steps") == 1
    refused = next(one for one in seen.exchanges if one.http_status == 403)
    assert (refused.request_id, refused.problem and refused.problem.kind) == ("r-403", ProblemKind.PERMISSION)


async def test_a_part_that_is_there_a_little_later_leaves_no_trace_of_that() -> None:
    script = {
        "/jobs/1": [Say(DONE)],
        "/jobs/1/steps": [Say({"steps": []})],
        "/jobs/1/output": [Say({}, 500), Say(b"<html>", 502), Say({"output": 7})],
    }
    async with sight(script) as seen:
        job = await seen.until()
    assert (job.result, job.stages, job.anomalies) == ("7", (), ())


async def test_a_part_is_requested_again_after_each_rate_limit() -> None:
    limited = Say({"error": "slow down"}, 429, {"Retry-After": "1"})
    page = {key: value for key, value in PAGE.items() if key != "stages"}
    script = {"/jobs/1": [Say(DONE)], "/jobs/1/output": [*[limited] * 4, Say({"output": 7})]}
    async with sight(script, page) as seen:
        job = await seen.until()
        sent = [one.started.mono for one in reversed(seen.engine.exchanges(job.key)) if one.url.endswith("output")]
    assert (job.result, job.anomalies) == ("7", ())
    assert len(sent) == 5
    assert all(later - before >= 1.0 for before, later in itertools.pairwise(sent)), "not before the cooldown is over"


LINKED = {key: value for key, value in PAGE.items() if key != "stages"} | {"result": {"url": "$.result_url"}}


@pytest.mark.parametrize(
    ("link", "reason"),
    [
        ("https://evil.example/output", "its URL is on https://evil.example, not SERVER"),
        ("//evil.example/output", "invalid URL: not an https URL"),
        ("http://me:pw@127.0.0.1/output", "invalid URL: a URL must not contain a user name or password"),
        ("http://evil.example/output", "invalid URL: http is allowed only for loopback addresses"),
        ("file:///etc/passwd", "invalid URL: not an https URL"),
        ("SERVER/jobs/../admin", "its URL has a . or .. segment"),
        ("/jobs/%2e%2E/admin", "its URL has a . or .. segment"),
        ("/output?access_token=5", "its URL has a parameter that may contain a credential"),
        ("/output?sig%6Eature=5", "its URL has a parameter that may contain a credential"),
        ("/output#x", "its URL has a backslash or a fragment"),
        ("/out\\put", "its URL has a backslash or a fragment"),
        ("/out put", "its URL is not printable ASCII of at most 2048 characters"),
        ("/" + "x" * 3_000, "its URL is not printable ASCII of at most 2048 characters"),
        ("output", "invalid URL: not an https URL"),
    ],
)
async def test_a_url_of_an_answer_that_leads_elsewhere_is_not_followed(link: str, reason: str) -> None:
    async with sight({"/jobs/1": [Say({**DONE, "result_url": link})]}, LINKED) as seen:
        job = await seen.until()
        expected = reason.replace("SERVER", seen.server.url)
    assert (job.phase, job.result, seen.paths()) == (Phase.SUCCEEDED, None, ["/jobs/1"])
    (anomaly,) = job.anomalies
    assert anomaly.startswith(f"result not fetched: {expected}")


@pytest.mark.parametrize("link", ["SERVER/output/1?page=2&a=b%20c", "/output/1?page=2&a=b%20c"])
async def test_a_url_of_an_answer_is_followed_within_the_origin(link: str) -> None:
    script = {"/jobs/1": [Say({**DONE, "result_url": link})], "/output/1": [Say([1, 2])]}
    async with sight(script, LINKED) as seen:
        job = await seen.until()
        asked = seen.server.asked("/output/1")
    assert (job.result, job.anomalies) == ("[1,2]", ())
    assert [dict(request.query) for request in asked] == [{"page": "2", "a": "b c"}]


STATES = {
    "job": {"url": "/jobs/{id}", "interval": "1s"},
    "fields": {"error": "$.error"},
    "result": {"url": "header:location"},
    "phases": {"by_http_status": {"202": "running", "303": "succeeded"}},
}


async def test_a_303_leads_to_the_result_and_a_second_one_is_not_followed() -> None:
    script = {
        "/jobs/1": [Say(b"", 202), Say(b"", 303, {"Location": "/results/1"})],
        "/jobs/2": [Say(b"", 303, {"Location": "SERVER/results/2"})],
        "/results/1": [Say({"rows": 1})],
        "/results/2": [Say(b"", 307, {"Location": "https://evil.example/"})],
    }
    async with sight(script, STATES, ("1", "2")) as seen:
        async with asyncio.timeout(PATIENCE):
            while not all(job.terminal and not job.awaits_part for job in seen.engine.jobs.values()):
                await asyncio.sleep(0.005)
        one, two = seen.engine.jobs.values()
    assert (one.phase, one.result, one.anomalies) == (Phase.SUCCEEDED, '{"rows":1}', ())
    assert (two.phase, two.result) == (Phase.SUCCEEDED, None)
    assert two.anomalies == ("result not fetched: unexpected redirect: unexpected redirect to https://evil.example/",)
    assert sorted(seen.paths()) == ["/jobs/1", "/jobs/1", "/jobs/2", "/results/1", "/results/2"]


async def test_a_303_that_leads_to_another_origin_is_a_redirect_and_no_success() -> None:
    script = {"/jobs/1": [Say(b"", 303, {"Location": "https://evil.example/results/1"})]}
    async with sight(script, STATES) as seen:
        async with asyncio.timeout(PATIENCE):
            while seen.job.problem is None:
                await asyncio.sleep(0.005)
        job = seen.job
    assert (job.phase, job.problem and job.problem.kind) == (Phase.UNKNOWN, ProblemKind.REDIRECT)


async def test_parts_are_paid_from_the_one_budget() -> None:
    ids = [str(number) for number in range(30)]
    script = {f"/jobs/{each}": [Say({"id": each, "state": "done"})] for each in ids}
    script |= {f"/jobs/{each}/steps": [Say(ALL_DONE)] for each in ids}
    script |= {f"/jobs/{each}/output": [Say({"output": each})] for each in ids}
    async with sight(script, ids=ids, limit=60) as seen:
        async with asyncio.timeout(PATIENCE):
            while not all(job.result for job in seen.engine.jobs.values()):
                await asyncio.sleep(0.005)
        sent = sorted(one.started.mono for one in seen.exchanges)
        used = seen.engine.quotas()["it"].used
    assert len(seen.server.requests) == 90
    most = max(sum(begun <= at < begun + 60.0 for at in sent) for begun in sent)
    assert most <= 60
    assert used > 0


async def test_a_result_too_large_to_keep_is_saved_from_its_own_url() -> None:
    page = {key: value for key, value in PAGE.items() if key != "stages"}
    large = json.dumps({"output": "x" * 9 * 1024 * 1024}).encode()
    script = {"/jobs/1": [Say(DONE)], "/jobs/1/output": [Say(large)]}
    async with sight(script, page) as seen:
        job = await seen.until()
        pieces: list[bytes] = []
        assert job.result is None
        assert (job.dropped_result or 0) // 1024 == 9 * 1024
        async with asyncio.timeout(PATIENCE):
            assert await seen.engine.download(job.key, pieces.append) is None
    assert b"".join(pieces) == large


@pytest.mark.parametrize(
    ("answer", "saved"), [(DONE, "/jobs/1/output"), ({**DONE, "output": 5}, "/jobs/1"), (BROKEN, "/jobs/1")]
)
async def test_what_is_saved_is_where_the_result_is(answer: dict[str, object], saved: str) -> None:
    fields = PAGE["fields"] | {"result": "$.output"}
    page = {key: value for key, value in PAGE.items() if key != "stages"} | {"fields": fields}
    script = {"/jobs/1": [Say(answer)], "/jobs/1/output": [Say({"output": 7}), Say({"output": 8})]}
    async with sight(script, page) as seen:
        job = await seen.until()
        pieces: list[bytes] = []
        async with asyncio.timeout(PATIENCE):
            assert await seen.engine.download(job.key, pieces.append) is None
            assert await seen.engine.download(job.key, pieces.append) is None
    expected = {"output": 8} if saved.endswith("output") else answer
    assert b"".join(pieces) == 2 * json.dumps(expected).encode()


async def test_a_result_that_cannot_be_saved_says_why() -> None:
    page = {key: value for key, value in PAGE.items() if key != "stages"}
    script = {"/jobs/1": [Say(DONE), Say(DONE), Say({}, 404)], "/jobs/1/output": [Say({"output": 7}), Say({}, 403)]}
    async with sight(script, page) as seen:
        job = await seen.until()
        async with asyncio.timeout(PATIENCE):
            of_part = await seen.engine.download(job.key, lambda _: None)
            of_job = await seen.engine.download(job.key, lambda _: None)
    assert (of_part and of_part.kind, of_job and of_job.kind) == (ProblemKind.PERMISSION, ProblemKind.NOT_FOUND)


async def test_a_result_that_made_room_for_others_is_fetched_again() -> None:
    page = {key: value for key, value in PAGE.items() if key != "stages"}
    script = {"/jobs/1": [Say(DONE)], "/jobs/1/output": [Say({"output": 7})]}
    async with sight(script, page) as seen:
        job = await seen.until()
        registry = seen.engine._registry
        registry._jobs[job.key] = job.without_result()
        assert registry.jobs[job.key].evicted_result == 1
        seen.engine.poll_now(job.key)
        async with asyncio.timeout(PATIENCE):
            while seen.job.result is None:
                await asyncio.sleep(0.005)
        again = seen.job
    assert (again.result, again.facts, again.anomalies) == ("7", (), ())
