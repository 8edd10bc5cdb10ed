"""The exchanges of the selected job, newest first, with a cursor of their own."""

from bisect import bisect_right
from collections.abc import Sequence

from textual import events

from jobdeck.domain.exchange import Exchange
from jobdeck.domain.instant import Instant
from jobdeck.domain.job import JobKey
from jobdeck.tui.render.spans import Line, Role
from jobdeck.tui.render.trace import ExchangeNotes, lines_per_exchange, trace_lines
from jobdeck.tui.widgets.line_view import LineView


class Trace(LineView):
    """Draws exchanges, all that came of the selected one.

    The cursor stays with its exchange as newer ones come in, unless it is on the newest.
    """

    def __init__(self, now: Instant, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._now = now
        self._key: JobKey | None = None
        self._exchanges: tuple[Exchange, ...] = ()
        self._notes = ExchangeNotes()
        self._index = 0
        self._starts: Sequence[int] = ()
        self._empty: Sequence[Line] = ()

    @property
    def key(self) -> JobKey | None:
        """The job whose exchanges are drawn."""
        return self._key

    @property
    def selected(self) -> Exchange | None:
        """The exchange under the cursor."""
        return self._exchanges[self._index] if self._exchanges else None

    def show(
        self,
        key: JobKey | None,
        exchanges: tuple[Exchange, ...],
        notes: ExchangeNotes,
        now: Instant,
        empty: Sequence[Line] = (),
    ) -> None:
        """Draw a job's exchanges; `empty` is drawn while there is none."""
        selected = self.selected if key == self._key and self._index > 0 else None
        self._key, self._exchanges, self._notes, self._now, self._empty = key, exchanges, notes, now, empty
        before = self._index
        self._index = 0
        if selected is not None:
            same = (index for index, exchange in enumerate(exchanges) if exchange is selected)
            self._index = next(same, max(0, len(exchanges) - 1))
        self._draw()
        if self._index != before and selected is not None:
            shift = (self._index - before) * self._height
            self.scroll_to(y=self.scroll_offset.y + shift, animate=False, immediate=True)
        elif selected is None and before:
            self.action_first()

    def ground(self, line: int) -> Role | None:
        """Return the background of the selected exchange's lines while the pane has the focus."""
        if not self._exchanges or not self.has_focus:
            return None
        return Role.CURSOR if self._index_at(line) == self._index else None

    def watch_has_focus(self, has_focus: bool) -> None:
        """Show the cursor only while keys move it."""
        super().watch_has_focus(has_focus)
        self.refresh()

    def on_resize(self) -> None:
        """Break the lines anew."""
        self._draw()
        self._reveal()

    def on_click(self, event: events.Click) -> None:
        """Select the exchange under the pointer."""
        offset = event.get_content_offset(self)
        if offset is not None:
            line = self.scroll_offset.y + offset.y
            if line < len(self.lines):
                self._go(self._index_at(line))

    def action_cursor_down(self) -> None:
        """Select the exchange before this one in time."""
        self._go(self._index + 1)

    def action_cursor_up(self) -> None:
        """Select the exchange after this one in time."""
        self._go(self._index - 1)

    def action_page_down(self) -> None:
        """Select an exchange one page down."""
        self._go(self._index + self._page_exchanges())

    def action_page_up(self) -> None:
        """Select an exchange one page up."""
        self._go(self._index - self._page_exchanges())

    def action_first(self) -> None:
        """Select the newest exchange."""
        self._go(0)

    def action_last(self) -> None:
        """Select the oldest exchange."""
        self._go(len(self._exchanges) - 1)

    @property
    def _height(self) -> int:
        """The lines of an exchange that is not the selected one."""
        return lines_per_exchange(self.line_width)

    def _index_at(self, line: int) -> int:
        return bisect_right(self._starts, line) - 1

    def _page_exchanges(self) -> int:
        return max(1, self.page // self._height)

    def _go(self, index: int) -> None:
        self._index = min(max(index, 0), max(0, len(self._exchanges) - 1))
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

    def _draw(self) -> None:
        width = self.line_width
        if width < 1:
            return
        lines: list[Line] = []
        starts: list[int] = []
        for index, exchange in enumerate(self._exchanges):
            starts.append(len(lines))
            lines.extend(trace_lines(exchange, self._now, width, self._notes, whole=index == self._index))
        self._starts = starts
        self.set_lines(lines if self._exchanges else self._empty)
