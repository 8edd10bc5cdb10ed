"""What keys do where: the footer and the help follow the pane and the dialog, and what somebody chose is kept."""

import pytest
from textual import events
from textual.widgets import Input

from jobdeck.app.session import Preference
from jobdeck.domain.phase import Phase
from jobdeck.tui.actions import ACTIONS, BY_NAME, FOOTERS, IN_REPLAY, ON_MARKS, Mode, Pane, footer_actions
from jobdeck.tui.job_table import Order
from jobdeck.tui.render.columns import LEAST_REASON, ColumnChoice, Name, columns_for, parse_columns
from jobdeck.tui.render.footer import FooterView, footer
from jobdeck.tui.render.help import found_lines, help_lines, help_sections
from jobdeck.tui.render.spans import line_width, plain
from jobdeck.tui.render.tabs import Tab
from jobdeck.tui.screens.add import AddScreen
from jobdeck.tui.screens.columns import ColumnsScreen
from jobdeck.tui.screens.help import HelpPage, HelpScreen
from jobdeck.tui.widgets.job_list import JobList
from jobdeck.tui.widgets.list_pane import ListPane
from jobdeck.tui.widgets.panes import Split, parse_split
from tests.tui.drive import Driven, driven, painted
from tests.tui.fake import FakeEngine, FakeSession
from tests.tui.world import ago, clock_at_noon, exchange, job, key


def footer_of(run: Driven) -> str:
    return painted(run.app)[-1]


def test_no_key_has_two_meanings_and_every_footer_names_actions() -> None:
    names = [*ON_MARKS, *IN_REPLAY, *(name for pane in Pane for name in FOOTERS[pane])]
    assert set(names) <= set(BY_NAME)
    live = [key for action in ACTIONS if action.name not in IN_REPLAY for key in action.keys]
    assert len(live) == len(set(live))
    assert [action.name for action in footer_actions(Pane.JOB, Mode(read_only=True))][:3] == ["copy_id", "back", "tab"]


@pytest.mark.parametrize("pane", Pane)
def test_help_is_in_every_footer_however_narrow(pane: Pane) -> None:
    for width in (24, 40, 80, 200):
        line = footer(width, FooterView(pane)).line
        assert plain(line).rstrip().endswith("? help")
        assert line_width(line) <= width


async def test_the_footer_follows_the_pane_and_the_body() -> None:
    body = job("op_a", Phase.SUCCEEDED, result='{"a": 1}')
    async with driven([body, job("op_b")], [exchange("op_a")], size=(160, 30)) as run:
        assert "space select" in footer_of(run)
        await run.press("g", "enter")
        await run.shows("esc list")
        assert "1–5 tab" in footer_of(run)
        assert "o save body" not in footer_of(run)
        assert "/ search" not in footer_of(run)
        run.engine.bodies[key("op_a")] = run.engine.bodies[key("op_b")] = b'{"a": 1}'
        run.engine.put(job("op_a", Phase.SUCCEEDED, result='{"a": 1}', version=2), job("op_b", version=2))
        await run.shows("o save body")
        await run.press("escape", "G", "right", "left", "left", "5", "2")
        assert run.app.deck._panes.detail.tab is Tab.RESULT
        await run.press("tab", "tab")
        await run.until(lambda: run.app.deck._panes.focused is Pane.TRACE)
        await run.until(lambda: "c copy as curl" in footer_of(run)[:60])


async def test_the_help_has_the_keys_of_the_pane_first_and_finds_what_is_typed() -> None:
    async with driven([job("op_a")], size=(120, 30)) as run:
        await run.press("tab", "question_mark")
        await run.until(lambda: isinstance(run.app.screen, HelpScreen))
        page = run.app.screen.query_one(HelpPage)
        await run.until(lambda: plain(page.lines[0]).split("  ")[0] == "Tabs and trace")
        await run.press("ctrl+d", "down")
        assert page.scroll_offset.y > 1
        await run.press("slash", *"clipb")
        await run.shows("C  clipboard: view what was sent to the clipboard")
        assert len(page.lines) < 10
        await run.press("escape", *"stalled?")
        await run.shows("no match for stalled?")
        await run.press("backspace")
        await run.shows("no change for much longer than usual")
        await run.press("escape", "question_mark")
        await run.until(lambda: run.app.screen is run.app.deck)


async def test_dialogs_have_a_help_of_their_own_also_where_text_is_typed() -> None:
    async with driven([job("op_a")]) as run:
        await run.press("Y", "question_mark")
        await run.shows("n  note")
        assert "Ticket" in plain(run.app.screen.query_one(HelpPage).lines[0])
        await run.press("escape", "escape", "a", "question_mark", "f1")
        await run.shows("add the valid ones")
        await run.press("f1")
        await run.until(lambda: isinstance(run.app.screen, AddScreen))
        assert run.app.screen.query(Input) is not None


