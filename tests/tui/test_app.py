import asyncio
import subprocess
import sys
from dataclasses import replace

import pytest
from textual import events
from textual.widgets import Input

from jobdeck.domain.job import Job
from jobdeck.domain.phase import Phase
from jobdeck.domain.problem import ProblemKind
from jobdeck.domain.timeline import TimelineEvent, TimelineEventKind
from jobdeck.engine.subscription import ChangeSet
from jobdeck.scheduling.outlook import NextPoll, QuotaSnapshot
from jobdeck.tui.app import JobdeckApp
from jobdeck.tui.widgets.detail import Detail
from jobdeck.tui.widgets.job_list import JobList
from jobdeck.tui.widgets.panes import Panes
from jobdeck.tui.widgets.static import GroupStrip
from jobdeck.tui.widgets.trace import Trace
from tests.tui.drive import driven, painted, toasts
from tests.tui.fake import FakeEngine, FakeSession
from tests.tui.world import (
    NOON,
    UUID,
    ago,
    clock_at_noon,
    deck_of_every_state,
    exchange,
    job,
    key,
    problem,
    stage,
    target,
)


class DisguisedError(Exception):
    """An error of ours, as far as its module tells."""


DisguisedError.__module__ = "jobdeck.config"


async def test_the_deck_shows_list_job_and_trace() -> None:
    jobs = deck_of_every_state()
    async with driven(jobs, [exchange(jobs[0].key.id)]) as run:
        await run.shows("✗ failed")
        await run.shows("── op_01HZ9K2QW3RV4M5N6P7Q8R9S0T ──")
        await run.shows("UPSTREAM_TIMEOUT")
        await run.shows("Errors & trace · 1 request")
        await run.shows("y copy ID")


async def test_the_engine_is_opened_after_the_first_frame() -> None:
    session = FakeSession(FakeEngine(clock_at_noon(), [job("op_a")]))
    session.gate.clear()
    async with driven(session=session, ready=False) as run:
        await run.shows("starting…")
        session.gate.set()
        await run.shows("op_a")
        assert "opening" not in run.text


async def test_the_first_frame_shows_what_is_remembered() -> None:
    session = FakeSession(FakeEngine(clock_at_noon()))
    session.remembered = (job("op_a"),)
    frames: list[int] = []

    class Watched(JobdeckApp):
        def on_ready(self) -> None:
            frames.append(self.deck.deck_state.table.total)

    async with Watched(session).run_test():
        pass
    assert frames == [1]


async def test_a_slow_store_does_not_hold_up_the_first_frame() -> None:
    found = asyncio.Event()

    class Slow(FakeSession):
        async def load_saved_jobs(self) -> tuple[Job, ...]:
            await found.wait()
            return await super().load_saved_jobs()

    session = Slow(FakeEngine(clock_at_noon()))
    session.remembered = (job("op_a"),)
    session.gate.clear()
    async with driven(session=session, ready=False) as run:
        assert run.app.deck.deck_state.table.total == 0
        found.set()
        await run.shows("op_a")


async def test_what_is_remembered_is_there_before_the_engine_and_keeps_the_selection() -> None:
    jobs = [job(f"op_{name}") for name in "abcde"]
    session = FakeSession(FakeEngine(clock_at_noon(), jobs))
    session.gate.clear()
    session.remembered, session.reading = (jobs[1], jobs[3]), 5
    async with driven(session=session, ready=False) as run:
        await run.shows("reading 2 of 5")
        await run.press("j")
        selected = run.app.deck.query_one(JobList).selected
        await run.press("r", "y")
        assert toasts(run.app)[0] == "still starting, try again in a moment"
        assert run.clipboard.sent == [UUID]
        session.gate.set()
        await run.shows("reading 5 of 5")
        session.reading = 0
        run.app.deck.tick()
        await run.until(lambda: "reading" not in run.text)
        assert run.app.deck.query_one(JobList).selected == selected
        assert ("focus", selected) in run.engine.asked
        shown = [keys for what, keys in run.engine.asked if what == "show"]
        assert {len(shown[0]), len(shown[-1])} == {2, 5}


async def test_a_deck_without_jobs_says_how_to_get_some() -> None:
    async with driven() as run:
        await run.shows("No jobs yet.")
        await run.shows("curl … | jobdeck -")
        assert "Errors & trace" not in run.text
        run.engine.put(job("op_a"))
        await run.shows("Errors & trace")
        assert "No jobs" not in run.text


