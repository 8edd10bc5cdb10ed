"""Cancelling on the screen: never by a key alone, what is named is what is sent, and what came of it is said."""

from jobdeck.app.session import ReadOnly
from jobdeck.domain.cancel import CancelOutcome, CancelResult
from jobdeck.domain.phase import Phase
from jobdeck.domain.problem import Problem, ProblemKind
from jobdeck.simulator.scenario import Api, JobScript, Resource, Scenario, StageScript
from tests.tui.drive import Driven, driven, toasts
from tests.tui.fake import FakeEngine, FakeSession
from tests.tui.test_real_engine import sitting
from tests.tui.world import GROUP, clock_at_noon, exchange, job, key

RUNNING = "a" * 24


def sent(run: Driven) -> list[object]:
    return [what for name, what in run.engine.asked if name == "cancel"]


async def test_the_word_or_the_number_has_to_be_typed_and_finished_jobs_are_left_out() -> None:
    jobs = [job("op_a"), job("op_b"), job("op_c", Phase.SUCCEEDED), job("op_d", Phase.QUEUED)]
    async with driven(jobs) as run:
        await run.press("M", "ctrl+x")
        await run.shows("Cancel 3 remote jobs?")
        assert "skipped: 1 already finished (succeeded)" in run.text
        assert all(one in run.text for one in ("op_a", "op_b", "op_d", "Type cancel or 3 to confirm:"))
        await run.press(*"yes", "enter")
        await run.shows("Nothing sent: type cancel or 3 to confirm:")
        await run.press("escape")
        await run.until(lambda: run.app.screen is run.app.deck)
        assert sent(run) == []
        assert "on 4 selected" in run.text, "nothing was confirmed"
        refused = Problem(ProblemKind.PROTOCOL, "VALIDATION_ERROR: too late", http_status=422)
        run.engine.cancel_results[key("op_b")] = CancelResult(CancelOutcome.REFUSED, refused, exchange("op_b"))
        await run.press("ctrl+x", "3", "enter")
        await run.until(lambda: len(sent(run)) == 3)
        assert set(sent(run)) == {key("op_a"), key("op_b"), key("op_d")}
        assert "cancelling 3 jobs: one request each, within the rate limit" in toasts(run.app)
        await run.until(lambda: "selected" not in run.text)
        await run.until(
            lambda: (
                "3 cancel requests: 2 accepted, 1 refused · op_b: cannot be cancelled now: VALIDATION_ERROR: too late"
                in toasts(run.app)
            )
        )


async def test_it_says_why_a_job_cannot_be_cancelled() -> None:
    why = 'not allowed: set allow = ["cancel"] in [profiles.hog]'
    async with driven([job("op_a"), job("op_z", Phase.SUCCEEDED)]) as run:
        run.engine.obstacles[key("op_a")] = why
        await run.press("ctrl+x")
        await run.until(lambda: f"not cancelled: {why}" in toasts(run.app))
        await run.press("p", "ctrl+x")
        await run.until(lambda: "polling is paused: press p to resume, then cancel again" in toasts(run.app))
        assert run.app.screen is run.app.deck
        assert sent(run) == []


async def test_whoever_looks_only_cannot_cancel() -> None:
    session = FakeSession(FakeEngine(clock_at_noon(), [job("op_a")]))
    session.access = ReadOnly("for looking only")
    async with driven(session=session) as run:
        await run.press("ctrl+x")
        await run.until(lambda: "for looking only" in toasts(run.app))
        assert run.app.screen is run.app.deck
        assert sent(run) == []


async def test_on_the_real_engine_the_servers_answer_shows_it_cancelled() -> None:
    stages = (StageScript("import"),)
    script = JobScript(Api.SONARLY, Resource.PROSPECTING, RUNNING, GROUP, arrival=-50.0, duration=1e6, stages=stages)
    async with sitting(Scenario(jobs=(script,)), f"sonarly:{GROUP}/{RUNNING}") as (run, server):
        await run.shows("● run")
        await run.press("ctrl+x", *"cancel", "enter")
        await run.until(lambda: f"{RUNNING}: cancel request accepted" in toasts(run.app))
        await run.shows("⊘ cancel")
        posts = [record for record in server.requests if record.method == "POST"]
        assert [record.path.rsplit("/", 1)[-1] for record in posts] == ["cancel"]
        # On record, and in the trace of the job, with the ID that the server gave it.
        engine = run.app.deck.deck_state.engine
        assert engine is not None
        (target,) = engine.jobs
        traced = [one for one in engine.exchanges(target) if one.method == "POST"]
        assert [one.trace_id for one in traced] == [posts[0].request_id]
        await run.press("ctrl+x")
        await run.until(lambda: "not cancelled: already finished (cancelled)" in toasts(run.app))
