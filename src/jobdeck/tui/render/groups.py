"""The grouped view: a line for each group, and for each job of an open group."""

from collections.abc import Sequence

from jobdeck.domain import humanize
from jobdeck.domain.instant import Instant
from jobdeck.tui.cell_text import pad, truncate, width_of
from jobdeck.tui.grouping import GroupBy, JobGroup
from jobdeck.tui.job_table import Row
from jobdeck.tui.render.row import live_cells, reason_of
from jobdeck.tui.render.spans import Line, Role, Span, bar
from jobdeck.tui.render.state import ALL_STATES

CLOSED, OPEN = "+", "-"
COUNT_CELLS = 6
TIME_CELLS = 9
BAR_CELLS = 10
LEAST_NAME = 24
EXTRA = 20
"""Cells of the columns of kinds and of profiles, which are shown if enough is left for the name."""


def group_heading(by: GroupBy, width: int) -> Line:
    """Return the column headings of the groups."""
    cells = [(f"  {by.upper()}", _name_cells(by, width), False), ("JOBS", COUNT_CELLS, True)]
    if by is GroupBy.REASON:
        cells += [("FIRST", TIME_CELLS + 2, True), ("LAST", TIME_CELLS + 2, True)]
        cells += [(title, EXTRA, False) for title in _extras(width)]
    else:
        cells += [("  DONE", BAR_CELLS + 8, False), ("STATES", EXTRA, False)]
    return tuple(
        (("  " if not right and place else "") + pad(text, cells_, right=right), Role.HEAD)
        for place, (text, cells_, right) in enumerate(cells)
    )


def group_line(group: JobGroup, by: GroupBy, width: int, *, opened: bool, now: Instant) -> Line:
    """Return the line of a group."""
    role = group.state.role if group.state is not None else Role.TEXT
    glyph = f"{group.state.glyph} " if group.state is not None else ""
    name_cells = _name_cells(by, width)
    head = f"{OPEN if opened else CLOSED} "
    name = truncate(f"{glyph}{group.name}", name_cells - 2)
    detail = truncate(f"  {group.detail}", name_cells - 2 - width_of(name)) if group.detail else ""
    rest = " " * (name_cells - 2 - width_of(name) - width_of(detail))
    spans: list[Span] = [(head, Role.DIM), (name, role), (detail, Role.TEXT), (rest, Role.TEXT)]
    spans.append((pad(f"{len(group.rows):,}", COUNT_CELLS, right=True), Role.STRONG))
    if by is GroupBy.REASON:
        times = (humanize.format_moment(moment, now, TIME_CELLS) for moment in (group.first_us, group.last_us))
        spans += [(pad(time, TIME_CELLS + 2, right=True), Role.DIM) for time in times]
        extras = dict(zip(("KINDS", "PROFILES"), (group.kinds, group.profiles), strict=True))
        spans += [("  " + pad(extras[title], EXTRA), Role.DIM) for title in _extras(width)]
        return tuple(spans)
    spans += [("  ", Role.TEXT), *bar(group.done, BAR_CELLS, Role.DONE)]
    spans.append((pad(humanize.format_percent(group.done), 6, right=True), Role.TEXT))
    for state in ALL_STATES:
        if count := group.counts.get(state, 0):
            spans.append((f"  {state.glyph}{count:,}", state.role))
    return tuple(spans)


def job_line(row: Row, name: str, width: int, now: Instant) -> Line:
    """Return the line of a job in a group; `name` is its short ID."""
    reason, role = reason_of(row.job, row.state, now)
    elapsed, _, age, _ = live_cells(row.job, now)
    spans: list[Span] = [
        ("    ", Role.TEXT),
        (pad(row.state.label(11), 12), row.state.role),
        (pad(name, 30), Role.NAME),
    ]
    spans += [(pad(elapsed, 8, right=True), Role.TEXT), (pad(age, 8, right=True), Role.DIM)]
    left = width - 62
    if left > 10:
        spans.append((f"  {truncate(reason, left - 2)}", role))
    return tuple(spans)


def summary_line(groups: Sequence[JobGroup], by: GroupBy) -> Line:
    """Return the summary of the view."""
    jobs = sum(len(group.rows) for group in groups)
    counted = f"{humanize.pluralize(jobs, 'job')} in {humanize.pluralize(len(groups), 'group')}"
    return ((" Groups by ", Role.STRONG), (str(by), Role.STRONG), (f"   {counted}", Role.DIM))


def _name_cells(by: GroupBy, width: int) -> int:
    if by is GroupBy.REASON:
        return width - COUNT_CELLS - 2 * (TIME_CELLS + 2) - len(_extras(width)) * (EXTRA + 2)
    return max(LEAST_NAME, min(48, width - COUNT_CELLS - 2 - BAR_CELLS - 6 - 2 * EXTRA))


def _extras(width: int) -> tuple[str, ...]:
    return ("KINDS", "PROFILES") if width >= 136 else ("KINDS",) if width >= 110 else ()
