"""The dialog that lists the jobs the APIs started recently, by profile, to choose which to add."""

from collections.abc import Awaitable, Callable, Sequence
from typing import ClassVar, TypeAlias

from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType

from jobdeck.app.session import Discovered
from jobdeck.domain import humanize
from jobdeck.domain.instant import Clock, Instant
from jobdeck.domain.job import Job, JobKey
from jobdeck.tui.cell_text import elide_middle, pad, truncate
from jobdeck.tui.render.spans import EMPTY, Keys, Line, Role, truncate_line
from jobdeck.tui.render.state import job_state
from jobdeck.tui.screens.dialogs import Dialog
from jobdeck.tui.widgets.cursor_list import CursorList
from jobdeck.tui.widgets.static import LinesWidget

STATE_CELLS = 13
KIND_CELLS = 14
TIME_CELLS = 9
MARK_CELLS = 2
LEAST_ID = 12
LONGEST_ID = 53
LEAST_WIDTH = 70
"""Minimum width of a line with the kind."""

WATCHED = "  watched"

Entry: TypeAlias = Job | Line
"""A line: a job, or a heading."""

Report = Callable[[Discovered], object]


class DiscoverScreen(Dialog[None]):
    """Lists recent jobs of the APIs, to add some."""

    SUBJECT = "Discover"
    KEYS = (("enter", "add"), ("space", "select"), ("M", "select all"), ("esc", "back"))
    BINDINGS: ClassVar[list[BindingType]] = [
        ("q", "leave", "back"),
        ("enter", "add", "add"),
        ("space", "mark", "select"),
        ("M", "mark_all", "select all"),
    ]
    AUTO_FOCUS = "CursorList"

    def __init__(
        self,
        profiles: Sequence[str],
        discover: Callable[[Report], Awaitable[None]],
        known: Callable[[JobKey], bool],
        add: Callable[[Sequence[Job]], object],
        clock: Clock,
    ) -> None:
        """List the jobs of `profiles` with `discover`, and `add` the chosen ones; `known` jobs are already watched."""
        super().__init__()
        self._discover = discover
        self._known = known
        self._add = add
        self._clock = clock
        self._found = {name: Discovered(name) for name in profiles}
        self._marks: set[JobKey] = set()
        self._list = CursorList(self._line, entry_key, id="discovered")

    def compose(self) -> ComposeResult:
        """Lay out heading, jobs and keys."""
        yield LinesWidget(self._summary, id="discover-summary")
        yield LinesWidget(lambda width: (heading_line(width),), id="discover-heading")
        yield self._list
        yield self.key_line

    def on_mount(self) -> None:
        """Start listing; closing the dialog stops it."""
        self._draw()
        self.run_worker(self._load(), name="discover", group="discover")

    def action_add(self) -> None:
        """Add the selected jobs, or else the one under the cursor, and close."""
        selected = self._selected
        if self._marks:
            jobs = [job for job in self._new if job.key in self._marks]
        else:
            jobs = [selected] if selected is not None and not self._known(selected.key) else []
        if jobs:
            self._add(jobs)
            self.dismiss(None)
        elif selected is not None:
            self.notify("already watched", markup=False)

    @on(CursorList.Chosen)
    def action_mark(self) -> None:
        """Toggle the selection of the job under the cursor, and move to the next."""
        job = self._selected
        if job is not None:
            if not self._known(job.key):
                self._marks ^= {job.key}
            self._list.move_by(1)
            self._draw()

    def action_mark_all(self) -> None:
        """Select all jobs that are not watched yet, or clear the selection."""
        self._marks = set() if self._marks else {job.key for job in self._new}
        self._draw()

    async def _load(self) -> None:
        def take(found: Discovered) -> None:
            self._found[found.profile] = found
            self._draw()

        await self._discover(take)

    @property
    def _selected(self) -> Job | None:
        """The job under the cursor."""
        entry = self._list.selected
        return entry if isinstance(entry, Job) else None

    @property
    def _new(self) -> list[Job]:
        """The jobs that are not watched yet."""
        return [job for found in self._found.values() for job in found.jobs if not self._known(job.key)]

    def _draw(self) -> None:
        entries: list[Entry] = []
        for found in self._found.values():
            entries += [EMPTY] if entries else []
            entries.append(profile_line(found))
            entries += [((f"  {note}", Role.WARN),) for note in found.notes]
            entries += found.jobs
        self._list.show(entries)
        for widget in self.query(LinesWidget):
            widget.on_resize()

    def _line(self, entry: Entry, width: int) -> Line:
        if not isinstance(entry, Job):
            return entry
        marked, watched = entry.key in self._marks, self._known(entry.key)
        return discovered_line(entry, width, self._clock.now(), marked=marked, watched=watched)

    def _summary(self, width: int) -> Sequence[Line]:
        found, marked = self._found.values(), len(self._marks)
        listed = sum(len(part.jobs) for part in found)
        waiting = sum(not part.complete for part in found)
        parts = [f"{humanize.pluralize(listed, 'job')} listed" if listed or not waiting else ""]
        parts.append(f"reading {humanize.pluralize(waiting, 'profile')}…" if waiting else "")
        watched = listed - len(self._new)
        parts.append(f"{watched} already watched" if watched else "")
        counts = " · ".join(part for part in parts if part)
        line = ((" Discover", Role.STRONG), (f"   {counts}", Role.DIM))
        chosen = (f"   {marked} selected" if marked else "", Role.KEY)
        return (truncate_line((*line, chosen), width),)

    @property
    def keys(self) -> Keys:
        """The keys, which act on the selection."""
        marked = len(self._marks)
        add = f"add {humanize.pluralize(marked, 'job')}" if marked else "add"
        every = "clear" if marked else "select all"
        return ("enter", add), ("space", "select"), ("M", every), ("esc", "back")


