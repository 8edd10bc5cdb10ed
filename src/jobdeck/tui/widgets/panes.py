"""The list, the selected job and its trace: layout, focus and titles."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from textual import events, on
from textual.app import ComposeResult
from textual.containers import Container, Vertical
from textual.geometry import Size
from textual.widget import Widget
from textual.widgets import Input

from jobdeck.domain import humanize
from jobdeck.domain.exchange import Exchange
from jobdeck.domain.instant import Instant
from jobdeck.domain.job import JobKey
from jobdeck.domain.text import one_line
from jobdeck.tui.actions import Pane
from jobdeck.tui.deck_state import DeckState
from jobdeck.tui.render.spans import Line, Role
from jobdeck.tui.render.tabs import Tab
from jobdeck.tui.widgets.detail import Detail
from jobdeck.tui.widgets.filter_bar import FilterBar, FilterInput
from jobdeck.tui.widgets.line_view import LineView
from jobdeck.tui.widgets.list_pane import ListPane
from jobdeck.tui.widgets.static import Rule, TabRule
from jobdeck.tui.widgets.trace import Trace

LEAST, MOST = 20, 80
STEP = 5
_TEXT = re.compile(r"(\d{2})?/(\d{2})?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Split:
    """The list's share of the screen in percent; None leaves it to the style sheet."""

    beside: int | None = None
    """When it is beside the other panes."""
    above: int | None = None
    """When it is above them."""

    @property
    def text(self) -> str:
        """The split as `parse_split` reads it."""
        return f"{self.beside or ''}/{self.above or ''}"

    def get(self, *, wide: bool) -> int | None:
        """Return the list's share, beside the other panes if `wide`."""
        return self.beside if wide else self.above

    def with_share(self, share: int, *, wide: bool) -> "Split":
        """Return the split with a new share, limited such that both sides stay visible."""
        share = min(max(share, LEAST), MOST)
        return replace(self, beside=share) if wide else replace(self, above=share)


def parse_split(text: str) -> Split:
    """Parse a saved split; invalid text leaves it to the style sheet."""
    parts = _TEXT.fullmatch(text)
    if parts is None:
        return Split()
    shares = [min(max(int(part), LEAST), MOST) if part else None for part in parts.groups()]
    return Split(*shares)


def apply_split(share: int | None, pane: Widget, side: Widget, *, wide: bool) -> None:
    """Set the list's share of the screen; None leaves it to the style sheet."""
    for widget in (pane, side):
        for rule in ("width", "max_width", "max_height"):
            widget.styles.clear_rule(rule)
    if share is None:
        return
    if wide:
        pane.styles.width = f"{share}fr"
        side.styles.width = f"{100 - share}fr"
        side.styles.max_width = "100%"
    else:
        pane.styles.max_height = f"{share}%"


SEARCHING = (("enter", "first match"), ("esc", "back to the result"), ("tab", "next pane"))
"""Keys while a search text is edited."""

NO_REQUEST: Sequence[Line] = ((("no requests for this job yet", Role.DIM),),)


class JobArea(Vertical):
    """The container of the panes about the selected job."""


