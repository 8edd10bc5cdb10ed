"""The ticket dialog: review it, add a note, copy or save it."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import ClassVar, Protocol

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical
from textual.widgets import TextArea

from jobdeck.app.session import safe_error_message
from jobdeck.domain import humanize
from jobdeck.tui.clipboard import ClipboardService
from jobdeck.tui.render.spans import Keys, Line, Role, truncate_line
from jobdeck.tui.screens.dialogs import Dialog
from jobdeck.tui.widgets.line_view import Document
from jobdeck.tui.widgets.static import LinesWidget

MAKING_SECONDS = 5.0
"""The longest that making a ticket may take before the dialog says so."""

NOTE_PLACEHOLDER = "for support: what you did and what you expected"


class Draft(Protocol):
    """A ticket that can be made repeatedly, with its note."""

    async def note(self) -> str:
        """Return the saved note."""
        ...

    def save_note(self, note: str) -> None:
        """Save a new note, which tickets include from then on. Needs a running loop."""
        ...

    async def render(self, *, include_result: bool) -> str:
        """Return the ticket, optionally with the jobs' results."""
        ...


class TicketScreen(Dialog[None]):
    """Shows a ticket before it is sent. Keys work at once: `y` waits until the ticket is made."""

    SUBJECT = "Ticket"
    KEYS = (("y", "copy"), ("s", "save"), ("n", "note"), ("i", "with result"), ("esc", "back"))
    BINDINGS: ClassVar[list[BindingType]] = [
        ("y,enter", "copy", "copy"),
        ("s", "save", "save"),
        ("n,e", "note", "note"),
        ("i", "result", "with the result"),
        ("q", "leave", "back"),
    ]
    AUTO_FOCUS = "Document"
    TEXT_KEYS: ClassVar[str] = "ne"

    def __init__(self, draft: Draft, clipboard: ClipboardService, subject: str) -> None:
        """Start making the ticket; needs a running loop."""
        super().__init__()
        self._draft = draft
        self._clipboard = clipboard
        self._subject = subject
        self._note = ""
        self._with_result = False
        self._busy = False
        self._making = self._begin()
        self._shown: asyncio.Task[None] | None = None

    @property
    def keys(self) -> Keys:
        """The keys of the ticket, or of its note while that is edited."""
        result = "without result" if self._with_result else "with result"
        keys = (("y", "copy"), ("s", "save"), ("n", "note"), ("i", result), ("esc", "back"))
        return (("esc", "done"),) if self._writes else keys

    @property
    def help_key(self) -> str:
        """The key of the help."""
        return "f1" if self._writes else "?"

    @property
    def _writes(self) -> bool:
        return isinstance(self.focused, TextArea)

    @property
    def what(self) -> str:
        """The name of the ticket in messages."""
        return f"ticket for {self._subject}"

    def compose(self) -> ComposeResult:
        """Lay out ticket, note and keys."""
        with Vertical(classes="dialog"):
            yield LinesWidget(self._heading, id="ticket-heading")
            yield Document(id="ticket")
            note = TextArea(placeholder=NOTE_PLACEHOLDER, soft_wrap=True, show_line_numbers=False)
            note.cursor_blink = False
            note.display = False
            yield note
            yield self.key_line

    def on_mount(self) -> None:
        """Show the ticket once it is made."""
        self._show()
        self.run_worker(self._recall_note(), group="note", exit_on_error=False)

    def on_unmount(self) -> None:
        """Cancel unfinished work."""
        self._making.cancel()
        if self._shown is not None:
            self._shown.cancel()

    def on_descendant_focus(self) -> None:
        """Update the keys."""
        self.draw_keys()

    def action_copy(self) -> None:
        """Send the ticket to the clipboard, and return to the deck."""
        self._take_note()
        self.run_worker(self._deliver(self._clipboard.send), group="deliver")

    def action_save(self) -> None:
        """Save the ticket to a file; the dialog stays open, because the next keys would go to the deck."""
        self._take_note()
        self.run_worker(self._deliver(self._clipboard.save, leave=False), group="deliver")

    def action_note(self) -> None:
        """Edit the note."""
        note = self.query_one(TextArea)
        note.display = True
        self.set_focus(note)

    def action_result(self) -> None:
        """Include the jobs' results, or leave them out: they may contain personal data."""
        self._with_result = not self._with_result
        self.draw_keys()
        self._remake()

    def action_leave(self) -> None:
        """Return from the note to the ticket, or from the ticket to the deck."""
        self._take_note()
        note = self.query_one(TextArea)
        if self.focused is not note:
            self.dismiss(None)
            return
        note.display = bool(self._note)
        self.set_focus(self.query_one(Document))

    def _take_note(self) -> None:
        """Save the note if it changed; a click may have taken the focus from it."""
        note = self.query_one(TextArea).text.strip()
        if note != self._note:
            self._note = note
            self._draft.save_note(note)
            self._remake()

    async def _recall_note(self) -> None:
        """Load the saved note, unless the user already typed another."""
        kept = await self._draft.note()
        note = self.query_one(TextArea)
        if kept and not note.text:
            self._note = kept.strip()
            note.load_text(kept)
            note.move_cursor(note.document.end)

    def _begin(self) -> asyncio.Task[str]:
        async def render() -> str:
            async with asyncio.timeout(MAKING_SECONDS):
                return await self._draft.render(include_result=self._with_result)

        return asyncio.get_running_loop().create_task(render(), name="ticket")

    def _remake(self) -> None:
        self._making.cancel()
        self._making = self._begin()
        self._show()

    def _show(self) -> None:
        if self._shown is not None:
            self._shown.cancel()
        self._shown = asyncio.get_running_loop().create_task(self._show_when_made(), name="show the ticket")

    async def _show_when_made(self) -> None:
        text = await self._text()
        if text is not None:
            self.query_one(Document).show(text)
            self.query_one("#ticket-heading", LinesWidget).show_lines(self._heading)

    async def _text(self) -> str | None:
        """Return the latest ticket once it is made; None after a message if that fails."""
        making = self._making
        try:
            return await asyncio.shield(making)
        except asyncio.CancelledError:
            if making is self._making:
                raise
            return await self._text()
        except TimeoutError:
            reason = "reading saved data timed out"
        except Exception as error:  # noqa: BLE001 - the session may raise what the store raises
            reason = safe_error_message(error)
        self.notify(f"could not create the ticket: {reason}", severity="warning", markup=False)
        return None

    async def _deliver(self, way: Callable[[str, str], Awaitable[object]], *, leave: bool = True) -> None:
        if self._busy:
            return
        self._busy = True
        try:
            text = await self._text()
            if text is not None and await way(text, self.what) and leave:
                self.dismiss(None)
        finally:
            self._busy = False

    def _heading(self, width: int) -> Sequence[Line]:
        document = self.query(Document)  # the heading may be drawn first
        text = document.first().text if document else ""
        size = humanize.format_size(len(text.encode())) if text else "…"
        result = "includes the result: check it for personal data" if self._with_result else "without the result"
        line = ((" Ticket ", Role.STRONG), (f"for {self._subject}", Role.NAME), (f"  {size}, {result}", Role.DIM))
        return (truncate_line(line, width),)
