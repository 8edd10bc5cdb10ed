"""The selected job: what went wrong, its stages, the small print, the first lines of its result."""

from collections.abc import Sequence

from jobdeck.domain.instant import Instant
from jobdeck.domain.job import Job
from jobdeck.tui.draw.detail import Outlook, detail_lines, result_lines
from jobdeck.tui.draw.spans import Line
from jobdeck.tui.widgets.line_view import LineView


class Detail(LineView):
    """Draws one job; the result is laid out once, because 64 kB of it take 40 ms."""

    def __init__(self, now: Instant, *, id: str | None = None) -> None:  # noqa: A002 - Textual's name
        super().__init__(id=id)
        self._now = now
        self._job: Job | None = None
        self._outlook = Outlook()
        self._result: tuple[str, int] | None = None
        self._result_lines: Sequence[Line] = ()

    def show(self, job: Job | None, outlook: Outlook | None, now: Instant) -> None:
        """Draw a job as it is `now`; another job than before is shown from its first line."""
        if (job and job.key) != (self._job and self._job.key):
            self.scroll_to(y=0, animate=False, immediate=True)
        self._job, self._outlook, self._now = job, outlook or Outlook(), now
        self._draw()

    def on_resize(self) -> None:
        """Break the lines anew."""
        self._draw()

    def _draw(self) -> None:
        width = self.line_width
        if self._job is None or width < 1:
            self.set_lines(())
            return
        lines = detail_lines(self._job, self._outlook, self._now, width)
        self.set_lines([*lines, *self._result_of(self._job, width)])

    def _result_of(self, job: Job, width: int) -> Sequence[Line]:
        if job.result is None:
            return ()
        if self._result is None or self._result[0] is not job.result or self._result[1] != width:
            self._result = job.result, width
            self._result_lines = result_lines(job.result, width)
        return self._result_lines
