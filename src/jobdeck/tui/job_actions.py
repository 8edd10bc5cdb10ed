"""What keys do with single jobs of a deck, and undo: mark them, stop watching them, acknowledge their problems."""

from collections.abc import Callable, Iterable

from jobdeck.domain.job import JobKey
from jobdeck.tui.cell_text import middle
from jobdeck.tui.deck_state import DeckState
from jobdeck.tui.marks import MarkedJobs, UndoStack
from jobdeck.tui.render.state import TROUBLE
from jobdeck.tui.session import safe_error_message
from jobdeck.tui.widgets.job_list import JobList


class JobActions:
    """Changes the marked and the selected jobs. What a method returns is what a person is told, empty for nothing.

    `on_marked` is called when other jobs are marked than before.
    """

    def __init__(self, state: DeckState, jobs: JobList, undo: UndoStack, on_marked: Callable[[], None]) -> None:
        self.marks = MarkedJobs()
        self._state = state
        self._jobs = jobs
        self._undo = undo
        self._on_marked = on_marked
        self._select_next: JobKey | None = None  # once the engine has told of it

    @property
    def marked_or_selected(self) -> list[JobKey]:
        """The marked jobs, else the selected one."""
        selected = self._jobs.selected
        return list(self.marks) or ([selected] if selected is not None else [])

    def apply(self, removed: Iterable[JobKey]) -> None:
        """Follow a change of the list: forget jobs that are gone, and select the one that was brought back."""
        self.marks.drop(key for key in removed if not self._state.is_watched(key))
        if self._select_next is not None and self._state.is_watched(self._select_next):
            self._jobs.select(self._select_next)
            self._select_next = None

    def mark(self) -> None:
        """Mark the selected job, or take its mark away, and go on to the next."""
        key = self._jobs.selected
        if key is not None:
            self._push_marks(key)
            self.marks.toggle(key)
            self._jobs.action_cursor_down()
            self._mark(self.marks)

    def mark_all(self) -> None:
        """Take every mark away, or, when there is none, mark every job that is shown."""
        self._push_marks(self._jobs.selected)
        self._mark(() if len(self.marks) else self._state.table.keys(0, len(self._state.table)))

    def remove(self) -> str:
        """Stop watching the selected job."""
        engine, job = self._state.controls, self._state.job(self._jobs.selected)
        if engine is None or job is None:
            return ""
        name = middle(job.key.id, 40)
        self._undo.push(f"watching {name} again", self._way_back(job.key, lambda: engine.restore([job])))
        engine.remove([job.key])
        return f"stopped watching {name} (u to undo)"

    def acknowledge(self) -> str:
        """Take note of the selected job's problem and go on to the next; of a noted one, raise it again."""
        engine, key = self._state.controls, self._jobs.selected
        row = self._state.table.row(key) if key is not None else None
        if engine is None or row is None:
            return ""
        was, job_key = row.job.acknowledged, row.job.key
        if not was and row.counted not in TROUBLE:
            return "nothing to acknowledge: the job has no problem"
        back = self._way_back(job_key, lambda: engine.acknowledge([job_key], acknowledged=was))
        self._undo.push("acknowledged again" if was else "no longer acknowledged", back)
        if not was:
            self._jobs.step_off()
        engine.acknowledge([job_key], acknowledged=not was)
        return "no longer acknowledged" if was else "acknowledged, moved to the bottom (u to undo)"

    def undo(self) -> tuple[str, bool]:
        """Undo what a key did last; returns whether that failed, too."""
        change = self._undo.pop()
        if change is None:
            return "nothing to undo", False
        try:
            change.undo()
        except Exception as error:  # noqa: BLE001 - a profile without credentials raises what the wiring raises
            return f"not undone: {safe_error_message(error)}", True
        return change.undone, False

    def _mark(self, keys: Iterable[JobKey]) -> None:
        """Mark these jobs and no others."""
        self.marks.replace(keys)
        self._jobs.mark(self.marks)
        self._on_marked()

    def _push_marks(self, selected: JobKey | None) -> None:
        """Have the marks of now come back by undo, and the cursor to where it is."""
        before = tuple(self.marks)

        def undo() -> None:
            self._mark(before)
            if selected is not None:
                self._jobs.select(selected)

        self._undo.push("marks restored", undo)

    def _way_back(self, key: JobKey, change: Callable[[], object]) -> Callable[[], None]:
        """Return what makes `change` and puts a job back where it is now: its place, the marks, and the cursor."""
        row, marks = self._state.table.row(key), tuple(self.marks)

        def undo() -> None:
            if row is not None:
                self._state.table.keep_place(key, row.rank)
            change()
            self._mark(marks)
            self._select_next = key

        return undo
