"""What the keys do with the selected and the marked jobs: hand them on, group them, be called for them."""

from abc import abstractmethod

from jobdeck.domain import words
from jobdeck.domain.exchange import Exchange
from jobdeck.domain.fingerprint import Fingerprint
from jobdeck.domain.job import JobKey
from jobdeck.tui.cell_text import middle
from jobdeck.tui.copy_actions import Handing
from jobdeck.tui.job_filter import quoted
from jobdeck.tui.notifications import Calling
from jobdeck.tui.screens.deck_part import DeckPart
from jobdeck.tui.widgets.trace import Trace


class HandKeys(DeckPart):
    """Copying, tickets, marks, calls and groups of faults. A part of the deck."""

    _trace: Trace
    _handing: Handing
    _calling: Calling

    def action_copy_id(self) -> None:
        """Send the ID of the selected job, or of the selected exchange, to the clipboard."""
        job = self._watch.job(self._jobs.selected)
        self.run_worker(self._handing.request_id(job, self._selected_exchange), group="clipboard")

    def action_copy_curl(self) -> None:
        """Send the request of the selected exchange, or one about the job, to the clipboard as a line for a shell."""
        job = self._watch.job(self._jobs.selected)
        about = self._selected_exchange or (job.target if job is not None else None)
        self.run_worker(self._handing.curl(about), group="clipboard")

    async def action_ticket(self) -> None:
        """Show one ticket of the marked jobs, else of the selected one."""
        await self._handing.ticket(self._chosen)

    async def action_show_sent(self) -> None:
        """Show what was sent to the clipboard last."""
        await self._handing.sent()

    def action_mark(self) -> None:
        """Mark the selected job, or take its mark away, and go on to the next."""
        key = self._jobs.selected
        if key is not None:
            self._push_marks(key)
            self._marks.toggle(key)
            self._jobs.action_cursor_down()
            self._mark(self._marks)

    def action_mark_all(self) -> None:
        """Take every mark away, or, when there is none, mark every job that is shown."""
        self._push_marks(self._jobs.selected)
        self._mark(() if len(self._marks) else self._watch.model.keys(0, len(self._watch.model)))

    def _push_marks(self, selected: JobKey | None) -> None:
        """Have the marks of now come back by undo, and the cursor to where it is."""
        before = tuple(self._marks)

        def undo() -> None:
            self._mark(before)
            if selected is not None:
                self._jobs.select(selected)

        self._undo.push("marks restored", undo)

    def action_call(self) -> None:
        """Be told when the marked jobs, else the selected one, end."""
        going = [key for key in self._chosen if (job := self._watch.job(key)) is not None and not job.terminal]
        if not going:
            self._say("it has ended already: there is nothing to be told of" if self._chosen else "no job is selected")
            return
        if self._calling.all:
            self._say("you are told of every job that ends: W ends that")
            return
        subject = middle(going[0].id, 40) if len(going) == 1 else words.plural(len(going), "job")
        on = self._calling.toggle(going)
        self._say(f"you are told when {subject} ends" if on else f"you are no longer told when {subject} ends")
        self._draw_titles()

    def action_call_all(self) -> None:
        """Be told of every job that ends."""
        on = self._calling.toggle_all()
        self._say("you are told of every job that ends" if on else "you are told only of the jobs you asked for")
        self._draw_titles()

    def action_same_fault(self) -> None:
        """Show only the jobs that failed like the selected one."""
        key = self._jobs.selected
        found = self._watch.faults.of(key) if key is not None else None
        if found is None:
            self._say("this job has not failed, or does not say why: there is nothing to group by")
        else:
            self.replace_filter(fault_filter(found.fault))

    @property
    def _chosen(self) -> list[JobKey]:
        """The marked jobs, else the selected one."""
        selected = self._jobs.selected
        return list(self._marks) or ([selected] if selected is not None else [])

    @property
    def _selected_exchange(self) -> Exchange | None:
        """The exchange under the cursor of the keys; none while the trace still shows another job."""
        of_selected = self._trace.key == self._jobs.selected
        return self._trace.selected if of_selected and self.focused is self._trace else None

    @abstractmethod
    def replace_filter(self, text: str) -> None:
        """Show only what passes another filter than now."""


def fault_filter(fault: Fingerprint) -> str:
    """Return the filter that admits the jobs that failed alike."""
    terms = ["phase:failed", f"error{'=' if fault.coded else ':'}{quoted(fault.fault)}"]
    if fault.stage:
        terms.append(f"stage={quoted(fault.stage)}")
    return " ".join([*terms, f"kind={quoted(fault.kind)}"] if fault.kind else terms)
