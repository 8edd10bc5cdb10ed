"""The screen on the real engine, over HTTP to the simulator, in time that passes twenty times as fast."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from jobdeck.apis.targets import parse_target
from jobdeck.app.context import AppContext
from jobdeck.app.live_session import LiveSession
from jobdeck.app.session import Preference
from jobdeck.simulator.demo import demo_scenario, demo_targets
from jobdeck.simulator.scenario import JobScript, Resource, Scenario
from jobdeck.simulator.server import SimulatorServer
from jobdeck.tui.app import JobdeckApp
from tests.engine.running import settings_for, until
from tests.store.postgres.database import new_database
from tests.support.clocks import FastClock
from tests.support.team import Team, running
from tests.tui.drive import Clipboard, Driven, toasts

SPEED = 20.0


@asynccontextmanager
async def sitting(scenario: Scenario, *texts: str) -> AsyncIterator[tuple[Driven, SimulatorServer]]:
    clock = FastClock(SPEED)
    async with SimulatorServer(scenario, clock=lambda: clock.now().us / 1e6) as server:
        context = AppContext({}, settings=settings_for(server.url), clock=clock, keep=False)
        targets = tuple(parse_target(text, context.registry) for text in texts)
        clipboard = Clipboard()
        app = JobdeckApp(LiveSession(context, targets), write_clipboard=clipboard, frame_seconds=0.02)
        async with app.run_test(size=(120, 36)) as pilot:
            run = Driven(app, pilot, None, clipboard)  # type: ignore[arg-type] - there is no fake session
            await run.until(lambda: app.deck.deck_state.engine is not None)
            yield run, server
            await run.press("q")


async def test_every_job_of_a_demo_is_seen_and_its_request_id_is_one_that_was_sent() -> None:
    scenario = demo_scenario(jobs=12, seed=1)
    async with sitting(scenario, *demo_targets(scenario)) as (run, server):
        watch = run.app.deck.deck_state
        await run.until(lambda: watch.table.total == 12 and watch.settled)
        await run.shows("● run")
        await run.until(lambda: all(row.job.support_id is not None for row in watch.table.rows()))
        await run.press("j", "y")
        await run.until(lambda: bool(run.clipboard.sent))
        assert run.clipboard.sent[0] in {record.request_id for record in server.requests}
        await run.shows("✗ failed")
        await run.shows("UPSTREAM_TIMEOUT")
        await run.press("g", "tab", "tab", "enter")
        for text in ("200 OK", "of 300 left", "content-type application/json", "body "):
            await run.shows(text)
        await run.press("escape")


async def test_a_server_that_falls_silent_leaves_the_past_on_the_screen_and_says_so() -> None:
    scenario = demo_scenario(jobs=8, seed=1)
    async with sitting(scenario, demo_targets(scenario)[7]) as (run, server):
        await run.shows("● run")
        await server.stop()
        await run.shows("? unreach")
        await run.shows("hog: no data since")
        await run.shows("next poll in")
        await run.shows("no request ID: no response")
        await server.start()
        await run.shows("● run")
        await run.until(lambda: "no data since" not in run.text)


async def test_what_was_chosen_and_a_note_are_there_at_the_next_start_of_the_same_data_and_of_no_other(
    tmp_path: Path,
) -> None:
    async with SimulatorServer(demo_scenario(jobs=8, seed=1)) as server:
        settings, env = settings_for(server.url), {"JOBDECK_DATA_DIR": str(tmp_path)}
        context = AppContext(env, settings=settings)
        (target,) = [parse_target(text, context.registry) for text in demo_targets(demo_scenario(jobs=8, seed=1))[:1]]
        app = JobdeckApp(LiveSession(context, (target,)), write_clipboard=Clipboard(), frame_seconds=0.02)
        async with app.run_test(size=(120, 36)) as pilot:
            run = Driven(app, pilot, None, Clipboard())  # type: ignore[arg-type] - there is no fake session
            await run.until(lambda: app.deck.deck_state.engine is not None and app.deck.deck_state.table.total == 1)
            await run.press("s", "s", "S", "r", "escape", "t", "Y", "n", *"it hangs", "escape", "escape", "q")
            await run.until(lambda: app._exit)
        kept = {Preference.ORDER: "-KIND", Preference.THEME: "jobdeck-light"}
        for next_time, chosen, note in ((AppContext(env, settings=settings), kept, "it hangs"),
                                        (AppContext(env, settings=settings, keep=False), {}, "")):  # fmt: skip
            again = LiveSession(next_time, (target,))
            await again.open()
            assert (again.preferences, await again.note([target.key])) == (chosen, note)
            assert ("it hangs" in await again.ticket([target.key])) is bool(note)
            await again.close()


async def test_pasted_targets_are_watched_and_another_origin_is_refused() -> None:
    scenario = demo_scenario(jobs=8, seed=1)
    first, second, third = demo_targets(scenario)[:3]
    async with sitting(scenario) as (run, server):
        await run.shows("No jobs yet.")
        await run.press("a", *first, "enter", *"https://evil.example/api/operations/op_1")
        await run.shows("✓ 1 job: 1 hog operation")
        await run.shows("✗ 1 refused")
        await run.press("ctrl+s")
        await run.until(lambda: "1 job added" in toasts(run.app))
        # Time passes twenty times as fast: on a busy machine the job may have ended by the first look at it.
        watch = run.app.deck.deck_state
        await run.until(lambda: watch.table.total == 1 and watch.settled)
        assert all("evil" not in record.path for record in server.requests)
        assert {job.target.batch for job in watch.engine.jobs.values()} == {""}
        # What is pasted together is a batch, also of a job that is watched already.
        await run.press("a", *first, "enter", *second, "enter", *third, "ctrl+s")
        await run.until(lambda: "2 jobs added, 1 already watched" in toasts(run.app))
        await run.until(lambda: watch.table.total == 3)
        (batch,) = {row.job.target.batch for row in watch.table.rows()}
        assert batch.startswith("pasted ")


async def test_a_mistyped_id_is_not_found_and_its_profile_stays_reachable() -> None:
    async with sitting(demo_scenario(jobs=8, seed=1), "op_mistyped") as (run, _):
        await run.shows("? not found")
        assert run.app.deck.deck_state.unreachable_profiles() == ()
        assert "no data" not in run.text


async def test_what_others_watch_comes_onto_the_screen_of_a_team_and_goes() -> None:
    jobs = tuple(JobScript(id=f"en_{number}", resource=Resource.ENRICHMENT, duration=600.0) for number in range(2))
    async with new_database() as url, SimulatorServer(Scenario(jobs=jobs)) as server:
        team = Team(url, server.url)
        first, second = team.targets("/api/enrichments/en_0", "/api/enrichments/en_1")
        async with running(LiveSession(team.context("ann"), (first,))) as ann:
            await until(lambda: ann.jobs[first.key].observed is not None)
            app = JobdeckApp(
                LiveSession(team.context("bob", everyone=True), ()), write_clipboard=Clipboard(), frame_seconds=0.02
            )
            async with app.run_test(size=(120, 36)) as pilot:
                run = Driven(app, pilot, None, Clipboard())  # type: ignore[arg-type] - there is no fake session
                await run.shows("en_0")
                assert "WHO" in run.text
                await run.shows("watched by ann")
                ann.add([second])
                await run.shows("en_1")
                # On one's own list, too.
                await run.press("a", *"/api/enrichments/en_1", "enter", "ctrl+s")
                await run.shows("ann, bob")
                ann.remove([first.key, second.key])
                await run.until(lambda: "en_0" not in run.text)
                await run.shows("watched by bob")
                await run.press("q")
