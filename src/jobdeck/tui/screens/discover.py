"""What the APIs started lately, to choose from: the jobs of each profile as its lists come in."""

from collections.abc import Awaitable, Callable, Sequence
from typing import ClassVar

from textual import events
from textual.app import ComposeResult
from textual.binding import BindingType

from jobdeck.app.session import Discovered
from jobdeck.domain import humanize
from jobdeck.domain.instant import Clock, Instant
from jobdeck.domain.job import Job, JobKey
from jobdeck.tui.cell_text import clip, fit, middle
from jobdeck.tui.render.spans import EMPTY, Line, Role, clip_line
from jobdeck.tui.render.state import job_state
from jobdeck.tui.render.tabs import keys_line
from jobdeck.tui.screens.dialogs import Dialog
from jobdeck.tui.widgets.line_view import LineView
from jobdeck.tui.widgets.static import LinesWidget

STATE_CELLS = 13
KIND_CELLS = 14
TIME_CELLS = 9
MARK_CELLS = 2
LEAST_ID = 12
LONGEST_ID = 53
LEAST_WIDTH = 70
"""Cells of a line from which on the kind is in it."""

WATCHED = "  watched"

Report = Callable[[Discovered], object]


class DiscoveredList(LineView):
    """Draws what each profile lists, with a cursor that stays with its job as lists come in."""

    def __init__(self, profiles: Sequence[str], known: Callable[[JobKey], bool], clock: Clock) -> None:
        super().__init__(id="discovered")
        self._found = {name: Discovered(name) for name in profiles}
        self._known = known
        self._clock = clock
        self._rows: list[tuple[int, Job]] = []  # the line of each job
        self._cursor: JobKey | None = None
        self.marks: set[JobKey] = set()

    @property
    def found(self) -> Sequence[Discovered]:
        """What each profile lists so far."""
        return tuple(self._found.values())

    @property
    def new(self) -> list[Job]:
        """The jobs that are not watched yet."""
        return [job for _, job in self._rows if not self._known(job.key)]

    @property
    def selected(self) -> Job | None:
        """The job under the cursor."""
        return self._rows[self._index][1] if self._rows else None

    @property
    def chosen(self) -> list[Job]:
        """The selected jobs, else the one under the cursor; none of them is watched yet."""
        if self.marks:
            return [job for job in self.new if job.key in self.marks]
        return [job for job in self.new if self.selected is not None and job.key == self.selected.key]

    def take(self, found: Discovered) -> None:
        """Draw what a profile lists by now."""
        self._found[found.profile] = found
        self.draw()

    def mark(self) -> None:
        """Select the job under the cursor, or clear its selection, and go on to the next."""
        job = self.selected
        if job is None:
            return
        if not self._known(job.key):
            self.marks ^= {job.key}
        self._go(self._index + 1)
        self.draw()

    def mark_all(self) -> None:
        """Clear the selection, or select all that are not watched yet."""
        self.marks = set() if self.marks else {job.key for job in self.new}
        self.draw()

    def draw(self) -> None:
        """Make the lines anew."""
        width = self.line_width
        if width < 1:
            return
        now = self._clock.now()
        self._rows = []
        lines: list[Line] = []
        for found in self._found.values():
            lines += [EMPTY] if lines else []
            lines.append(clip_line(profile_line(found), width))
            lines += [clip_line(((f"  {note}", Role.WARN),), width) for note in found.notes]
            for job in found.jobs:
                self._rows.append((len(lines), job))
                lines.append(
                    discovered_line(job, width, now, marked=job.key in self.marks, watched=self._known(job.key))
                )
        if self._cursor is None and self._rows:
            self._cursor = self._rows[0][1].key
        self.set_lines(lines)
        self.refresh()

    def ground(self, line: int) -> Role | None:
        """Return the background of the line under the cursor."""
        return Role.CURSOR if self._rows and line == self._rows[self._index][0] else None

    def on_resize(self) -> None:
        """Make the lines anew."""
        self.draw()

    def on_click(self, event: events.Click) -> None:
        """Go to the line under the pointer; a second click selects it."""
        offset = event.get_content_offset(self)
        if offset is None:
            return
        line = self.scroll_offset.y + offset.y
        for index, (place, _) in enumerate(self._rows):
            if place == line:
                self._go(index)
                if event.chain == 2:
                    self.mark()

    def action_cursor_down(self) -> None:
        """Go to the next job."""
        self._go(self._index + 1)

    def action_cursor_up(self) -> None:
        """Go to the job before."""
        self._go(self._index - 1)

    def action_page_down(self) -> None:
        """Go one page down."""
        self._go(self._index + self.page - 1)

    def action_page_up(self) -> None:
        """Go one page up."""
        self._go(self._index - self.page + 1)

    def action_first(self) -> None:
        """Go to the first job."""
        self._go(0)

    def action_last(self) -> None:
        """Go to the last job."""
        self._go(len(self._rows) - 1)

    @property
    def _index(self) -> int:
        return next((index for index, (_, job) in enumerate(self._rows) if job.key == self._cursor), 0)

    def _go(self, index: int) -> None:
        if not self._rows:
            return
        index = min(max(index, 0), len(self._rows) - 1)
        line, job = self._rows[index]
        self._cursor = job.key
        # The heading over the first job comes into view with it.
        first = 0 if index == 0 else line
        top = min(max(self.scroll_offset.y, line - self.page + 1), first)
        self.scroll_to(y=max(0, top), animate=False, immediate=True)
        self.refresh()


