"""The line below the header: jobs per state, and the errors they failed with."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from jobdeck.domain.text import one_line
from jobdeck.report.failure_groups import ErrorGroup
from jobdeck.tui.cell_text import truncate, width_of
from jobdeck.tui.job_filter import group_filter, state_filter
from jobdeck.tui.render.spans import Line, Role, Span
from jobdeck.tui.render.state import ALL_STATES, FAILED, State

ERROR_CELLS = 28
GAP = "   "


@dataclass(frozen=True, slots=True)
class Entry:
    """A part of the strip, and the filter that a click on it sets."""

    text: str
    role: Role
    filter: str


@dataclass(frozen=True, slots=True)
class GroupLine:
    """The line, and the filters under its cells (first, one past the last)."""

    line: Line
    places: tuple[tuple[int, int, str], ...] = ()


def group_line(
    counts: Mapping[State, int], groups: Sequence[ErrorGroup], width: int, filtered: str = "", new_failures: int = 0
) -> GroupLine:
    """Return the strip for a width: full words if there is room, and as many errors as fit.

    `filtered` is the list's filter; the entry for it is put in brackets. `new_failures` counts failures that have not
    been on the screen.
    """
    errors = [Entry(f"{name(group)} ×{group.count}", Role.FAILED, group_filter(group)) for group in groups]
    there = [(state, counts[state]) for state in ALL_STATES if counts.get(state)]
    long = [Entry(f"{state.glyph} {count} {state.word}", state.role, state_filter(state)) for state, count in there]
    short = [Entry(f"{state.glyph}{count}", state.role, state_filter(state)) for state, count in there]
    if new_failures and there and there[0][0] is FAILED:
        for states in (long, short):
            states[0] = replace(states[0], text=f"{states[0].text}, {new_failures} new")
    for states in (long, short):
        for shown in range(len(errors), -1, -1):
            made = _joined(states, errors[:shown], len(errors) - shown, filtered)
            if made.places and made.places[-1][1] <= width and (shown >= min(3, len(errors)) or states is short):
                return made
    return _joined(short, (), 0, filtered)


def name(group: ErrorGroup) -> str:
    """Return the name of a group of failures on the strip."""
    return truncate(one_line(group.error, 2 * ERROR_CELLS), ERROR_CELLS)


def _joined(states: Sequence[Entry], errors: Sequence[Entry], more: int, filtered: str) -> GroupLine:
    spans: list[Span] = []
    places: list[tuple[int, int, str]] = []
    x = 0
    for entry, gap in _with_gaps(states, errors):
        here = entry.filter == filtered
        text = f"[{entry.text}]" if here else f" {entry.text} "
        spans += [(gap, Role.TEXT), (text, Role.STRONG if here else entry.role)]
        x += len(gap)
        places.append((x, x + width_of(text), entry.filter))
        x += width_of(text)
    if more and errors:
        text = f" +{more} more"
        spans.append((text, Role.DIM))
        places.append((x, x + len(text), ""))
    return GroupLine(tuple(spans), tuple(places))


def _with_gaps(states: Sequence[Entry], errors: Sequence[Entry]) -> Iterator[tuple[Entry, str]]:
    yield from ((entry, "") for entry in states)
    yield from ((entry, "" if place else GAP) for place, entry in enumerate(errors))
