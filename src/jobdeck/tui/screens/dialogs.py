"""The base class of all dialogs, the view of the clipboard, and that of a value."""

from collections.abc import Sequence
from typing import ClassVar, TypeVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical
from textual.message import Message
from textual.screen import ModalScreen

from jobdeck.domain import humanize
from jobdeck.domain.text import clean
from jobdeck.tui.actions import LIVE, Mode
from jobdeck.tui.clipboard import ClipboardService, CopiedText, safe_text
from jobdeck.tui.render.help import help_sections, key_section
from jobdeck.tui.render.spans import Keys, Line, Role, truncate_line
from jobdeck.tui.render.tabs import fitting_keys
from jobdeck.tui.screens.help import HelpScreen
from jobdeck.tui.widgets.line_view import Document
from jobdeck.tui.widgets.static import LinesWidget

ROOMY = 100
"""Minimum width of a screen on which a dialog has margins."""

ResultT = TypeVar("ResultT")


class Dialog(ModalScreen[ResultT]):
    """A modal screen; `escape` closes it without a result, `?` and `f1` show its keys."""

    BINDINGS: ClassVar[list[BindingType]] = [("escape", "leave", "back"), ("question_mark,f1", "help", "help")]
    ALLOW_SELECT = False
    SUBJECT: ClassVar[str] = ""
    """Its heading in the help."""

    KEYS: ClassVar[Keys] = ()
    """Its keys and their explanations, most important first, the way out last."""

    def __init__(self) -> None:
        super().__init__()
        self.key_line = LinesWidget(self._key_lines, id="key-line")

    def action_help(self) -> None:
        """Show the help, with the keys of this dialog first."""
        mode: Mode = getattr(self.app.screen_stack[0], "mode", LIVE)
        own = key_section(self.SUBJECT, self.help_keys)
        self.app.push_screen(HelpScreen([own, *help_sections(mode=mode)]))

    @property
    def help_keys(self) -> Keys:
        """The keys that the help explains."""
        return self.KEYS

    def on_mount(self) -> None:
        """Set the class of a narrow screen before the first frame: Textual sets it only afterwards."""
        self.set_class(self.app.size.width < ROOMY, "-narrow")

    @property
    def keys(self) -> Keys:
        """The keys on the bottom line, if they fit."""
        return self.KEYS

    @property
    def help_key(self) -> str:
        """The key of the help: `f1` where `?` is text."""
        return "?"

    def draw_keys(self) -> None:
        """Update the keys on the bottom line."""
        self.key_line.show_lines(self._key_lines)

    def action_leave(self) -> None:
        """Close without a result."""
        self.dismiss(None)

    def _key_lines(self, width: int) -> Sequence[Line]:
        return (fitting_keys((*self.keys, (self.help_key, "help")), width),)


class CopiedTextScreen(Dialog[None]):
    """Shows a text without borders, and releases the mouse to the terminal, so that dragging selects text."""

    class MouseReleased(Message):
        """The mouse is released to the terminal, or taken back."""

        def __init__(self, *, released: bool) -> None:
            super().__init__()
            self.released = released

    SUBJECT = "Clipboard"
    KEYS = (("y", "copy again"), ("s", "save"), ("esc", "back"))
    BINDINGS: ClassVar[list[BindingType]] = [
        ("y", "send", "copy again"),
        ("s", "save", "save"),
        ("q,C,enter", "leave", "back"),
    ]

    def __init__(self, clipboard: ClipboardService, sent: CopiedText) -> None:
        super().__init__()
        self._clipboard = clipboard
        self._sent = sent

    def compose(self) -> ComposeResult:
        """Lay out heading, text and keys."""
        yield LinesWidget(self._heading)
        yield Document(id="sent")
        yield self.key_line

    def on_mount(self) -> None:
        """Show the text, and release the mouse."""
        self.query_one(Document).show(self._sent.text)
        self.app.post_message(self.MouseReleased(released=True))

    def action_send(self) -> None:
        """Send the text again."""
        self.run_worker(self._clipboard.send(self._sent.text, self._sent.what), group="clipboard")

    def action_save(self) -> None:
        """Save the text to a file."""
        self.run_worker(self._clipboard.save(self._sent.text, self._sent.what), group="clipboard")

    def action_leave(self) -> None:
        """Take the mouse back, and close."""
        self.app.post_message(self.MouseReleased(released=False))
        self.dismiss(None)

    def _heading(self, width: int) -> Sequence[Line]:
        line = ((f" {self._sent.what}", Role.STRONG), ("  select with the mouse to copy", Role.DIM))
        return (truncate_line(line, width),)


class ValueScreen(Dialog[None]):
    """Shows one value in full."""

    SUBJECT = "Value"
    KEYS = (("y", "copy"), ("esc", "back"))
    BINDINGS: ClassVar[list[BindingType]] = [("y", "copy", "copy"), ("q,enter", "leave", "back")]

    def __init__(self, clipboard: ClipboardService, label: str, text: str) -> None:
        super().__init__()
        self._clipboard = clipboard
        self._label = label
        self._text = text

    def compose(self) -> ComposeResult:
        """Lay out name, value and keys."""
        with Vertical(classes="dialog"):
            yield LinesWidget(self._heading)
            yield Document(id="value")
            yield self.key_line

    def on_mount(self) -> None:
        """Show the value."""
        self.query_one(Document).show(self._text.expandtabs(4), plain=True)

    def action_copy(self) -> None:
        """Send the value to the clipboard."""
        what = f"value of {self._label}" if self._label else "value"
        self.run_worker(self._clipboard.send(safe_text(self._text), what), group="clipboard")

    def _heading(self, width: int) -> Sequence[Line]:
        size = humanize.format_size(len(self._text.encode()))
        line = ((f" {clean(self._label[:256]) or 'value'}", Role.NAME), (f"  {size}", Role.DIM))
        return (truncate_line(line, width),)
