"""The input line for a filter, a search or a time, with a message about the result."""

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.message import Message
from textual.suggester import Suggester
from textual.widgets import Input

from jobdeck.tui.cell_text import width_of
from jobdeck.tui.filter_input import FilterHistory
from jobdeck.tui.render.spans import Keys, Line, Role, line_width, truncate_line
from jobdeck.tui.widgets.static import LinesWidget

LONGEST = 500
PROMPT = 3
LEAST_TEXT = 14
"""Cells that are left for the text beside a message."""


class FilterInput(Input):
    """The input of a filter bar."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "cancel", show=False),
        Binding("up", "older", show=False),
        Binding("down", "newer", show=False),
    ]
    history: FilterHistory | None = None

    class Cancelled(Message):
        """Escape was pressed."""

        def __init__(self, control: "FilterInput") -> None:
            super().__init__()
            self._control = control

        @property
        def control(self) -> "FilterInput":
            """The input, for `@on` with a selector."""
            return self._control

    def action_older(self) -> None:
        """Show the next older filter."""
        self._recall(self.history.older(self.value) if self.history is not None else None)

    async def action_newer(self) -> None:
        """Show the next newer filter; after the newest, submit."""
        text = self.history.newer() if self.history is not None else None
        if text is None:
            await self.action_submit()
        self._recall(text)

    def _recall(self, text: str | None) -> None:
        if text is not None:
            self.value = text
            self.cursor_position = len(text)

    def action_cancel(self) -> None:
        """Post `Cancelled`."""
        self.post_message(self.Cancelled(self))


class FilterBar(Horizontal):
    """An input line that is visible only while text is edited or a filter is set.

    The messages of its input, whose ID is `name`, bubble to the screen: `Changed`, `Submitted`, `Cancelled`, and
    `Blurred` only if the text was being edited.
    """

    class VisibilityChanged(Message):
        """The bar was shown or hidden, so that the height below it changes."""

    def __init__(
        self,
        name: str,
        keys: Keys,
        *,
        prompt: str = "/",
        history: FilterHistory | None = None,
        suggester: Suggester | None = None,
    ) -> None:
        """Create the bar; `keys` are the keys with a function while editing, for the footer."""
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
        """Post that it was shown."""
        self.post_message(self.VisibilityChanged())

    def on_hide(self) -> None:
        """Post that it was hidden."""
        self.post_message(self.VisibilityChanged())

    def compose(self) -> ComposeResult:
        """Lay out prompt, text and message."""
        yield LinesWidget(lambda _: (((f" {self._prompt}", Role.KEY),),), id="prompt")
        yield self._input
        yield self._message

    @property
    def editing(self) -> bool:
        """Whether the text is being edited."""
        return self._editing

    def open(self) -> None:
        """Start editing."""
        self._editing = self.display = self._input.display = True
        # Immediately, not in the next turn of the app: the next key belongs to the input.
        self.screen.set_focus(self._input)

    def show(self, text: str, message: Line, *, wanted: bool) -> None:
        """Show the current text and a message; `wanted` keeps the bar visible without editing.

        While the text is edited it is left alone: the applied filter is one key press behind.
        """
        self.display = wanted or self._editing
        self._input.display = self._editing or bool(text)
        if not self._editing and text != self._input.value.strip():
            with self.prevent(Input.Changed):
                self._input.value = text
        self._needed = line_width(message) + 2
        self._give_room()
        self._message.show_lines(lambda width: (truncate_line((("  ", Role.DIM), *message), width),))

    def on_resize(self) -> None:
        """Distribute the new width."""
        self._give_room()

    def _give_room(self) -> None:
        """Give the message its width, as long as enough is left for the text."""
        # Before the first layout, the width of the bar is not known.
        room = max((self.size.width or self.app.size.width) - PROMPT, 0)
        typed = max(width_of(self._input.value) + 2, LEAST_TEXT)
        self._message.styles.width = min(self._needed, max(room - typed, room // 2))

    def on_input_submitted(self) -> None:
        """Stop editing, and keep the text."""
        self._editing = False

    def on_input_blurred(self, event: Input.Blurred) -> None:
        """Stop editing when the focus moves to another widget, but not when the terminal loses it."""
        if self._editing and self.app.app_focus:
            self._editing = False
        else:
            event.stop()

    def on_filter_input_cancelled(self) -> None:
        """Stop editing."""
        self._editing = False
