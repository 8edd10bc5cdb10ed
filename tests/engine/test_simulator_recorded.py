"""The simulator answers from a recording: what was seen at that moment, whoever asks."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest

from jobdeck.apis.targets import parse_target
from jobdeck.domain.exchange import Exchange
from jobdeck.domain.job import Observation
from jobdeck.domain.phase import Phase
from jobdeck.domain.problem import Problem, ProblemKind
from jobdeck.engine.engine import Engine
from jobdeck.recording import facts as f
from jobdeck.recording.reader import read_recording
from jobdeck.simulator.demo import demo_scenario, demo_targets
from jobdeck.simulator.recorded import Answers
from jobdeck.simulator.scenario import Scenario
from jobdeck.simulator.server import SimulatorServer
from jobdeck.wiring import Wiring
from jobdeck.wiring.recording import Recorder
from tests.builders import make_target
from tests.engine.running import FastClock, settings_for, until
from tests.recording.making import at, write
from tests.simulator_fixture import BEARER, HandClock, client_of

ONE, LISTED = make_target("op_one"), make_target("op_listed")
LIST = "https://a.example/api/operations?limit=100"


def reply(second: int, status: str = "", problem: Problem | None = None, body: str | None = None) -> f.Replied:
    http_status = 200 if problem is None else problem.http_status
    exchange = Exchange("hog", "GET", "https://a.example/api/operations/op_one", at(second), 0.0, ONE.key, http_status,
                        f"request-{second}", problem=problem)  # fmt: skip
    phase = Phase.SUCCEEDED if status == "succeeded" else Phase.RUNNING
    seen = () if problem is not None else (Observation("op_one", status, phase),)
    return f.Replied(at(second), ONE.key, exchange, seen, body or (f'{{"status":"{status}"}}' if seen else None))


def listed(second: int, *statuses: tuple[str, str], whole: bool) -> f.Replied:
    rows = [{"id": id_, "status": status} for id_, status in statuses]
    exchange = Exchange("hog", "GET", LIST, at(second), 0.0, None, 200, f"list-{second}")
    phases = {"succeeded": Phase.SUCCEEDED}
    seen = tuple(Observation(id_, word, phases.get(word, Phase.RUNNING), whole=whole) for id_, word in statuses)
    return f.Replied(at(second), None, exchange, seen, json.dumps({"data": rows}))


def answers(folder: Path, *told: f.Fact) -> Answers:
    added = [f.Added(at(0), target) for target in (ONE, LISTED)]
    return Answers(read_recording(write(folder / "one.jobdeck", [*added, *told], end=at(100))))


async def test_each_poll_is_answered_with_what_was_seen_then(tmp_path: Path) -> None:
    refused = Problem(ProblemKind.RATE_LIMIT, "slow down", 429, retry_at_us=at(60).us)
    told = (
        reply(10, "queued"),
        reply(20, "processing"),
        reply(30, problem=Problem(ProblemKind.SERVER_ERROR, "HTTP 503: out for lunch", 503)),
        reply(40, problem=refused),
        reply(50, problem=Problem(ProblemKind.NETWORK, "connection refused")),
        reply(60, "processing", Problem(ProblemKind.NOT_JSON, "not JSON", 200), "<html>"),
        reply(70, "succeeded"),
    )
    clock = HandClock()
    async with (
        SimulatorServer(Scenario(speed=2.0), clock=clock, answers=answers(tmp_path, *told)) as server,
        client_of(server.url, BEARER) as client,
    ):

        async def ask(second: float, path: str = "/api/operations/op_one") -> httpx.Response:
            clock.now = begun + second / 2
            return await client.get(path)

        begun = clock.now
        first = await ask(0)
        assert (first.json(), first.headers["x-request-id"]) == ({"status": "queued"}, "request-10")
        assert [(await ask(second)).json() for second in (10, 19.9, 20)] == [
            {"status": "queued"},
            {"status": "queued"},
            {"status": "processing"},
        ]
        lunch = await ask(35)
        assert (lunch.status_code, lunch.json()["message"]) == (503, "HTTP 503: out for lunch")
        wait = await ask(44)
        assert (wait.status_code, wait.headers["retry-after"]) == (429, "8")
        with pytest.raises(httpx.TransportError):
            await ask(52)
        page = await ask(65)
        assert (page.status_code, page.text) == (200, "<html>")
        assert (await ask(70)).json() == (await ask(10_000)).json() == {"status": "succeeded"}
        assert (await ask(70, "/api/operations/op_other")).status_code == 404
        assert (await ask(70, "/api/operations?limit=5")).status_code == 404
        assert server.stats.by_status[503] == 1


async def test_lists_tell_what_they_told_and_a_poll_never_less_than_a_list(tmp_path: Path) -> None:
    """A list that tells only the status tells it before the poll that tells all: the poll is told early, not late."""
    told = (
        listed(10, ("op_listed", "processing"), whole=True),
        reply(20, "processing"),
        listed(30, ("op_one", "succeeded"), whole=False),
        reply(40, "succeeded"),
        listed(50, ("op_listed", "succeeded"), ("op_one", "succeeded"), whole=True),
    )
    replies = answers(tmp_path, *told)
    assert sorted(replies.targets) == ["op_listed", "op_one"]

    def found(path: str, now: float, query: str = "") -> str | None:
        answer = replies.find(path, query, now)
        return None if answer is None else answer[2]

    assert found("/api/operations/op_one", 25) == '{"status":"processing"}'
    assert found("/api/operations/op_one", 31) == '{"status":"succeeded"}'
    assert json.loads(found("/api/operations/op_listed", 12) or "") == {"id": "op_listed", "status": "processing"}
    assert json.loads(found("/api/operations/op_listed", 60) or "") == {"id": "op_listed", "status": "succeeded"}
    assert "op_listed" in (found("/api/operations", 12, "limit=100") or "")
    assert "op_one" in (found("/api/operations", 55, "limit=100") or "")
    assert found("/api/operations", 12, "limit=7") is None


async def test_a_list_never_contradicts_what_another_answer_told_since(tmp_path: Path) -> None:
    """Pages by status are asked for at different times: a job that has ended is on none of those that still run."""
    told = (listed(10, ("op_one", "processing"), ("op_listed", "processing"), whole=False), reply(20, "succeeded"))
    replies = answers(tmp_path, *told)
    before, after = (replies.find("/api/operations", "limit=100", now) for now in (15, 25))
    assert before is not None
    assert before[2] is not None
    assert after is not None
    assert json.loads(before[2])["data"] == [{"id": id_, "status": "processing"} for id_ in ("op_one", "op_listed")]
    assert json.loads(after[2] or "")["data"] == [{"id": "op_listed", "status": "processing"}]


async def test_an_engine_sees_on_a_recording_what_the_one_saw_that_made_it(tmp_path: Path) -> None:
    scenario = demo_scenario(jobs=12, seed=1)
    path = tmp_path / "one.jobdeck"

    def ends(engine: Engine) -> dict[str, object]:
        """How jobs ended, of those of which the whole is known."""
        ended = [job for job in engine.jobs.values() if job.terminal and not job.summary_only]
        return {job.key.id: (job.status, job.progress, job.error, job.result, job.facts) for job in ended}

    @asynccontextmanager
    async def watching(answers: Answers | None, recorded: Path | None = None) -> AsyncIterator[Engine]:
        clock = FastClock(60.0)
        async with SimulatorServer(scenario, clock=lambda: clock.now().us / 1e6, answers=answers) as server:
            wiring = Wiring({}, settings=settings_for(server.url, 600), clock=clock, keep=False)
            recorder = Recorder(recorded, {"hog": "thehog"}, clock) if recorded is not None else None
            engine = wiring.open(recorder=recorder).engine
            engine.add(parse_target(text, wiring.registry) for text in demo_targets(scenario))
            polling = asyncio.create_task(engine.run())
            yield engine
            polling.cancel()
            await asyncio.gather(polling, return_exceptions=True)
            if recorder is not None:
                await recorder.close()
            await engine.aclose()

    async with watching(None, path) as engine:
        await until(lambda: len(ends(engine)) >= 5)
        live = ends(engine)
    async with watching(Answers(read_recording(path))) as engine:
        await until(lambda: ends(engine).keys() >= live.keys())
        again = ends(engine)
    assert {id_: again[id_] for id_ in live} == live