def entry_key(entry: Entry) -> JobKey | None:
    """Return the job of a line, or None."""
    return entry.key if isinstance(entry, Job) else None


def profile_line(found: Discovered) -> Line:
    """Return the heading of a profile."""
    count = humanize.pluralize(len(found.jobs), "job")
    if not found.complete:
        said = f"reading… {count}" if found.jobs else "reading…"
    else:
        said = count if found.jobs or found.notes else "nothing listed"
    return ((truncate(found.profile, 40), Role.STRONG), (f"  {said}" if said != "0 jobs" else "", Role.DIM))


def heading_line(width: int) -> Line:
    """Return the column headings."""
    kind = _kind_cells(width - 1)
    cells = (("", 1 + MARK_CELLS), ("STATE", STATE_CELLS), ("JOB", _id_cells(width - 1) + 2), ("KIND", kind))
    return truncate_line(
        (*((pad(text, size), Role.HEAD) for text, size in cells if size), ("STARTED", Role.HEAD)), width
    )


def discovered_line(job: Job, width: int, now: Instant, *, marked: bool, watched: bool) -> Line:
    """Return the line of a job; a `watched` one cannot be added."""
    state = job_state(job)
    id_cells = _id_cells(width)
    line = (
        (pad("*" if marked else "", MARK_CELLS), Role.KEY),
        (pad(state.label(STATE_CELLS - 1), STATE_CELLS), Role.DIM if watched else state.role),
        (pad(_id(job.key, id_cells), id_cells + 2), Role.DIM if watched else Role.NAME),
        (pad(truncate(job.kind, KIND_CELLS - 2), _kind_cells(width)), Role.DIM if watched else Role.TEXT),
        (pad(_started(job, now), TIME_CELLS), Role.DIM),
        (WATCHED if watched else "", Role.DIM),
    )
    return truncate_line(tuple(span for span in line if span[0]), width)


def _id(key: JobKey, width: int) -> str:
    """Return the ID, with its account group if there is room."""
    whole = f"{key.account_group}/{key.id}" if key.account_group else key.id
    return elide_middle(whole if len(whole) <= width else key.id, width)


def _started(job: Job, now: Instant) -> str:
    return "–" if job.created_us is None else humanize.format_moment(job.created_us, now, TIME_CELLS)


def _kind_cells(width: int) -> int:
    return KIND_CELLS if width >= LEAST_WIDTH else 0


def _id_cells(width: int) -> int:
    left = width - MARK_CELLS - STATE_CELLS - 2 - _kind_cells(width) - TIME_CELLS - len(WATCHED)
    return min(max(left, LEAST_ID), LONGEST_ID)
