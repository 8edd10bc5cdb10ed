from collections.abc import Iterable
from typing import ClassVar

from textual.app import App, ComposeResult
from textual.geometry import Region
from textual.pilot import Pilot

from jobdeck.domain.job import Job
from jobdeck.domain.phase import Phase
from jobdeck.tui.deck_state import DeckState
from jobdeck.tui.marks import UndoStack
from jobdeck.tui.theme import DARK, style_sheets
from jobdeck.tui.widgets.job_list import JobList
from jobdeck.tui.widgets.list_pane import ListPane
from jobdeck.tui.widgets.painted import ROLE_CLASSES
from tests.tui.drive import driven, painted
from tests.tui.world import NOON, ago, clock_at_noon, job, key


class ListApp(App[int]):
    """The list alone."""

    AUTO_FOCUS = "JobList"
    COMPONENT_CLASSES: ClassVar[set[str]] = set(ROLE_CLASSES)

    def __init__(self) -> None:
        super().__init__(css_path=style_sheets())
        state = DeckState(())
        self.pane = ListPane(state, clock_at_noon(), UndoStack())
        self.model, self.jobs = state.table, self.pane.jobs
        self.selected: list[str | None] = []
        self.viewed: list[tuple[str, ...]] = []
        self.dirty: list[Region] = []
        self.register_theme(DARK)
        self.theme = DARK.name

    def get_theme_variable_defaults(self) -> dict[str, str]:
        return DARK.variables

    def compose(self) -> ComposeResult:
        yield self.pane

    def on_job_list_selected(self, message: JobList.Selected) -> None:
        self.selected.append(message.key.id if message.key else None)

    def on_job_list_visible_rows_changed(self, message: JobList.VisibleRowsChanged) -> None:
        self.viewed.append(tuple(one.id for one in message.keys))

    def put(self, *jobs: Job, removed: Iterable[str] = (), settled: bool = True) -> None:
        self.model.update(jobs, [key(one) for one in removed], NOON)
        self.jobs.sync(NOON, settled=settled)

    def watch_paint(self) -> None:
        """Note every region that is marked as dirty from here on."""
        refresh = self.jobs.refresh

        def spy(*regions: Region, **rest: bool) -> JobList:
            self.dirty.extend(regions or [self.jobs.size.region])
            return refresh(*regions, **rest)

        self.jobs.refresh = spy  # type: ignore[method-assign] - a spy


def cursor_line(app: ListApp) -> tuple[int, str]:
    return next((y, line.split()[3]) for y, line in enumerate(painted(app)) if line.startswith("▸"))


async def settle(pilot: Pilot[int]) -> None:
    await pilot._wait_for_screen()
    await pilot.pause()


def many(count: int, phase: Phase = Phase.RUNNING) -> list[Job]:
    return [job(f"op_{number:04d}", phase, changed=ago(count - number)) for number in range(count)]


async def test_the_selected_job_is_kept_by_its_key_when_rows_come_above_it() -> None:
    app = ListApp()
    async with app.run_test(size=(80, 12)) as pilot:
        app.put(*many(5))
        await pilot.press("j", "j")
        chosen = app.jobs.selected
        app.put(job("op_bad", Phase.FAILED))
        await settle(pilot)
        assert app.jobs.selected == chosen
        assert chosen is not None
        assert cursor_line(app)[1] == chosen.id
        assert app.selected[-1] == chosen.id


async def test_in_a_scrolled_list_the_selected_job_keeps_its_line() -> None:
    app = ListApp()
    async with app.run_test(size=(80, 20)) as pilot:
        app.put(*many(100))
        await pilot.press("pagedown", "pagedown", "k", "k", "k")
        await settle(pilot)
        before = cursor_line(app)
        app.put(*(job(f"op_bad{number}", Phase.FAILED) for number in range(7)))
        await settle(pilot)
        assert cursor_line(app) == before


