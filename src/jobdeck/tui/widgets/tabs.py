"""The titled line over the selected job, with its tabs."""

from collections.abc import Sequence

from textual import events
from textual.message import Message

from jobdeck.tui.cells import middle, width_of
from jobdeck.tui.draw.pages import Tab
from jobdeck.tui.draw.spans import Line, Role, Span, clip_line, line_width
from jobdeck.tui.widgets.static import Rule

SHORTEST = 12


class TabRule(Rule):
    """Names the job and its tabs; the one that is shown stands in brackets. A click on a tab asks for it."""

    class Chosen(Message):
        """A tab was clicked."""

        def __init__(self, tab: Tab) -> None:
            super().__init__()
            self.tab = tab

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 - Textual's name
        super().__init__(id=id)
        self._places: tuple[tuple[int, int, Tab], ...] = ()

    def show(self, name: str, shown: Tab, *, strong: bool, note: str = "") -> None:
        """Draw the line for a job, with what is to be noted of it; `strong` while the pane under it has the focus."""

        def make(width: int) -> Sequence[Line]:
            line, self._places = tab_line(name, shown, width, strong=strong, note=note)
            return (line,)

        self.tell(make, (name, shown, strong, note))

    def on_click(self, event: events.Click) -> None:
        """Ask for the tab under the pointer."""
        for start, end, tab in self._places:
            if start <= event.x < end:
                self.post_message(self.Chosen(tab))


def tab_line(
    name: str, shown: Tab, width: int, *, strong: bool, note: str = ""
) -> tuple[Line, tuple[tuple[int, int, Tab], ...]]:
    """Return the line, and which tab is under which cells (first, one past the last)."""
    tabs = [f"[{tab}]" if tab is shown else f" {tab} " for tab in Tab]
    room = width - sum(map(len, tabs)) - 9 - width_of(note)
    role = Role.STRONG if strong else Role.DIM
    spans: list[Span] = [("── ", Role.FAINT), (middle(name, max(room, SHORTEST)), role), (" ── ", Role.FAINT)]
    places: list[tuple[int, int, Tab]] = []
    x = line_width(spans)
    for tab, text in zip(Tab, tabs, strict=True):
        spans.append((text, (Role.STRONG if strong else Role.TEXT) if tab is shown else Role.DIM))
        places.append((x, x + width_of(text), tab))
        x += width_of(text)
    line = clip_line((*spans, (note, Role.DIM), (" ", Role.FAINT)), width)
    return (*line, ("─" * (width - line_width(line)), Role.FAINT)), tuple(places)
