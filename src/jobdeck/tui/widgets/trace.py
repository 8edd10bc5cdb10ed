"""The exchanges of the selected job, newest first, with a cursor; runs with the same outcome are folded."""

from bisect import bisect_right
from collections.abc import Sequence
from typing import ClassVar

from textual import events
from textual.binding import Binding, BindingType
from textual.message import Message

from jobdeck.domain.exchange import Exchange, ExchangeId
from jobdeck.domain.instant import Instant
from jobdeck.domain.job import JobKey
from jobdeck.tui.actions import Group, bindings
from jobdeck.tui.render.spans import Line, Role
from jobdeck.tui.render.trace import ExchangeNotes, TraceRow, fold, fold_line, lines_per_exchange, trace_lines
from jobdeck.tui.widgets.line_view import LineView


class Trace(LineView):
    """Draws exchanges, the selected one in full, and runs with the same outcome in one line.

    The cursor stays with its exchange as new ones arrive, unless it is on the newest.
    """

    class Opened(Message):
        """An exchange of a job should be opened."""

        def __init__(self, key: JobKey, exchange: Exchange) -> None:
            super().__init__()
            self.key = key
            self.exchange = exchange

    BINDINGS: ClassVar[list[BindingType]] = [
        *bindings(Group.MOVE),
        Binding("enter", "open_exchange", "open", show=False),
        Binding("right,left", "toggle_run", "unfold or fold", show=False),
    ]

    def __init__(self, now: Instant, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._now = now
        self._key: JobKey | None = None
        self._exchanges: tuple[Exchange, ...] = ()
        self._notes = ExchangeNotes()
        self._rows: Sequence[TraceRow] = ()
        self._unfolded: set[ExchangeId] = set()
        self._index = 0
        self._starts: Sequence[int] = ()
        self._empty: Sequence[Line] = ()

    @property
    def key(self) -> JobKey | None:
        """The job whose exchanges are drawn."""
        return self._key

    @property
    def selected(self) -> Exchange | None:
        """The exchange under the cursor, or the newest of the run under it."""
        return self._rows[self._index].newest if self._rows else None

    def show(
        self,
        key: JobKey | None,
        exchanges: tuple[Exchange, ...],
        notes: ExchangeNotes,
        now: Instant,
        empty: Sequence[Line] = (),
    ) -> None:
        """Draw a job's exchanges; `empty` is drawn if there are none."""
        same_job = key == self._key
        row = self._rows[self._index] if same_job and self._index > 0 else None
        if not same_job:
            self._unfolded.clear()
        self._key, self._exchanges, self._notes, self._now, self._empty = key, exchanges, notes, now, empty
        before, first = self._index, self._first_line
        # A run that would include the exchange under the cursor stays unfolded, because keys apply to that exchange.
        self._fold(row.newest.id if row is not None and not row.folded else None)
        self._index = 0 if row is None else self._place_of(row)
        self._draw()
        if row is not None:
            # The line under the cursor stays in place on the screen as lines are added above it.
            shift = self._first_line - first
            if shift:
                self.scroll_to(y=self.scroll_offset.y + shift, animate=False, immediate=True)
        elif before:
            self.action_first()

    def line_background(self, line: int) -> Role | None:
        """Return the background role of a line: the selected exchange is highlighted while the pane has the focus."""
        if not self._rows or not self.has_focus:
            return None
        return Role.CURSOR if self._index_at(line) == self._index else None

    def watch_has_focus(self, has_focus: bool) -> None:
        """Show the cursor only while the pane has the focus."""
        super().watch_has_focus(has_focus)
        self.refresh()

    def on_resize(self) -> None:
        """Wrap the lines for the new width."""
        self._draw()
        self._reveal()

    def on_click(self, event: events.Click) -> None:
        """Select the exchange under the pointer; a double click opens it."""
        offset = event.get_content_offset(self)
        if offset is not None and self._rows:
            line = self.scroll_offset.y + offset.y
            if line < len(self.lines):
                index = self._index_at(line)
                if index == self._index and event.chain > 1:
                    self.action_open_exchange()
                else:
                    self._go(index)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Let the keys of a run through to the tabs where there is no run under the cursor."""
        return action != "toggle_run" or bool(self._rows and self._rows[self._index].folded)

    def action_open_exchange(self) -> None:
        """Open the exchange under the cursor, or fold or unfold the run."""
        row = self._rows[self._index] if self._rows else None
        if row is None or self._key is None:
            return
        if row.folded:
            self.action_toggle_run()
        else:
            self.post_message(self.Opened(self._key, row.newest))

    def action_toggle_run(self) -> None:
        """Fold or unfold the run under the cursor."""
        row = self._rows[self._index] if self._rows else None
        if row is None or not row.folded:
            return
        if row.opened:
            self._unfolded.difference_update(one.id for one in row.exchanges)
        else:
            self._unfolded.add(row.newest.id)
        self._fold()
        self._go(self._place_of(row))

    def move_by(self, lines: int) -> None:
        """Move the selection down, or up if negative, by at least one exchange."""
        steps = max(1, abs(lines) // self._height)
        self._go(self._index + (steps if lines > 0 else -steps))

    def action_first(self) -> None:
        """Select the newest exchange."""
        self._go(0)

    def action_last(self) -> None:
        """Select the oldest exchange."""
        self._go(len(self._rows) - 1)

    @property
    def _height(self) -> int:
        """The number of lines of an unselected exchange."""
        return lines_per_exchange(self.line_width)

    def _index_at(self, line: int) -> int:
        return bisect_right(self._starts, line) - 1

    def _go(self, index: int) -> None:
        self._index = min(max(index, 0), max(0, len(self._rows) - 1))
        self._draw()
        self._reveal()
        self.refresh()

    def _reveal(self) -> None:
        if not self._starts:
            return
        first = self._starts[self._index]
        last = self._starts[self._index + 1] if self._index + 1 < len(self._starts) else len(self.lines)
        top = min(max(self.scroll_offset.y, last - self.page), first)
        self.scroll_to(y=max(0, top), animate=False, immediate=True)

    @property
    def _first_line(self) -> int:
        """The first line of the selected row."""
        return self._starts[self._index] if self._index < len(self._starts) else 0

    def _fold(self, selected: ExchangeId | None = None) -> None:
        opened = self._unfolded if selected is None else {*self._unfolded, selected}
        self._rows = fold(self._exchanges, self._notes, opened)

    def _place_of(self, row: TraceRow) -> int:
        """Return the index of the row with the same exchange, or of the run that contains its newest exchange."""
        id_ = row.newest.id
        within = [index for index, one in enumerate(self._rows) if any(each.id == id_ for each in one.exchanges)]
        same = [index for index in within if self._rows[index].folded == row.folded]
        return next(iter(same or within), max(0, len(self._rows) - 1))

    def _draw(self) -> None:
        width = self.line_width
        if width < 1:
            return
        lines: list[Line] = []
        starts: list[int] = []
        for index, row in enumerate(self._rows):
            starts.append(len(lines))
            if row.folded:
                lines.append(fold_line(row, self._now, width))
            else:
                lines.extend(trace_lines(row.newest, self._now, width, self._notes, whole=index == self._index))
        self._starts = starts
        self.set_lines(lines if self._rows else self._empty)
