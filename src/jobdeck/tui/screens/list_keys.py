"""What the keys of the list do: sort, filter, acknowledge. A part of the deck."""

from textual import on
from textual.widgets import Input

from jobdeck.domain.job import JobKey
from jobdeck.tui.job_filter import FilterState, Triage
from jobdeck.tui.job_table import Order, read_order
from jobdeck.tui.render.columns import Name
from jobdeck.tui.render.state import FAULTS
from jobdeck.tui.screens.deck_part import DeckPart
from jobdeck.tui.session import Choice
from jobdeck.tui.widgets.filter_bar import FilterBar, FilterInput
from jobdeck.tui.widgets.static import Heading


class ListKeys(DeckPart):
    """Sorting, filtering and acknowledging; whoever is selected stays selected."""

    _triage: Triage
    _filter_bar: FilterBar
    _filter_before = FilterState()
    _selected_before: JobKey | None = None
    """Who was selected when a filter began to be typed: half a word may hide the job that the whole one shows."""

    def replace_filter(self, text: str) -> None:
        """Show only what passes another filter than now."""
        self._keep_filter()
        self.filter_by(text)

    def filter_by(self, text: str) -> None:
        """Show only what passes a filter, as if it had been typed."""
        self._triage.narrow(text, self._session.clock.now())
        self._relist()

    def action_sort(self) -> None:
        """Sort by the next column."""
        names = [column.name for column in self._jobs.columns.columns]
        self._triage.sort_by_next(names, self._session.clock.now())
        self._resorted()

    def action_sort_by(self, column: str) -> None:
        """Sort by a column of that name; by the one it is sorted by already, the other way round."""
        self._triage.sort_by(Name(column), self._session.clock.now())
        self._resorted()

    def action_reverse(self) -> None:
        """Sort the other way round."""
        order = self._watch.model.order
        self._triage.sort(Order(order.by, not order.reverse), self._session.clock.now())
        self._resorted()

    def action_filter(self) -> None:
        """Ask for a filter."""
        self._selected_before = self._jobs.selected
        self._filter_before = self._triage.state
        self._filter_bar.open()

    def action_faults(self) -> None:
        """Show only jobs in trouble, or all again."""
        self._triage.toggle_faults(self._session.clock.now())
        self._relist()

    def action_acknowledge(self) -> None:
        """Take note of the selected job's trouble and go on to the next; of a noted one, raise it again."""
        engine, key = self._watch.engine, self._jobs.selected
        row = self._watch.model.row(key) if key is not None else None
        if engine is None or row is None:
            return
        was, job_key = row.job.acknowledged, row.job.key
        if not was and row.counted not in FAULTS:
            self._say("there is no trouble to acknowledge")
            return
        back = self._way_back(job_key, lambda: engine.acknowledge([job_key], acknowledged=was))
        self._undo.push("acknowledged again" if was else "no longer acknowledged", back)
        if not was:
            self._jobs.step_off()
        engine.acknowledge([job_key], acknowledged=not was)
        self._say("no longer acknowledged" if was else "acknowledged, moved to the bottom (u to undo)")

    def on_heading_chosen(self, message: Heading.Chosen) -> None:
        """Sort by the column that was clicked."""
        self.action_sort_by(message.column)

    @on(Input.Changed, "#filter")
    def filter_changed(self, event: Input.Changed) -> None:
        """Filter by what has been typed so far."""
        self.filter_by(event.value)
        self._select_again()

    @on(Input.Submitted, "#filter")
    def filter_submitted(self) -> None:
        """Go to the list."""
        self.set_focus(self._jobs)
        self._tell_filter()

    @on(Input.Blurred, "#filter")
    def filter_blurred(self) -> None:
        """Show the filter as it is in force."""
        self._tell_filter()

    @on(FilterInput.Cancelled, "#filter")
    def filter_cancelled(self) -> None:
        """Show every job, and go to the list."""
        self.set_focus(self._jobs)
        self._keep_filter(self._filter_before)
        self._triage.clear(self._session.clock.now())
        self._relist()
        self._select_again()

    def _select_again(self) -> None:
        if self._selected_before is not None:
            self._jobs.select(self._selected_before)

    def _clear_filter(self) -> None:
        self._keep_filter()
        self._triage.clear(self._session.clock.now())
        self._relist()

    def _keep_filter(self, state: FilterState | None = None) -> None:
        """Have the filter come back by undo, if there is one."""
        kept = state or self._triage.state
        if kept != FilterState():
            self._undo.push("filter restored", lambda: self._set_filter(kept))

    def _set_filter(self, state: FilterState) -> None:
        self._triage.set_state(state, self._session.clock.now())
        self._relist()

    def _sort_as_before(self) -> None:
        """Sort as somebody chose last time, and say so where that is not the order of need."""
        order = read_order(self._session.chosen.get(Choice.ORDER, ""))
        if self._watch.model.order != Order() or order == Order():
            return
        self._triage.sort(order, self._session.clock.now())
        self._relist()
        self.notify(markup=False, message=f"sorted by {order.words}, as last time: s goes on to the next column")

    def _resorted(self) -> None:
        self._session.keep_choice(Choice.ORDER, self._watch.model.order.text)
        self._relist()

    def _relist(self) -> None:
        """Draw the list after it has been sorted or filtered."""
        self._jobs.sync(self._session.clock.now(), settled=self._settled)
        self._jobs.tell_order()
        self._tell_filter()

    def _tell_filter(self) -> None:
        self._filter_bar.show(self._triage.filter.text, self._triage.told(), wanted=self._triage.narrowed)