class Panes(Container):
    """Lays out the three panes, moves the focus between them, and zooms one."""

    def __init__(
        self,
        state: DeckState,
        pane: ListPane,
        now: Instant,
        save_split: Callable[[str], object] = lambda _: None,
        when_resized: Callable[[], object] = lambda: None,
    ) -> None:
        """Create the panes; `save_split` gets the list's share of the screen, to save it for the next run."""
        super().__init__(id="panes")
        self._save_split, self._when_resized = save_split, when_resized
        self._split = Split()
        self._dragging = False
        self._job_area = JobArea()
        self._state = state
        self._list_pane = pane
        self._query = ""
        self._zoomed: LineView | None = None
        self._detail_rule, self._trace_rule = TabRule(id="detail-rule"), Rule(id="trace-rule")
        self.search_bar = FilterBar("search", SEARCHING)
        self.jobs = pane.jobs
        self.detail = Detail(now, id="detail")
        self.trace = Trace(now, id="trace")

    def compose(self) -> ComposeResult:
        """Lay out the list beside or above the panes about one job."""
        yield self._list_pane
        with self._job_area:
            yield self._detail_rule
            yield self.search_bar
            yield self.detail
            yield self._trace_rule
            yield self.trace

    @property
    def focused_pane(self) -> LineView:
        """The focused pane; the list if none is focused, and while the screen is closing."""
        focused = self.screen.focused if self.is_attached else None
        return focused if isinstance(focused, LineView) else self.jobs

    @property
    def focused(self) -> Pane:
        """The focused pane's entry in the table of actions."""
        return Pane(str(self.focused_pane.id))

    @property
    def zoomed(self) -> LineView | None:
        """The pane that fills the screen, or None."""
        return self._zoomed

    @property
    def searches_result(self) -> bool:
        """Whether `/` searches a result instead of filtering the jobs."""
        return self.focused_pane is self.detail and self.detail.json_tree is not None

    @property
    def selected_exchange(self) -> Exchange | None:
        """The exchange under the cursor of the focused trace; None while the trace still shows another job."""
        trace = self.trace
        return trace.selected if trace.key == self.jobs.selected and self.focused_pane is trace else None

    @property
    def selected_value(self) -> tuple[str, str] | None:
        """The name and text of the value under the cursor of the focused result."""
        return self.detail.selected_value if self.focused_pane is self.detail else None

    def draw_selected(self, now: Instant, note: str = "") -> None:
        """Draw the panes about the selected job; `note` is shown beside its name."""
        key = self.jobs.selected
        job = self._state.job(key)
        if job is None:
            self.detail.show(None, None, now)
        else:
            self.detail.show(job, self._state.schedule(job.key), now, self._state.history(job.key))
        empty = NO_REQUEST if job is not None else ()
        self.trace.show(key, self._state.exchanges(key), self._state.exchange_notes(key), now, empty)
        self.draw_titles(now, note)

    def draw_titles(self, now: Instant, note: str = "") -> None:
        """Draw the titles of the panes about the selected job."""
        key, focused = self.jobs.selected, self.focused_pane
        name = key.id if key is not None else "no job"
        self._detail_rule.show(name, self.detail.tab, strong=focused is self.detail, note=note)
        count = len(self._state.exchanges(key))
        counted = f" · {humanize.pluralize(count, 'request')}" if count else ""
        title = f"Errors & trace{self._alike(key, now)}{counted}"
        self._trace_rule.title(title, strong=focused is self.trace)

    def _alike(self, key: JobKey | None, now: Instant) -> str:
        """Return how many jobs failed with the same error, and since when; empty if this one is alone."""
        alike = self._state.failure_groups.group_of(key) if key is not None else None
        if alike is None or alike.count < 2:
            return ""
        return f" · = {alike.fingerprint.describe(alike.count)} since {humanize.format_recent(alike.since_us, now)}"

    def on_resize(self) -> None:
        """Apply the split again, and move the focus from a pane that is no longer visible."""
        self._apply_split()
        self._when_resized()
        self.call_after_refresh(self._keep_in_sight)

    def step(self, by: int) -> None:
        """Focus the next pane, or the previous one."""
        panes: list[LineView] = [self.jobs, self.detail, self.trace]
        if self._zoomed is None:
            panes = [pane for pane in panes if _on_screen(pane)]
        at = panes.index(self.focused_pane) if self.focused_pane in panes else 0
        pane = panes[(at + by) % len(panes)]
        if self._zoomed is not None:
            self.zoom(pane)
        self.focus_pane(pane)

    def open_next(self) -> None:
        """Move from the list to the job, or from the job to its trace; zoomed if there is no room for two."""
        pane: LineView = self.detail if self.focused_pane is self.jobs else self.trace
        if self._zoomed is not None or not _on_screen(pane):
            self.zoom(pane)
        self.focus_pane(pane)

    def toggle_zoom(self) -> None:
        """Zoom the focused pane, or restore all panes."""
        self.zoom(None if self._zoomed is not None else self.focused_pane)
        self.call_after_refresh(self._keep_in_sight)

    def zoom(self, pane: LineView | None) -> None:
        """Let one pane fill the screen; None restores all."""
        self._zoomed = pane
        for one in (self.jobs, self.detail, self.trace):
            self.set_class(one is pane, f"-zoom-{one.id}")
        self._apply_split()

    def focus_pane(self, pane: LineView) -> None:
        """Focus a pane."""
        # A pane that was hidden until now can take the focus only after the next layout.
        if _on_screen(pane):
            self.screen.set_focus(pane)
        else:
            self.call_after_refresh(self.screen.set_focus, pane)

    def restore_split(self, text: str) -> None:
        """Restore the saved split."""
        self._split = parse_split(text)
        self._apply_split()

    def resize_list(self, by: int) -> None:
        """Change the list's share of the screen, by percent."""
        whole, part = (pick(self.size, self._is_wide), pick(self._list_pane.outer_size, self._is_wide))
        share = self._split.get(wide=self._is_wide)
        self._set_share((share if share is not None else round(100 * part / max(1, whole))) + by)
        self._save_split(self._split.text)

    def on_mouse_down(self, event: events.MouseDown) -> None:
        """Start dragging the line between the list and the other panes."""
        edge = self._job_area.region.x if self._is_wide else self._detail_rule.region.y
        here = event.screen_x if self._is_wide else event.screen_y
        self._dragging = here == edge and self._job_area.display and self._zoomed is None

    def on_mouse_move(self, event: events.MouseMove) -> None:
        """Move the line with the pointer."""
        if self._dragging:
            self.capture_mouse()
            whole = pick(self.size, self._is_wide)
            here = event.screen_x - self.region.x if self._is_wide else event.screen_y - self.region.y
            self._set_share(round(100 * here / max(1, whole)))

    def on_mouse_up(self) -> None:
        """Stop dragging."""
        if self._dragging and self.app.mouse_captured is self:
            self.release_mouse()
            self._save_split(self._split.text)
        self._dragging = False

    def _set_share(self, share: int) -> None:
        self._split = self._split.with_share(share, wide=self._is_wide)
        self._apply_split()

    def _apply_split(self) -> None:
        if not self.is_attached:
            return
        alone = self._zoomed is not None or self.screen.has_class("-flat") or self.screen.has_class("-thin")
        share = None if alone else self._split.get(wide=self._is_wide)
        apply_split(share, self._list_pane, self._job_area, wide=self._is_wide)

    @property
    def _is_wide(self) -> bool:
        """Whether the list is beside the other panes, not above them."""
        return self.is_attached and self.screen.has_class("-wide")

    def turn(self, by: int) -> None:
        """Switch to the next or previous tab."""
        tabs = list(Tab)
        self.detail.turn_to(tabs[(tabs.index(self.detail.tab) + by) % len(tabs)])

    def turn_to(self, number: int) -> None:
        """Switch to a tab by its number, starting at 1."""
        self.detail.turn_to(list(Tab)[number - 1])

    def find_next(self) -> None:
        """Go to the next match in the result, or say why there is none."""
        self.run_worker(self._find_next(), name="search", group="search", exclusive=True)

    @on(Input.Changed, "#search")
    def search_changed(self, event: Input.Changed) -> None:
        """Count the matches of the text typed so far."""
        self._query = event.value
        self.run_worker(self._count_matches(), name="count", group="count", exclusive=True)

    @on(Input.Submitted, "#search")
    def search_submitted(self) -> None:
        """Go to the first match."""
        self._leave_search()
        self.find_next()

    @on(Input.Blurred, "#search")
    def search_blurred(self) -> None:
        """Hide the search, but keep its text."""
        self.search_bar.show(self._query, (), wanted=False)

    @on(FilterInput.Cancelled, "#search")
    def search_cancelled(self) -> None:
        """Drop the search, and return to the result."""
        self._query = ""
        self._leave_search()

    def _leave_search(self) -> None:
        self.screen.set_focus(self.detail)
        self.search_bar.show(self._query, (), wanted=False)

    async def _count_matches(self) -> None:
        count = await self.detail.count(self._query)
        keys = ((" · enter", Role.KEY), (" first,", Role.DIM), (" n", Role.KEY), (" next", Role.DIM))
        found = (("1 match" if count == 1 else f"{count} matches", Role.TEXT), *(keys if count else ()))
        self.search_bar.show(self._query, found if self._query else (), wanted=False)

    async def _find_next(self) -> None:
        if self.detail.json_tree is None:
            self.notify("n finds the next match in the Result tab (] switches tabs)", markup=False)
        elif not self._query:
            self.notify("press / to search the result", markup=False)
        elif not await self.detail.search(self._query):
            self.notify(f"no match in the result: {one_line(self._query, 60)}", markup=False)

    def _keep_in_sight(self) -> None:
        if not _on_screen(self.focused_pane):
            self.focus_pane(self.jobs)


def pick(size: Size, wide: bool) -> int:
    """Return the width if `wide`, else the height."""
    return size.width if wide else size.height


def _on_screen(pane: LineView) -> bool:
    return all(node.display for node in pane.ancestors_with_self if isinstance(node, Widget))
