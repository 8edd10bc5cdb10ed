"""Screens in front of the deck that show a text: the help, and what was sent last."""

from collections.abc import Sequence
from typing import ClassVar, TypeVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical
from textual.message import Message
from textual.screen import ModalScreen

from jobdeck.domain import humanize
from jobdeck.domain.text import clean
from jobdeck.tui.clipboard import ClipboardService, CopiedText, safe_text
from jobdeck.tui.render.help import help_lines
from jobdeck.tui.render.spans import Line, Role, clip_line
from jobdeck.tui.render.tabs import keys_line
from jobdeck.tui.widgets.line_view import Document, LineView
from jobdeck.tui.widgets.static import LinesWidget

ResultT = TypeVar("ResultT")


class Dialog(ModalScreen[ResultT]):
    """A modal screen without a name for its content; `escape` leaves it with no result."""

    BINDINGS: ClassVar[list[BindingType]] = [("escape", "leave", "back")]
    ALLOW_SELECT = False

    def action_leave(self) -> None:
        """Go back, with no result."""
        self.dismiss(None)


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


class HelpScreen(Dialog[None]):
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
            yield LinesWidget(_way_back)


def _way_back(width: int) -> Sequence[Line]:
    return (((" esc", Role.KEY), (" back", Role.DIM)),)


_KEYS = (("y", "copy again"), ("s", "save"), ("esc", "back"))


class CopiedTextScreen(Dialog[None]):
    """Shows a text bare over the whole screen, and releases the mouse to the terminal, so that dragging selects it."""

    class MouseReleased(Message):
        """The terminal is to have the mouse, or we want it back."""

        def __init__(self, *, released: bool) -> None:
            super().__init__()
            self.released = released

    BINDINGS: ClassVar[list[BindingType]] = [
        ("y", "send", "copy again"),
        ("s", "save", "save"),
        ("q,C,enter", "leave", "back"),
    ]

    def __init__(self, copier: ClipboardService, sent: CopiedText) -> None:
        super().__init__()
        self._copier = copier
        self._sent = sent

    def compose(self) -> ComposeResult:
        """Lay out what it is, the text, and the keys."""
        yield LinesWidget(self._heading)
        yield Document(id="sent")
        yield LinesWidget(lambda width: (clip_line(keys_line(_KEYS), width),))

    def on_mount(self) -> None:
        """Show the text, and release the mouse."""
        self.query_one(Document).show(self._sent.text)
        self.app.post_message(self.MouseReleased(released=True))

    def action_send(self) -> None:
        """Send it once more."""
        self.run_worker(self._copier.send(self._sent.text, self._sent.what), group="clipboard")

    def action_save(self) -> None:
        """Write it to a file."""
        self.run_worker(self._copier.keep(self._sent.text, self._sent.what), group="clipboard")

    def action_leave(self) -> None:
        """Take the mouse back and go."""
        self.app.post_message(self.MouseReleased(released=False))
        self.dismiss(None)

    def _heading(self, width: int) -> Sequence[Line]:
        line = ((f" {self._sent.what}", Role.STRONG), ("  select with the mouse to copy", Role.DIM))
        return (clip_line(line, width),)


_VALUE_KEYS = (("y", "copy"), ("esc", "back"))


class ValueScreen(Dialog[None]):
    """Shows one value in full, broken to the width."""

    BINDINGS: ClassVar[list[BindingType]] = [("y", "copy", "copy"), ("q,enter", "leave", "back")]

    def __init__(self, copier: ClipboardService, label: str, text: str) -> None:
        super().__init__()
        self._copier = copier
        self._label = label
        self._text = text

    def compose(self) -> ComposeResult:
        """Lay out its name, the value, and the keys."""
        with Vertical(classes="sheet"):
            yield LinesWidget(self._heading)
            yield Document(id="value")
            yield LinesWidget(lambda width: (clip_line(keys_line(_VALUE_KEYS), width),))

    def on_mount(self) -> None:
        """Show the value."""
        self.query_one(Document).show(self._text.expandtabs(4), plain=True)

    def action_copy(self) -> None:
        """Send the value to the clipboard."""
        what = f"value of {self._label}" if self._label else "value"
        self.run_worker(self._copier.send(safe_text(self._text), what), group="clipboard")

    def _heading(self, width: int) -> Sequence[Line]:
        size = humanize.format_size(len(self._text.encode()))
        line = ((f" {clean(self._label[:256]) or 'value'}", Role.NAME), (f"  {size}", Role.DIM))
        return (clip_line(line, width),)
