"""The grouped view of the jobs, with actions on a whole group."""

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
from jobdeck.tui.render.spans import Keys, Line, Role, truncate_line
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
"""The keys of this screen."""


class Chosen(Enum):
    """What to do with a group."""

    FILTER = "filter"
    TICKET = "ticket"
    ACKNOWLEDGE = "acknowledge"
    SELECT = "select"
    JOB = "job"


@dataclass(frozen=True, slots=True)
class GroupChoice:
    """The chosen action."""

    what: Chosen
    keys: tuple[JobKey, ...]
    """The jobs it applies to."""
    filter: str = ""
    """The list filter that shows only these jobs."""
    about: JobKey | None = None
    """The job under the cursor, if it is on a job."""


Entry: TypeAlias = tuple[JobGroup, Row | None]
"""A line: its group, and its job if it is the line of a job."""

EntryKey: TypeAlias = tuple[str, JobKey | None]
"""The identity of a line: the name of its group, and its job if it is the line of a job."""


@dataclass(slots=True)
class GroupsMemory:
    """The state of the view, for the next time it is opened."""

    by: GroupBy = GroupBy.REASON
    opened: frozenset[str] = frozenset()
    cursor: EntryKey | None = None


class GroupsScreen(Dialog[GroupChoice]):
    """Shows all jobs in groups, and returns the chosen action."""

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
            lambda width: (truncate_line((("  ", Role.HEAD), *group_heading(self._memory.by, width - 2)), width),),
            id="groups-heading",
        )
        yield self._list
        yield self.key_line

    @property
    def help_keys(self) -> Keys:
        """The keys that the help explains; in a read-only session, without those that change something."""
        return tuple((key, label) for key, label in self.KEYS if not (self._read_only and key == "m"))

    def on_mount(self) -> None:
        """Draw the groups now, and every second."""
        self._show()
        self.set_interval(REFRESH_SECONDS, self._show)

    def action_leave(self) -> None:
        """Return to the list."""
        self._close(None)

    def action_filter(self) -> None:
        """Show only the jobs of the group in the list, or go to the job under the cursor."""
        if self._list.selected is None:
            return
        group, row = self._list.selected
        if row is not None:
            self._close(GroupChoice(Chosen.JOB, (row.job.key,)))
        else:
            self._close(GroupChoice(Chosen.FILTER, group.keys, group.filter))

    @on(CursorList.Chosen)
    def action_fold(self) -> None:
        """Open or close the group under the cursor."""
        if self._list.selected is not None:
            self._fold(opened=self._list.selected[0].name not in self._memory.opened)

    def action_open(self) -> None:
        """Open the group under the cursor."""
        self._fold(opened=True)

    def action_close(self) -> None:
        """Close the group under the cursor."""
        self._fold(opened=False)

    def action_next_grouping(self) -> None:
        """Switch to the next grouping."""
        self._group_by(1)

    def action_previous_grouping(self) -> None:
        """Switch to the previous grouping."""
        self._group_by(-1)

    def action_choose(self, what: str) -> None:
        """Run an action on the job under the cursor, or on all jobs of the group."""
        if self._list.selected is not None and not (self._read_only and what == "acknowledge"):
            group, row = self._list.selected
            keys = group.keys if row is None else (row.job.key,)
            self._close(GroupChoice(Chosen(what), keys, group.filter, keys[0] if row is not None else None))

    @on(CursorList.Moved)
    def cursor_moved(self) -> None:
        """Update the keys for the line under the cursor."""
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
        return (truncate_line(summary_line(self._groups, self._memory.by), width),)

    @property
    def keys(self) -> Keys:
        """The keys for the line under the cursor."""
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
    """Return the identity of a line."""
    group, row = entry
    return group.name, row.job.key if row is not None else None
