"""The list of the dialogs: its keys and the mouse, a cursor that stays with its entry, and lines made only in view."""

from typing import ClassVar

import pytest
from textual import events, on
from textual.app import App, ComposeResult
from textual.pilot import Pilot

import jobdeck.tui.screens.groups as groups_screen
from jobdeck.app.session import Discovered
from jobdeck.domain.phase import Phase
from jobdeck.tui.render.groups import job_line
from jobdeck.tui.render.spans import Line, Role
from jobdeck.tui.theme import DARK, style_sheets
from jobdeck.tui.widgets.cursor_list import CursorList
from jobdeck.tui.widgets.painted import ROLE_CLASSES
from tests.tui.drive import driven, painted
from tests.tui.fake import FakeEngine, FakeSession
from tests.tui.world import clock_at_noon, job

HEIGHT = 20


class ListApp(App[int]):
    """The list alone; an entry that begins with a number sign is a heading."""

    AUTO_FOCUS = "CursorList"
    COMPONENT_CLASSES: ClassVar[set[str]] = set(ROLE_CLASSES)

    def __init__(self, cursor: str | None = None) -> None:
        super().__init__(css_path=style_sheets())
        self.drawn: list[str] = []
        self.events: list[str] = []
        self.list = CursorList(self._draw, lambda one: None if one.startswith("#") else one, id="groups", cursor=cursor)
        self.register_theme(DARK)
        self.theme = DARK.name

    def get_theme_variable_defaults(self) -> dict[str, str]:
        return DARK.variables

    def compose(self) -> ComposeResult:
        yield self.list

    @on(CursorList.Moved)
    def moved(self) -> None:
        self.events.append(f"moved {self.list.cursor}")

    @on(CursorList.Chosen)
    def chosen(self) -> None:
        self.events.append(f"chosen {self.list.cursor}")

    def _draw(self, entry: str, _: int) -> Line:
        self.drawn.append(entry)
        return ((entry, Role.TEXT),)


async def settle(pilot: Pilot[int]) -> None:
    await pilot._wait_for_screen()
    await pilot.pause()


def cursor_line(app: ListApp) -> tuple[int, str]:
    return next((y, line[1:].split()[0]) for y, line in enumerate(painted(app)) if line.startswith("▸"))


async def test_of_ten_thousand_entries_only_those_in_view_are_made() -> None:
    app = ListApp()
    entries = [f"e{number}" for number in range(10_000)]
    async with app.run_test(size=(60, HEIGHT)) as pilot:
        app.list.show(entries)
        await settle(pilot)
        assert len(app.drawn) <= 2 * HEIGHT
        await pilot.press("G")
        await settle(pilot)
        assert cursor_line(app) == (HEIGHT - 1, "e9999")
        app.drawn.clear()
        for _ in range(3):
            app.list.show(list(entries))
            await settle(pilot)
        assert 0 < len(app.drawn) <= 4 * HEIGHT


async def test_keys_move_the_cursor_and_pass_over_headings() -> None:
    app = ListApp()
    entries = ["#one", *(f"a{number}" for number in range(30)), "#", "#two", *(f"b{number}" for number in range(30))]
    async with app.run_test(size=(60, HEIGHT)) as pilot:
        app.list.show(entries)
        await settle(pilot)
        assert cursor_line(app) == (1, "a0")
        for pressed, at in [
            ("j", "a1"), ("down", "a2"), ("k", "a1"), ("up", "a0"), ("k", "a0"), ("ctrl+d", "a10"), ("pagedown", "a29"),
            ("j", "b0"), ("k", "a29"), ("ctrl+u", "a19"), ("pageup", "a0"), ("G", "b29"), ("g", "a0"), ("end", "b29"),
            ("home", "a0"),
        ]:  # fmt: skip
            await pilot.press(pressed)
            await settle(pilot)
            assert cursor_line(app)[1] == at, pressed
        assert painted(app)[0].strip() == "#one", "the heading comes into view with its first entry"
        assert app.events[:3] == ["moved a0", "moved a1", "moved a2"]


