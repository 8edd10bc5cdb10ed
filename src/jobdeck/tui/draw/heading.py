"""The headings over the columns of the list."""

from jobdeck.tui.cells import fit
from jobdeck.tui.draw.columns import GAP, MARKER, TICKING, Columns, Name
from jobdeck.tui.draw.spans import Line, Role, Span
from jobdeck.tui.order import Order

INDENT = " "
"""Keeps the words of the last column off the ages beside it."""

UP, DOWN = "▴", "▾"


def heading_spans(columns: Columns, order: Order | None = None) -> Line:
    """Return the line of column headings; an arrow stands at the column that the list is sorted by."""
    spans: list[Span] = [(" " * MARKER, Role.HEAD)]
    x = MARKER
    for column in columns.columns:
        sorts = order is not None and order.by is column.name
        arrow = (UP if order is not None and order.reverse else DOWN) if sorts else ""
        heading = f"{INDENT}{column.name}" if column.name is Name.WHY else column.name.value
        gap, width = column.x - x, column.width
        if column.name in TICKING:
            # These fill their columns from the right: the arrow stands before them, in the gap if need be.
            gap, width = gap - GAP, width + GAP
            text = fit(arrow + heading[: column.width], width, right=True)
        else:
            text = fit(heading[: width - len(arrow)] + arrow, width)
        spans += [(" " * gap, Role.HEAD), (text, Role.STRONG if sorts else Role.HEAD)]
        x = column.x + column.width
    return tuple(span for span in spans if span[0])