async def test_a_change_is_drawn_where_it_belongs() -> None:
    async with driven([job("op_a"), job("op_b")]) as run:
        run.engine.put(job("op_b", progress=0.66, version=2))
        await run.shows("66%")
        assert "op_b" in painted(run.app)[run.line_of("66%")]


async def test_the_job_pane_follows_its_job_and_not_its_line() -> None:
    async with driven([job("op_a", changed=ago(1)), job("op_b", changed=ago(9))]) as run:
        await run.press("j")
        await run.shows("── op_b ──")
        run.engine.put(job("op_c", Phase.FAILED), job("op_d", Phase.FAILED))
        await run.until(lambda: run.app.deck.deck_state.table.total == 4)
        assert "── op_b ──" in run.text
        assert ("focus", key("op_b")) in run.engine.asked
        assert run.engine.asked[-1] != ("focus", key("op_a"))


async def test_the_engine_is_told_which_rows_are_in_view() -> None:
    async with driven([job("op_a"), job("op_b")]) as run:
        await run.until(lambda: any(name == "show" and len(keys) == 2 for name, keys in run.engine.asked))


async def test_a_terminal_in_the_background_has_everything_asked_less_often() -> None:
    async with driven([job("op_a")]) as run:
        run.app.post_message(events.AppBlur())
        await run.until(lambda: run.engine.asked[-1] == ("attend", False))
        run.app.post_message(events.AppFocus())
        await run.until(lambda: run.engine.asked[-1] == ("attend", True))


async def test_time_passes_on_the_screen() -> None:
    async with driven([job("op_a")], size=(130, 24)) as run:
        await run.shows("2m05s      ?      4s")
        run.clock.advance(30)
        run.app.deck.tick()
        await run.shows("2m35s      ?     34s")
        await run.shows("14:02:30Z")


async def test_y_sends_the_request_id_of_the_selected_job() -> None:
    async with driven([job("op_a"), job("op_b", request_id="id-of-b")]) as run:
        await run.press("y")
        assert run.clipboard.sent == [UUID]
        assert toasts(run.app) == [f"{UUID}\nrequest ID of op_a (latest poll) sent to clipboard (a test) · C to view"]
        await run.press("j", "y")
        assert run.clipboard.sent == [UUID, "id-of-b"]


async def test_y_on_the_trace_sends_the_id_of_that_exchange() -> None:
    looks = [exchange("op_a", 4, request_id="newest"), exchange("op_a", 9, request_id="older")]
    async with driven([job("op_a")], looks) as run:
        await run.press("tab", "tab", "j", "y")
        assert run.clipboard.sent == ["older"]


async def test_the_selected_exchange_stays_selected_when_newer_ones_come() -> None:
    looks = [exchange("op_a", 4, request_id="newest"), exchange("op_a", 9, request_id="older")]
    async with driven([job("op_a")], looks) as run:
        await run.press("tab", "tab", "j")
        run.engine.put(job("op_a", version=2), exchanges=[exchange("op_a", 0, request_id="brand-new")])
        await run.shows("brand-new")
        await run.press("y", "g", "y")
        assert run.clipboard.sent == ["older", "brand-new"]


async def test_y_before_the_first_answer_says_that_there_is_nothing_yet() -> None:
    async with driven([Job(target=target("op_a"), added=NOON)]) as run:
        await run.press("y")
        assert toasts(run.app) == ["no request ID yet: waiting for the first response"]
        assert run.clipboard.sent == []


