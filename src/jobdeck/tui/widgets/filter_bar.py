"""The line in which a filter, a text to look for or a moment is typed, with what is found of it."""

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.message import Message
from textual.suggester import Suggester
from textual.widgets import Input

from jobdeck.tui.cell_text import width_of
from jobdeck.tui.filter_history import FilterHistory
from jobdeck.tui.render.spans import Keys, Line, Role, clip_line, line_width
from jobdeck.tui.widgets.static import LinesWidget

LONGEST = 500
PROMPT = 3
LEAST_TEXT = 14
"""Cells that a message leaves for the text."""


class FilterInput(Input):
    """The text of the filter."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "cancel", show=False),
        Binding("up", "older", show=False),
        Binding("down", "newer", show=False),
    ]
    history: FilterHistory | None = None

    class Cancelled(Message):
        """Escape was pressed: the text is not wanted after all."""

        def __init__(self, control: "FilterInput") -> None:
            super().__init__()
            self._control = control

        @property
        def control(self) -> "FilterInput":
            """The input, for `on`."""
            return self._control

    def action_older(self) -> None:
        """Show the filter that was used before this one."""
        self._recall(self.history.older(self.value) if self.history is not None else None)

    async def action_newer(self) -> None:
        """Show the filter that was used after this one; after the newest, go where the text leads."""
        text = self.history.newer() if self.history is not None else None
        if text is None:
            await self.action_submit()
        self._recall(text)

    def _recall(self, text: str | None) -> None:
        if text is not None:
            self.value = text
            self.cursor_position = len(text)

    def action_cancel(self) -> None:
        """Say that the text is not wanted after all."""
        self.post_message(self.Cancelled(self))


class FilterBar(Horizontal):
    """Asks for a text; it is there only while one is typed or in force.

    The messages of its input, whose ID is `name`, go through it to the screen: `Changed`, `Submitted`, `Cancelled`, and
    `Blurred` where the text was still being typed.
    """

    class VisibilityChanged(Message):
        """It came or went: what stands under it has another height."""

    def __init__(
        self,
        name: str,
        keys: Keys,
        *,
        prompt: str = "/",
        history: FilterHistory | None = None,
        suggester: Suggester | None = None,
    ) -> None:
        """Ask for a text; `keys` says what the keys do that are no part of it, `history` what was typed before."""
        super().__init__(classes=name)
        self.keys = keys
        self._prompt = prompt
        self.display = False
        self._input = FilterInput(compact=True, max_length=LONGEST, select_on_focus=False, id=name, suggester=suggester)
        self._input.history = history
        self._input.cursor_blink = False
        self._message = LinesWidget()
        self._needed = 0  # cells of the message
        self._editing = False

    def on_show(self) -> None:
        """Tell that it came."""
        self.post_message(self.VisibilityChanged())

    def on_hide(self) -> None:
        """Tell that it went."""
        self.post_message(self.VisibilityChanged())

    def compose(self) -> ComposeResult:
        """Put the prompt before the text, and what is found after it."""
        yield LinesWidget(lambda _: (((f" {self._prompt}", Role.KEY),),), id="prompt")
        yield self._input
        yield self._message

    @property
    def editing(self) -> bool:
        """Whether the keys are for the text."""
        return self._editing

    @property
    def text(self) -> str:
        """What has been typed."""
        return self._input.value

    def open(self) -> None:
        """Take the keys for a text."""
        self._editing = self.display = self._input.display = True
        # At once, and not when it is the app's turn: the next key is for the input.
        self.screen.set_focus(self._input)

    def show(self, text: str, message: Line, *, wanted: bool) -> None:
        """Show the text that is in force and what is found; `wanted` while it is to be seen without the keys.

        While it is typed the text is left alone: what is filtered by is a key press behind.
        """
        self.display = wanted or self._editing
        self._input.display = self._editing or bool(text)
        if not self._editing and text != self._input.value.strip():
            with self.prevent(Input.Changed):
                self._input.value = text
        self._needed = line_width(message) + 2
        self._give_room()
        self._message.show_lines(lambda width: (clip_line((("  ", Role.DIM), *message), width),))

    def on_resize(self) -> None:
        """Share the new width out."""
        self._give_room()

    def _give_room(self) -> None:
        """Give the message the room it needs, as long as some is left for the text."""
        # Until it is laid out for the first time, the bar's own width is not known.
        room = max((self.size.width or self.app.size.width) - PROMPT, 0)
        typed = max(width_of(self._input.value) + 2, LEAST_TEXT)
        self._message.styles.width = min(self._needed, max(room - typed, room // 2))

    def on_input_submitted(self) -> None:
        """Leave the text as it is."""
        self._editing = False

    def on_input_blurred(self, event: Input.Blurred) -> None:
        """Take no more keys, unless it is the terminal that has lost them: it gives them back."""
        if self._editing and self.app.app_focus:
            self._editing = False
        else:
            event.stop()

    def on_filter_input_cancelled(self) -> None:
        """Drop the text."""
        self._editing = False