@pytest.mark.parametrize("width", [20, 60, 76, 130])
def test_no_line_of_the_help_is_wider_than_the_page(width: int) -> None:
    sections = help_sections(Pane.TRACE, Mode(replay=True))
    assert all(line_width(line) <= width for line in help_lines(width, sections))
    assert all(line_width(line) <= width for line in found_lines(width, sections, "e"))
    assert plain(found_lines(90, sections, "y")[1]).split()[:3] == ["y", "copy", "ID:"]
    assert "locked" not in {section.title for section in help_sections(mode=Mode(read_only=True))}


async def test_half_pages_and_arrows_move_the_list() -> None:
    async with driven([job(f"op_{number:02}", changed=ago(number)) for number in range(40)]) as run:
        jobs = run.app.deck.query_one(JobList)
        await run.press("g", "ctrl+d")
        assert jobs._index == jobs.page // 2
        await run.press("ctrl+d", "ctrl+u", "ctrl+u", "down", "up")
        assert jobs._index == 0


async def test_the_sort_menu_sorts_reverses_and_chooses_columns_that_are_kept() -> None:
    async with driven([job("op_a"), job("op_b")], size=(120, 30)) as run:
        await run.press("S")
        await run.until(lambda: isinstance(run.app.screen, ColumnsScreen))
        await run.shows("shown if there is room")
        await run.press("j", "j", "j", "space")
        await run.shows("always shown")
        await run.press("space")
        await run.shows("hidden")
        assert run.session.preferences[Preference.COLUMNS] == "-KIND"
        await run.press("r", "enter")
        table = run.app.deck.deck_state.table
        await run.until(lambda: run.app.screen is run.app.deck)
        assert table.order == Order(Name.KIND)
        assert run.app.deck._jobs.columns.get(Name.KIND) is None
        await run.press("ctrl+w")
        assert run.session.preferences[Preference.COLUMNS] == "wide -KIND"
        assert run.app.deck._jobs.columns.get(Name.STAGE) is not None
    session = FakeSession(FakeEngine(clock_at_noon(), [job("op_a")]))
    session.preferences = {Preference.COLUMNS: "+ETA wide nonsense -X", Preference.SPLIT: "/30"}
    async with driven(session=session, size=(120, 40)) as run:
        await run.until(lambda: run.app.deck._jobs.column_choice == ColumnChoice(frozenset({Name.ETA}), wide=True))
        assert run.app.deck._panes._split == Split(above=30)


@pytest.mark.parametrize("width", [30, 40, 58, 80, 100, 140, 200])
def test_columns_that_somebody_wants_leave_something_for_the_reason(width: int) -> None:
    for text in ("wide", "+ETA +STAGE -KIND", "-PROGRESS -ELAPSED -KIND -ETA -STAGE"):
        choice = parse_columns(text)
        assert parse_columns(choice.text) == choice
        columns = columns_for(width, profiles=True, choice=choice)
        last = columns.columns[-1]
        assert last.x + last.width <= width
        reason = columns.get(Name.REASON)
        assert width < 58 or (reason is not None and reason.width >= LEAST_REASON)
        assert not choice.never & {column.name for column in columns.columns}
    narrow = columns_for(80, choice=parse_columns("+ETA -ELAPSED"))
    assert narrow.get(Name.ETA) is not None
    assert narrow.get(Name.ELAPSED) is None


async def test_the_split_moves_by_keys_and_by_the_mouse_and_is_kept() -> None:
    async with driven([job(f"op_{number}") for number in range(40)], size=(160, 40)) as run:
        pane, side = run.app.deck.query_one(ListPane), run.app.deck._panes._job_area
        before = pane.size.width
        await run.press("less_than_sign")
        await run.until(lambda: pane.size.width < before)
        assert run.session.preferences[Preference.SPLIT] in {"56/", "57/"}
        await run.press("greater_than_sign", "greater_than_sign")
        await run.until(lambda: pane.size.width > before)
        edge = side.region.x
        side.post_message(mouse(events.MouseDown, edge, 10))
        run.app.deck._panes.post_message(mouse(events.MouseMove, 80, 10))
        run.app.deck._panes.post_message(mouse(events.MouseUp, 80, 10))
        await run.until(lambda: side.region.x == 80)
        assert run.session.preferences[Preference.SPLIT] == "50/"
        await run.press("z")
        await run.until(lambda: pane.size.width > 150)
        await run.press("z")
        await run.until(lambda: side.region.x == 80)
        await run.resize(100, 40)
        await run.press("less_than_sign")
        assert run.session.preferences[Preference.SPLIT].startswith("50/4")


def mouse(kind: type[events.MouseEvent], x: int, y: int) -> events.MouseEvent:
    return kind(None, x, y, 0, 0, 1, False, False, False, x, y)


@pytest.mark.parametrize("text", ["", "/", "5/", "abc", "99/01", "50/30", "٥٠/"])
def test_a_split_is_read_as_it_was_written_whatever_stands_there(text: str) -> None:
    split = parse_split(text)
    assert parse_split(split.text) == split
    assert all(share is None or 20 <= share <= 80 for share in (split.beside, split.above))
