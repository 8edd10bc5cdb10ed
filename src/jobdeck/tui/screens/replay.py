"""The deck on a recording, with keys that move through its time."""

from collections.abc import Callable, Sequence
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.widgets import Input

from jobdeck.app.session import Playback, Session
from jobdeck.domain import humanize
from jobdeck.domain.text import one_line
from jobdeck.engine.subscription import ChangeSet
from jobdeck.tui.actions import ACTIONS, BY_NAME, Group, bindings
from jobdeck.tui.clipboard import ClipboardWriter
from jobdeck.tui.export import Save, save
from jobdeck.tui.render.spans import EMPTY, Line, Role, truncate_line
from jobdeck.tui.screens.deck import Deck
from jobdeck.tui.widgets.filter_bar import FilterBar, FilterInput
from jobdeck.tui.widgets.playback_bar import PlaybackBar

PLAYING, PAUSED, ENDED, BREAKS_OFF = "►", "▮▮", "■ end", "■ incomplete"
SEEKING = (("enter", "jump"), ("esc", "cancel"))
"""Keys while a time is typed."""

REPLAY_ACTIONS = frozenset(action for action in ACTIONS if action.group is Group.REPLAY)


class ReplayDeck(Deck):
    """Draws the frames of a recording. Time advances only between frames, so every frame is deterministic."""

    TEXT_KEYS: ClassVar[str] = "/:@"
    BINDINGS: ClassVar[list[BindingType]] = bindings(Group.REPLAY)

    def __init__(
        self,
        playback: Playback,
        session: Session,
        write_clipboard: ClipboardWriter,
        write: Callable[[str], object],
        save: Save = save,
    ) -> None:
        super().__init__(session, write_clipboard, write, save)
        self._playback = playback
        self._seek_bar = FilterBar("seek", SEEKING, prompt="@")
        self._bar = PlaybackBar(playback, self._at)
        self._show_playback()

    def compose(self) -> ComposeResult:
        """Lay out the deck, with the playback bar and the time input above its footer."""
        for widget in super().compose():
            if widget is self._footer:
                yield self._bar
                yield self._seek_bar
            yield widget

    def draw(self, batch: ChangeSet) -> None:
        """Draw a frame, and everything that depends on its time."""
        self._show_playback()
        super().draw(batch)
        self._draw_moment(resort=not self._playback.playing)

    def tick(self) -> None:
        """Do nothing: only frames advance the time."""

    def pin_selection(self, action: str) -> None:
        """Let the selection stick to its job, except for keys that move through time: they select the first row again.

        A moment then looks the same no matter how it was reached.
        """
        if BY_NAME.get(action) not in REPLAY_ACTIONS and not self._seek_bar.editing:
            super().pin_selection(action)

    def action_play(self) -> None:
        """Play or pause."""
        self._playback.toggle()
        self._show_playback()
        self._draw_moment(resort=not self._playback.playing)

    def action_step(self) -> None:
        """Pause at the next response or change."""
        self._playback.step(1)

    def action_step_back(self) -> None:
        """Pause at the previous response or change."""
        self._playback.step(-1)

    def action_faster(self) -> None:
        """Play faster."""
        self._playback.change_speed(1)
        self._redraw()

    def action_slower(self) -> None:
        """Play slower."""
        self._playback.change_speed(-1)
        self._redraw()

    def action_go_to(self) -> None:
        """Open the time input."""
        self._seek_bar.open()
        self._show_moment("")
        self._draw_footer()

    @on(Input.Changed, "#seek")
    def seek_changed(self, event: Input.Changed) -> None:
        """Show the time that the typed text stands for."""
        self._show_moment(event.value)

    @on(Input.Submitted, "#seek")
    def seek_submitted(self, event: Input.Submitted) -> None:
        """Jump to the typed time, or show why it is invalid."""
        try:
            place = self._playback.parse_time(event.value)
        except ValueError:
            self._seek_bar.open()
            self._show_moment(event.value)
        else:
            self._playback.seek(place)
            self._leave_seek_bar()

    @on(PlaybackBar.Chosen)
    def moment_chosen(self, message: PlaybackBar.Chosen) -> None:
        """Jump to the clicked time."""
        self._playback.seek(message.seconds)

    @on(FilterInput.Cancelled, "#seek")
    def seek_cancelled(self) -> None:
        """Close the time input without a jump."""
        self._leave_seek_bar()

    @on(Input.Blurred, "#seek")
    def seek_blurred(self) -> None:
        """Close the time input, and leave the focus where it is."""
        self._seek_bar.show("", (), wanted=False)
        self._draw_footer()

    @property
    def _bars(self) -> tuple[FilterBar, ...]:
        return *super()._bars, self._seek_bar

    @property
    def _labels(self) -> dict[str, str]:
        if self._playback.playing:
            return {"play": "pause"}
        return {"play": "play again" if self._playback.finished else "play"}

    def _empty_lines(self, width: int) -> Sequence[Line]:
        lines = super()._empty_lines(width)
        if self._state.engine is None or self._state.table.total:
            return lines
        return (EMPTY, truncate_line((("  No jobs were watched at this time.", Role.STRONG),), width))

    def _redraw(self) -> None:
        self._show_playback()
        self._draw_frame()

    def _leave_seek_bar(self) -> None:
        self.set_focus(self._jobs)
        self._seek_bar.show("", (), wanted=False)
        self._draw_footer()

    def _show_moment(self, text: str) -> None:
        try:
            place = self._playback.parse_time(text) if text.strip() else None
        except ValueError as error:
            shown: Line = ((one_line(str(error)), Role.WARN),)
        else:
            shown = (
                ((self._playback.time_hint, Role.DIM),)
                if place is None
                else (("enter", Role.KEY), (f" goes to {self._at(place)}", Role.TEXT))
            )
        self._seek_bar.show(text, shown, wanted=True)

    def _at(self, place: float) -> str:
        us = self._playback.timestamp_at(place)
        return humanize.format_datetime(us) if self._playback.spans_days else humanize.format_time(us)

    def _show_playback(self) -> None:
        play = self._playback
        end = ENDED if play.complete else BREAKS_OFF
        state = PLAYING if play.playing else end if play.finished else PAUSED
        self._state.replay = f"×{play.speed:g} {state}{' damaged' if play.damaged else ''}"
        self._state.dated = play.spans_days
        self._bar.show()
