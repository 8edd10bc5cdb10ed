"""The deck on a recording: what was seen, with keys that move through its time."""

from collections.abc import Callable, Sequence
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.widgets import Input

from jobdeck.domain import words
from jobdeck.domain.text import one_line
from jobdeck.engine.batch import Batch
from jobdeck.tui.actions import ACTIONS, BY_NAME, Group, bindings
from jobdeck.tui.clipboard import ClipboardWriter
from jobdeck.tui.export import Save, save
from jobdeck.tui.render.spans import EMPTY, Line, Role, clip_line
from jobdeck.tui.screens.deck import Deck
from jobdeck.tui.session import Playback, Session
from jobdeck.tui.widgets.filter_bar import FilterBar, FilterInput

PLAYS, STANDS, ENDED, BREAKS_OFF = "►", "▮▮", "■ end", "■ breaks off"
TENTHS = 10
SEEKING = (("enter", "go there"), ("esc", "stay here"))
"""What keys do while a moment is typed."""

PLAYS_BACK = frozenset(action for action in ACTIONS if action.group is Group.REPLAY)


class ReplayDeck(Deck):
    """Draws the frames of a recording. Time stands still between two of them, so that each is drawn but one way."""

    TEXT_KEYS: ClassVar[str] = "/:@"
    BINDINGS: ClassVar[list[BindingType]] = [
        *(one for one in bindings(Group.REPLAY) if isinstance(one, Binding) and one.action != "seek"),
        *(Binding(key, f"seek({key})", show=False) for key in BY_NAME["seek"].keys),
    ]

    def __init__(
        self,
        playback: Playback,
        session: Session,
        put: ClipboardWriter,
        write: Callable[[str], object],
        save: Save = save,
    ) -> None:
        super().__init__(session, put, write, save)
        self._playback = playback
        self._seek_bar = FilterBar("seek", SEEKING, prompt="@")
        self._tell_playback()

    def compose(self) -> ComposeResult:
        """Lay out the deck, with a line over its footer in which a moment is named."""
        for widget in super().compose():
            if widget is self._footer:
                yield self._seek_bar
            yield widget

    def draw(self, batch: Batch) -> None:
        """Draw a frame, with all that reads differently at its moment."""
        self._tell_playback()
        super().draw(batch)
        self._draw_moment(resort=not self._playback.playing)

    def tick(self) -> None:
        """Draw nothing: only frames move time."""

    def pin_selection(self, action: str) -> None:
        """Keep the selected job, unless the keys only move through time: each moment then opens on what needs a look.

        So a moment looks the same whichever way one came there.
        """
        if BY_NAME.get(action) not in PLAYS_BACK and not self._seek_bar.editing:
            super().pin_selection(action)

    def action_play(self) -> None:
        """Stand still, or play on."""
        self._playback.toggle()
        self._tell_playback()
        self._draw_moment(resort=not self._playback.playing)

    def action_step(self) -> None:
        """Go to the next thing that happened."""
        self._playback.step(1)

    def action_step_back(self) -> None:
        """Go to the thing that happened before."""
        self._playback.step(-1)

    def action_faster(self) -> None:
        """Play faster."""
        self._playback.faster(1)
        self._redraw()

    def action_slower(self) -> None:
        """Play slower."""
        self._playback.faster(-1)
        self._redraw()

    def action_seek(self, tenth: int = 0) -> None:
        """Go to so many tenths of the recording."""
        self._playback.seek(self._playback.length * tenth / TENTHS)

    def action_go_to(self) -> None:
        """Ask for a moment."""
        self._seek_bar.open()
        self._tell_moment("")
        self._draw_footer()

    @on(Input.Changed, "#seek")
    def seek_changed(self, event: Input.Changed) -> None:
        """Tell which moment is meant by what has been typed so far."""
        self._tell_moment(event.value)

    @on(Input.Submitted, "#seek")
    def seek_submitted(self, event: Input.Submitted) -> None:
        """Go to the moment, or say why not and go on asking."""
        try:
            place = self._playback.find(event.value)
        except ValueError:
            self._seek_bar.open()
            self._tell_moment(event.value)
        else:
            self._playback.seek(place)
            self._leave_seek_bar()

    @on(FilterInput.Cancelled, "#seek")
    def seek_cancelled(self) -> None:
        """Stay where one is."""
        self._leave_seek_bar()

    @on(Input.Blurred, "#seek")
    def seek_blurred(self) -> None:
        """Stay where one is, and leave the keys where they went."""
        self._seek_bar.show("", (), wanted=False)
        self._draw_footer()

    @property
    def _bars(self) -> tuple[FilterBar, ...]:
        return *super()._bars, self._seek_bar

    @property
    def _labels(self) -> dict[str, str]:
        if self._playback.playing:
            return {"play": "stand still"}
        return {"play": "play again" if self._playback.over else "play"}

    def _empty_lines(self, width: int) -> Sequence[Line]:
        lines = super()._empty_lines(width)
        if self._state.engine is None or self._state.table.total:
            return lines
        return (EMPTY, clip_line((("  No job was watched at this moment.", Role.STRONG),), width))

    def _redraw(self) -> None:
        self._tell_playback()
        self._draw_frame()

    def _leave_seek_bar(self) -> None:
        self.set_focus(self._jobs)
        self._seek_bar.show("", (), wanted=False)
        self._draw_footer()

    def _tell_moment(self, text: str) -> None:
        try:
            place = self._playback.find(text) if text.strip() else None
        except ValueError as error:
            told: Line = ((one_line(str(error)), Role.WARN),)
        else:
            told = (
                ((self._playback.forms, Role.DIM),)
                if place is None
                else (("enter", Role.KEY), (f" goes to {self._at(place)}", Role.TEXT))
            )
        self._seek_bar.show(text, told, wanted=True)

    def _at(self, place: float) -> str:
        us = self._playback.date(place)
        return words.stamp(us) if self._playback.several_days else words.clock(us)

    def _tell_playback(self) -> None:
        play = self._playback
        end = ENDED if play.whole else BREAKS_OFF
        sign = PLAYS if play.playing else end if play.over else STANDS
        self._state.replay = f"×{play.speed:g} {sign}{' damaged' if play.damaged else ''}"
        self._state.dated = play.several_days
