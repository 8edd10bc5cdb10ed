"""What was sent last, for a clipboard that did not take it: to select by hand, or as a file."""

from collections.abc import Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.message import Message

from jobdeck.tui.copier import Copier, Sent
from jobdeck.tui.draw.document import keys_line
from jobdeck.tui.draw.spans import Line, Role, clip_line
from jobdeck.tui.screens.sheet import Sheet
from jobdeck.tui.widgets.document import Document
from jobdeck.tui.widgets.static import Sentence

_KEYS = (("y", "send again"), ("s", "save"), ("esc", "back"))


class SentScreen(Sheet[None]):
    """Shows a text bare over the whole screen, and releases the mouse to the terminal, so that dragging selects it."""

    class MouseReleased(Message):
        """The terminal is to have the mouse, or we want it back."""

        def __init__(self, *, released: bool) -> None:
            super().__init__()
            self.released = released

    BINDINGS: ClassVar[list[BindingType]] = [
        ("y", "send", "send again"),
        ("s", "save", "save"),
        ("q,C,enter", "leave", "back"),
    ]

    def __init__(self, copier: Copier, sent: Sent) -> None:
        super().__init__()
        self._copier = copier
        self._sent = sent

    def compose(self) -> ComposeResult:
        """Lay out what it is, the text, and the keys."""
        yield Sentence(self._heading)
        yield Document(id="sent")
        yield Sentence(lambda width: (clip_line(keys_line(_KEYS), width),))

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
        line = ((f" {self._sent.what}", Role.STRONG), ("  select it with the mouse", Role.DIM))
        return (clip_line(line, width),)
