"""From roles to colors: the one place where spans become segments."""

from collections.abc import Iterable

from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip
from textual.widget import Widget

from jobdeck.tui.cell_text import width_of
from jobdeck.tui.render.spans import Role, Span

ROLE_CLASSES: frozenset[str] = frozenset(Role)
"""The component classes of an app with styled widgets: a role has the same color everywhere.

Declared by every widget, they caused 1,100 applications of style rules, 0.1 s of the first frame."""


class StyledWidget(Widget):
    """A widget that draws lines of spans, in the colors of their roles.

    The app declares `ROLE_CLASSES`; without them painting raises KeyError. Text never passes through markup: a span is
    a text and a role, and becomes a segment as it is.
    """

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self._styles_of: dict[tuple[Role, Role | None], Style] = {}

    def notify_style_update(self) -> None:
        """Clear the cached styles: the theme, the focus or a class changed."""
        self._styles_of.clear()
        super().notify_style_update()

    def paint(self, role: Role, background: Role | None = None) -> Style:
        """Return the style of a role, on the widget's own background or on that of the role `background`."""
        style = self._styles_of.get((role, background))
        if style is None:
            style = self.rich_style
            if background is not None:
                style += self.app.get_component_styles(background).partial_rich_style
            style += self.app.get_component_styles(role).partial_rich_style
            self._styles_of[role, background] = style
        return style

    def segments(self, line: Iterable[Span], background: Role | None = None) -> list[Segment]:
        """Return a line's segments, merging neighbors of one role: each segment costs the terminal some 40 bytes."""
        segments: list[Segment] = []
        text, role = "", Role.TEXT
        for piece, piece_role in line:
            if piece_role is not role and text:
                segments.append(Segment(text, self.paint(role, background)))
                text = ""
            text += piece
            role = piece_role
        if text:
            segments.append(Segment(text, self.paint(role, background)))
        return segments

    def strip(self, line: Iterable[Span], width: int, background: Role | None = None) -> Strip:
        """Return a line as a strip of exactly `width` cells."""
        segments = self.segments(line, background)
        length = sum([width_of(segment.text) for segment in segments])
        if length < width:
            segments.append(Segment(" " * (width - length), self.paint(Role.TEXT, background)))
            length = width
        strip = Strip(segments, length)
        return strip if length == width else strip.adjust_cell_length(width)
