"""What every part of the deck is given: each does what some of the keys ask for."""

from abc import abstractmethod
from collections.abc import Callable, Iterable

from textual.screen import Screen

from jobdeck.domain.job import JobKey
from jobdeck.tui.deck_state import Watch
from jobdeck.tui.marks import Marks, UndoStack
from jobdeck.tui.session import Session
from jobdeck.tui.widgets.job_list import JobList


class DeckPart(Screen[None]):
    """What is known, the list, and the ways to tell a person and to draw anew."""

    _session: Session
    _watch: Watch
    _jobs: JobList
    _marks: Marks
    _undo: UndoStack
    _select_next: JobKey | None = None
    """Who is to be selected once the engine has told of it."""

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

    def _way_back(self, key: JobKey, change: Callable[[], object]) -> Callable[[], None]:
        """Return what makes `change` and puts a job back where it is now: its place, the marks, and the cursor."""
        row, marks = self._watch.model.row(key), tuple(self._marks)

        def undo() -> None:
            if row is not None:
                self._watch.model.keep_place(key, row.rank)
            change()
            self._mark(marks)
            self._select_next = key

        return undo

    def _mark(self, keys: Iterable[JobKey]) -> None:
        """Mark these jobs and no others."""
        self._marks.replace(keys)
        self._jobs.mark(self._marks)
        self._draw_titles()

    def _say(self, message: str, *, warn: bool = False) -> None:
        self.notify(message, severity="warning" if warn else "information", markup=False)
