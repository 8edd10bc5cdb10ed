"""The help sheet."""

from collections.abc import Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical

from jobdeck.tui.draw.help import help_lines
from jobdeck.tui.draw.spans import Line, Role
from jobdeck.tui.screens.sheet import Sheet
from jobdeck.tui.widgets.line_view import LineView
from jobdeck.tui.widgets.static import Sentence


class HelpPage(LineView):
    """The help as lines that scroll."""

    def __init__(self, *, locked: bool, replay: bool) -> None:
        super().__init__()
        self._locked = locked
        self._replay = replay
        self.set_lines(help_lines(80, locked=locked, replay=replay))

    def on_resize(self) -> None:
        """Break the lines anew."""
        self.set_lines(help_lines(self.line_width, locked=self._locked, replay=self._replay))


class HelpScreen(Sheet[None]):
    """Tells what the signs mean and what the keys do."""

    BINDINGS: ClassVar[list[BindingType]] = [("question_mark,q", "leave", "back")]

    def __init__(self, *, locked: bool = False, replay: bool = False) -> None:
        super().__init__()
        self._locked = locked
        self._replay = replay

    def compose(self) -> ComposeResult:
        """Lay the page out over a line that tells the way back."""
        with Vertical(classes="sheet"):
            yield HelpPage(locked=self._locked, replay=self._replay)
            yield Sentence(_way_back)


def _way_back(width: int) -> Sequence[Line]:
    return (((" esc", Role.KEY), (" back", Role.DIM)),)