async def test_the_mouse_puts_the_cursor_chooses_and_scrolls() -> None:
    app = ListApp()
    entries = ["#one", *(f"a{number}" for number in range(90))]
    async with app.run_test(size=(60, HEIGHT)) as pilot:
        app.list.show(entries)
        await settle(pilot)
        await pilot.click(CursorList, offset=(5, 4))
        await settle(pilot)
        assert cursor_line(app) == (4, "a3")
        await pilot.click(CursorList, offset=(5, 0))
        assert app.list.cursor == "a3", "a heading is nothing to go to"
        await pilot.click(CursorList, offset=(5, 6), times=2)
        await settle(pilot)
        assert app.events[-1] == "chosen a5"
        for _ in range(4):
            await pilot._post_mouse_events([events.MouseScrollDown], CursorList)
        await settle(pilot)
        top = app.list.scroll_offset.y
        assert top > 6
        app.list.show(list(entries))
        await settle(pilot)
        assert app.list.scroll_offset.y == top, "what is looked at stays"
        await pilot.press("j")
        await settle(pilot)
        assert cursor_line(app)[1] == "a6"


async def test_the_cursor_stays_with_its_entry_and_on_its_line() -> None:
    app = ListApp(cursor="a50")
    entries = [f"a{number}" for number in range(90)]
    async with app.run_test(size=(60, HEIGHT)) as pilot:
        app.list.show([])
        app.list.show(entries)
        await settle(pilot)
        y, at = cursor_line(app)
        assert at == "a50", "the entry to begin with"
        app.list.show(["new", "newer", *entries])
        await settle(pilot)
        assert cursor_line(app) == (y, "a50")
        app.list.show(["new", "newer", *entries[:50], *entries[51:]])
        await settle(pilot)
        assert cursor_line(app) == (y, "a51"), "the one in its place"
        app.list.show(entries[:10])
        await settle(pilot)
        assert cursor_line(app) == (9, "a9")
        app.list.show([])
        await settle(pilot)
        assert app.list.selected is None


async def test_until_somebody_moves_it_the_cursor_is_on_the_first_entry() -> None:
    app = ListApp()
    async with app.run_test(size=(60, HEIGHT)) as pilot:
        app.list.show(["#b", "b0", "b1"])
        app.list.show(["#a", *(f"a{number}" for number in range(50)), "#b", "b0", "b1"])
        await settle(pilot)
        assert cursor_line(app) == (1, "a0")
        await pilot.press("j", "k")
        app.list.show(["#", "first", "#a", *(f"a{number}" for number in range(50))])
        await settle(pilot)
        assert cursor_line(app)[1] == "a0"


async def test_half_a_page_moves_the_cursor_where_jobs_are_discovered() -> None:
    session = FakeSession(FakeEngine(clock_at_noon()))
    session.listings = [Discovered("hog", tuple(job(f"op_{n:02}") for n in range(40)), complete=True)]
    async with driven(session=session) as run:
        await run.press("D")
        await run.shows("op_00")
        await run.press("ctrl+d", "ctrl+d", "ctrl+u", "space")
        line = next(line for line in painted(run.app) if "*" in line)
        assert "op_10" in line
        assert "op_11" in next(line for line in painted(run.app) if line.startswith("▸"))


async def test_an_open_group_of_many_jobs_makes_only_the_lines_in_view(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[object] = []

    def counted(*args: object) -> Line:
        made.append(args)
        return job_line(*args)  # type: ignore[arg-type] - those of job_line

    monkeypatch.setattr(groups_screen, "job_line", counted)
    grouped = groups_screen.grouped
    groupings: list[object] = []
    monkeypatch.setattr(groups_screen, "grouped", lambda *args: groupings.append(args) or grouped(*args))
    jobs = [job(f"op_{number:04}", Phase.RUNNING) for number in range(2_000)]
    async with driven(jobs, size=(100, 30)) as run:
        await run.press("b", "l", "G")
        await run.shows("op_1999")
        assert 0 < len(made) <= 200
        screen = run.app.screen
        assert isinstance(screen, groups_screen.GroupsScreen)
        for _ in range(3):
            screen._show()
        assert len(groupings) == 1, "nothing has changed"
        run.engine.put(job("op_9999", Phase.RUNNING))
        await run.shows("2001 jobs in 1 group")
        assert len(groupings) == 2
