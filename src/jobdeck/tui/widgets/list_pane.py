"""The list with its filter bar and headings; sorting, filtering and views."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from textual import on
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.geometry import Size
from textual.widgets import Input

from jobdeck.app.session import Preference
from jobdeck.domain.instant import Clock
from jobdeck.domain.job import JobKey
from jobdeck.tui.deck_state import DeckState
from jobdeck.tui.filter_input import FilterHistory, FilterSuggester
from jobdeck.tui.grouping import profile_filter
from jobdeck.tui.job_filter import FilterState, ListFilter, replace_term
from jobdeck.tui.job_table import Order, parse_order
from jobdeck.tui.marks import UndoStack
from jobdeck.tui.render.columns import ColumnChoice, Name, parse_columns
from jobdeck.tui.views import View, parse_views, views_text
from jobdeck.tui.widgets.filter_bar import FilterBar, FilterInput
from jobdeck.tui.widgets.job_list import JobList
from jobdeck.tui.widgets.static import Heading

FILTERING = (
    ("enter", "keep the filter"),
    ("esc", "clear"),
    ("→", "complete"),
    ("↑ ↓", "history"),
    ("tab", "next pane"),
)
"""Keys while a filter is edited."""


class ListPane(Vertical):
    """Keeps headings aligned with columns, and the selection with its job while the list is sorted or filtered.

    `save` gets choices to save for the next run.
    """

    def __init__(
        self,
        state: DeckState,
        clock: Clock,
        undo: UndoStack,
        save: Callable[[Preference, str], object] = lambda *_: None,
    ) -> None:
        super().__init__()
        self._state = state
        self._clock = clock
        self._undo = undo
        self._save = save
        self._filter = ListFilter(state.table)
        self._heading = Heading()
        self._filter_before = FilterState()
        self._selected_before: JobKey | None = None  # a half-typed word may hide the job that the whole one shows
        self._history = FilterHistory()
        self.views: tuple[View, ...] = ()
        suggester = FilterSuggester(state.table.rows)
        self.filter_bar = FilterBar("filter", FILTERING, history=self._history, suggester=suggester)
        self.jobs = JobList(state.table, clock.now(), id="jobs")
        self.jobs.set_header_height(self._header_height)

    def compose(self) -> ComposeResult:
        """Lay out filter, headings and list."""
        yield self.filter_bar
        yield self._heading
        yield self.jobs

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        """Return the height that shows every row, for `auto` in a style sheet."""
        return self.jobs.wanted_height + self._header_height()

    @property
    def filter_text(self) -> str:
        """The text of the current filter."""
        return self._filter.filter.text

    @property
    def is_filtered(self) -> bool:
        """Whether rows may be hidden."""
        return self._filter.is_filtered

    def tick(self, *, resort: bool = False) -> None:
        """Update the list as time passes; with `resort`, re-sort it now."""
        now = self._clock.now()
        if self._filter.tick(now, resort=resort):
            self.redraw()
        self.jobs.tick(now)

    def open_filter(self) -> None:
        """Start editing a filter."""
        self._selected_before = self.jobs.selected
        self._filter_before = self._filter.state
        self.filter_bar.open()

    def filter_by(self, text: str) -> None:
        """Set a filter as if it had been typed."""
        self._filter.set_filter(text, self._clock.now())
        self.redraw()

    def replace_filter(self, text: str) -> None:
        """Replace the filter, including "problems only"; undo restores the current one."""
        self._push(self._filter.state)
        self._set(FilterState(text))

    def filter_by_profile(self, name: str) -> None:
        """Show only the jobs of a profile, or of all if `name` is empty; other terms of the filter stay."""
        self._push(self._filter.state)
        self.filter_by(replace_term(self.filter_text, "profile", profile_filter(name) if name else ""))

    def clear_filter(self) -> None:
        """Show every job; undo restores the current filter."""
        self._push(self._filter.state)
        self._set(FilterState())

    def reveal(self, key: JobKey) -> str:
        """Select a job, clearing a filter that hides it; returns the message to show."""
        hidden = self._state.table.index(key) is None
        if hidden:
            self.clear_filter()
        self.jobs.select(key)
        return "filter cleared to show the job (u to undo)" if hidden else ""

    def current_view(self, name: str) -> View:
        """Return the current filter and order as a view."""
        state = self._filter.state
        return View(name, state.text, state.problems, self.order.text)

    def show_view(self, view: View) -> None:
        """Apply a view; undo restores the current filter and order."""
        before = self.current_view("")
        self._undo.push("filter and order restored", lambda: self._apply_view(before))
        self._apply_view(view)

    def _apply_view(self, view: View) -> None:
        self._filter.sort(view.sorting, self._clock.now())
        self._filter.set_state(view.state, self._clock.now())
        self._sorted()

    def save_views(self, views: Sequence[View]) -> None:
        """Set the saved views."""
        self.views = tuple(views)
        self._save(Preference.VIEWS, views_text(self.views))

    def remove_view(self, number: int) -> None:
        """Remove a view by its number; undo restores it in its place."""
        view = self.views[number - 1]

        def back() -> None:
            others = [one for one in self.views if one.name != view.name]
            self.save_views([*others[: number - 1], view, *others[number - 1 :]])

        self._undo.push(f"view {view.name} restored", back)
        self.save_views([*self.views[: number - 1], *self.views[number:]])

    def toggle_problems(self) -> None:
        """Toggle between only problems and all jobs."""
        self._filter.toggle_problems(self._clock.now())
        self.redraw()

    def sort_by_next(self) -> None:
        """Sort by the next column."""
        self._filter.sort_by_next([column.name for column in self.jobs.columns.columns], self._clock.now())
        self._sorted()

    def sort_by(self, column: Name) -> None:
        """Sort by a column; if it is the current one, reverse the order."""
        self._filter.sort_by(column, self._clock.now())
        self._sorted()

    def reverse(self) -> None:
        """Reverse the sort order."""
        order = self._state.table.order
        self._filter.sort(Order(order.by, not order.reverse), self._clock.now())
        self._sorted()

    @property
    def order(self) -> Order:
        """The current sort order."""
        return self._state.table.order

    def toggle_wide(self) -> bool:
        """Toggle between every column with full IDs and the columns that suit the width; returns whether it is wide."""
        choice = self.jobs.column_choice
        self.choose_columns(replace(choice, wide=not choice.wide))
        return not choice.wide

    def choose_columns(self, choice: ColumnChoice) -> None:
        """Set and save the user's choice of columns."""
        self.jobs.choose_columns(choice)
        self._save(Preference.COLUMNS, choice.text)

    def restore(self, preferences: Mapping[Preference, str]) -> str:
        """Restore columns, order, views and filter history; returns the message about a restored sort order."""
        self.jobs.choose_columns(parse_columns(preferences.get(Preference.COLUMNS, "")))
        self.views = parse_views(preferences.get(Preference.VIEWS, ""))
        self._history.restore(preferences.get(Preference.FILTERS, ""))
        order = parse_order(preferences.get(Preference.ORDER, ""))
        if self._restore_order(order):
            return f"sorted by {order.label}, as last time (S: sort menu)"
        return ""

    def _restore_order(self, order: Order) -> bool:
        """Restore the sort order, unless the user sorted already; returns whether it was restored."""
        if self._state.table.order != Order() or order == Order():
            return False
        self._filter.sort(order, self._clock.now())
        self.redraw()
        return True

    def redraw(self) -> None:
        """Redraw after sorting or filtering."""
        self.jobs.sync(self._clock.now(), settled=self._state.settled)
        self.jobs.post_order()
        self.draw_filter()

    def draw_filter(self) -> None:
        """Draw the current filter."""
        self.filter_bar.show(self._filter.filter.text, self._filter.summary(), wanted=self._filter.is_filtered)

    @on(JobList.Resized)
    def columns_resized(self, message: JobList.Resized) -> None:
        """Align the headings with the columns."""
        self._heading.show(message.columns, message.order)

    @on(Heading.Chosen)
    def heading_chosen(self, message: Heading.Chosen) -> None:
        """Sort by the clicked column."""
        self.sort_by(message.column)

    @on(FilterBar.VisibilityChanged)
    def bar_came_or_went(self, message: FilterBar.VisibilityChanged) -> None:
        """Let Textual measure the list again: it caches the height, and the last row would stay hidden."""
        message.stop()
        self.jobs.refresh(layout=True)

    @on(Input.Changed, "#filter")
    def filter_changed(self, event: Input.Changed) -> None:
        """Apply what has been typed so far."""
        self.filter_by(event.value)
        self._select_again()

    @on(Input.Submitted, "#filter")
    def filter_submitted(self) -> None:
        """Keep the filter, and move to the list."""
        if self._history.add(self.filter_text):
            self._save(Preference.FILTERS, self._history.text)
        self.screen.set_focus(self.jobs)
        self.draw_filter()

    @on(Input.Blurred, "#filter")
    def filter_blurred(self) -> None:
        """Show the filter as applied."""
        self.draw_filter()

    @on(FilterInput.Cancelled, "#filter")
    def filter_cancelled(self) -> None:
        """Show every job, and move to the list."""
        self.screen.set_focus(self.jobs)
        self._push(self._filter_before)
        self._set(FilterState())
        self._select_again()

    def _push(self, state: FilterState) -> None:
        """Let undo restore a filter, if there is one."""
        if state != FilterState():
            self._undo.push("filter restored", lambda: self._set(state))

    def _set(self, state: FilterState) -> None:
        self._filter.set_state(state, self._clock.now())
        self.redraw()

    def _select_again(self) -> None:
        if self._selected_before is not None:
            self.jobs.select(self._selected_before)

    def _sorted(self) -> None:
        self._save(Preference.ORDER, self._state.table.order.text)
        self.redraw()

    def _header_height(self) -> int:
        return 1 + int(self.filter_bar.display)
