"""Widgets of a few lines that neither scroll nor take the focus: headings, titles, tabs, header and footer."""

from collections.abc import Callable, Iterator, Mapping, Sequence

from textual import events
from textual.geometry import Region, Size
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget

from jobdeck.app.session import Session
from jobdeck.domain.text import one_line
from jobdeck.report.failure_groups import ErrorGroup
from jobdeck.tui.actions import Mode
from jobdeck.tui.cell_text import elide_middle, width_of
from jobdeck.tui.deck_state import DeckState
from jobdeck.tui.job_table import Order
from jobdeck.tui.render.columns import Columns, Name, columns_for
from jobdeck.tui.render.footer import Footer as FooterLine
from jobdeck.tui.render.footer import FooterView, footer
from jobdeck.tui.render.frame import banner_lines
from jobdeck.tui.render.header import header_line
from jobdeck.tui.render.row import heading_spans
from jobdeck.tui.render.spans import Keys, Line, Role, Span, line_width, truncate_line
from jobdeck.tui.render.state import State
from jobdeck.tui.render.strip import GroupLine, group_line
from jobdeck.tui.render.tabs import Tab, keys_line
from jobdeck.tui.widgets.painted import StyledWidget

STRIP_FROM = 16
"""Minimum screen height for a line of states and errors."""

SCROLLBAR = 1
"""The list's columns are this much narrower than the headings above."""


class LinesWidget(StyledWidget):
    """Lines made by a function of the widget's width, which is called again for every width."""

    def __init__(
        self,
        make: Callable[[int], Sequence[Line]] | None = None,
        *,
        id: str | None = None,
    ) -> None:
        super().__init__(id=id)
        self._make = make
        self._lines: tuple[Line, ...] = ()
        self._made_for = 0
        self._made_of: object = None

    @property
    def lines(self) -> tuple[Line, ...]:
        """The lines drawn."""
        return self._lines

    def show_lines(self, make: Callable[[int], Sequence[Line]], of: object = None) -> None:
        """Draw the lines that `make` returns for the width; only changed lines are repainted.

        `of` is everything they depend on besides the width: if it is equal to the last one, nothing is done.
        """
        if of is not None and of == self._made_of:
            return
        self._make, self._made_of = make, of
        self._draw()

    def on_resize(self) -> None:
        """Make the lines for the new width."""
        self._draw()

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        """Return the number of lines, for `auto` in a style sheet."""
        if self._make is not None and width and width != self.size.width:
            self._remake(width)
        return len(self._lines)

    def render_line(self, y: int) -> Strip:
        """Return one line."""
        if self._made_for != self.size.width and self._make is not None:
            # Textual sometimes paints a widget that appears for the first time without a resize event.
            self._remake(self.size.width)
        return self.strip(self._lines[y] if y < len(self._lines) else (), self.size.width)

    def _draw(self) -> None:
        if self._make is None:
            return
        if not self.size.width:
            # Hidden: mark the lines as outdated, or they would appear unchanged if it is shown again at the same width.
            self._made_for = 0
            return
        before = self._lines
        self._remake(self.size.width)
        if len(before) != len(self._lines):
            self.refresh(layout=True)
            return
        for y, (old, new) in enumerate(zip(before, self._lines, strict=True)):
            if old != new:
                self.refresh(Region(0, y, self.size.width, 1))

    def _remake(self, width: int) -> None:
        if self._make is not None:
            self._made_for = width
            self._lines = tuple(self._make(width))


class Header(LinesWidget):
    """The first line of the screen."""


class GroupStrip(LinesWidget):
    """The jobs per state, and the errors they failed with; a click on one filters by it."""

    class Chosen(Message):
        """A state or an error was clicked."""

        def __init__(self, job_filter: str) -> None:
            super().__init__()
            self.filter = job_filter

    def __init__(self) -> None:
        super().__init__()
        self._made = GroupLine(())

    def show(
        self, counts: Mapping[State, int], groups: Sequence[ErrorGroup], filtered: str, new_failures: int = 0
    ) -> None:
        """Draw the line; the entry of the current filter is marked."""

        def make(width: int) -> Sequence[Line]:
            self._made = group_line(counts, groups, width, filtered, new_failures)
            return (self._made.line,)

        self.show_lines(make, (dict(counts), groups, filtered, new_failures))

    def on_click(self, event: events.Click) -> None:
        """Post the filter under the pointer."""
        for start, end, filter_text in self._made.places:
            if start <= event.x < end:
                self.post_message(self.Chosen(filter_text))


class Banner(LinesWidget):
    """Problems of the whole deck; no line if there are none."""


class Heading(LinesWidget):
    """The headings of the list's columns; a click on one sorts by it.

    Until the columns are known, those for its own width are drawn, so that it is never blank.
    """

    class Chosen(Message):
        """A column's heading was clicked."""

        def __init__(self, column: Name) -> None:
            super().__init__()
            self.column = column

    def __init__(self) -> None:
        super().__init__(lambda width: (heading_spans(columns_for(max(0, width - SCROLLBAR)), Order()),))
        self._columns = columns_for(0)

    def show(self, columns: Columns, order: Order) -> None:
        """Draw the headings of these columns."""
        self._columns = columns
        self.show_lines(lambda _: (heading_spans(columns, order),))

    def on_click(self, event: events.Click) -> None:
        """Post the column under the pointer."""
        column = self._columns.at(event.x)
        if column is not None:
            self.post_message(self.Chosen(column))


