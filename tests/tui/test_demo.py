"""The demo on the screen: what it shows, and the hints that teach its keys."""

import asyncio
from pathlib import Path

from jobdeck.apis.targets import parse_target
from jobdeck.app.context import AppContext
from jobdeck.app.live_session import LiveSession
from jobdeck.cli.commands.demo import HintFile, demo_estimates, demo_settings
from jobdeck.domain.events import Event, OutageBegan
from jobdeck.domain.phase import Phase
from jobdeck.simulator.demo import demo_scenario, demo_targets
from jobdeck.simulator.server import SimulatorServer
from jobdeck.tui.app import JobdeckApp
from jobdeck.tui.deck_state import DeckState
from jobdeck.tui.render.state import FAILED, STALLED
from jobdeck.tui.widgets.hints import GROUPS, SAME_ERROR, TICKET, HintLine
from tests.support.clocks import FastClock
from tests.tui.drive import Clipboard, Driven
from tests.tui.fake import FakeEngine, FakeSession
from tests.tui.world import clock_at_noon, job

SPEED = 3.0
"""The outage of the demo, twelve seconds, must last long enough on a busy machine to be seen by two polls."""


async def test_the_demo_teaches_its_keys_while_a_job_fails_one_stalls_and_an_api_cannot_be_reached(
    tmp_path: Path,
) -> None:
    env = {"JOBDECK_DATA_DIR": str(tmp_path / "data")}
    clock, scenario = FastClock(SPEED), demo_scenario()
    async with SimulatorServer(scenario, clock=lambda: clock.now().us / 1e6) as server:
        settings = demo_settings(server.url)
        context = AppContext({}, settings=settings, clock=clock, keep=False, estimates=demo_estimates(1.0))
        targets = tuple(parse_target(text, context.registry) for text in demo_targets(scenario))
        app = JobdeckApp(
            LiveSession(context, targets), write_clipboard=Clipboard(), frame_seconds=0.1, hints=HintFile(env)
        )
        async with app.run_test(size=(140, 40)) as pilot:
            run = Driven(app, pilot, None, Clipboard())  # type: ignore[arg-type] - there is no fake session
            state = app.deck.deck_state
            await run.until(lambda: state.engine is not None and state.table.total == len(targets) and state.settled)
            events: list[Event] = []
            collecting = asyncio.create_task(_collect(state, events))
            counts = state.table.counts
            known = {row.job.kind for row in state.table.rows() if row.job.eta is not None}
            assert known >= {"prospecting", "enrichment", "search"}, "how long jobs take is known from the start"
            hints = app.deck.query_one(HintLine)
            below = run.line_of("? help")
            await run.until(lambda: hints.shown is SAME_ERROR)
            await run.shows("Tip: press = on a failed job to see others with the same error   x hides")
            assert run.line_of("? help") == below, "nothing moves"
            await run.press("equals_sign")
            await run.until(lambda: hints.shown is GROUPS)
            await run.press("b", "escape")
            await run.until(lambda: hints.shown is not GROUPS)
            await run.press("exclamation_mark")
            await run.until(lambda: hints.shown is TICKET)
            await run.press("x")
            await run.until(lambda: not hints.display)
            assert "Tip:" not in run.text
            assert HintFile(env).done == {"same_error", "groups", "ticket"}, "none of them comes in the next run"
            await run.until(lambda: counts[STALLED] > 0 and any(isinstance(event, OutageBegan) for event in events))
            assert counts[FAILED] >= 3
            collecting.cancel()
            await run.press("q")


class Hints:
    """A memory of hints that a test fills."""

    def __init__(self, *done: str) -> None:
        self.done = set(done)

    def mark_done(self, action: str) -> None:
        self.done.add(action)


async def test_the_hint_about_the_selected_job_goes_when_another_is_selected() -> None:
    session = FakeSession(FakeEngine(clock_at_noon(), [job("op_bad", Phase.FAILED), job("op_ok", Phase.SUCCEEDED)]))
    app = JobdeckApp(session, write_clipboard=Clipboard(), hints=Hints("same_error", "groups"))
    async with app.run_test(size=(100, 30)) as pilot:
        run = Driven(app, pilot, session, Clipboard())
        await run.shows("Tip: press Y to create a support ticket for this job")
        await run.press("G")
        await run.until(lambda: "Tip: press Y" not in run.text)
        await run.press("g")
        await run.shows("Tip: press Y to create a support ticket for this job")
        hints = app.deck.query_one(HintLine)
        ticking = hints._timer._task if hints._timer is not None else None
        assert ticking is not None
        assert not ticking.done()
        await run.press("x")
        await run.until(lambda: not hints.display)
        await run.until(ticking.done)


async def _collect(state: DeckState, events: list[Event]) -> None:
    assert state.engine is not None
    async for batch in state.engine.subscribe():
        events.extend(batch.events)


def test_where_no_file_can_be_hints_are_remembered_for_the_run(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for env in ({"JOBDECK_DATA_DIR": str(tmp_path / "file" / "below")}, {"JOBDECK_DATA_DIR": str(tmp_path / "file")}):
        hints = HintFile(env)
        hints.mark_done("groups")
        assert hints.done == {"groups"}
        assert HintFile(env).done == set()
