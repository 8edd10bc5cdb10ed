"""The lines above the panes: the header, the states and errors, the banner of what is wrong."""

from collections.abc import Iterator

from textual.widget import Widget

from jobdeck.app.session import Session
from jobdeck.domain.text import one_line
from jobdeck.tui.actions import Mode
from jobdeck.tui.deck_state import DeckState
from jobdeck.tui.render.frame import banner_lines
from jobdeck.tui.render.header import header_line
from jobdeck.tui.widgets.static import Banner, GroupStrip, Header

STRIP_FROM = 16
"""Minimum screen height for a line of states and errors."""


class TopLines:
    """Draws its three widgets from the state of the deck."""

    def __init__(self, session: Session, state: DeckState) -> None:
        self._session = session
        self._state = state
        self._header, self._strip, self._banner = Header(), GroupStrip(), Banner()

    def __iter__(self) -> Iterator[Widget]:
        """Return the widgets, from the top."""
        return iter((self._header, self._strip, self._banner))

    def draw(self, height: int, filter_text: str, failure: str | None, mode: Mode) -> None:
        """Draw for a screen of a height; `failure` is why the engine stopped."""
        state, now = self._state, self._session.clock.now()
        overview = state.overview(now, self._session.reading)
        below = height >= STRIP_FROM and bool(state.table.total)
        self._strip.display = below
        groups, new = state.failure_groups.by_error(), len(state.new_failures)
        self._strip.show(state.table.counts, groups, filter_text, new)
        self._header.show_lines(lambda width: (header_line(overview, width, strip_below=below),))
        halted = state.engine.halted() if state.engine is not None else {}
        unreachable, error = state.unreachable_profiles(), one_line(self._session.storage_error)
        fixed = mode.read_only or mode.replay
        self._banner.show_lines(
            lambda width: banner_lines(width, halted, unreachable, now, failure, storage_error=error, read_only=fixed)
        )
