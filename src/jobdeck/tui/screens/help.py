"""The help: keys of the current pane and of others, with a search."""

from collections.abc import Sequence
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.geometry import Size
from textual.screen import ModalScreen
from textual.widgets import Input

from jobdeck.tui.render.help import HelpSection, found_lines, help_lines
from jobdeck.tui.render.spans import Line, Role, truncate_line
from jobdeck.tui.render.tabs import fitting_keys
from jobdeck.tui.widgets.line_view import LineView
from jobdeck.tui.widgets.static import LinesWidget

LONGEST = 100
AROUND = 4
"""Lines of the dialog around the page: a blank one, the search, another blank one, and the keys."""

_KEYS = (("↑ ↓", "scroll"), ("esc", "back"))


class HelpPage(LineView):
    """The help as scrollable lines, or the lines that match a query."""

    def __init__(self, sections: Sequence[HelpSection]) -> None:
        super().__init__()
        self._sections = sections
        self._query = ""
        self.set_lines(help_lines(80, sections))

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        """Return the number of lines, limited to the room beside the other parts."""
        return min(len(self.lines), max(1, viewport.height * 96 // 100 - AROUND))

    def on_resize(self) -> None:
        """Lay out the lines for the new width."""
        self._draw()

    def search(self, query: str) -> None:
        """Show the lines that match a query; an empty query shows all."""
        self._query = query
        self.scroll_to(y=0, animate=False, immediate=True)
        self._draw()
        self.refresh(layout=True)  # the number of lines may differ

    def _draw(self) -> None:
        if self.line_width > 0:
            find = self._query
            width = self.line_width
            self.set_lines(found_lines(width, self._sections, find) if find else help_lines(width, self._sections))


class HelpInput(Input):
    """The search input; a question mark as its first character closes the help."""

    def check_consume_key(self, key: str, character: str | None) -> bool:
        """Take every letter as text, except a question mark at the beginning."""
        return not (character == "?" and not self.value) and super().check_consume_key(key, character)


class HelpScreen(ModalScreen[None]):
    """Explains keys, filter syntax and marks."""

    ALLOW_SELECT = False
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "leave", show=False),
        Binding("question_mark,f1", "close", show=False),
        Binding("down", "page('cursor_down')", show=False),
        Binding("up", "page('cursor_up')", show=False),
        Binding("pagedown", "page('page_down')", show=False),
        Binding("pageup", "page('page_up')", show=False),
        Binding("ctrl+d", "page('half_page_down')", show=False, priority=True),
        Binding("ctrl+u", "page('half_page_up')", show=False, priority=True),
        Binding("home", "page('first')", show=False, priority=True),
        Binding("end", "page('last')", show=False, priority=True),
    ]

    def __init__(self, sections: Sequence[HelpSection]) -> None:
        """Show sections of keys, the most relevant first."""
        super().__init__()
        self._page = HelpPage(sections)
        self._input = HelpInput(compact=True, max_length=LONGEST, select_on_focus=False, id="help-search")
        self._input.cursor_blink = False

    def compose(self) -> ComposeResult:
        """Lay out the search, the page, and the keys."""
        with Vertical(classes="dialog"):
            with Horizontal(id="help-head"):
                yield LinesWidget(_heading, id="help-title")
                yield self._input
            yield self._page
            yield LinesWidget(lambda width: (fitting_keys(_KEYS, width),), id="key-line")

    def on_mount(self) -> None:
        """Focus the search, so that typing searches at once."""
        self.set_focus(self._input)

    @on(Input.Changed, "#help-search")
    def search_changed(self, event: Input.Changed) -> None:
        """Search for the text; a slash before it is ignored."""
        text = event.value.strip()
        self._page.search(text[1:] if text.startswith("/") and len(text) > 1 else text)

    async def action_page(self, action: str) -> None:
        """Scroll the page."""
        await self._page.run_action(action)

    def action_leave(self) -> None:
        """Clear the search, or close if it is empty."""
        if self._input.value:
            self._input.value = ""
        else:
            self.dismiss(None)

    def action_close(self) -> None:
        """Close."""
        self.dismiss(None)


def _heading(width: int) -> Sequence[Line]:
    return (truncate_line(((" Help", Role.STRONG), ("   type to search:", Role.DIM)), width),)