async def test_at_the_top_of_the_list_a_job_that_fails_comes_into_view() -> None:
    app = ListApp()
    async with app.run_test(size=(80, 20)) as pilot:
        app.put(*many(100))
        await pilot.press("j")
        app.put(job("op_bad", Phase.FAILED))
        await settle(pilot)
        assert "op_bad" in painted(app)[1]
        assert cursor_line(app)[0] == 3


async def test_when_the_selected_job_goes_the_next_takes_its_place() -> None:
    app = ListApp()
    async with app.run_test(size=(80, 12)) as pilot:
        app.put(*many(5))
        await pilot.press("j")
        gone = app.jobs.selected
        below = app.model.row_at(2).job.key
        assert gone is not None
        app.put(removed=[gone.id])
        await settle(pilot)
        assert app.jobs.selected == below
        app.put(removed=[one.key.id for one in many(5)])
        await settle(pilot)
        assert app.jobs.selected is None
        assert app.selected[-1] is None


async def test_until_all_is_seen_once_the_list_opens_on_the_greatest_need() -> None:
    app = ListApp()
    async with app.run_test(size=(80, 12)) as pilot:
        app.put(*many(5), settled=False)
        app.put(job("op_bad", Phase.FAILED), settled=False)
        assert app.jobs.selected == key("op_bad")
        app.put(settled=True)
        app.put(job("op_worse", Phase.FAILED, ended=NOON), settled=True)
        await settle(pilot)
        assert app.jobs.selected == key("op_bad")


async def test_in_a_list_that_nobody_has_touched_what_fails_is_in_view() -> None:
    app = ListApp()
    async with app.run_test(size=(80, 20)) as pilot:
        app.put(*many(30))
        await settle(pilot)
        first, below = app.jobs.selected, app.jobs.page - 1
        app.put(*(job(f"op_late{number}", Phase.PARTIAL, ended=ago(99 - number)) for number in range(below)))
        await settle(pilot)
        assert (app.jobs.selected, cursor_line(app)[0]) == (first, below + 1)
        app.put(job("op_bad", Phase.FAILED), job("op_worse", Phase.FAILED, ended=NOON))
        await settle(pilot)
        assert "op_worse" in painted(app)[1]
        assert cursor_line(app) == (1, "op_worse")
        app.jobs.pin_selection()
        app.put(*(job(f"op_late{number}", Phase.FAILED, ended=NOON, version=2) for number in range(9)))
        app.put(*(job(f"op_more{number}", Phase.FAILED, ended=NOON, version=2) for number in range(9)))
        await settle(pilot)
        assert app.jobs.selected == key("op_worse")


async def test_a_key_holds_the_selection_even_before_all_is_seen() -> None:
    app = ListApp()
    async with app.run_test(size=(80, 12)) as pilot:
        app.put(*many(5), settled=False)
        await pilot.press("j", "k")
        chosen = app.jobs.selected
        app.put(job("op_bad", Phase.FAILED), settled=False)
        assert app.jobs.selected == chosen


async def test_only_the_line_that_changed_is_painted_again() -> None:
    app = ListApp()
    async with app.run_test(size=(80, 20)) as pilot:
        app.put(*many(10))
        await settle(pilot)
        app.watch_paint()
        app.put(job("op_0005", progress=0.5, version=2))
        assert [(region.y, region.height) for region in app.dirty] == [(app.model.index(key("op_0005")), 1)]


async def test_a_change_out_of_view_paints_nothing() -> None:
    app = ListApp()
    async with app.run_test(size=(80, 12)) as pilot:
        app.put(*many(200))
        await settle(pilot)
        app.watch_paint()
        last = app.model.row_at(199).job
        app.put(job(last.key.id, progress=0.5, version=2, changed=last.changed))
        assert app.dirty == []


async def test_as_time_passes_only_the_ticking_cells_are_painted() -> None:
    app = ListApp()
    async with app.run_test(size=(90, 20)) as pilot:
        app.put(job("op_run"), job("op_done", Phase.SUCCEEDED))
        await settle(pilot)
        app.watch_paint()
        app.jobs.tick(NOON)
        assert app.dirty == []
        app.jobs.tick(NOON.later(1))
        columns = app.jobs.columns
        assert app.dirty == [Region(columns.tick_x, 0, columns.tick_width, 1)]
        await settle(pilot)
        assert "2m06s      5s" in painted(app)[1]
        assert "final" in painted(app)[2]


