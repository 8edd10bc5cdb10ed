"""The list of jobs, a virtual list: a DataTable of 10,000 rows takes 180 ms per key."""

from collections.abc import Callable, Collection, Container, Sequence
from typing import ClassVar, TypeAlias

from textual import events
from textual.cache import LRUCache
from textual.geometry import Region, Size
from textual.message import Message
from textual.strip import Strip

from jobdeck.domain.attention import stale
from jobdeck.domain.instant import Instant
from jobdeck.domain.job import JobKey
from jobdeck.tui.cell_text import ShortIds
from jobdeck.tui.job_table import JobTable, Order, Row
from jobdeck.tui.render.columns import ColumnChoice, Columns, Name, columns_for
from jobdeck.tui.render.row import ACKNOWLEDGED, LiveCells, dimmed, live_cells, live_spans, static_spans
from jobdeck.tui.render.spans import EMPTY, Line, Role
from jobdeck.tui.terminal import set_virtual_height
from jobdeck.tui.widgets.line_view import MARKED, LineView

Token: TypeAlias = tuple[int, Role | None, tuple[bool, bool], LiveCells]
"""Everything that a drawn row depends on besides the columns: the row's stamp, its background, whether it is dimmed
because its data is old and whether it is marked, and its ticking texts."""

CACHED_ROWS = 1_024
UNMARKED = " "
MARK = "*"
EMPTY_LINES = 6
"""Lines of the text that is shown without rows."""


