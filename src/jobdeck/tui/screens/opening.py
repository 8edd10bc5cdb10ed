"""The first frame: the deck as it looks before its engine is there, drawn by little that has to be imported."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.screen import Screen

from jobdeck.tui.draw.empty import OPENING
from jobdeck.tui.draw.header import Overview, header_line
from jobdeck.tui.widgets.static import Footer, Header, Heading, Sentence

if TYPE_CHECKING:
    from textual.app import ComposeResult

    from jobdeck.tui.session import Session


class Opening(Screen[None]):
    """Stands in for the deck until its parts are imported, and looks like it to the cell.

    Those parts are 40 ms of imports and 20 ms of widgets that show nothing yet. No key does anything here: the app
    keeps what is typed for the deck.
    """

    AUTO_FOCUS = ""
    ALLOW_SELECT = False

    def __init__(self, session: Session) -> None:
        super().__init__()
        self._overview = Overview(session.profiles, {}, {}, paused=False, now=session.clock.now())
        self._locked = bool(session.locked)

    def compose(self) -> ComposeResult:
        """Lay out the frame of the deck around a list without rows."""
        yield Header(lambda width: (header_line(self._overview, width),))
        yield Heading()
        yield Sentence(lambda _: OPENING, id="panes")
        footer = Footer()
        footer.label({}, locked=self._locked)
        yield footer
