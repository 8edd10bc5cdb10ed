"""Lines as data: pieces of clean text with roles, and bars. Widgets turn roles into colors."""

from collections.abc import Sequence
from enum import StrEnum
from typing import TypeAlias

from jobdeck.tui.cell_text import truncate, width_of


class Role(StrEnum):
    """The meaning of a piece of text; each value is a component class with a color in `styles/roles.tcss`."""

    TEXT = "role--text"
    STRONG = "role--strong"
    DIM = "role--dim"
    FAINT = "role--faint"
    HEAD = "role--head"
    NAME = "role--name"
    KEY = "role--key"
    ID = "role--id"
    WARN = "role--warn"
    FAILED = "role--failed"
    STALLED = "role--stalled"
    UNREACHABLE = "role--unreachable"
    PARTIAL = "role--partial"
    RUNNING = "role--running"
    QUEUED = "role--queued"
    DONE = "role--done"
    CANCELLED = "role--cancelled"
    NEW = "role--new"
    CURSOR = "role--cursor"
    CURSOR_AWAY = "role--cursor-away"


Span: TypeAlias = tuple[str, Role]
Line: TypeAlias = tuple[Span, ...]
Keys: TypeAlias = Sequence[tuple[str, str]]
"""Keys and their explanations, in order."""

EMPTY: Line = ()


def line_width(line: Sequence[Span]) -> int:
    """Return the width of a line in cells."""
    return sum(width_of(text) for text, _ in line)


def truncate_line(line: Sequence[Span], width: int) -> Line:
    """Return a line truncated to `width` cells; an ellipsis marks the cut."""
    if line_width(line) <= width:
        return tuple(line)
    kept: list[Span] = []
    left = width
    for text, role in line:
        if width_of(text) >= left:
            kept.append((truncate(text + "…", left), role))
            break
        kept.append((text, role))
        left -= width_of(text)
    return tuple(kept)


def justify(left: Sequence[Span], right: Sequence[Span], width: int) -> Line:
    """Return one line with `left` and `right` at its ends; without room for both, `right` is dropped."""
    gap = width - line_width(left) - line_width(right)
    if gap < 1:
        return truncate_line(left, width)
    return (*left, (" " * gap, Role.TEXT), *right)


def plain(line: Sequence[Span]) -> str:
    """Return the text of a line."""
    return "".join(text for text, _ in line)


FULL, HALF, TRACK = "━", "╸", "─"


def bar(progress: float | None, width: int, role: Role) -> Line:
    """Return a bar of exactly `width` cells; for None, an empty track.

    It looks full only at 1 and empty only at 0: half a cell is reserved for either.
    """
    if width <= 0:
        return ()
    if progress is None:
        return ((TRACK * width, Role.FAINT),)
    halves = round(progress * width * 2)
    if progress < 1.0:
        halves = min(halves, width * 2 - 1)
    if progress > 0.0:
        halves = max(halves, 1)
    filled = FULL * (halves // 2) + HALF * (halves % 2)
    rest = TRACK * (width - len(filled))
    if not rest:
        return ((filled, role),)
    return ((filled, role), (rest, Role.FAINT)) if filled else ((rest, Role.FAINT),)


LEVELS = "▁▂▃▄▅▆▇█"


def sparkline(samples: Sequence[tuple[float, float]], until: float, width: int) -> str:
    """Return the growth of a fraction from its first sample to the time `until`, in `width` cells.

    Each cell shows the last value known at its end. Empty with fewer than two samples, or without time between.
    """
    if len(samples) < 2 or width < 1 or until <= samples[0][0]:
        return ""
    first = samples[0][0]
    cells: list[str] = []
    at = 0
    for cell in range(width):
        end = first + (until - first) * (cell + 1) / width
        while at + 1 < len(samples) and samples[at + 1][0] <= end:
            at += 1
        cells.append(LEVELS[min(int(samples[at][1] * len(LEVELS)), len(LEVELS) - 1)])
    return "".join(cells)