class JobList(LineView):
    """Draws the rows of a `JobTable`, and tracks the selected job by its key.

    A row is repainted only if its token differs from the painted one, and only its ticking cells if nothing else
    differs: 0.6 ms per frame, where a DataTable takes 70.
    """

    INSET: ClassVar[int] = 0

    class Selected(Message):
        """Another job is selected, or none."""

        def __init__(self, key: JobKey | None) -> None:
            super().__init__()
            self.key = key

    class Opened(Message):
        """The selected job should be opened."""

    class VisibleRowsChanged(Message):
        """Other rows are on the screen."""

        def __init__(self, keys: tuple[JobKey, ...]) -> None:
            super().__init__()
            self.keys = keys

    class Resized(Message):
        """The columns or the sort order changed."""

        def __init__(self, columns: Columns, order: Order) -> None:
            super().__init__()
            self.columns = columns
            self.order = order

    def __init__(self, model: JobTable, now: Instant, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._model = model
        self._now = now
        self._several = self._who = False
        self._columns = columns_for(0)
        self._choice = ColumnChoice()
        self._names = ShortIds(0)
        self._selected: JobKey | None = None
        self._index = 0
        self._pinned = False
        self._user_moved = False
        self._header_height: Callable[[], int] = lambda: 0
        self._tokens: list[Token | None] = []
        self._marks: Container[JobKey] = ()
        self._visible_keys: tuple[JobKey, ...] = ()
        self._static: LRUCache[int, tuple[Line, Line]] = LRUCache(CACHED_ROWS)
        self._empty: Callable[[int], Sequence[Line]] = lambda _: ()

    @property
    def selected(self) -> JobKey | None:
        """The key of the selected job."""
        return self._selected

    @property
    def columns(self) -> Columns:
        """The current columns."""
        return self._columns

    @property
    def column_choice(self) -> ColumnChoice:
        """The user's choice of columns."""
        return self._choice

    def choose_columns(self, choice: ColumnChoice) -> None:
        """Set the user's choice of columns."""
        self._choice = choice
        self._lay_out()

    @property
    def possible_columns(self) -> tuple[Name, ...]:
        """The columns that a list of these jobs can have, at some width."""
        return tuple(name for name in Name if name is not Name.WHO or self._who)

    @property
    def wanted_height(self) -> int:
        """The lines that would show every row, or the text of an empty list."""
        return max(len(self._model), EMPTY_LINES)

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        """Return the number of rows, limited to the room below what is above the list."""
        return max(0, min(self.wanted_height, container.height - self._header_height()))

    def set_header_height(self, lines: Callable[[], int]) -> None:
        """Set a function for the number of lines above the list in its pane."""
        self._header_height = lines

    def when_empty(self, make: Callable[[int], Sequence[Line]]) -> None:
        """Set what is drawn without rows, for a width."""
        self._empty = make
        if not len(self._model):
            self._repaint()

    @property
    def visible_keys(self) -> tuple[JobKey, ...]:
        """The jobs whose rows are on the screen."""
        return self._visible_keys

    def sync(self, now: Instant, *, settled: bool = True) -> None:
        """Repaint changed rows at the time `now`, and keep the selection.

        Until all jobs were polled once (`settled`) or the user moved, the first row is selected, so that the deck opens
        on the most urgent job. After that the selection sticks to its job, and in a scrolled list to its line of the
        screen. Before the user moved, the first rows stay in view: if the selected job moves out of view, the first row
        is selected again.
        """
        self._now = now
        count = len(self._model)
        several, who = len(self._model.profiles) > 1, self._model.knows_watchers
        if (several, who) != (self._several, self._who):
            self._several, self._who = several, who
            self._lay_out()
        line = self._index - self.scroll_offset.y
        index = self._model.index(self._selected) if self._selected is not None else None
        if index is None or not self._pinned:
            index = 0 if not self._pinned else min(self._index, count - 1)
        self._pinned = self._pinned or (settled and count > 0)
        if self.virtual_size.height != count:
            before = self.virtual_size.height
            set_virtual_height(self, count)
            if min(before, count) <= self.size.height:
                # The pane is as high as its rows while they fit: only then does another row need a layout.
                self.refresh(layout=True)
        self._index = max(0 if self._below_fold(index) else index, 0)
        self._select(self._model.row_at(self._index).job.key if count else None)
        top = self.scroll_offset.y
        wanted = self._index - line if top > 0 else top
        self._scroll(min(max(wanted, self._index - self.page + 1), self._index))
        self._paint_changes()
        self._post_visible_rows()

    def post_order(self) -> None:
        """Post the sort order, for the headings."""
        self.post_message(self.Resized(self._columns, self._model.order))

    def tick(self, now: Instant) -> None:
        """Repaint what changed as time passed."""
        self._now = now
        self._paint_changes()

    def select(self, key: JobKey) -> None:
        """Select a job if it is in the list, and scroll to it."""
        index = self._model.index(key)
        if index is not None:
            self._go(index)

    def mark(self, keys: Container[JobKey]) -> None:
        """Show which jobs are marked."""
        self._marks = keys
        self._paint_changes()

    def pin_selection(self) -> None:
        """Make the selection stick to its job, as if the user had moved there."""
        self._pinned = self._pinned or self._selected is not None
        self._user_moved = self._pinned

    def select_neighbor(self, keys: Collection[JobKey]) -> None:
        """Select the next row not in `keys`, whose jobs are about to move; at the end, the previous one."""
        if self._selected not in keys:
            return
        after = range(self._index + 1, len(self._model))
        before = range(self._index - 1, -1, -1)
        places = (index for index in (*after, *before) if self._model.row_at(index).job.key not in keys)
        self._go(next(places, self._index))

    def render_line(self, y: int) -> Strip:
        """Return one line in view."""
        width = self.line_width
        if not len(self._model):
            lines = self._empty(width)
            return self.strip(lines[y] if y < len(lines) else EMPTY, width)
        index = self.scroll_offset.y + y
        if index >= len(self._model):
            return self.strip((), width)
        row = self._model.row_at(index)
        background = self._background_of(index)
        static = self._static.get(row.revision)
        if static is None:
            static = self._static[row.revision] = static_spans(row, self._columns, self._names.of(row.job.key))
        before, after = static
        if stale(row.job, self._now):
            before, after = (*before[:1], *dimmed(before[1:])), dimmed(after)
        sign = (
            (MARK, Role.KEY)
            if row.job.key in self._marks
            else (ACKNOWLEDGED if row.job.acknowledged else " ", Role.DIM)
        )
        marker = ((MARKED if background is not None else UNMARKED, Role.KEY), sign)
        ticking = live_spans(live_cells(row.job, self._now), self._columns)
        return self.strip((*marker, *before, *ticking, *after), width, background)

    def on_resize(self) -> None:
        """Lay out the columns for the new width, and keep the selected row in view."""
        self._lay_out()
        if self._below_fold(self._index):
            self._index = 0
            self._select(self._model.row_at(0).job.key)
        self._scroll(min(max(self.scroll_offset.y, self._index - self.page + 1), self._index))
        self._post_visible_rows()

    def watch_has_focus(self, has_focus: bool) -> None:
        """Draw the cursor as active or inactive."""
        super().watch_has_focus(has_focus)
        self._paint_changes()

    def on_click(self, event: events.Click) -> None:
        """Select the row under the pointer; a double click opens it."""
        offset = event.get_content_offset(self)
        if offset is None or not len(self._model):
            return
        index = self.scroll_offset.y + offset.y
        if index < len(self._model):
            self._go(index)
            if event.chain == 2:
                self.post_message(self.Opened())

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        """Paint the rows that came into view, and post which they are."""
        super().watch_scroll_y(old_value, new_value)
        if round(old_value) != round(new_value):
            self._tokens = self._all_tokens()
            self._post_visible_rows()

    def move_by(self, lines: int) -> None:
        """Move the selection down, or up if negative."""
        self._go(self._index + lines)

    def action_first(self) -> None:
        """Select the first row."""
        self._go(0)

    def action_last(self) -> None:
        """Select the last row."""
        self._go(len(self._model) - 1)

    def _go(self, index: int) -> None:
        if not len(self._model):
            return
        self._pinned = self._user_moved = True
        self._index = min(max(index, 0), len(self._model) - 1)
        self._select(self._model.row_at(self._index).job.key)
        self._scroll(min(max(self.scroll_offset.y, self._index - self.page + 1), self._index))
        self._paint_changes()

    def _below_fold(self, index: int) -> bool:
        """Whether a row is out of view in a list in which the user has not moved."""
        return not self._user_moved and self.scroll_offset.y == 0 and index >= self.page

    def _select(self, key: JobKey | None) -> None:
        if key != self._selected:
            self._selected = key
            self._post(self.Selected(key))

    def _post(self, message: Message) -> None:
        # The sender is set to the list: a message sent from the pane around it would not reach that pane.
        self.post_message(message.set_sender(self))

    def _scroll(self, top: int) -> None:
        if top != self.scroll_offset.y and self.page > 0:
            self.scroll_to(y=max(0, top), animate=False, immediate=True, force=True)

    def _lay_out(self) -> None:
        width = self.line_width
        columns = columns_for(width, profiles=self._several, who=self._who, choice=self._choice)
        if columns is not self._columns:
            self._columns = columns
            if columns.job_width != self._names.width:
                self._names = ShortIds(columns.job_width)
            self.post_order()
        self._static.clear()
        self._repaint()

    def _repaint(self) -> None:
        self._tokens = self._all_tokens()
        self.refresh()

    def _paint_changes(self) -> None:
        """Repaint rows and cells that differ from the painted ones."""
        tokens = self._all_tokens()
        before = self._tokens
        self._tokens = tokens
        if len(before) != len(tokens):
            self.refresh()
            return
        columns = self._columns
        for y, (old, new) in enumerate(zip(before, tokens, strict=True)):
            if old == new:
                continue
            if old is not None and new is not None and old[:3] == new[:3]:
                self.refresh(Region(columns.tick_x, y, columns.tick_width, 1))
            else:
                self.refresh(Region(0, y, self.size.width, 1))

    def _all_tokens(self) -> list[Token | None]:
        top = self.scroll_offset.y
        return [self._token(index) for index in range(top, top + self.scrollable_content_region.height)]

    def _token(self, index: int) -> Token | None:
        if index >= len(self._model):
            return None
        row: Row = self._model.row_at(index)
        signs = stale(row.job, self._now), row.job.key in self._marks
        return row.revision, self._background_of(index), signs, live_cells(row.job, self._now)

    def _background_of(self, index: int) -> Role | None:
        if index != self._index:
            return None
        return Role.CURSOR if self.has_focus else Role.CURSOR_AWAY

    def _post_visible_rows(self) -> None:
        top = self.scroll_offset.y
        keys = tuple(self._model.keys(top, top + self.scrollable_content_region.height))
        if keys != self._visible_keys:
            self._visible_keys = keys
            self._post(self.VisibleRowsChanged(keys))
