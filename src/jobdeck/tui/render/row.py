"""A row of the list and the headings: cells that change with the job, and cells that change with time."""

from typing import TypeAlias

from jobdeck.domain import humanize
from jobdeck.domain.attention import stale, unreachable
from jobdeck.domain.instant import Instant
from jobdeck.domain.job import Job, Source
from jobdeck.domain.phase import Phase
from jobdeck.domain.problem import Problem, ProblemKind
from jobdeck.tui.cell_text import pad
from jobdeck.tui.job_table import Order, Row
from jobdeck.tui.render.columns import GAP, MARKER, TICKING, Column, Columns, Name
from jobdeck.tui.render.spans import Line, Role, Span, bar
from jobdeck.tui.render.state import NEW, NOT_FOUND, STALLED, TROUBLE, State

INDENT = " "
"""Separates REASON from the ages beside it."""

UP, DOWN = "▴", "▾"

PERCENT = 5
"""Cells of a percentage: a column this narrow has no bar."""


def heading_spans(columns: Columns, order: Order | None = None) -> Line:
    """Return the column headings; an arrow marks the sorted column."""
    spans: list[Span] = [(" " * MARKER, Role.HEAD)]
    x = MARKER
    for column in columns.columns:
        sorts = order is not None and order.by is column.name
        arrow = (UP if order is not None and order.reverse else DOWN) if sorts else ""
        heading = _heading(column)
        gap, width = column.x - x, column.width
        if column.name in TICKING:
            # These columns are right-aligned: the arrow precedes the heading, in the gap if necessary.
            gap, width = gap - GAP, width + GAP
            text = pad(arrow + heading[: column.width], width, right=True)
        else:
            text = pad(heading[: width - len(arrow)] + arrow, width)
        spans += [(" " * gap, Role.HEAD), (text, Role.STRONG if sorts else Role.HEAD)]
        x = column.x + column.width
    return tuple(span for span in spans if span[0])


def _heading(column: Column) -> str:
    match column.name:
        case Name.REASON:
            return f"{INDENT}{column.name}"
        case Name.PROGRESS if column.width <= PERCENT:
            return "%".rjust(column.width - 1)
        case name:
            return name.value


NOT_FOUND_TEXT = "not found (404)"
ACKNOWLEDGED = "~"
"""Precedes the state of an acknowledged job."""

LiveCells: TypeAlias = tuple[str, str, str, Role]
"""Elapsed time, time left, age, and the role of the age."""


def live_cells(job: Job, now: Instant) -> LiveCells:
    """Return the texts of the cells that change as time passes."""
    mark = "" if job.elapsed_exact else "≥"
    elapsed = "–" if job.observed is None else mark + humanize.format_elapsed(job.elapsed(now))
    age = job.age(now)
    if job.terminal and (job.source is not Source.MEMORY or age is None):
        return elapsed, "–", "final", Role.DIM
    if job.terminal and age is not None:
        return elapsed, "–", humanize.format_duration(age), Role.DIM
    if age is None:
        return elapsed, "?", "never", Role.UNREACHABLE if unreachable(job) else Role.DIM
    if job.not_found:
        return elapsed, "–", humanize.format_duration(age), Role.UNREACHABLE
    left = "?" if job.eta is None else humanize.format_eta(job.eta[0] - age, job.eta[1] - age)
    if unreachable(job):
        return elapsed, left, humanize.format_duration(age), Role.UNREACHABLE
    return elapsed, left, humanize.format_duration(age), Role.WARN if stale(job, now) else Role.TEXT


def static_spans(row: Row, columns: Columns, name: str) -> tuple[Line, Line]:
    """Return the spans before and after the ticking cells; `name` is the job's short ID.

    Without a STAGE column, REASON shows the stages of a job that has no problem.
    """
    before: list[Span] = []
    after: list[Span] = []
    for column in columns.columns:
        if column.name in TICKING:
            continue
        spans = before if column.x < columns.tick_x else after
        cell = _cell(row, column, name, stages=columns.get(Name.STAGE) is None)
        if spans or spans is after:
            # The gap takes the role of the next cell, which saves the terminal a segment.
            spans.append((" " * GAP, cell[0][1]))
        spans.extend(cell)
    return tuple(before), tuple(after)


def dimmed(spans: Line) -> Line:
    """Return a row's spans dimmed, because its data is old."""
    return tuple((text, role if role is Role.FAINT else Role.DIM) for text, role in spans)


