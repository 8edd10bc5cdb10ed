"""The line over the list in which a filter is typed, with the number of jobs that pass it."""

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.message import Message
from textual.widgets import Input

from jobdeck.tui.draw.spans import Keys, Line, Role, clip_line
from jobdeck.tui.widgets.static import Sentence

LONGEST = 500


class FilterInput(Input):
    """The text of the filter."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "give_up", show=False),
        Binding("down", "submit", show=False),
    ]

    class GivenUp(Message):
        """Escape was pressed."""

    def action_give_up(self) -> None:
        """Tell that the text is not wanted after all."""
        self.post_message(self.GivenUp())


class Told(Message):
    """What a bar tells."""

    def __init__(self, bar: "FilterBar") -> None:
        super().__init__()
        self.bar = bar


class FilterBar(Horizontal):
    """Asks for a filter; it is there only while one is typed or in force."""

    class Changed(Told):
        """Another text is to be filtered by, from now on."""

        def __init__(self, bar: "FilterBar", text: str) -> None:
            super().__init__(bar)
            self.text = text

    class Done(Told):
        """The text stays as it is; it has been typed."""

    class GivenUp(Told):
        """No text is wanted."""

    class Left(Told):
        """The keys went elsewhere while the text was typed, and are not to be taken back; it stays as it is."""

    class Moved(Told):
        """It came or went: what stands under it has another height."""

    def __init__(self, keys: Keys, *, prompt: str = "/", id: str | None = None) -> None:  # noqa: A002 - Textual's name
        """Ask for a text; `keys` says what the keys do that are no part of it."""
        super().__init__(id=id)
        self.keys = keys
        self._prompt = prompt
        self.display = False
        self._input = FilterInput(compact=True, max_length=LONGEST, select_on_focus=False)
        self._input.cursor_blink = False
        self._told = Sentence()
        self._asking = False

    def on_show(self) -> None:
        """Tell that it came."""
        self.post_message(self.Moved(self))

    def on_hide(self) -> None:
        """Tell that it went."""
        self.post_message(self.Moved(self))

    def compose(self) -> ComposeResult:
        """Put the prompt before the text, and what is found after it."""
        yield Sentence(lambda _: (((f" {self._prompt}", Role.KEY),),), id="prompt")
        yield self._input
        yield self._told

    @property
    def asking(self) -> bool:
        """Whether the keys are for the text."""
        return self._asking

    @property
    def text(self) -> str:
        """What has been typed."""
        return self._input.value

    def ask(self) -> None:
        """Take the keys for a filter."""
        self._asking = self.display = self._input.display = True
        # At once, and not when it is the app's turn: the next key is for the input.
        self.screen.set_focus(self._input)

    def show(self, text: str, told: Line, *, wanted: bool) -> None:
        """Show the text that is filtered by and what is found; `wanted` while it is to be seen without the keys.

        While it is typed the text is left alone: what is filtered by is a key press behind.
        """
        self.display = wanted or self._asking
        self._input.display = self._asking or bool(text)
        if not self._asking and text != self._input.value.strip():
            with self.prevent(Input.Changed):
                self._input.value = text
        self._told.tell(lambda width: (clip_line((("  ", Role.DIM), *told), width),))

    def on_input_changed(self, event: Input.Changed) -> None:
        """Filter while it is typed."""
        event.stop()
        self.post_message(self.Changed(self, event.value))

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Leave the text as it is."""
        event.stop()
        self._asking = False
        self.post_message(self.Done(self))

    def on_input_blurred(self, event: Input.Blurred) -> None:
        """Take no more keys, unless it is the terminal that has lost them: it gives them back."""
        event.stop()
        if self._asking and self.app.app_focus:
            self._asking = False
            self.post_message(self.Left(self))

    def on_filter_input_given_up(self, event: FilterInput.GivenUp) -> None:
        """Drop the text."""
        event.stop()
        self._asking = False
        self.post_message(self.GivenUp(self))
