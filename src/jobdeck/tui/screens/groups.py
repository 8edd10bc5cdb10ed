"""The jobs in groups, which open and close: what went wrong most often, and what to do with all that failed alike."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import ClassVar, TypeAlias

from textual import events
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.screen import ModalScreen

from jobdeck.domain.instant import Clock, Instant
from jobdeck.domain.job import JobKey
from jobdeck.tui.cell_text import ShortIds
from jobdeck.tui.deck_state import DeckState
from jobdeck.tui.grouping import GroupBy, JobGroup, grouped
from jobdeck.tui.job_table import Row
from jobdeck.tui.render.groups import group_heading, group_line, job_line, summary_line
from jobdeck.tui.render.help import help_sections, key_section
from jobdeck.tui.render.spans import Line, Role, clip_line
from jobdeck.tui.render.tabs import keys_line
from jobdeck.tui.screens.help import HelpScreen
from jobdeck.tui.widgets.line_view import LineView
from jobdeck.tui.widgets.static import LinesWidget

REFRESH_SECONDS = 1.0
JOB_CELLS = 29


HELP = (
    ("enter", "show only these in the list"),
    ("→ ←", "open, close the group"),
    ("b B", "group by something else"),
    ("Y", "one ticket for the group"),
    ("m", "acknowledge all of the group"),
    ("space", "select all of the group"),
    ("esc", "back"),
)
"""What its keys do."""


class Chosen(Enum):
    """What is to be done with a group."""

    FILTER = "filter"
    TICKET = "ticket"
    ACKNOWLEDGE = "acknowledge"
    SELECT = "select"
    JOB = "job"


@dataclass(frozen=True, slots=True)
class GroupChoice:
    """What a person asked for, and of which jobs; `filter` admits them in the list, `about` is under the cursor."""

    what: Chosen
    keys: tuple[JobKey, ...]
    filter: str = ""
    about: JobKey | None = None


Entry: TypeAlias = tuple[str, JobKey | None]
"""A line: the name of its group, and the job for one of a job."""


@dataclass(slots=True)
class GroupsMemory:
    """How the view was left, for the next time it is opened."""

    by: GroupBy = GroupBy.REASON
    opened: frozenset[str] = frozenset()
    cursor: Entry | None = None


class GroupList(LineView):
    """Draws groups with a cursor that stays with its line as jobs come and go."""

    def __init__(self, state: DeckState, memory: GroupsMemory, now: Instant) -> None:
        super().__init__(id="groups")
        self._state = state
        self._memory = memory
        self._now = now
        self._names = ShortIds(JOB_CELLS)
        self._entries: list[tuple[JobGroup, Row | None]] = []
        self._index = 0
        self.groups: list[JobGroup] = []

    @property
    def selected(self) -> tuple[JobGroup, Row | None] | None:
        """The group under the cursor, and the job for the line of one."""
        return self._entries[self._index] if self._entries else None

    def show(self, now: Instant) -> None:
        """Draw the jobs as they are."""
        self._now = now
        self.groups = grouped(self._state.table.rows(), self._memory.by)
        self._draw()

    def fold(self, *, opened: bool | None = None) -> None:
        """Open or close the group under the cursor; without `opened`, whichever it is not."""
        if self.selected is None:
            return
        group = self.selected[0]
        wanted = group.name not in self._memory.opened if opened is None else opened
        self._memory.opened = self._memory.opened | {group.name} if wanted else self._memory.opened - {group.name}
        self._memory.cursor = (group.name, None) if not wanted else self._memory.cursor
        self._draw()

    def ground(self, line: int) -> Role | None:
        """Return the background of the line under the cursor."""
        return Role.CURSOR if line == self._index and self._entries else None

    def on_resize(self) -> None:
        """Make the lines anew."""
        self._draw()

    def on_click(self, event: events.Click) -> None:
        """Go to the line under the pointer; a second click opens or closes its group."""
        offset = event.get_content_offset(self)
        if offset is not None and self.scroll_offset.y + offset.y < len(self._entries):
            self._go(self.scroll_offset.y + offset.y)
            if event.chain == 2:
                self.fold()

    def move_by(self, lines: int) -> None:
        """Go so many lines down, up when negative."""
        self._go(self._index + lines)

    def action_first(self) -> None:
        """Go to the first line."""
        self._go(0)

    def action_last(self) -> None:
        """Go to the last line."""
        self._go(len(self._entries) - 1)

    def _go(self, index: int) -> None:
        if self._entries:
            self._index = min(max(index, 0), len(self._entries) - 1)
            self._memory.cursor = _entry(*self._entries[self._index])
            self._reveal()
            self.refresh()

    def _reveal(self) -> None:
        top = min(max(self.scroll_offset.y, self._index - self.page + 1), self._index)
        self.scroll_to(y=max(0, top), animate=False, immediate=True)

    def _draw(self) -> None:
        width = self.line_width
        if width < 1:
            return
        self._entries = []
        lines: list[Line] = []
        for group in self.groups:
            opened = group.name in self._memory.opened
            self._entries.append((group, None))
            lines.append(group_line(group, self._memory.by, width, opened=opened, now=self._now))
            for row in group.rows if opened else ():
                self._entries.append((group, row))
                lines.append(job_line(row, self._names.of(row.job.key), width, self._now))
        places = [_entry(*entry) for entry in self._entries]
        cursor = self._memory.cursor
        self._index = places.index(cursor) if cursor in places else min(self._index, max(0, len(places) - 1))
        self.set_lines([clip_line(line, width) for line in lines])
        self._reveal()
        self.refresh()


class GroupsScreen(ModalScreen[GroupChoice]):
    """Shows all jobs in groups, and hands back what is to be done with one of them."""

    BINDINGS: ClassVar[list[BindingType]] = [
        ("escape,q", "leave", "back"),
        ("enter", "filter", "show only these"),
        ("right,l,plus", "open", "open"),
        ("left,h,minus", "close", "close"),
        ("b", "next_grouping", "group by"),
        ("B", "previous_grouping", "group by"),
        ("Y", "choose('ticket')", "ticket"),
        ("m", "choose('acknowledge')", "acknowledge all"),
        ("space", "choose('select')", "select all"),
        ("question_mark,f1", "help", "help"),
    ]
    ALLOW_SELECT = False
    AUTO_FOCUS = "GroupList"

    def __init__(self, state: DeckState, clock: Clock, memory: GroupsMemory, *, read_only: bool = False) -> None:
        super().__init__()
        self._state = state
        self._clock = clock
        self._memory = memory
        self._read_only = read_only
        self._list = GroupList(state, memory, clock.now())

    def compose(self) -> ComposeResult:
        """Lay out headings, groups and keys."""
        yield LinesWidget(self._summary, id="groups-summary")
        yield LinesWidget(
            lambda width: (clip_line((("  ", Role.HEAD), *group_heading(self._memory.by, width - 2)), width),),
            id="groups-heading",
        )
        yield self._list
        yield LinesWidget(self._keys, id="groups-keys")

    def on_mount(self) -> None:
        """Draw the groups now, and every second."""
        self._show()
        self.set_interval(REFRESH_SECONDS, self._show)

    def action_leave(self) -> None:
        """Go back to the list."""
        self.dismiss(None)

    def action_help(self) -> None:
        """Show what the keys do, those of the groups first."""
        self.app.push_screen(HelpScreen([key_section("Groups", HELP), *help_sections()]))

    def action_filter(self) -> None:
        """Show only the jobs of the group in the list, or the job under the cursor."""
        if self._list.selected is None:
            return
        group, row = self._list.selected
        if row is not None:
            self.dismiss(GroupChoice(Chosen.JOB, (row.job.key,)))
        else:
            self.dismiss(GroupChoice(Chosen.FILTER, group.keys, group.filter))

    def action_open(self) -> None:
        """Show the jobs of the group under the cursor."""
        self._list.fold(opened=True)

    def action_close(self) -> None:
        """Show the group under the cursor as one line."""
        self._list.fold(opened=False)

    def action_next_grouping(self) -> None:
        """Group by the next of what jobs may have in common."""
        self._group_by(1)

    def action_previous_grouping(self) -> None:
        """Group by what comes before."""
        self._group_by(-1)

    def action_choose(self, what: str) -> None:
        """Do something with all jobs of the group."""
        if self._list.selected is not None and not (self._read_only and what == "acknowledge"):
            group, row = self._list.selected
            about = row.job.key if row is not None else None
            self.dismiss(GroupChoice(Chosen(what), group.keys, group.filter, about))

    def _group_by(self, by: int) -> None:
        every = list(GroupBy)
        self._memory.by = every[(every.index(self._memory.by) + by) % len(every)]
        self._memory.opened, self._memory.cursor = frozenset(), None
        self._list.action_first()
        self._show()

    def _show(self) -> None:
        self._list.show(self._clock.now())
        for widget in self.query(LinesWidget):
            widget.on_resize()

    def _summary(self, width: int) -> Sequence[Line]:
        return (clip_line(summary_line(self._list.groups, self._memory.by), width),)

    def _keys(self, width: int) -> Sequence[Line]:
        every = list(GroupBy)
        following = every[(every.index(self._memory.by) + 1) % len(every)]
        keys = [("enter", "show only these"), ("→ ←", "open, close"), ("b", f"by {following}"), ("Y", "ticket")]
        if not self._read_only:
            keys.append(("m", "acknowledge all"))
        return (clip_line(keys_line((*keys, ("space", "select all"), ("esc", "back"), ("?", "help"))), width),)


def _entry(group: JobGroup, row: Row | None) -> Entry:
    return group.name, row.job.key if row is not None else None