async def test_osc_52_goes_through_the_driver(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TMUX", raising=False)
    session = FakeSession(FakeEngine(clock_at_noon(), [job("op_a")]))
    app = JobdeckApp(session)
    async with app.run_test() as pilot:
        written: list[str] = []
        assert app._driver is not None
        monkeypatch.setattr(app._driver, "write", written.append)
        while not app.deck.deck_state.table.total:
            await pilot.pause()
        await pilot.press("y")
        assert any(one.startswith("\x1b]52;c;") and one.endswith("\a") for one in written)


async def test_d_stops_watching_and_u_brings_it_back() -> None:
    async with driven([job("op_a"), job("op_b")]) as run:
        await run.press("d")
        await run.until(lambda: run.app.deck.deck_state.table.total == 1)
        assert toasts(run.app)[0] == "stopped watching op_a (u to undo)"
        await run.press("u")
        await run.until(lambda: run.app.deck.deck_state.table.total == 2)
        assert key("op_a") in run.engine.jobs


async def test_r_asks_for_one_job_and_shift_r_for_all() -> None:
    async with driven([job("op_a")]) as run:
        await run.press("r", "R")
        assert run.engine.asked[-2:] == [("poll_now", key("op_a")), ("poll_all_now", None)]


async def test_p_pauses_and_says_so_until_it_goes_on() -> None:
    async with driven([job("op_a")]) as run:
        await run.press("p")
        assert run.engine.paused
        await run.shows("PAUSED")
        await run.shows("p resume")
        await run.press("p")
        assert not run.engine.paused
        await run.until(lambda: "PAUSED" not in run.text)


async def test_what_changes_while_the_screen_is_taken_down_is_no_fault() -> None:
    async with driven([job("op_a")]) as run:
        await run.app.deck.query_one(Panes).remove()
        run.app.deck.tick()
        run.app.deck.draw(ChangeSet((job("op_a", Phase.FAILED, version=2),)))


async def test_tab_goes_round_the_panes_and_escape_back_to_the_list() -> None:
    async with driven([job("op_a")]) as run:
        for kind in (Detail, Trace, JobList, Detail):
            await run.press("tab")
            assert isinstance(run.app.focused, kind)
        await run.press("shift+tab", "shift+tab")
        assert isinstance(run.app.focused, Trace)
        await run.press("escape")
        assert isinstance(run.app.focused, JobList)


async def test_enter_goes_into_the_job_and_then_into_its_trace() -> None:
    async with driven([job("op_a")]) as run:
        await run.press("enter")
        assert isinstance(run.app.focused, Detail)
        await run.press("enter")
        assert isinstance(run.app.focused, Trace)


async def test_z_gives_the_screen_to_one_pane_and_takes_it_back() -> None:
    async with driven([job("op_a")], [exchange("op_a")]) as run:
        await run.press("tab", "z")
        await run.until(lambda: "STATE" not in run.text and "Errors & trace" not in run.text)
        await run.press("tab")
        await run.until(lambda: "Errors & trace" in run.text and "── op_a" not in run.text)
        assert isinstance(run.app.focused, Trace)
        await run.press("z")
        await run.until(lambda: "STATE" in run.text and "── op_a" in run.text)


async def test_where_only_the_list_fits_enter_opens_the_job_alone() -> None:
    async with driven([job("op_a")], size=(60, 9)) as run:
        assert "── op_a" not in run.text
        await run.press("enter")
        await run.shows("── op_a")
        await run.until(lambda: isinstance(run.app.focused, Detail))
        await run.press("escape")
        await run.until(lambda: "STATE" in run.text)
        assert isinstance(run.app.focused, JobList)


async def test_the_help_lists_every_key_and_goes_away() -> None:
    async with driven([job("op_a")], size=(100, 60)) as run:
        await run.press("question_mark")
        await run.shows("y  copy ID")
        await run.shows("Legend")
        await run.press("escape")
        await run.until(lambda: "Legend" not in run.text)


async def test_the_palette_holds_our_actions_and_no_others() -> None:
    async with driven([job("op_a")], size=(100, 60)) as run:
        await run.press("colon")
        await run.shows("y: copy the request ID")
        assert "Screenshot" not in run.text
        await run.press(*"pause")
        await run.shows("p: pause or resume polling")
        await run.press("enter")
        await run.until(lambda: run.engine.paused)


async def test_ctrl_p_opens_the_palette_of_the_deck_and_nothing_in_a_dialog() -> None:
    async with driven([job("op_a")], size=(100, 40)) as run:
        await run.press("S")
        await run.until(lambda: run.app.screen is not run.app.deck)
        menu = run.app.screen
        await run.press("ctrl+p")
        assert run.app.screen is menu
        await run.press("escape", "ctrl+p")
        await run.shows("space: select and move down")
        assert not run.app.screen.query_one(Input).cursor_blink, "a cursor that blinks is drawn for ever"


async def test_the_trace_tells_what_an_exchange_changed() -> None:
    async with driven([job("op_a")]) as run:
        look = exchange("op_a", 0)
        began = TimelineEvent(
            NOON.us, TimelineEventKind.PHASE, "processing", None, "queued", "running", look.request_id
        )
        again = TimelineEvent(NOON.us, TimelineEventKind.RECOVERED, "after 3 failed polls", request_id=look.request_id)
        run.engine.timelines[key("op_a")] = (again, began)
        run.engine.put(job("op_a", version=2), exchanges=[look])
        await run.shows("reachable again after 3 failed polls, queued →")


async def test_a_halted_profile_is_named_with_the_way_out() -> None:
    async with driven([job("op_a")]) as run:
        run.engine.halts = {"hog": problem(ProblemKind.AUTH, "Invalid key", http_status=401)}
        run.engine.put(job("op_a", version=2, failures=1, problem=run.engine.halts["hog"]))
        await run.shows("✗ hog: API key rejected (401)  run `jobdeck doctor`, then press R")


async def test_a_profile_that_cannot_be_seen_says_since_when() -> None:
    dark = job("op_a", failures=2, problem=problem(ProblemKind.NETWORK), observed=ago(96))
    async with driven([dark]) as run:
        await run.shows("? hog: no data since 14:00:24Z  unreachable")
        busy = problem(ProblemKind.SERVER_ERROR, "overloaded", http_status=503)
        run.engine.tries["hog"] = NOON.mono + 21
        run.engine.put(job("op_a", version=2, failures=2, problem=dark.problem, outage=busy, observed=ago(96)))
        await run.shows("no data since 14:00:24Z  server error (503), next try in 21s (R: now)")
        await run.press("r")
        await run.until(lambda: "next try: hog in 21s" in toasts(run.app))
        run.engine.tries["hog"] = NOON.mono
        await run.press("R")
        await run.until(lambda: any("next try: hog now; refreshing every" in toast for toast in toasts(run.app)))
        run.engine.put(job("op_a", version=3))
        await run.until(lambda: "no data since" not in run.text)


async def test_what_happens_next_is_on_the_screen() -> None:
    one = job("op_a", failures=2, problem=problem(ProblemKind.NETWORK, "connection refused"))
    async with driven([one]) as run:
        run.engine.plans[key("op_a")] = NextPoll(NOON.mono + 6, 5, 2)
        run.app.deck.tick()
        await run.shows("? unreachable: connection refused")
        await run.shows("→ attempt 3, next poll in 6s")


async def test_the_budget_is_in_the_header() -> None:
    async with driven([job("op_a")]) as run:
        run.engine.budget = {"hog": QuotaSnapshot(60, 38), "unused": QuotaSnapshot(10, 0)}
        run.app.deck.tick()
        await run.shows("hog 38/60")


async def test_the_notices_of_the_start_are_shown() -> None:
    session = FakeSession(FakeEngine(clock_at_noon()), ("refused: [/red] of another origin",))
    async with driven(session=session) as run:
        assert toasts(run.app) == ["refused: [/red] of another origin"]


async def test_a_notice_that_opening_brings_is_shown_as_well() -> None:
    session = FakeSession(FakeEngine(clock_at_noon()), ("first",))
    session.gate.clear()
    async with driven(session=session, ready=False) as run:
        await run.shows("starting…")
        session.notices = ("first", "the store is read-only: nothing is kept")
        session.gate.set()
        await run.until(lambda: len(toasts(run.app)) == 2)
        assert sorted(toasts(run.app)) == ["first", "the store is read-only: nothing is kept"]


async def test_an_engine_that_stops_leaves_its_jobs_and_says_that_they_are_the_past() -> None:
    async with driven([job("op_a")]) as run:
        await run.until(lambda: run.engine.failure is not None)
        assert run.engine.failure is not None
        run.engine.failure.set_exception(RuntimeError("sk_live_canary"))
        await run.shows("the engine stopped: an unexpected RuntimeError")
        await run.shows("op_a")
        assert "canary" not in run.text
        await run.press("y")
        assert run.clipboard.sent == [UUID]
        await run.press("q")
        await run.until(lambda: not run.app.is_running or run.app.return_code is not None)
    assert run.app.return_code == 1
    assert run.engine.closed


async def test_an_engine_that_cannot_be_opened_says_why_in_our_own_words() -> None:
    session = FakeSession(FakeEngine(clock_at_noon()))
    session.refuse = DisguisedError("profile hog: THE_HOG_ACCESS_KEY is not set")
    async with driven(session=session, ready=False) as run:
        await run.shows("profile hog: THE_HOG_ACCESS_KEY is not set")


@pytest.mark.parametrize(("pressed", "code"), [("q", 0), ("ctrl+c", 130)])
async def test_quitting_closes_the_engine_and_says_how_it_went(pressed: str, code: int) -> None:
    async with driven([job("op_a")]) as run:
        await run.press(pressed)
        await run.until(lambda: run.engine.closed)
    assert (run.app.return_value, run.app.return_code) == (code, code)


async def test_quitting_waits_two_seconds_at_most(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("jobdeck.tui.app.CLOSE_SECONDS", 0.05)
    async with driven([job("op_a")]) as run:

        async def never() -> None:
            await asyncio.sleep(3_600)

        monkeypatch.setattr(run.engine, "aclose", never)
        async with asyncio.timeout(100):
            await run.press("q")
            await run.until(lambda: run.app.return_value == 0)


async def test_every_size_is_drawn_line_by_line_to_its_width() -> None:
    jobs = deck_of_every_state()
    async with driven(jobs, [exchange(jobs[0].key.id)]) as run:
        for size in ((20, 5), (1, 1), (40, 10), (60, 20), (79, 24), (140, 12), (200, 50)):
            await run.resize(*size)
            await run.press("tab", "z", "escape", "G")
            strips = run.app.screen._compositor.render_strips()
            assert len(strips) == size[1]
            assert {strip.cell_length for strip in strips} == {size[0]}


async def test_a_zoomed_pane_has_the_whole_width_and_else_what_it_is_made_for() -> None:
    async with driven([job("op_a")], size=(200, 40)) as run:
        panes = [run.app.deck.query_one(kind) for kind in (Detail, Trace)]
        assert [pane.size.width for pane in panes] == [76, 76]
        await run.press("tab", "z")
        await run.until(lambda: panes[0].size.width == 200)
        await run.press("tab")
        await run.until(lambda: panes[1].size.width == 200)


async def test_a_terminal_that_gets_too_small_for_a_pane_gives_its_keys_to_the_list() -> None:
    async with driven([job("op_a"), job("op_b")], size=(120, 36)) as run:
        await run.press("tab", "tab")
        assert isinstance(run.app.focused, Trace)
        await run.resize(40, 10)
        await run.until(lambda: run.app.deck.query_one(JobList).has_focus)
        await run.press("enter")
        await run.until(lambda: run.app.deck.query_one(Detail).has_focus)
        await run.press("z")
        await run.until(lambda: run.app.deck.query_one(JobList).has_focus)


async def test_a_terminal_that_changes_its_size_keeps_the_selected_job_in_view() -> None:
    jobs = [job(f"op_{number:03d}") for number in range(60)]
    async with driven(jobs, size=(120, 50)) as run:
        await run.press(*"jjjjjjjjjjjjjjjjjjjj")
        chosen = run.app.deck.query_one(JobList).selected
        assert chosen is not None
        for size in ((80, 24), (60, 12), (20, 5), (150, 30)):
            await run.resize(*size)
            await run.until(lambda: any(line.startswith("▸") for line in painted(run.app)))
            assert run.app.deck.query_one(JobList).selected == chosen


async def test_states_and_errors_have_their_own_line_as_soon_as_the_terminal_has_room_for_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("jobdeck.tui.app.TICK_SECONDS", 3_600.0)
    async with driven(deck_of_every_state()) as run:
        strip = run.app.deck.query_one(GroupStrip)
        await run.until(lambda: strip.display)
        await run.resize(80, 12)
        await run.until(lambda: not strip.display)
        await run.resize(80, 24)
        await run.until(lambda: strip.display)
        await run.press("question_mark")
        await run.resize(80, 12)
        await run.press("escape")
        await run.until(lambda: not strip.display)


async def test_a_stage_moves_in_the_job_pane() -> None:
    one = job("507f", profile="sonarly", stages=(stage("import", Phase.RUNNING, 0.2, 30),))
    async with driven([one]) as run:
        await run.shows("20%")
        moved = replace(one, stages=(stage("import", Phase.RUNNING, 0.6, 30),), version=2)
        run.engine.put(moved)
        await run.shows("60%")


def test_importing_the_app_imports_no_http_and_no_models() -> None:
    code = (
        "import sys, jobdeck.tui.app; print([m for m in ('httpx', 'pydantic', 'h11', 'aiohttp') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


async def test_a_key_leaves_the_mouse_to_the_terminal_and_takes_it_back_whatever_has_the_focus() -> None:
    async with driven([job("op_a")]) as run:
        driver = run.app._driver
        assert driver is not None
        written: list[str] = []
        driver.write = written.append  # type: ignore[method-assign]
        await run.press("slash", "ctrl+t")
        await run.until(lambda: "mouse off: drag to select text" in toasts(run.app))
        assert any("\x1b[?1000l" in text for text in written)
        await run.press("ctrl+t")
        await run.until(lambda: "mouse on" in toasts(run.app))
        assert any("\x1b[?1000h" in text for text in written)
