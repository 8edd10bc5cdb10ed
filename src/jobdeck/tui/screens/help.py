"""The help: what keys do in this pane and elsewhere, searched by typing."""

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
from jobdeck.tui.render.spans import Line, Role, clip_line
from jobdeck.tui.render.tabs import fitting_keys
from jobdeck.tui.widgets.line_view import LineView
from jobdeck.tui.widgets.static import LinesWidget

LONGEST = 100
AROUND = 4
"""Lines of the sheet beside the page: a blank one, what is looked for, another blank one, and the keys."""

_KEYS = (("↑ ↓", "scroll"), ("esc", "back"))


class HelpPage(LineView):
    """The help as lines that scroll, or what of it holds a query."""

    def __init__(self, sections: Sequence[HelpSection]) -> None:
        super().__init__()
        self._sections = sections
        self._query = ""
        self.set_lines(help_lines(80, sections))

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        """Return the number of lines, at most as many as leave room for what is around them."""
        return min(len(self.lines), max(1, viewport.height * 96 // 100 - AROUND))

    def on_resize(self) -> None:
        """Break the lines anew."""
        self._draw()

    def search(self, query: str) -> None:
        """Show what holds a query; all with an empty one."""
        self._query = query
        self.scroll_to(y=0, animate=False, immediate=True)
        self._draw()
        self.refresh(layout=True)  # it may be a page of another height

    def _draw(self) -> None:
        if self.line_width > 0:
            find = self._query
            width = self.line_width
            self.set_lines(found_lines(width, self._sections, find) if find else help_lines(width, self._sections))


class HelpInput(Input):
    """What is looked for; a question mark at its beginning is the key that leads back."""

    def check_consume_key(self, key: str, character: str | None) -> bool:
        """Take every letter as text, but the key that leads back."""
        return not (character == "?" and not self.value) and super().check_consume_key(key, character)


class HelpScreen(ModalScreen[None]):
    """Tells what the keys do, what may be typed after / and what the signs mean."""

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
        """Show sections of keys, the nearest first."""
        super().__init__()
        self._page = HelpPage(sections)
        self._input = HelpInput(compact=True, max_length=LONGEST, select_on_focus=False, id="help-search")
        self._input.cursor_blink = False

    def compose(self) -> ComposeResult:
        """Lay out what is looked for, the page, and the way back."""
        with Vertical(classes="sheet"):
            with Horizontal(id="help-head"):
                yield LinesWidget(_heading, id="help-title")
                yield self._input
            yield self._page
            yield LinesWidget(lambda width: (fitting_keys(_KEYS, width),), id="key-line")

    def on_mount(self) -> None:
        """Look for what is typed from the first letter on."""
        self.set_focus(self._input)

    @on(Input.Changed, "#help-search")
    def search_changed(self, event: Input.Changed) -> None:
        """Show what holds the text; a slash before it only says that it is one."""
        text = event.value.strip()
        self._page.search(text[1:] if text.startswith("/") and len(text) > 1 else text)

    async def action_page(self, action: str) -> None:
        """Scroll the page."""
        await self._page.run_action(action)

    def action_leave(self) -> None:
        """Show all again; go back when all is shown."""
        if self._input.value:
            self._input.value = ""
        else:
            self.dismiss(None)

    def action_close(self) -> None:
        """Go back."""
        self.dismiss(None)


def _heading(width: int) -> Sequence[Line]:
    return (clip_line(((" Help", Role.STRONG), ("   type to search:", Role.DIM)), width),)
