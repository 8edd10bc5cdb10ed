"""A long text that scrolls."""

from jobdeck.tui.draw.document import document_lines
from jobdeck.tui.widgets.line_view import LineView


class Document(LineView):
    """Draws a text as it is, broken to the width of the pane."""

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 - Textual's name
        super().__init__(id=id)
        self._text = ""

    @property
    def text(self) -> str:
        """The text that is drawn."""
        return self._text

    def show(self, text: str) -> None:
        """Draw a text from its first line."""
        self._text = text
        self.scroll_to(y=0, animate=False, immediate=True)
        self._draw()

    def on_resize(self) -> None:
        """Break the lines anew."""
        self._draw()

    def _draw(self) -> None:
        if self.line_width > 0:
            self.set_lines(document_lines(self._text, self.line_width))
            self.refresh(layout=True)
