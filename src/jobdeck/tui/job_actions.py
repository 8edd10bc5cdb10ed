"""Actions on the selected jobs or the one under the cursor, with undo: select, unwatch, acknowledge, notify."""

from collections.abc import Callable, Iterable, Sequence

from jobdeck.app.session import error_reported
from jobdeck.domain import humanize
from jobdeck.domain.job import Job, JobKey
from jobdeck.tui.cell_text import describe_jobs
from jobdeck.tui.deck_state import DeckState
from jobdeck.tui.marks import MarkedJobs, UndoStack
from jobdeck.tui.notifications import EndNotifications, NotifyState
from jobdeck.tui.render.state import TROUBLE
from jobdeck.tui.widgets.job_list import JobList


class JobActions:
    """Acts on the marked jobs, or else on the selected one. Methods return the message to show, empty for none.

    `on_marked` is called when the marks or the wanted notifications change.
    """

    def __init__(
        self,
        state: DeckState,
        jobs: JobList,
        undo: UndoStack,
        notifications: EndNotifications,
        on_marked: Callable[[], None],
    ) -> None:
        self.marks = MarkedJobs()
        self._state = state
        self._jobs = jobs
        self._undo = undo
        self._notifications = notifications
        self._on_marked = on_marked
        self._select_next: JobKey | None = None  # selected once the engine has reported it

    @property
    def marked_or_selected(self) -> list[JobKey]:
        """The marked jobs, or else the selected one."""
        selected = self._jobs.selected
        return list(self.marks) or ([selected] if selected is not None else [])

    @property
    def note(self) -> str:
        """The note beside the selected job's name."""
        key = self._jobs.selected
        job = self._state.job(key)
        wanted = job is not None and not job.terminal and self._notifications.wants(job.key)
        marked = f" · {len(self.marks)} selected" if len(self.marks) else ""
        return (" · notify when finished" if wanted else "") + marked

    def count_marked(self) -> tuple[int, int]:
        """Return the number of marked jobs, and how many of them the filter hides."""
        hidden = sum(not self._state.table.shows(key) for key in self.marks)
        return len(self.marks), hidden

    def apply(self, removed: Iterable[JobKey]) -> None:
        """Follow a change of the list: drop marks of removed jobs, and select a job that undo brought back."""
        self.marks.drop(key for key in removed if not self._state.is_watched(key))
        if self._select_next is not None and self._state.is_watched(self._select_next):
            self._jobs.select(self._select_next)
            self._select_next = None

    def mark(self) -> None:
        """Toggle the mark of the selected job, and move to the next."""
        key = self._jobs.selected
        if key is not None:
            self._push_marks(key)
            self.marks.toggle(key)
            self._jobs.action_cursor_down()
            self._mark(self.marks)

    def mark_all(self) -> None:
        """Clear all marks, or, if there are none, mark every job shown."""
        self._push_marks(self._jobs.selected)
        self._mark(() if len(self.marks) else self._state.table.keys(0, len(self._state.table)))

    def select(self, keys: Iterable[JobKey]) -> None:
        """Mark exactly these jobs."""
        self._push_marks(self._jobs.selected)
        self._mark(keys)

    def clear_marks(self) -> bool:
        """Clear all marks; returns whether there were any."""
        if not len(self.marks):
            return False
        self._push_marks(self._jobs.selected)
        self._mark(())
        return True

    def remove(self) -> str:
        """Stop watching the marked jobs, or else the selected one."""
        engine, jobs = self._state.controls, self.chosen_jobs
        if engine is None or not jobs:
            return ""
        keys, name = [job.key for job in jobs], describe_jobs([job.key for job in jobs])
        self._undo.push(f"watching {name} again", self._way_back(keys, lambda: engine.restore(jobs)))
        if len(keys) > 1:
            self._jobs.select_neighbor(keys)
        engine.remove(keys)
        return f"stopped watching {name} (u to undo)"

    def acknowledge(self, keys: Sequence[JobKey] = ()) -> str:
        """Acknowledge the problems of `keys`, or else of the marked jobs, or else of the selected one, and move on.

        If all of them are acknowledged already, unacknowledge them. The marks are cleared.
        """
        engine = self._state.controls
        rows = [row for key in keys or self.marked_or_selected if (row := self._state.table.row(key)) is not None]
        if engine is None or not rows:
            return ""
        chosen = [row.job.key for row in rows if not row.job.acknowledged and row.category in TROUBLE]
        raised = [row.job.key for row in rows if row.job.acknowledged]
        if not chosen and not raised:
            return f"nothing to acknowledge: {'the job has' if len(rows) == 1 else 'these jobs have'} no problem"
        on = bool(chosen)
        changed = chosen or raised
        back = self._way_back(changed, lambda: engine.acknowledge(changed, acknowledged=not on))
        self._undo.push("no longer acknowledged" if on else "acknowledged again", back)
        if on:
            self._jobs.select_neighbor(changed)
        several = f"{humanize.pluralize(len(changed), 'job')} " if len(rows) > 1 else ""
        if len(self.marks):
            self._mark(())
        engine.acknowledge(changed, acknowledged=on)
        return f"{several}acknowledged, moved to the bottom (u to undo)" if on else f"{several}no longer acknowledged"

    def notify(self) -> str:
        """Notify when the marked jobs, or else the selected one, finish; turn it off if it is on for all of them."""
        keys = self.marked_or_selected
        running = [key for key in keys if (job := self._state.job(key)) is not None and not job.terminal]
        if not running:
            return "already finished" if keys else "no job selected"
        before = self._notifications.state
        said = self._notifications.toggle(running)
        if self._notifications.state != before:
            self._undo.push(f"notifications restored for {describe_jobs(running)}", lambda: self._restore(before))
        return said

    def notify_all(self) -> str:
        """Toggle notifications of every job that finishes."""
        before = self._notifications.state
        on = self._notifications.toggle_all()
        self._undo.push("notifications restored", lambda: self._restore(before))
        return "you'll be notified whenever a job finishes" if on else "you'll be notified only for jobs chosen with w"

    def undo(self) -> tuple[str, bool]:
        """Undo the latest change; returns the message, and whether undoing failed."""
        change = self._undo.pop()
        if change is None:
            return "nothing to undo", False
        errors: list[str] = []
        with error_reported(errors.append):
            change.undo()
        return (f"not undone: {errors[0]}", True) if errors else (change.undone, False)

    def _mark(self, keys: Iterable[JobKey]) -> None:
        """Mark exactly these jobs."""
        self.marks.replace(keys)
        self._jobs.mark(self.marks)
        self._on_marked()

    def _push_marks(self, selected: JobKey | None) -> None:
        """Let undo restore the current marks and the cursor."""
        before = tuple(self.marks)

        def undo() -> None:
            self._mark(before)
            if selected is not None:
                self._jobs.select(selected)

        self._undo.push("selection restored", undo)

    @property
    def chosen_jobs(self) -> list[Job]:
        """The marked jobs, or else the selected one, in their current state."""
        return [job for key in self.marked_or_selected if (job := self._state.job(key)) is not None]

    def _restore(self, notifications: NotifyState) -> None:
        self._notifications.state = notifications
        self._on_marked()

    def _way_back(self, keys: Sequence[JobKey], change: Callable[[], object]) -> Callable[[], None]:
        """Return an undo that calls `change` and restores the jobs' places, the marks and the cursor."""
        rows = [row for key in keys if (row := self._state.table.row(key)) is not None]
        marks, selected = tuple(self.marks), self._jobs.selected

        def undo() -> None:
            for row in rows:
                self._state.table.keep_rank(row.job.key, row.rank)
            change()
            self._mark(marks)
            self._select_next = selected

        return undo