def live_spans(texts: LiveCells, columns: Columns) -> Line:
    """Return the spans of the ticking cells."""
    spans: list[Span] = []
    elapsed, left, age, age_role = texts
    left_role = Role.WARN if left.startswith("+") else Role.DIM
    cells = ((Name.ELAPSED, elapsed, Role.TEXT), (Name.ETA, left, left_role), (Name.UPDATED, age, age_role))
    for name, text, role in cells:
        column = columns.get(name)
        if column is not None:
            spans.append((" " * GAP + pad(text, column.width, right=True), role))
    return tuple(spans)


def reason_of(job: Job, state: State, now: Instant) -> tuple[str, Role]:
    """Return in one line why a job needs attention; empty if it does not."""
    role = Role.DIM if job.acknowledged or state not in TROUBLE else state.role
    if job.reason:
        return _folded("  ", *job.reason), role
    if state is NOT_FOUND:
        return NOT_FOUND_TEXT, role
    if job.trouble is not None and not job.terminal:
        return _trouble(job.trouble), role
    if job.doubt is not None:
        return _folded("", f"the list says {job.doubt}"), Role.WARN
    if job.anomalies:
        return _folded("", job.anomalies[-1]), Role.WARN
    if state is NEW:
        return "waiting for the first response", Role.DIM
    if state is STALLED and job.changed is not None:
        return f"no change since {humanize.format_recent(job.changed.us, now)}", role
    return humanize.describe_dropped_result(job.dropped_result), Role.DIM


def stage_path(job: Job) -> str:
    """Return a job's stage after the previous one: ``import → enrichment``."""
    current = job.current_stage
    if current is None or (job.terminal and job.summary_only):
        return ""
    before = next((one for one in reversed(job.stages[: job.stages.index(current)]) if one.stage.phase.terminal), None)
    path = current.stage.name if before is None else f"{before.stage.name} → {current.stage.name}"
    return _folded("", path)


def _trouble(problem: Problem) -> str:
    """Return a short reason why a job could not be polled; the job's pane has the server's message."""
    status = problem.http_status
    match problem.kind:
        case ProblemKind.NETWORK:
            return "cannot reach the server"
        case ProblemKind.PROTOCOL:
            # The label alone would help nobody.
            return _folded(": ", problem.kind.label, problem.message)
        case ProblemKind.SERVER_ERROR if status is not None:
            return f"HTTP {status}"
        case _:
            return problem.kind.label if status is None else f"{problem.kind.label} ({status})"


def _folded(between: str, *parts: str) -> str:
    return between.join(" ".join(part[:256].split()) for part in parts)


def _cell(row: Row, column: Column, name: str, *, stages: bool) -> Line:
    job, state, width = row.job, row.state, column.width
    match column.name:
        case Name.STATE:
            return ((pad(state.label(width), width), Role.DIM if job.acknowledged else state.role),)
        case Name.JOB:
            return ((pad(name, width), Role.NAME),)
        case Name.PROFILE:
            return ((pad(job.key.profile, width), Role.DIM),)
        case Name.KIND:
            return ((pad(job.kind, width), Role.DIM),)
        case Name.WHO:
            return ((pad(", ".join(job.target.watched_by), width), Role.DIM),)
        case Name.STAGE:
            current = job.current_stage if not (job.terminal and job.summary_only) else None
            return ((pad(current.stage.name if current else "", width), Role.TEXT),)
        case Name.PROGRESS:
            return _progress(job, state, width)
        case Name.REASON:
            text, role = reason_of(job, state, job.observed or job.added)
            if not text and not job.terminal and stages:
                text = stage_path(job)
            return ((pad(INDENT + text, width), role),)
        case Name.ELAPSED | Name.ETA | Name.UPDATED:
            return ()


def _progress(job: Job, state: State, width: int) -> Line:
    progress = job.displayed_progress
    if job.terminal and (progress is None or job.summary_only):
        # The progress of a job that a list reported as finished is from before its end.
        return ((" " * width, Role.FAINT),)
    number = pad(humanize.format_percent(progress) if progress is not None else "", PERCENT, right=True)
    role = Role.DONE if job.phase is Phase.SUCCEEDED else state.role
    return (*bar(progress, width - PERCENT, role), (number, Role.TEXT if not job.terminal else Role.DIM))