class Rule(LinesWidget):
    """A titled line between two panes."""

    def title(self, text: str, *, strong: bool = False) -> None:
        """Set the title; `strong` while the pane below has the focus."""
        self.show_lines(lambda width: (rule_line(text, width, strong=strong),), (text, strong))


class Footer(LinesWidget):
    """The keys of the most important actions; a click on one runs it."""

    class Chosen(Message):
        """An action was clicked."""

        def __init__(self, action: str) -> None:
            super().__init__()
            self.action = action

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._made = FooterLine((), ())

    def show(self, view: FooterView) -> None:
        """Draw the keys of the actions."""

        def make(width: int) -> Sequence[Line]:
            self._made = footer(width, view)
            return (self._made.line,)

        self.show_lines(make, view)

    def show_keys(self, keys: Keys) -> None:
        """Draw other keys, while an input or a dialog takes the keys."""
        self._made = FooterLine((), ())
        self.show_lines(lambda width: (truncate_line(keys_line(keys), width),))

    def on_click(self, event: events.Click) -> None:
        """Post the action under the pointer."""
        for start, end, action in self._made.places:
            if start <= event.x < end:
                self.post_message(self.Chosen(action))


def rule_line(text: str, width: int, *, strong: bool) -> Line:
    """Return a title and a line behind it, in exactly `width` cells."""
    line = truncate_line((("── ", Role.FAINT), (text, Role.STRONG if strong else Role.DIM), (" ", Role.FAINT)), width)
    return (*line, ("─" * (width - line_width(line)), Role.FAINT))


SHORTEST = 12


class TabRule(Rule):
    """Shows the job's name and its tabs, the current one in brackets; a click on a tab switches to it."""

    class Chosen(Message):
        """A tab was clicked."""

        def __init__(self, tab: Tab) -> None:
            super().__init__()
            self.tab = tab

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._places: tuple[tuple[int, int, Tab], ...] = ()

    def show(self, name: str, shown: Tab, *, strong: bool, note: str = "") -> None:
        """Draw the line for a job, with a note; `strong` while the pane below has the focus."""

        def make(width: int) -> Sequence[Line]:
            line, self._places = tab_line(name, shown, width, strong=strong, note=note)
            return (line,)

        self.show_lines(make, (name, shown, strong, note))

    def on_click(self, event: events.Click) -> None:
        """Post the tab under the pointer."""
        for start, end, tab in self._places:
            if start <= event.x < end:
                self.post_message(self.Chosen(tab))


def tab_line(
    name: str, shown: Tab, width: int, *, strong: bool, note: str = ""
) -> tuple[Line, tuple[tuple[int, int, Tab], ...]]:
    """Return the line, and the tabs under its cells (first, one past the last)."""
    tabs = [f"[{tab}]" if tab is shown else f" {tab} " for tab in Tab]
    room = width - sum(map(len, tabs)) - 9 - width_of(note)
    role = Role.STRONG if strong else Role.DIM
    spans: list[Span] = [("── ", Role.FAINT), (elide_middle(name, max(room, SHORTEST)), role), (" ── ", Role.FAINT)]
    places: list[tuple[int, int, Tab]] = []
    x = line_width(spans)
    for tab, text in zip(Tab, tabs, strict=True):
        spans.append((text, (Role.STRONG if strong else Role.TEXT) if tab is shown else Role.DIM))
        places.append((x, x + width_of(text), tab))
        x += width_of(text)
    line = truncate_line((*spans, (note, Role.DIM), (" ", Role.FAINT)), width)
    return (*line, ("─" * (width - line_width(line)), Role.FAINT)), tuple(places)


class TopLines:
    """The header, the states and errors, and the banner of what is wrong, drawn from the state of the deck."""

    def __init__(self, session: Session, state: DeckState) -> None:
        self._session = session
        self._state = state
        self._header, self._strip, self._banner = Header(), GroupStrip(), Banner()

    def __iter__(self) -> Iterator[Widget]:
        """Return the widgets, from the top."""
        return iter((self._header, self._strip, self._banner))

    def draw(self, height: int, filter_text: str, failure: str | None, mode: Mode) -> None:
        """Draw for a screen of a height; `failure` is why the engine stopped."""
        state, now = self._state, self._session.clock.now()
        overview = state.overview(now, self._session.reading)
        below = height >= STRIP_FROM and bool(state.table.total)
        self._strip.display = below
        groups, new = state.failure_groups.by_error(), len(state.new_failures)
        self._strip.show(state.table.counts, groups, filter_text, new)
        self._header.show_lines(lambda width: (header_line(overview, width, strip_below=below),))
        halted = state.engine.halted() if state.engine is not None else {}
        unreachable, error = state.unreachable_profiles(), one_line(self._session.storage_error)
        fixed = mode.read_only or mode.replay
        self._banner.show_lines(
            lambda width: banner_lines(width, halted, unreachable, now, failure, storage_error=error, read_only=fixed)
        )
