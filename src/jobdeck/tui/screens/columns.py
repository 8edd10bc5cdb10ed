"""The sort menu: by which column, which way round, and which columns there are."""

from collections.abc import Sequence
from typing import ClassVar

from textual import events
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical

from jobdeck.tui.cell_text import fit
from jobdeck.tui.job_table import Order
from jobdeck.tui.render.columns import CHOSEN, ColumnChoice, Name
from jobdeck.tui.render.row import DOWN, UP
from jobdeck.tui.render.spans import Line, Role, clip_line
from jobdeck.tui.screens.dialogs import Dialog
from jobdeck.tui.widgets.job_pane import JobPane
from jobdeck.tui.widgets.line_view import LineView
from jobdeck.tui.widgets.static import LinesWidget

NAME_CELLS = 12


class ColumnList(LineView):
    """The columns, one of them under the cursor."""

    def __init__(self, cursor: Name) -> None:
        super().__init__()
        self._cursor = list(Name).index(cursor)

    @property
    def selected(self) -> Name:
        """The column under the cursor."""
        return list(Name)[self._cursor]

    def ground(self, line: int) -> Role | None:
        """Return the background of the line under the cursor."""
        return Role.CURSOR if line == self._cursor else None

    def move_by(self, lines: int) -> None:
        """Move the cursor."""
        self._cursor = min(max(0, self._cursor + lines), len(Name) - 1)
        self.scroll_to(y=max(0, self._cursor - self.page + 1), animate=False, immediate=True)
        self.refresh()

    def action_first(self) -> None:
        """Go to the first column."""
        self.move_by(-len(Name))

    def action_last(self) -> None:
        """Go to the last column."""
        self.move_by(len(Name))

    def on_click(self, event: events.Click) -> None:
        """Put the cursor on the column under the pointer."""
        offset = event.get_content_offset(self)
        if offset is not None:
            self.move_by(self.scroll_offset.y + offset.y - self._cursor)


class ColumnsScreen(Dialog[None]):
    """Sorts the list and chooses its columns; every change is seen at once."""

    SUBJECT = "Sort and columns"
    KEYS = (("enter", "sort"), ("r", "reverse"), ("space", "show/hide"), ("w", "wide"), ("esc", "back"))
    BINDINGS: ClassVar[list[BindingType]] = [
        ("enter", "sort", "sort"),
        ("r", "reverse", "reverse"),
        ("space", "choose", "show or hide"),
        ("w,ctrl+w", "wide", "wide"),
        ("q,S", "leave", "back"),
    ]

    def __init__(self, pane: JobPane) -> None:
        super().__init__()
        self._pane = pane
        self._list = ColumnList(pane.order.by)

    def compose(self) -> ComposeResult:
        """Lay out the columns over the keys."""
        with Vertical(classes="sheet"):
            yield LinesWidget(self._heading, id="columns-heading")
            yield self._list
            yield LinesWidget(lambda width: (clip_line(self.keys_line, width),))

    def on_mount(self) -> None:
        """Show the columns as they are."""
        self._draw()
        self.set_focus(self._list)

    def action_sort(self) -> None:
        """Sort by the column under the cursor, and go back; by the one it is sorted by already, the other way round."""
        self._pane.sort_by(self._list.selected)
        self.dismiss(None)

    def action_reverse(self) -> None:
        """Sort the other way round."""
        self._pane.reverse()
        self._draw()

    def action_choose(self) -> None:
        """Have the column under the cursor always, never, or where there is room."""
        name = self._list.selected
        if name in CHOSEN:
            self._pane.choose_columns(self._pane.jobs.column_choice.next(name))
            self._draw()
        else:
            self.notify(f"{name} is always shown", markup=False)

    def action_wide(self) -> None:
        """Have every column, or as many as suit the width."""
        self._pane.toggle_wide()
        self._draw()

    def _draw(self) -> None:
        choice, order = self._pane.jobs.column_choice, self._pane.order
        self._list.set_lines([_column_line(name, choice, order) for name in Name])
        self._list.refresh(layout=True)
        self.query_one("#columns-heading", LinesWidget).show_lines(self._heading)

    def _heading(self, width: int) -> Sequence[Line]:
        wide = "  wide: every column" if self._pane.jobs.column_choice.wide else ""
        return (clip_line(((" Sort and columns", Role.STRONG), (wide, Role.DIM)), width),)


def _column_line(name: Name, choice: ColumnChoice, order: Order) -> Line:
    arrow = (UP if order.reverse else DOWN) if order.by is name else " "
    if name not in CHOSEN:
        shown = ""
    elif name in choice.always:
        shown = "always shown"
    elif name in choice.never:
        shown = "hidden"
    else:
        shown = "shown" if choice.wide else "shown where there is room"
    meaning = " by need" if name is Name.STATE else ""
    return ((fit(f"{name}{meaning}", NAME_CELLS + 4), Role.TEXT), (f" {arrow}  ", Role.KEY), (shown, Role.DIM))
