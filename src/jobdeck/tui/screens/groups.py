"""The jobs in groups, which open and close: what went wrong most often, and what to do with all that failed alike."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import ClassVar, TypeAlias

from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType

from jobdeck.domain.instant import Clock
from jobdeck.domain.job import JobKey
from jobdeck.tui.cell_text import ShortIds
from jobdeck.tui.deck_state import DeckState
from jobdeck.tui.grouping import GroupBy, JobGroup, grouped
from jobdeck.tui.job_table import Row
from jobdeck.tui.render.groups import group_heading, group_line, job_line, summary_line
from jobdeck.tui.render.spans import Keys, Line, Role, clip_line
from jobdeck.tui.screens.dialogs import Dialog
from jobdeck.tui.widgets.cursor_list import CursorList
from jobdeck.tui.widgets.static import LinesWidget

REFRESH_SECONDS = 1.0
JOB_CELLS = 29


HELP = (
    ("enter", "show only these in the list, or go to the job"),
    ("→ ←", "open, close the group"),
    ("b B", "change the grouping"),
    ("Y", "ticket for the group, or for the job under the cursor"),
    ("m", "acknowledge the whole group, or the job"),
    ("space", "select the whole group, or the job"),
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


Entry: TypeAlias = tuple[JobGroup, Row | None]
"""A line: its group, and the job for one of a job."""

EntryKey: TypeAlias = tuple[str, JobKey | None]
"""What a line is known by: the name of its group, and the job for one of a job."""


@dataclass(slots=True)
class GroupsMemory:
    """How the view was left, for the next time it is opened."""

    by: GroupBy = GroupBy.REASON
    opened: frozenset[str] = frozenset()
    cursor: EntryKey | None = None


class GroupsScreen(Dialog[GroupChoice]):
    """Shows all jobs in groups, and hands back what is to be done with one of them."""

    BINDINGS: ClassVar[list[BindingType]] = [
        ("q", "leave", "back"),
        ("enter", "filter", "show only these"),
        ("right,l,plus", "open", "open"),
        ("left,h,minus", "close", "close"),
        ("b", "next_grouping", "group by"),
        ("B", "previous_grouping", "group by"),
        ("Y", "choose('ticket')", "ticket"),
        ("m", "choose('acknowledge')", "acknowledge all"),
        ("space", "choose('select')", "select all"),
    ]
    SUBJECT = "Groups"
    KEYS = HELP
    AUTO_FOCUS = "CursorList"

    def __init__(self, state: DeckState, clock: Clock, memory: GroupsMemory, *, read_only: bool = False) -> None:
        super().__init__()
        self._state = state
        self._clock = clock
        self._memory = memory
        self._read_only = read_only
        self._now = clock.now()
        self._names = ShortIds(JOB_CELLS)
        self._groups: Sequence[JobGroup] = ()
        self._grouped_of: tuple[GroupBy, tuple[int, int]] | None = None
        self._list = CursorList(self._line, entry_key, id="groups", cursor=memory.cursor)

    def compose(self) -> ComposeResult:
        """Lay out headings, groups and keys."""
        yield LinesWidget(self._summary, id="groups-summary")
        yield LinesWidget(
            lambda width: (clip_line((("  ", Role.HEAD), *group_heading(self._memory.by, width - 2)), width),),
            id="groups-heading",
        )
        yield self._list
        yield self.key_line

    @property
    def help_keys(self) -> Keys:
        """The keys that the help explains: none that changes something where nothing may be changed."""
        return tuple((key, label) for key, label in self.KEYS if not (self._read_only and key == "m"))

    def on_mount(self) -> None:
        """Draw the groups now, and every second."""
        self._show()
        self.set_interval(REFRESH_SECONDS, self._show)

    def action_leave(self) -> None:
        """Go back to the list."""
        self._close(None)

    def action_filter(self) -> None:
        """Show only the jobs of the group in the list, or the job under the cursor."""
        if self._list.selected is None:
            return
        group, row = self._list.selected
        if row is not None:
            self._close(GroupChoice(Chosen.JOB, (row.job.key,)))
        else:
            self._close(GroupChoice(Chosen.FILTER, group.keys, group.filter))

    @on(CursorList.Chosen)
    def action_fold(self) -> None:
        """Open or close the group under the cursor, whichever it is not."""
        if self._list.selected is not None:
            self._fold(opened=self._list.selected[0].name not in self._memory.opened)

    def action_open(self) -> None:
        """Show the jobs of the group under the cursor."""
        self._fold(opened=True)

    def action_close(self) -> None:
        """Show the group under the cursor as one line."""
        self._fold(opened=False)

    def action_next_grouping(self) -> None:
        """Group by the next of what jobs may have in common."""
        self._group_by(1)

    def action_previous_grouping(self) -> None:
        """Group by what comes before."""
        self._group_by(-1)

    def action_choose(self, what: str) -> None:
        """Do something with the job under the cursor, with all jobs of a group."""
        if self._list.selected is not None and not (self._read_only and what == "acknowledge"):
            group, row = self._list.selected
            keys = group.keys if row is None else (row.job.key,)
            self._close(GroupChoice(Chosen(what), keys, group.filter, keys[0] if row is not None else None))

    @on(CursorList.Moved)
    def cursor_moved(self) -> None:
        """Name the keys of the line under the cursor."""
        self.draw_keys()

    def _close(self, choice: GroupChoice | None) -> None:
        if self._list.selected is not None:
            self._memory.cursor = entry_key(self._list.selected)
        self.dismiss(choice)

    def _fold(self, *, opened: bool) -> None:
        if self._list.selected is None:
            return
        group = self._list.selected[0]
        self._memory.opened = self._memory.opened | {group.name} if opened else self._memory.opened - {group.name}
        self._list.go_to(entry_key(self._list.selected) if opened else (group.name, None))
        self._list.show(self._entries())

    def _group_by(self, by: int) -> None:
        every = list(GroupBy)
        self._memory.by = every[(every.index(self._memory.by) + by) % len(every)]
        self._memory.opened = frozenset()
        self._show()
        self._list.action_first()

    def _show(self) -> None:
        self._now = self._clock.now()
        grouped_of = self._memory.by, self._state.table.revision
        if grouped_of != self._grouped_of:
            self._grouped_of = grouped_of
            self._groups = grouped(self._state.table.rows(), self._memory.by)
        self._list.show(self._entries())
        for widget in self.query(LinesWidget):
            widget.on_resize()

    def _entries(self) -> list[Entry]:
        entries: list[Entry] = []
        for group in self._groups:
            entries.append((group, None))
            if group.name in self._memory.opened:
                entries.extend((group, row) for row in group.rows)
        return entries

    def _line(self, entry: Entry, width: int) -> Line:
        group, row = entry
        if row is not None:
            return job_line(row, self._names.of(row.job.key), width, self._now)
        opened = group.name in self._memory.opened
        return group_line(group, self._memory.by, width, opened=opened, now=self._now)

    def _summary(self, width: int) -> Sequence[Line]:
        return (clip_line(summary_line(self._groups, self._memory.by), width),)

    @property
    def keys(self) -> Keys:
        """The keys of the line under the cursor."""
        every = list(GroupBy)
        following = every[(every.index(self._memory.by) + 1) % len(every)]
        on_job = self._list.selected is not None and self._list.selected[1] is not None
        opened = self._list.selected is not None and self._list.selected[0].name in self._memory.opened
        keys = [("enter", "to the job" if on_job else "filter"), ("Y", "ticket")]
        if not self._read_only:
            keys.append(("m", "acknowledge" if on_job else "acknowledge all"))
        keys += [("space", "select" if on_job else "select all"), ("←", "close") if opened else ("→", "open")]
        return *keys, ("b", f"by {following}"), ("esc", "back")


def entry_key(entry: Entry) -> EntryKey:
    """Return what a line is known by."""
    group, row = entry
    return group.name, row.job.key if row is not None else None