class DiscoverScreen(Dialog[None]):
    """Lists what the APIs started lately, for jobs that are to be watched."""

    SUBJECT = "Discover"
    KEYS = (("enter", "add"), ("space", "select"), ("M", "select all"), ("esc", "back"))
    BINDINGS: ClassVar[list[BindingType]] = [
        ("q", "leave", "back"),
        ("enter", "add", "add"),
        ("space", "mark", "select"),
        ("M", "mark_all", "select all"),
    ]
    AUTO_FOCUS = "DiscoveredList"

    def __init__(
        self,
        profiles: Sequence[str],
        discover: Callable[[Report], Awaitable[None]],
        known: Callable[[JobKey], bool],
        add: Callable[[Sequence[Job]], object],
        clock: Clock,
    ) -> None:
        """List the jobs of `profiles` by `discover`, and `add` some; those that are `known` are watched already."""
        super().__init__()
        self._discover = discover
        self._add = add
        self._list = DiscoveredList(profiles, known, clock)

    def compose(self) -> ComposeResult:
        """Lay out heading, jobs and keys."""
        yield LinesWidget(self._summary, id="discover-summary")
        yield LinesWidget(lambda width: (heading_line(width),), id="discover-heading")
        yield self._list
        yield LinesWidget(self._keys, id="discover-keys")

    def on_mount(self) -> None:
        """Begin to list; leaving the screen ends it."""
        self.run_worker(self._load(), name="discover", group="discover")

    def action_add(self) -> None:
        """Add the selected jobs, else the one under the cursor, and go back."""
        if jobs := self._list.chosen:
            self._add(jobs)
            self.dismiss(None)
        elif self._list.selected is not None:
            self.notify("watched already", markup=False)

    def action_mark(self) -> None:
        """Select the job under the cursor."""
        self._list.mark()
        self._draw_frame()

    def action_mark_all(self) -> None:
        """Select all that are not watched yet, or clear the selection."""
        self._list.mark_all()
        self._draw_frame()

    async def _load(self) -> None:
        def take(found: Discovered) -> None:
            self._list.take(found)
            self._draw_frame()

        await self._discover(take)

    def _draw_frame(self) -> None:
        for widget in self.query(LinesWidget):
            widget.on_resize()

    def _summary(self, width: int) -> Sequence[Line]:
        found, marked = self._list.found, len(self._list.marks)
        listed = sum(len(part.jobs) for part in found)
        waiting = sum(not part.complete for part in found)
        parts = [f"{humanize.pluralize(listed, 'job')} listed" if listed or not waiting else ""]
        parts.append(f"reading {humanize.pluralize(waiting, 'profile')}…" if waiting else "")
        watched = listed - len(self._list.new)
        parts.append(f"{watched} watched already" if watched else "")
        counts = " · ".join(part for part in parts if part)
        line = ((" Discover", Role.STRONG), (f"   {counts}", Role.DIM))
        chosen = (f"   {marked} selected" if marked else "", Role.KEY)
        return (clip_line((*line, chosen), width),)

    def _keys(self, width: int) -> Sequence[Line]:
        marked = len(self._list.marks)
        add = f"add {humanize.pluralize(marked, 'job')}" if marked else "add"
        every = "clear" if marked else "select all"
        keys = (("enter", add), ("space", "select"), ("M", every), ("esc", "back"), ("?", "help"))
        return (clip_line(keys_line(keys), width),)


