"""The help page: keys from the table of actions, filter syntax, and the legend."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from jobdeck.tui.actions import HELP_FIRST, LIVE, Action, Group, Mode, Pane, actions_in
from jobdeck.tui.cell_text import pad, truncate, wrap
from jobdeck.tui.render.spans import EMPTY, Keys, Line, Role, line_width, truncate_line
from jobdeck.tui.render.state import (
    CANCELLED,
    DONE,
    FAILED,
    NEW,
    NOT_FOUND,
    PARTIAL,
    QUEUED,
    RUNNING,
    STALLED,
    UNREACHABLE,
)

MEANINGS = (
    (FAILED, "the job failed"),
    (STALLED, "no change for much longer than usual; a hint, not an outcome"),
    (UNREACHABLE, "the latest polls failed; UPDATED shows how old the data is"),
    (NOT_FOUND, "the server doesn't know this job (404)"),
    (PARTIAL, "it finished with partial results"),
    (RUNNING, "it is running"),
    (QUEUED, "accepted, not started"),
    (NEW, "no response yet"),
    (DONE, "it succeeded"),
    (CANCELLED, "it was cancelled"),
)
MARKS = (
    ("▸", "the cursor"),
    ("*", "selected: keys act on the whole selection"),
    ("~", "acknowledged: at the bottom of the list"),
    ("≥ 2m00s", "a minimum: the job started before jobdeck was watching"),
    ("20–45s", "estimated time left, based on similar jobs; ? if unknown"),
    ("+2m", "running this much longer than any similar job"),
    ("UPDATED", "age of the last successful response; final once a job has finished"),
)
"""Marks in a row, and their meanings."""

TERMS = (
    ("text  !text", "contains / doesn't contain the text; all terms must match"),
    ("state:failed,stalled", "any of these; also kind: profile: stage: status: reason: batch: who: id:"),
    ('stage=import error="a b"', "exact match; quote values with spaces"),
    ("age>30s elapsed>5m", "a duration in s, m, h or d, with < > <= >="),
    ("progress>=50%", "a fraction of the total"),
)
"""Filter syntax."""

KEY_CELLS = 10
"""Cells of a key; a longer one is wrapped."""

SIGN_CELLS = 15
TERM_CELLS = 25
GUTTER = 2
TWO_COLUMNS_FROM = 60
FULL_TEXT_FROM = 50
"""Minimum cells of a column for the full explanations; a narrower one shows only the labels."""


@dataclass(frozen=True, slots=True)
class HelpRow:
    """One key and its explanation."""

    key: str
    label: str
    """In a word or two."""
    text: str = ""
    """In full."""
    also: str = ""
    """More words for the search."""

    def matches(self, query: str) -> bool:
        """Whether it contains every word of a query; a single letter matches a key."""
        if len(query) == 1:
            return query in self.key.split()
        texts = f"{self.key} {self.label} {self.text} {self.also}".casefold()
        return all(word in texts for word in query.casefold().split())


@dataclass(frozen=True, slots=True)
class HelpSection:
    """Keys under one heading."""

    title: str
    rows: tuple[HelpRow, ...]


def key_section(title: str, keys: Keys) -> HelpSection:
    """Return a section for keys outside of the table of actions: those of a dialog, or the user's own."""
    return HelpSection(title, tuple(HelpRow(key, label) for key, label in keys))


def help_sections(pane: Pane = Pane.LIST, mode: Mode = LIVE) -> list[HelpSection]:
    """Return the keys by group, starting with the groups of a pane."""
    actions = actions_in(mode)
    first = (*((Group.REPLAY,) if mode.replay else ()), *HELP_FIRST[pane])
    groups = [*first, *(group for group in Group if group not in first)]
    found = (HelpSection(group.value, _rows(action for action in actions if action.group is group)) for group in groups)
    return [section for section in found if section.rows]


def _rows(actions: Iterable[Action]) -> tuple[HelpRow, ...]:
    return tuple(HelpRow(action.shown, action.label, action.help, action.also) for action in actions)


def help_lines(width: int, sections: Sequence[HelpSection]) -> list[Line]:
    """Return the help page, at most `width` cells wide: keys in two columns, filter syntax, legend."""
    lines = _stacked(sections, width) if width < TWO_COLUMNS_FROM else _beside(sections, width)
    lines += [EMPTY, (("Filter", Role.HEAD),)]
    for term, meaning in TERMS:
        lines += _explained(term, Role.KEY, TERM_CELLS, meaning, width)
    lines += [EMPTY, (("Legend", Role.HEAD),)]
    signs = [(f"{state.glyph} {state.word}", state.role, meaning) for state, meaning in MEANINGS]
    for sign, role, meaning in (*signs, *((sign, Role.KEY, meaning) for sign, meaning in MARKS)):
        lines += _explained(sign, role, SIGN_CELLS, meaning, width)
    return [truncate_line(line, width) for line in lines]


def found_lines(width: int, sections: Sequence[HelpSection], query: str) -> list[Line]:
    """Return the lines of the help that match `query`, with full explanations."""
    lines: list[Line] = []
    for section in sections:
        rows = [row for row in section.rows if row.matches(query)]
        lines += [(EMPTY if lines else ()), ((section.title, Role.HEAD),)] if rows else []
        for row in rows:
            text = f"{row.label}: {row.text}" if row.text else row.label
            lines += _explained(f"{pad(row.key, KEY_CELLS, right=True)}  ", Role.KEY, KEY_CELLS + 2, text, width)
    known = [(f"{state.glyph} {state.word}", meaning) for state, meaning in MEANINGS]
    others = [(sign, meaning) for sign, meaning in (*TERMS, *known, *MARKS) if HelpRow(sign, meaning).matches(query)]
    if others:
        lines += [EMPTY, (("Filter and legend", Role.HEAD),)]
    for sign, meaning in others:
        lines += _explained(sign, Role.KEY, TERM_CELLS, meaning, width)
    if not lines:
        return [((f"no match for {truncate(query, 40)}", Role.DIM),)]
    return [truncate_line(line, width) for line in lines if lines[0] or line is not lines[0]]


def _beside(sections: Sequence[HelpSection], width: int) -> list[Line]:
    """Return sections in two columns, each added to the shorter one, so that the order is top to bottom."""
    half = (width - GUTTER) // 2
    columns: tuple[list[Line], list[Line]] = [], []
    for section in sections:
        column = min(columns, key=len)
        column += [*([EMPTY] if column else []), *_stacked([section], half)]
    left, right = columns
    height = max(len(left), len(right))
    left += [EMPTY] * (height - len(left))
    right += [EMPTY] * (height - len(right))
    return [
        (*one, (" " * (half + GUTTER - line_width(one)), Role.TEXT), *other)
        for one, other in zip(left, right, strict=True)
    ]


def _stacked(sections: Sequence[HelpSection], width: int) -> list[Line]:
    lines: list[Line] = []
    for section in sections:
        lines += [*([EMPTY] if lines else []), ((section.title, Role.HEAD),)]
        for row in section.rows:
            text = row.text if row.text and width >= FULL_TEXT_FROM else row.label
            sign = f"{pad(row.key, KEY_CELLS, right=True)}  "
            lines += [truncate_line(line, width) for line in _explained(sign, Role.KEY, KEY_CELLS + 2, text, width)]
    return lines


def _explained(sign: str, role: Role, cells: int, meaning: str, width: int) -> list[Line]:
    first, *rest = wrap(meaning, width - cells)
    return [((pad(sign, cells), role), (first, Role.TEXT)), *(((" " * cells + line, Role.TEXT),) for line in rest)]
