"""The ticket: read it, say something about it, and hand it on."""

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
from jobdeck.tui.render.spans import Keys, Line, Role, clip_line
from jobdeck.tui.screens.dialogs import Dialog
from jobdeck.tui.widgets.line_view import Document
from jobdeck.tui.widgets.static import LinesWidget

MAKING_SECONDS = 5.0
"""The longest that a ticket may take to make before a key says so instead of holding the screen."""

NOTE_PLACEHOLDER = "for support: what you did and what you expected"


class Paper(Protocol):
    """A ticket that can be made anew, and its note."""

    async def note(self) -> str:
        """Return the note that is kept with the jobs."""
        ...

    def keep(self, note: str) -> None:
        """Keep another note with the jobs; it is in every ticket that is made from now on. Needs a running loop."""
        ...

    async def make(self, *, include_result: bool) -> str:
        """Return the ticket, with the jobs' results or without."""
        ...


class TicketScreen(Dialog[None]):
    """Shows a ticket before it leaves. `y` works at once: a key pressed before the ticket is made waits for it."""

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

    def __init__(self, paper: Paper, copier: ClipboardService, subject: str) -> None:
        """Begin to make the ticket; needs a running loop."""
        super().__init__()
        self._paper = paper
        self._copier = copier
        self._subject = subject
        self._note = ""
        self._with_result = False
        self._busy = False
        self._making = self._begin()
        self._shown: asyncio.Task[None] | None = None

    @property
    def keys(self) -> Keys:
        """The keys of the ticket, or of its note while that is written."""
        result = "without result" if self._with_result else "with result"
        keys = (("y", "copy"), ("s", "save"), ("n", "note"), ("i", result), ("esc", "back"))
        return (("esc", "done"),) if self._writes else keys

    @property
    def help_key(self) -> str:
        """The key that shows the help."""
        return "f1" if self._writes else "?"

    @property
    def _writes(self) -> bool:
        return isinstance(self.focused, TextArea)

    @property
    def what(self) -> str:
        """What is handed on, in words."""
        return f"ticket for {self._subject}"

    def compose(self) -> ComposeResult:
        """Lay out the ticket over the note and the keys."""
        with Vertical(classes="sheet"):
            yield LinesWidget(self._heading, id="ticket-heading")
            yield Document(id="ticket")
            note = TextArea(placeholder=NOTE_PLACEHOLDER, soft_wrap=True, show_line_numbers=False)
            note.cursor_blink = False
            note.display = False
            yield note
            yield self.key_line

    def on_mount(self) -> None:
        """Show the ticket when it is made."""
        self._show()
        self.run_worker(self._recall_note(), group="note", exit_on_error=False)

    def on_unmount(self) -> None:
        """Make nothing that nobody reads."""
        self._making.cancel()
        if self._shown is not None:
            self._shown.cancel()

    def on_descendant_focus(self) -> None:
        """Name the keys of the ticket or of its note."""
        self.draw_keys()

    def action_copy(self) -> None:
        """Send the ticket to the clipboard and go back to the deck."""
        self._take_note()
        self.run_worker(self._hand_on(self._copier.send), group="hand on")

    def action_save(self) -> None:
        """Write the ticket to a file; it stays in view, for its keys are not those of the deck."""
        self._take_note()
        self.run_worker(self._hand_on(self._copier.keep, leave=False), group="hand on")

    def action_note(self) -> None:
        """Write a note."""
        note = self.query_one(TextArea)
        note.display = True
        self.set_focus(note)

    def action_result(self) -> None:
        """Take the jobs' results in, or leave them out again: they may hold what is nobody else's business."""
        self._with_result = not self._with_result
        self.draw_keys()
        self._remake()

    def action_leave(self) -> None:
        """Go from the note back to the ticket, and from there to the deck."""
        self._take_note()
        note = self.query_one(TextArea)
        if self.focused is not note:
            self.dismiss(None)
            return
        note.display = bool(self._note)
        self.set_focus(self.query_one(Document))

    def _take_note(self) -> None:
        """Keep the note if it has been changed; it may have lost the keys to a click."""
        note = self.query_one(TextArea).text.strip()
        if note != self._note:
            self._note = note
            self._paper.keep(note)
            self._remake()

    async def _recall_note(self) -> None:
        """Go on with the note that is kept, unless another has been begun."""
        kept = await self._paper.note()
        note = self.query_one(TextArea)
        if kept and not note.text:
            self._note = kept.strip()
            note.load_text(kept)
            note.move_cursor(note.document.end)

    def _begin(self) -> asyncio.Task[str]:
        async def make() -> str:
            async with asyncio.timeout(MAKING_SECONDS):
                return await self._paper.make(include_result=self._with_result)

        return asyncio.get_running_loop().create_task(make(), name="ticket")

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
        """Return the ticket when it is made, or made anew meanwhile; None, and said why, when it cannot be."""
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

    async def _hand_on(self, way: Callable[[str, str], Awaitable[object]], *, leave: bool = True) -> None:
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
        told = humanize.format_size(len(text.encode())) if text else "…"
        result = "includes the result: check it for personal data" if self._with_result else "without the result"
        line = ((" Ticket ", Role.STRONG), (f"for {self._subject}", Role.NAME), (f"  {told}, {result}", Role.DIM))
        return (clip_line(line, width),)