def profile_line(found: Discovered) -> Line:
    """Return the heading over the jobs of a profile."""
    count = humanize.pluralize(len(found.jobs), "job")
    if not found.complete:
        said = f"reading… {count}" if found.jobs else "reading…"
    else:
        said = count if found.jobs or found.notes else "nothing listed"
    return ((clip(found.profile, 40), Role.STRONG), (f"  {said}" if said != "0 jobs" else "", Role.DIM))


def heading_line(width: int) -> Line:
    """Return the headings over the jobs."""
    kind = _kind_cells(width - 1)
    cells = (("", 1 + MARK_CELLS), ("STATE", STATE_CELLS), ("JOB", _id_cells(width - 1) + 2), ("KIND", kind))
    return clip_line((*((fit(text, size), Role.HEAD) for text, size in cells if size), ("STARTED", Role.HEAD)), width)


def discovered_line(job: Job, width: int, now: Instant, *, marked: bool, watched: bool) -> Line:
    """Return the line of a job; one that is `watched` already cannot be added."""
    state = job_state(job, now)
    id_cells = _id_cells(width)
    line = (
        (fit("*" if marked else "", MARK_CELLS), Role.KEY),
        (fit(state.label(STATE_CELLS - 1), STATE_CELLS), Role.DIM if watched else state.role),
        (fit(_id(job.key, id_cells), id_cells + 2), Role.DIM if watched else Role.NAME),
        (fit(clip(job.kind, KIND_CELLS - 2), _kind_cells(width)), Role.DIM if watched else Role.TEXT),
        (fit(_started(job, now), TIME_CELLS), Role.DIM),
        (WATCHED if watched else "", Role.DIM),
    )
    return clip_line(tuple(span for span in line if span[0]), width)


def _id(key: JobKey, width: int) -> str:
    """Return the ID, with its account group where there is room for it."""
    whole = f"{key.account_group}/{key.id}" if key.account_group else key.id
    return middle(whole if len(whole) <= width else key.id, width)


def _started(job: Job, now: Instant) -> str:
    """Return the time of day, of another day how long ago that was."""
    if job.created_us is None:
        return "–"
    moment = humanize.format_recent(job.created_us, now)
    return moment if len(moment) <= TIME_CELLS else f"{humanize.format_duration((now.us - job.created_us) / 1e6)} ago"


def _kind_cells(width: int) -> int:
    return KIND_CELLS if width >= LEAST_WIDTH else 0


def _id_cells(width: int) -> int:
    left = width - MARK_CELLS - STATE_CELLS - 2 - _kind_cells(width) - TIME_CELLS - len(WATCHED)
    return min(max(left, LEAST_ID), LONGEST_ID)
