"""What the APIs started lately, on the screen; and what a deck without jobs offers."""

from pathlib import Path

from jobdeck.apis.targets import parse_target
from jobdeck.app.context import AppContext
from jobdeck.app.live_session import LiveSession
from jobdeck.app.session import Discovered, ReadOnly
from jobdeck.domain.phase import Phase
from jobdeck.simulator.demo import demo_scenario, demo_targets
from jobdeck.simulator.server import SimulatorServer
from jobdeck.tui.app import JobdeckApp
from jobdeck.tui.screens.discover import DiscoverScreen
from tests.engine.running import settings_for
from tests.tui.drive import Clipboard, Driven, driven, toasts
from tests.tui.fake import FakeEngine, FakeSession
from tests.tui.world import clock_at_noon, job, key


async def test_the_lists_of_a_real_api_are_shown_on_record_and_what_is_selected_is_watched(tmp_path: Path) -> None:
    scenario = demo_scenario(jobs=8, seed=1)
    async with SimulatorServer(scenario) as server:
        context = AppContext({"JOBDECK_DATA_DIR": str(tmp_path)}, settings=settings_for(server.url))
        first = parse_target(demo_targets(scenario)[0], context.registry)
        session = LiveSession(context, (first,))
        app = JobdeckApp(session, write_clipboard=Clipboard(), frame_seconds=0.02)
        async with app.run_test(size=(120, 36)) as pilot:
            run = Driven(app, pilot, None, Clipboard())  # type: ignore[arg-type] - there is no fake session
            watch = app.deck.deck_state
            await run.until(lambda: watch.engine is not None and watch.table.total == 1)
            await run.press("D")
            await run.shows("8 jobs listed · 1 already watched")
            assert {"hog", "sonarly"} <= set(run.text.split())
            screen = app.screen
            assert isinstance(screen, DiscoverScreen)
            await run.press("M")
            await run.shows("7 selected")
            await run.press("M", "g")
            for _ in range(8):
                await run.press("space")  # that of the watched job does nothing
            await run.press("enter")
            await run.until(lambda: watch.table.total == 8)
            assert "7 jobs added" in toasts(app)
            batches = {row.job.target.batch for row in watch.table.rows() if row.job.key != first.key}
            assert len(batches) == 1
            assert batches.pop().startswith("discovered ")
            assert session._running is not None
            recorded = {record.exchange.url for record in await session._running.store.all_requests()}
            lists = [record for record in server.requests if record.path.endswith("/prospecting")]
            assert lists
            assert {record.path for record in lists} <= {
                url.removeprefix(server.url).partition("?")[0] for url in recorded
            }
            await run.press("q")
        again = LiveSession(AppContext({"JOBDECK_DATA_DIR": str(tmp_path)}, settings=settings_for(server.url)), ())
        engine = await again.start()
        assert len(engine.jobs) == 8, "what was discovered is on the watch list"
        engine.remove(tuple(engine.jobs))
        summary = await again.last_watch_list()
        assert summary is not None
        assert (summary.jobs, summary.used_us is not None) == (8, True)
        assert await again.open_last_watch_list() == 8
        assert len(engine.jobs) == 8
        await again.close()
        other = LiveSession(
            AppContext({"JOBDECK_DATA_DIR": str(tmp_path)}, settings=settings_for(server.url)), (first,)
        )
        engine = await other.start()
        engine.remove([first.key])
        summary = await other.last_watch_list()
        assert summary is not None
        assert summary.jobs == 7, "the rest of the saved list, which this run did not open"
        assert await other.open_last_watch_list() == 7
        await other.close()


async def test_a_profile_without_a_list_says_so_and_a_watched_job_cannot_be_added_twice() -> None:
    session = FakeSession(FakeEngine(clock_at_noon(), [job("op_known")]))
    session.listings = [
        Discovered("hog", (job("op_known"), job("op_new", Phase.FAILED))),
        Discovered("sonarly", notes=("Sonarly cannot list jobs",), complete=True),
    ]
    for size in ((80, 24), (44, 12)):
        async with driven(session=session, size=size) as run:
            await run.press("D")
            await run.shows("Sonarly cannot list jobs")
            await run.shows("reading… 2 jobs")
            await run.press("enter")
            await run.until(lambda run=run: "already watched" in toasts(run.app))
            await run.press("j", "escape")
            await run.shows("op_known")
            assert key("op_new") not in run.engine.jobs
    async with driven(session=session) as run:
        await run.press("D")
        await run.shows("✗ failed")
        await run.press("j", "enter")
        await run.until(lambda: key("op_new") in run.engine.jobs)
        await run.press("p", "D")
        await run.until(lambda: "polling is paused: resume (p) to discover jobs" in toasts(run.app))


async def test_an_empty_deck_offers_all_ways_to_begin() -> None:
    session = FakeSession(FakeEngine(clock_at_noon()))
    session.last_list = (job("op_a"), job("op_b"))
    async with driven(session=session) as run:
        await run.shows("D   discover recent jobs from your APIs   hog · sonarly")
        await run.shows("l   open the last watch list   2 jobs, 2026-04-27 18:02:00Z")
        assert all(text in run.text for text in ("curl … | jobdeck -", "jobdeck demo", "a   add IDs"))
        await run.press("l")
        await run.shows("op_b")
        session.last_list = ()
        await run.press("M", "d")
        await run.shows("No jobs yet.")
        await run.until(lambda: "last watch list" not in run.text)
        await run.press("l")
        await run.until(lambda: "no earlier watch list" in toasts(run.app))


async def test_where_nothing_can_be_changed_nothing_is_offered() -> None:
    session = FakeSession(FakeEngine(clock_at_noon()))
    session.access = ReadOnly("read-only view")
    async with driven(session=session) as run:
        await run.shows("No jobs yet.")
        await run.press("D", "l")
        assert "discover" not in run.text
        assert not isinstance(run.app.screen, DiscoverScreen)
