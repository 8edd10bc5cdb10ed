"""A recording as a bar: what has been played, where jobs failed, and a place to click."""

from collections.abc import Callable, Sequence

from textual import events
from textual.message import Message

from jobdeck.app.session import Playback
from jobdeck.domain import glyphs
from jobdeck.tui.cell_text import width_of
from jobdeck.tui.render.spans import FULL, TRACK, Line, Role, Span
from jobdeck.tui.widgets.static import LinesWidget

FAILURE, HERE = glyphs.FAILED, glyphs.RUNNING
LEAST_CELLS = 10


class PlaybackBar(LinesWidget):
    """Draws the bar between start and end time; while the mouse is over it, its time replaces the end time."""

    class Chosen(Message):
        """A time was clicked, in seconds after the start."""

        def __init__(self, seconds: float) -> None:
            super().__init__()
            self.seconds = seconds

    def __init__(self, playback: Playback, time_of: Callable[[float], str]) -> None:
        super().__init__()
        self._playback = playback
        self._time_of = time_of
        self._pointed: float | None = None
        self._cells = (0, 0)

    def show(self) -> None:
        """Draw the bar at the current position."""
        of = self._playback.position, self._playback.length, self._pointed
        self.show_lines(self._bar_lines, of)

    def on_mouse_move(self, event: events.MouseMove) -> None:
        """Show the time under the mouse."""
        self._pointed = self._seconds_at(event.x)
        self.show()

    def on_leave(self) -> None:
        """Show the end time again."""
        self._pointed = None
        self.show()

    def on_click(self, event: events.Click) -> None:
        """Jump to the time under the mouse."""
        seconds = self._seconds_at(event.x)
        self._pointed = None
        self.show()
        if seconds is not None:
            self.post_message(self.Chosen(seconds))

    def _seconds_at(self, x: int) -> float | None:
        first, count = self._cells
        if not count or not first <= x < first + count:
            return None
        length = self._playback.length
        # A click on a failure jumps exactly to it.
        failed = (one for one in self._playback.failures if cell_of(one, length, count) == x - first)
        return next(failed, (x - first) / max(1, count - 1) * length)

    def _bar_lines(self, width: int) -> Sequence[Line]:
        length = self._playback.length
        begin = f" {self._time_of(0.0)} "
        end = f" {self._time_of(length)} " if self._pointed is None else f"→{self._time_of(self._pointed)} "
        room = max(width_of(f" {self._time_of(length)} "), width_of(end))
        cells = width - width_of(begin) - room
        if cells < LEAST_CELLS:
            self._cells = (0, 0)
            return (((begin.rstrip(), Role.DIM),),)
        self._cells = (width_of(begin), cells)
        bar = playback_cells(cells, self._playback.position, length, self._playback.failures)
        pointed = Role.DIM if self._pointed is None else Role.KEY
        return (((begin, Role.DIM), *bar, (end.rjust(room), pointed)),)


def playback_cells(cells: int, position: float, length: float, failures: Sequence[float]) -> Line:
    """Return the cells of the bar: what has been played, where jobs failed, and the current position."""
    failed = {cell_of(seconds, length, cells) for seconds in failures}
    here = cell_of(position, length, cells)
    spans: list[Span] = []
    for place in range(cells):
        if place == here:
            spans.append((HERE, Role.KEY))
        elif place in failed:
            spans.append((FAILURE, Role.FAILED))
        else:
            spans.append((FULL, Role.DONE) if place < here else (TRACK, Role.FAINT))
    return tuple(spans)


def cell_of(seconds: float, length: float, cells: int) -> int:
    """Return the cell of a time in a bar."""
    return round(seconds / length * (cells - 1)) if length > 0 else cells - 1
