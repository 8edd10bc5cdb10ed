"""The selected job in tabs: its stages and small print, its result, the last body, what happened, what changed."""

import asyncio
import time
from collections.abc import Sequence
from typing import ClassVar

from textual import events
from textual.binding import Binding, BindingType

from jobdeck.domain import words
from jobdeck.domain.instant import Instant
from jobdeck.domain.job import Job
from jobdeck.tui.actions import Group, bindings
from jobdeck.tui.jsontree import JsonIndex, JsonTree
from jobdeck.tui.render.detail import ScheduleInfo, detail_lines, result_lines
from jobdeck.tui.render.spans import Line, Role
from jobdeck.tui.render.tabs import (
    JobHistory,
    Tab,
    diff_lines,
    explained_lines,
    raw_lines,
    timeline_lines,
    tree_line,
)
from jobdeck.tui.widgets.line_view import LineView

SLICE_SECONDS = 0.008
"""How long a result is read at a stretch; keys are heard in between."""

SLICE_TOKENS = 5_000
AT_ONCE = 64_000
"""Characters of a result that are read without letting anything in between: about 4 ms."""


class Detail(LineView):
    """Draws one job. What takes long is done once: 64 kB of JSON take 40 ms to lay out."""

    BINDINGS: ClassVar[list[BindingType]] = [
        *bindings(Group.MOVE),
        Binding("enter,space,right,left", "toggle_node", "open or close", show=False),
    ]

    def __init__(self, now: Instant, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._now = now
        self._job: Job | None = None
        self._outlook = ScheduleInfo()
        self._past = JobHistory()
        self._tab = Tab.STAGES
        self._result: tuple[str, int] | None = None
        self._result_lines: Sequence[Line] = ()
        self._raw: tuple[bytes | None, int, Sequence[Line]] | None = None
        self._tree: JsonTree | None = None
        self._index: JsonIndex | None = None
        self._tree_lines: tuple[int, Sequence[Line]] | None = None
        self._heads = 0

    @property
    def tab(self) -> Tab:
        """The tab that is shown."""
        return self._tab

    @property
    def result_tree(self) -> JsonTree | None:
        """The result as a tree, once it has been read and while its tab is shown."""
        return self._tree if self._tab is Tab.RESULT else None

    @property
    def body(self) -> bytes | None:
        """The last body of the job that is drawn."""
        return self._past.body

    def show(self, job: Job | None, outlook: ScheduleInfo | None, now: Instant, past: JobHistory | None = None) -> None:
        """Draw a job as it is `now`; another job than before is shown from its first line."""
        if (job and job.key) != (self._job and self._job.key):
            self.scroll_to(y=0, animate=False, immediate=True)
        self._job, self._outlook, self._now, self._past = job, outlook or ScheduleInfo(), now, past or JobHistory()
        self._draw()

    def turn_to(self, tab: Tab) -> None:
        """Show a tab from its first line."""
        if tab is not self._tab:
            self._tab = tab
            self.scroll_to(y=0, animate=False, immediate=True)
            self._draw()

    async def search(self, query: str) -> bool:
        """Bring the next place of the result that holds `query` under the cursor; false when there is none."""
        tree = self.result_tree
        if tree is None:
            return False
        for found in tree.search(query):
            if found:
                self._redraw_tree()
                return True
            await asyncio.sleep(0)
        return False

    async def count(self, query: str) -> int:
        """Return how many places of the result hold `query`."""
        count = 0
        if self.result_tree is not None:
            for so_far in self.result_tree.count(query):
                count = so_far
                await asyncio.sleep(0)
        return count

    def on_resize(self) -> None:
        """Break the lines anew."""
        self._draw()

    def on_click(self, event: events.Click) -> None:
        """Put the cursor on the node under the pointer; a click on the node of the cursor opens or closes it."""
        tree, offset = self.result_tree, event.get_content_offset(self)
        if tree is None or offset is None:
            return
        row = self.scroll_offset.y + offset.y - self._heads
        if 0 <= row < len(tree.rows):
            if row == tree.cursor:
                tree.toggle()
            tree.move(row)
            self._redraw_tree()

    def ground(self, line: int) -> Role | None:
        """Return the background of the node under the cursor while the pane has the focus."""
        tree = self.result_tree
        here = tree is not None and self.has_focus and line == tree.cursor + self._heads
        return Role.CURSOR if here else None

    def watch_has_focus(self, has_focus: bool) -> None:
        """Show the cursor only while keys move it."""
        super().watch_has_focus(has_focus)
        if self.result_tree is not None:
            self.refresh()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Leave the keys of a node to others where there is none."""
        return action != "toggle_node" or self.result_tree is not None

    def action_toggle_node(self) -> None:
        """Open or close the node under the cursor."""
        if self.result_tree is not None:
            self.result_tree.toggle()
            self._redraw_tree()

    def action_cursor_down(self) -> None:
        """Go to the next node, or scroll."""
        if not self._move(1):
            super().action_cursor_down()

    def action_cursor_up(self) -> None:
        """Go to the node before, or scroll."""
        if not self._move(-1):
            super().action_cursor_up()

    def action_page_down(self) -> None:
        """Go one page down."""
        if not self._move(self.page - 1):
            super().action_page_down()

    def action_page_up(self) -> None:
        """Go one page up."""
        if not self._move(1 - self.page):
            super().action_page_up()

    def action_first(self) -> None:
        """Go to the first node, or line."""
        if not self._move(-len(self.lines)):
            super().action_first()

    def action_last(self) -> None:
        """Go to the last node, or line."""
        if not self._move(len(self.lines)):
            super().action_last()

    def _move(self, by: int) -> bool:
        tree = self.result_tree
        if tree is None:
            return False
        tree.move(tree.cursor + by)
        self._reveal(tree)
        self.refresh()
        return True

    def _redraw_tree(self) -> None:
        self._tree_lines = None
        self._draw()
        if self._tree is not None:
            self._reveal(self._tree)
        self.refresh()

    def _reveal(self, tree: JsonTree) -> None:
        line = tree.cursor + self._heads
        top = min(max(self.scroll_offset.y, line - self.page + 1), line if tree.cursor else 0)
        self.scroll_to(y=max(0, top), animate=False, immediate=True)

    def _draw(self) -> None:
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
                return self._tree_of(job, width)
            case Tab.RAW:
                if self._raw is None or self._raw[0] is not self._past.body or self._raw[1] != width:
                    self._raw = self._past.body, width, raw_lines(self._past.body, width)
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

    def _tree_of(self, job: Job, width: int) -> Sequence[Line]:
        if job.result is None:
            self._index = self._tree = None
            return [((_missing_result(job), Role.DIM),)]
        if self._index is None or (self._index.text is not job.result and self._index.text != job.result):
            self._index, self._tree, self._tree_lines = JsonIndex(job.result), None, None
            if len(job.result) <= AT_ONCE:
                self._index.step(AT_ONCE)
                self._tree = JsonTree(self._index)
            else:
                self.run_worker(self._read(self._index), name="result", group="result", exclusive=True)
        if self._tree is None:
            return [((f"reading {words.size(len(job.result))}: {words.percent(self._index.read)}", Role.DIM),)]
        if self._tree_lines is None or self._tree_lines[0] != width:
            head = explained_lines(job, self._outlook.meanings, width)
            head.insert(0, (("result ", Role.DIM), (words.size(len(job.result)), Role.TEXT)))
            self._heads = len(head)
            self._tree_lines = width, [*head, *(tree_line(self._tree, node, width) for node in self._tree.rows)]
        return self._tree_lines[1]

    async def _read(self, index: JsonIndex) -> None:
        """Go through a long result piece by piece, so that no key has to wait for it."""
        until = time.perf_counter() + SLICE_SECONDS
        while not index.step(SLICE_TOKENS):
            if time.perf_counter() > until:
                await asyncio.sleep(0)
                until = time.perf_counter() + SLICE_SECONDS
            if index is not self._index:
                return
        self._tree = JsonTree(index)
        self._draw()


def _missing_result(job: Job) -> str:
    """Return in words why there is no result to show."""
    if job.dropped_result is not None:
        return f"{words.dropped_result(job.dropped_result)}: o saves it to a file"
    if job.evicted_result is not None:
        fetched = "r fetches it again" if job.trouble is not None else "it is being fetched again"
        return f"{words.evicted_result(job.evicted_result)}: {fetched}"
    return "it ended without a result" if job.terminal else "no result yet"
