"""What every part of the deck is given: each does what some of the keys ask for."""

from abc import abstractmethod

from textual.screen import Screen

from jobdeck.tui.session import Session
from jobdeck.tui.watch import Watch
from jobdeck.tui.widgets.job_list import JobList


class DeckPart(Screen[None]):
    """What is known, the list, and the ways to tell a person and to draw anew."""

    _session: Session
    _watch: Watch
    _jobs: JobList

    @property
    @abstractmethod
    def _settled(self) -> bool:
        """Whether the list is complete, so that whoever is selected may stay it."""

    @abstractmethod
    def _draw_titles(self) -> None:
        """Draw the lines over the panes."""

    @abstractmethod
    def _draw_selected(self) -> None:
        """Draw the panes about the selected job."""

    @abstractmethod
    def _draw_frame(self) -> None:
        """Draw what stands around the panes."""

    def _say(self, message: str, *, warn: bool = False) -> None:
        self.notify(message, severity="warning" if warn else "information", markup=False)
