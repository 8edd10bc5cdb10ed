"""The sort menu: sort column, order, and visible columns."""

from collections.abc import Sequence
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical

from jobdeck.tui.cell_text import pad
from jobdeck.tui.job_table import Order
from jobdeck.tui.render.columns import CHOSEN, ColumnChoice, Name
from jobdeck.tui.render.row import DOWN, UP
from jobdeck.tui.render.spans import Keys, Line, Role, truncate_line
from jobdeck.tui.screens.dialogs import Dialog
from jobdeck.tui.widgets.cursor_list import CursorList
from jobdeck.tui.widgets.list_pane import ListPane
from jobdeck.tui.widgets.static import LinesWidget

NAME_CELLS = 12


class ColumnsScreen(Dialog[None]):
    """Sorts the list and chooses its columns; changes are visible at once."""

    SUBJECT = "Sort and columns"
    KEYS = (("enter", "sort"), ("space", "show/hide"), ("r", "reverse"), ("w", "wide"), ("esc", "back"))
    BINDINGS: ClassVar[list[BindingType]] = [
        ("enter", "sort", "sort"),
        ("r", "reverse", "reverse"),
        ("space", "choose", "show or hide"),
        ("w,ctrl+w", "wide", "wide"),
        ("q,S", "leave", "back"),
    ]

    def __init__(self, pane: ListPane) -> None:
        super().__init__()
        self._pane = pane
        self._list = CursorList(self._column_line, lambda name: name, id="columns", cursor=pane.order.by)

    def compose(self) -> ComposeResult:
        """Lay out the columns and the keys."""
        with Vertical(classes="dialog"):
            yield LinesWidget(self._heading, id="columns-heading")
            yield self._list
            yield self.key_line

    def on_mount(self) -> None:
        """Show the columns."""
        self._draw()
        self.set_focus(self._list)

    @property
    def keys(self) -> Keys:
        """The keys for the column under the cursor: some columns cannot be hidden."""
        return tuple(one for one in self.KEYS if one[0] != "space" or self._list.selected in CHOSEN)

    @on(CursorList.Moved)
    def cursor_moved(self) -> None:
        """Update the keys for the column under the cursor."""
        self.draw_keys()

    @on(CursorList.Chosen)
    def action_sort(self) -> None:
        """Sort by the column under the cursor, or reverse the order if it is the current one, and close."""
        if self._list.selected is not None:
            self._pane.sort_by(self._list.selected)
        self.dismiss(None)

    def action_reverse(self) -> None:
        """Reverse the sort order."""
        self._pane.reverse()
        self._draw()

    def action_choose(self) -> None:
        """Show the column under the cursor always, never, or if there is room."""
        name = self._list.selected
        if name is None:
            return
        if name in CHOSEN:
            self._pane.choose_columns(self._pane.jobs.column_choice.next(name))
            self._draw()
        else:
            self.notify(f"{name} is always shown", markup=False)

    def action_wide(self) -> None:
        """Toggle between every column and the columns that suit the width."""
        self._pane.toggle_wide()
        self._draw()

    def _draw(self) -> None:
        self._list.show(self._pane.jobs.possible_columns)
        self.query_one("#columns-heading", LinesWidget).show_lines(self._heading)

    def _column_line(self, name: Name, _: int) -> Line:
        return column_line(name, self._pane.jobs.column_choice, self._pane.order)

    def _heading(self, width: int) -> Sequence[Line]:
        wide = "  wide: all columns" if self._pane.jobs.column_choice.wide else ""
        return (truncate_line(((" Sort and columns", Role.STRONG), (wide, Role.DIM)), width),)


def column_line(name: Name, choice: ColumnChoice, order: Order) -> Line:
    """Return the line of a column: name, sort direction, visibility."""
    arrow = (UP if order.reverse else DOWN) if order.by is name else " "
    if name not in CHOSEN:
        shown = ""
    elif name in choice.always:
        shown = "always shown"
    elif name in choice.never:
        shown = "hidden"
    else:
        shown = "shown" if choice.wide else "shown if there is room"
    meaning = " by urgency" if name is Name.STATE else ""
    return ((pad(f"{name}{meaning}", NAME_CELLS + 4), Role.TEXT), (f" {arrow}  ", Role.KEY), (shown, Role.DIM))