async def test_a_row_is_laid_out_once_for_as_long_as_it_stays() -> None:
    app = ListApp()
    async with app.run_test(size=(80, 20)) as pilot:
        app.put(*many(10))
        await settle(pilot)
        first = set(app.jobs._static.keys())
        app.jobs.tick(NOON.later(1))
        await settle(pilot)
        assert set(app.jobs._static.keys()) == first
        app.put(job("op_0005", progress=0.5, version=2))
        await settle(pilot)
        assert len(set(app.jobs._static.keys()) - first) == 1


async def test_the_rows_in_view_are_told_when_they_change() -> None:
    app = ListApp()
    async with app.run_test(size=(80, 12)) as pilot:
        app.put(*many(100))
        await settle(pilot)
        height = app.jobs.size.height
        assert len(app.viewed[-1]) == height
        await pilot.press("G")
        await settle(pilot)
        assert app.viewed[-1][-1] == app.model.row_at(99).job.key.id
        told = len(app.viewed)
        app.put(job(app.viewed[-1][0], progress=0.7, version=9, changed=None))
        await settle(pilot)
        assert len(app.viewed) == told


async def test_keys_move_by_lines_pages_and_ends() -> None:
    app = ListApp()
    async with app.run_test(size=(80, 12)) as pilot:
        app.put(*many(50))
        rows = [app.model.row_at(index).job.key for index in range(50)]
        for keys, index in (
            (("j", "j", "down"), 3),
            (("k",), 2),
            (("up",), 1),
            (("G",), 49),
            (("j",), 49),
            (("g",), 0),
        ):
            await pilot.press(*keys)
            assert app.jobs.selected == rows[index]
        await pilot.press("pagedown")
        assert app.jobs.selected == rows[app.jobs.page - 1]
        await pilot.press("pageup", "k")
        assert app.jobs.selected == rows[0]


async def test_a_click_selects_the_row_under_the_pointer() -> None:
    app = ListApp()
    async with app.run_test(size=(80, 20)) as pilot:
        app.put(*many(10))
        await settle(pilot)
        await pilot.click(JobList, offset=(10, 4))
        assert app.jobs.selected == app.model.row_at(4).job.key


async def test_a_change_of_width_lays_the_columns_out_anew() -> None:
    app = ListApp()
    async with app.run_test(size=(120, 20)) as pilot:
        app.put(job("op_01HZ9K2QW3RV4M5N6P7Q8R9S0T", Phase.FAILED))
        await settle(pilot)
        assert "PROGRESS    ELAPSED UPDATED  REASON" in painted(app)[0]
        await pilot.resize_terminal(60, 20)
        await settle(pilot)
        assert "ELAPSED" not in painted(app)[0]
        assert "  %  UPDATED  REASON" in painted(app)[0]
        assert "final" in painted(app)[1]


async def test_ten_thousand_rows_are_drawn_from_those_in_view() -> None:
    app = ListApp()
    async with app.run_test(size=(120, 40)) as pilot:
        app.put(*many(10_000))
        await settle(pilot)
        await pilot.press("G")
        await settle(pilot)
        assert len(app.jobs._static) < 200
        assert app.model.row_at(9_999).job.key.id in painted(app)[app.jobs.region.bottom - 1]


async def test_the_list_is_as_high_as_there_is_room_beside_a_filter_that_came_or_went() -> None:
    async with driven([job(f"op_{number:03}") for number in range(60)]) as run:
        jobs = run.app.deck.query_one(JobList)
        await run.until(lambda: jobs.size.height == 10)
        await run.press("slash", *"op_")
        await run.until(lambda: jobs.size.height == 9)
        await run.press("escape")
        await run.until(lambda: jobs.size.height == 10)
