"""The columns of a list of a given width, and their widths."""

from dataclasses import dataclass, replace
from enum import StrEnum
from functools import lru_cache

GAP = 1
MARKER = 2
LONGEST_ID = 29
"""Cells of a full operation ID (``op_`` and 26 letters): a wider column would be partly empty."""

SHORT_ID = 16
"""Cells of an ID shortened in its middle, where there is no room for the full one."""

LEAST_REASON = 8
WHO_WIDTH = 8


class Name(StrEnum):
    """The columns in screen order; each value is a heading."""

    STATE = "STATE"
    JOB = "JOB"
    PROFILE = "PROFILE"
    KIND = "KIND"
    WHO = "WHO"
    STAGE = "STAGE"
    PROGRESS = "PROGRESS"
    ELAPSED = "ELAPSED"
    ETA = "ETA"
    UPDATED = "UPDATED"
    REASON = "REASON"


@dataclass(frozen=True, slots=True)
class Column:
    """The position of a column."""

    name: Name
    x: int
    """Its first cell."""
    width: int


@dataclass(frozen=True, slots=True)
class Columns:
    """All columns for one width."""

    columns: tuple[Column, ...]
    width: int
    job_width: int
    tick_x: int
    """The first cell that changes as time passes."""
    tick_width: int
    """The number of cells that change as time passes."""

    def get(self, name: Name) -> Column | None:
        """Return a column, or None if it is not shown."""
        return next((column for column in self.columns if column.name is name), None)

    def at(self, x: int) -> Name | None:
        """Return the column whose heading covers cell `x`, or None."""
        return next((one.name for one in self.columns if one.x <= x < one.x + one.width), None)


@dataclass(frozen=True, slots=True)
class ColumnChoice:
    """The user's choice of columns, on top of those that suit the width."""

    always: frozenset[Name] = frozenset()
    """Columns that are shown at any width with room for them."""
    never: frozenset[Name] = frozenset()
    """Columns that are never shown."""
    wide: bool = False
    """Show every column and full IDs, if that leaves room for the reason."""

    @property
    def text(self) -> str:
        """The choice as `parse_columns` reads it: ``wide +ETA -KIND``."""
        parts = ["wide"] if self.wide else []
        parts += [f"{'+' if name in self.always else '-'}{name}" for name in CHOSEN if name in self.always | self.never]
        return " ".join(parts)

    def next(self, name: Name) -> "ColumnChoice":
        """Return the next choice for a column: as suits the width, always, never."""
        if name in self.always:
            return replace(self, always=self.always - {name}, never=self.never | {name})
        if name in self.never:
            return replace(self, never=self.never - {name})
        return replace(self, always=self.always | {name})

    def wants(self, name: Name) -> bool:
        """Whether a column is shown at any width with room for it."""
        return name in self.always or (self.wide and name not in self.never)


def parse_columns(text: str) -> ColumnChoice:
    """Parse a saved choice; unknown columns are skipped."""
    words = text.split()
    known = {str(name): name for name in CHOSEN}
    always = frozenset(known[word[1:]] for word in words if word[0] == "+" and word[1:] in known)
    never = frozenset(known[word[1:]] for word in words if word[0] == "-" and word[1:] in known)
    return ColumnChoice(always, never - always, "wide" in words)


TICKING = (Name.ELAPSED, Name.ETA, Name.UPDATED)
"""The columns that change as time passes; they are adjacent."""

_FROM = {
    Name.PROGRESS: 58,
    Name.PROFILE: 84,
    Name.ELAPSED: 80,
    Name.KIND: 96,
    Name.WHO: 112,
    Name.ETA: 122,
    Name.STAGE: 160,
}
"""Minimum list width for each column, so that REASON keeps at least about 30 cells.

At 80 columns 36 cells are left for the reason, at 120 some 40, and at 200 with the pane beside the list 30."""
CHOSEN = tuple(name for name in Name if name in _FROM)
"""The columns that can be hidden; state, ID, age and reason are always shown."""

_BAR_FROM = 104
_WHOLE_ID_FROM = 124
_FULL_STATE_FROM = 112


SUGGESTED = ColumnChoice()


@lru_cache(maxsize=16)
def columns_for(width: int, *, profiles: bool = False, who: bool = False, choice: ColumnChoice = SUGGESTED) -> Columns:
    """Return the columns for a list of `width` cells.

    `profiles`: the jobs have more than one profile. `who`: the watchers of some job are known.
    """
    least_job = 8 if width < 40 else 10 if width < _FROM[Name.PROGRESS] else SHORT_ID
    widths = {
        Name.STATE: 13 if width >= _FULL_STATE_FROM else 9,
        Name.JOB: LONGEST_ID if width - (WHO_WIDTH + GAP) * (profiles and who) >= _WHOLE_ID_FROM else least_job,
        Name.PROFILE: 8,
        Name.KIND: 13 if width >= 150 else 11,
        Name.WHO: WHO_WIDTH,
        Name.STAGE: 11,
        Name.PROGRESS: 11 if width >= _BAR_FROM else 5,
        Name.ELAPSED: 7,
        Name.ETA: 6,
        Name.UPDATED: 7 if width >= 40 else 6,
    }
    shown: dict[Name, int] = {}
    left = width - MARKER
    # A list too narrow for both drops the reason before the age of the data.
    needless = {Name.PROFILE: not profiles, Name.WHO: not who}
    wanted = [name for name in _FROM if choice.wants(name) and not needless.get(name)]
    for name in (Name.STATE, Name.JOB, Name.UPDATED, *wanted, *(name for name in _FROM if name not in wanted)):
        gap = GAP if shown else 0
        if name in wanted:
            if left - gap - widths[name] - GAP < LEAST_REASON:
                continue
        else:
            taken = sum(widths[one] + GAP for one in shown if one in needless or one in choice.always)
            if width - taken < _FROM.get(name, 0) or name in choice.never or needless.get(name):
                continue
        if widths[name] + gap > left:
            if name is not Name.UPDATED and left > gap:
                shown[name] = left - gap
            left = 0
            break
        shown[name] = widths[name]
        left -= widths[name] + gap
    longer = LONGEST_ID - shown.get(Name.JOB, LONGEST_ID)
    if choice.wide and left - GAP - longer >= LEAST_REASON:
        shown[Name.JOB] += longer
        left -= longer
    if left - GAP >= LEAST_REASON:
        shown[Name.REASON] = left - GAP
    elif Name.UPDATED in shown:
        shown[Name.JOB] += left
    return _place(shown, width)


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
