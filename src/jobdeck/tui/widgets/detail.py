"""The selected job in tabs: stages and details, result, raw body, timeline, diff."""

from collections.abc import Sequence

from jobdeck.domain import humanize
from jobdeck.domain.exchange import ExchangeContent
from jobdeck.domain.instant import Instant
from jobdeck.domain.job import Job
from jobdeck.tui.jsontree import JsonTree
from jobdeck.tui.render.detail import ScheduleInfo, detail_lines, result_lines
from jobdeck.tui.render.spans import Line, Role
from jobdeck.tui.render.tabs import (
    JobHistory,
    Tab,
    diff_lines,
    explained_lines,
    raw_lines,
    timeline_lines,
)
from jobdeck.tui.widgets.tree_pane import TreePane


class Detail(TreePane):
    """Draws one job. Slow parts are cached: laying out 64 kB of JSON takes 40 ms."""

    def __init__(self, now: Instant, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._now = now
        self._job: Job | None = None
        self._outlook = ScheduleInfo()
        self._past = JobHistory()
        self._tab = Tab.STAGES
        self._result: tuple[str, int] | None = None
        self._result_lines: Sequence[Line] = ()
        self._raw: tuple[ExchangeContent | None, int, Sequence[Line]] | None = None

    @property
    def tab(self) -> Tab:
        """The current tab."""
        return self._tab

    @property
    def json_tree(self) -> JsonTree | None:
        """The result as a tree, once it is read, while its tab is shown."""
        return self._read_tree if self._tab is Tab.RESULT else None

    @property
    def body(self) -> bytes | None:
        """The latest body of the job's own response, or else of a list response; None if the result was evicted."""
        content = self._past.content
        if content is None or (content.exchange.job is None and self._job and self._job.evicted_result is not None):
            return None
        return content.body

    def show(self, job: Job | None, outlook: ScheduleInfo | None, now: Instant, past: JobHistory | None = None) -> None:
        """Draw a job at the time `now`; a different job is shown from its first line."""
        if (job and job.key) != (self._job and self._job.key):
            self.scroll_to(y=0, animate=False, immediate=True)
        self._job, self._outlook, self._now, self._past = job, outlook or ScheduleInfo(), now, past or JobHistory()
        self.draw()

    def turn_to(self, tab: Tab) -> None:
        """Switch to a tab, at its first line."""
        if tab is not self._tab:
            self._tab = tab
            self.scroll_to(y=0, animate=False, immediate=True)
            self.draw()

    def draw(self) -> None:
        """Draw the current tab."""
        width = self.line_width
        if self._job is None or width < 1:
            self.set_lines(())
            return
        self.set_lines(self._lines_of(self._job, width))

    def _lines_of(self, job: Job, width: int) -> Sequence[Line]:
        match self._tab:
            case Tab.STAGES:
                lines = detail_lines(job, self._outlook, self._now, width, self._past.samples)
                return [*lines, *self._first_of_result(job, width)]
            case Tab.RESULT:
                return self._lines_of_result(job, width)
            case Tab.RAW:
                content = self._past.content
                if content is None or self._raw is None or self._raw[0] is not content or self._raw[1] != width:
                    self._raw = content, width, raw_lines(content, job.key.id, width, _missing_body(job, self._outlook))
                return self._raw[2]
            case Tab.TIMELINE:
                return timeline_lines(self._past.moments, self._now, width, "request" if job.request_id else "trace")
            case Tab.DIFF:
                return diff_lines(self._past.before, job, self._now, width)

    def _first_of_result(self, job: Job, width: int) -> Sequence[Line]:
        if job.result is None:
            return ()
        if self._result is None or self._result[0] is not job.result or self._result[1] != width:
            self._result = job.result, width
            self._result_lines = result_lines(job.result, width)
        return self._result_lines

    def _lines_of_result(self, job: Job, width: int) -> Sequence[Line]:
        if job.result is None:
            self.forget_tree()
            return [((_missing_result(job), Role.DIM),)]
        head = explained_lines(job, self._outlook.meanings, width)
        head.insert(0, (("result ", Role.DIM), (humanize.format_size(len(job.result)), Role.TEXT)))
        return self.lines_of_tree(job.result, width, head)


def _missing_body(job: Job, outlook: ScheduleInfo) -> str:
    """Return why there is no body to show."""
    if outlook.past:
        return "no response for this job recorded yet"
    what = "" if outlook.read_only else ": fetching it" if job.terminal else " (r to refresh)"
    return f"no response for this job in this session{what}"


def _missing_result(job: Job) -> str:
    """Return why there is no result to show."""
    if job.dropped_result is not None:
        return f"{humanize.describe_dropped_result(job.dropped_result)} (o saves it to a file)"
    if job.evicted_result is not None:
        fetched = "press r to fetch it again" if job.trouble is not None else "fetching it again"
        return f"{humanize.describe_evicted_result(job.evicted_result)}: {fetched}"
    return "finished without a result" if job.terminal else "no result yet"
