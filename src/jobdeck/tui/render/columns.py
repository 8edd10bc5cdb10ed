"""Which columns a list of a given width has, and how wide each is."""

from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache

GAP = 1
MARKER = 2
LONGEST_ID = 29
"""Cells of a whole operation ID (``op_`` and 26 letters): a wider column would be empty."""

PROFILE_FROM = 130
TIGHT = 40
SHORTEST_JOB = 8


class Name(StrEnum):
    """The columns in their order on the screen; each value is its heading."""

    STATE = "STATE"
    JOB = "JOB"
    PROFILE = "PROFILE"
    KIND = "KIND"
    STAGE = "STAGE"
    PROGRESS = "PROGRESS"
    ELAPSED = "ELAPSED"
    ETA = "ETA"
    SEEN = "SEEN"
    WHY = "WHY"


@dataclass(frozen=True, slots=True)
class Column:
    """A column's place: its first cell and its width."""

    name: Name
    x: int
    width: int


@dataclass(frozen=True, slots=True)
class Columns:
    """All columns of one width. `tick_x` and `tick_width` bound the cells that change as time passes."""

    columns: tuple[Column, ...]
    width: int
    job_width: int
    tick_x: int
    tick_width: int

    def get(self, name: Name) -> Column | None:
        """Return a column, None when it is not shown."""
        return next((column for column in self.columns if column.name is name), None)

    def at(self, x: int) -> Name | None:
        """Return the column whose heading is at cell `x`, None when there is none."""
        return next((one.name for one in self.columns if one.x <= x < one.x + one.width), None)


TICKING = (Name.ELAPSED, Name.ETA, Name.SEEN)
"""The columns that change as time passes; they stand side by side."""

_LEAST = {
    Name.STATE: 9,
    Name.JOB: 10,
    Name.PROFILE: 8,
    Name.KIND: 11,
    Name.STAGE: 10,
    Name.PROGRESS: 11,
    Name.ELAPSED: 7,
    Name.ETA: 6,
    Name.SEEN: 6,
    Name.WHY: 28,
}
_WANTED = (Name.STATE, Name.JOB, Name.SEEN, Name.PROGRESS, Name.ELAPSED, Name.ETA, Name.STAGE, Name.KIND)
"""The order in which columns are taken in as there is room: the age of what is seen comes before what is seen."""

_GROWTH = (
    (Name.JOB, 16),
    (Name.PROGRESS, 13),
    (Name.STAGE, 11),
    (Name.ETA, 7),
    (Name.WHY, 44),
    (Name.KIND, 13),
    (Name.PROGRESS, 19),
    (Name.WHY, 60),
    (Name.JOB, LONGEST_ID),
    (Name.STAGE, 16),
)


@lru_cache(maxsize=16)
def columns_for(width: int, *, profiles: bool = False) -> Columns:
    """Return the columns for a list `width` cells wide; `profiles` when the jobs are of more than one."""
    # A profile is told by its IDs as well, and by the pane of the selected job: only much room is given to it.
    wanted = (*_WANTED, Name.PROFILE, Name.WHY) if profiles and width >= PROFILE_FROM else (*_WANTED, Name.WHY)
    widths: dict[Name, int] = {}
    left = width - MARKER
    for name in wanted:
        least = (SHORTEST_JOB if name is Name.JOB and width < TIGHT else _LEAST[name]) + (GAP if widths else 0)
        if least > left:
            if name in {Name.STATE, Name.JOB} and left > GAP:
                widths[name] = left - (GAP if widths else 0)
            break
        widths[name] = least - (GAP if widths else 0)
        left -= least
    else:
        left = _grow(widths, left)
    if Name.WHY in widths:
        widths[Name.WHY] += left
    elif len(widths) < len(wanted):
        _grow(widths, left if left > 0 and Name.SEEN in widths else 0)
    return _place(widths, width)


def _grow(widths: dict[Name, int], left: int) -> int:
    for name, ideal in _GROWTH:
        if name in widths and left > 0:
            more = min(left, max(0, ideal - widths[name]))
            widths[name] += more
            left -= more
    return left


def _place(widths: dict[Name, int], width: int) -> Columns:
    columns: list[Column] = []
    x = MARKER
    for name in Name:
        if name in widths:
            columns.append(Column(name, x, widths[name]))
            x += widths[name] + GAP
    ticking = [column for column in columns if column.name in TICKING]
    tick_x = ticking[0].x if ticking else width
    tick_end = ticking[-1].x + ticking[-1].width if ticking else width
    return Columns(tuple(columns), width, widths.get(Name.JOB, 0), tick_x, tick_end - tick_x)
