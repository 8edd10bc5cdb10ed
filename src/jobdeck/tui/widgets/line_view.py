"""Scrollable panes of lines that repaint only changed lines in view."""

from collections.abc import Sequence
from typing import ClassVar

from textual.geometry import Region, Size
from textual.scroll_view import ScrollView
from textual.strip import Strip

from jobdeck.tui.actions import Group, bindings
from jobdeck.tui.render.spans import EMPTY, Line, Role
from jobdeck.tui.render.tabs import document_lines
from jobdeck.tui.terminal import set_virtual_height
from jobdeck.tui.widgets.painted import StyledWidget

MARKED = "▸"
"""Precedes the line under the cursor."""


class LineView(StyledWidget, ScrollView, can_focus=True):
    """Lines of spans, already wrapped to the width of the pane; the keys of `Group.MOVE` scroll."""

    BINDINGS = bindings(Group.MOVE)
    ALLOW_SELECT = False
    INSET: ClassVar[int] = 1
    """Cells left blank before every line."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._lines: Sequence[Line] = ()

    @property
    def lines(self) -> Sequence[Line]:
        """The lines drawn."""
        return self._lines

    @property
    def page(self) -> int:
        """The number of lines in view, at least one."""
        return max(1, self.scrollable_content_region.height)

    @property
    def line_width(self) -> int:
        """The cells of a line; 0 before the first layout."""
        return max(0, self.scrollable_content_region.width - self.INSET)

    def set_lines(self, lines: Sequence[Line]) -> None:
        """Draw lines, repainting those in view that differ."""
        before, self._lines = self._lines, lines
        set_virtual_height(self, len(lines))
        top = self.scroll_offset.y
        for y in range(self.size.height):
            old = before[top + y] if top + y < len(before) else EMPTY
            new = lines[top + y] if top + y < len(lines) else EMPTY
            if old != new:
                self.refresh(Region(0, y, self.size.width, 1))

    def line_background(self, line: int) -> Role | None:
        """Return the background role of a line; None for the pane's own."""
        return None

    def render_line(self, y: int) -> Strip:
        """Return one line in view."""
        index = self.scroll_offset.y + y
        width = self.scrollable_content_region.width
        if index >= len(self._lines):
            return self.strip((), width)
        background = self.line_background(index)
        # A background alone is invisible in a terminal without colors.
        chosen = background is not None and (index == 0 or self.line_background(index - 1) is None)
        mark = (MARKED if chosen else " ", Role.KEY if chosen else Role.TEXT)
        return self.strip((mark, *self._lines[index]) if self.INSET else self._lines[index], width, background)

    def get_content_width(self, container: Size, viewport: Size) -> int:
        """Return the available width: lines are made for it."""
        return container.width

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        """Return the number of lines, for `auto` in a style sheet."""
        return len(self._lines)

    def move_by(self, lines: int) -> None:
        """Scroll down, or up if negative."""
        self.scroll_to(y=self.scroll_offset.y + lines, animate=False, immediate=True)

    def action_cursor_down(self) -> None:
        """Move down one line."""
        self.move_by(1)

    def action_cursor_up(self) -> None:
        """Move up one line."""
        self.move_by(-1)

    def action_half_page_down(self) -> None:
        """Move down half a page."""
        self.move_by(max(1, self.page // 2))

    def action_half_page_up(self) -> None:
        """Move up half a page."""
        self.move_by(-max(1, self.page // 2))

    def action_page_down(self) -> None:
        """Move down one page."""
        self.move_by(max(1, self.page - 1))

    def action_page_up(self) -> None:
        """Move up one page."""
        self.move_by(-max(1, self.page - 1))

    def action_first(self) -> None:
        """Scroll to the first line."""
        self.scroll_to(y=0, animate=False, immediate=True)

    def action_last(self) -> None:
        """Scroll to the last line."""
        self.scroll_to(y=self.max_scroll_y, animate=False, immediate=True)


class Document(LineView):
    """Draws a text, wrapped to the width of the pane."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._text = ""
        self._plain = False

    @property
    def text(self) -> str:
        """The text."""
        return self._text

    def show(self, text: str, *, plain: bool = False) -> None:
        """Draw a text from its first line; `plain` means that it is not Markdown."""
        self._text, self._plain = text, plain
        self.scroll_to(y=0, animate=False, immediate=True)
        self._draw()

    def on_resize(self) -> None:
        """Wrap the lines for the new width."""
        self._draw()

    def _draw(self) -> None:
        if self.line_width > 0:
            self.set_lines(document_lines(self._text, self.line_width, plain=self._plain))
            self.refresh(layout=True)
