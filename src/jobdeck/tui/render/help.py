"""The help page: what the signs mean, and what the keys do, from the one table of actions."""

from jobdeck.tui.actions import Group, actions_when
from jobdeck.tui.cell_text import fit, wrap
from jobdeck.tui.render.spans import EMPTY, Line, Role, clip_line
from jobdeck.tui.render.state import (
    BLIND,
    CANCELLED,
    DONE,
    FAILED,
    LOST,
    NEW,
    PARTIAL,
    QUEUED,
    RUNNING,
    STALLED,
)

MEANINGS = (
    (FAILED, "the job failed"),
    (STALLED, "no change for much longer than usual; a hint, not an outcome"),
    (BLIND, "its latest polls failed: the row shows old data, as old as UPDATED says"),
    (LOST, "the server does not know this job (404)"),
    (PARTIAL, "it finished with partial results"),
    (RUNNING, "it is running"),
    (QUEUED, "accepted, not started"),
    (NEW, "no response yet"),
    (DONE, "it succeeded"),
    (CANCELLED, "it was cancelled"),
)
MARKS = (
    ("▸", "the selected job or line"),
    ("*", "selected: Y makes one ticket for all of them"),
    ("~", "acknowledged: at the bottom of the list"),
    ("≥ 2m00s", "started before we were watching: at least that long"),
    ("20–45s", "estimated time left, from how long similar jobs took; ? while unknown"),
    ("+2m", "time over the longest similar job"),
    ("UPDATED", "age of the last successful response; final once a job has finished"),
)
"""Signs beside a state, and what they mean."""

TERMS = (
    ("text  !text", "contains this anywhere, or nowhere; terms are combined with AND"),
    ("phase:failed,stalled", "one of these; so kind: profile: stage: status: error: id:"),
    ('stage=import error="a b"', "exact match; quote values with spaces"),
    ("age>30s elapsed>5m", "a time: s m h d, with < > <= >="),
    ("progress>=50%", "a fraction of the total"),
)
"""What may be typed after /."""

KEYS = 11
SIGNS = KEYS + 2
LEGEND = 15
LONGEST_TERM = 25


def help_lines(width: int, *, locked: bool = False, replay: bool = False) -> list[Line]:
    """Return the help page, no line wider than `width`.

    `locked` where nothing may be changed, `replay` where a recording is played.
    """
    actions = actions_when(locked=locked, replay=replay)
    lines: list[Line] = [(("Legend", Role.HEAD),)]
    for state, meaning in MEANINGS:
        lines += _told(f"{state.glyph} {state.word}", state.role, LEGEND, meaning, width)
    for sign, meaning in MARKS:
        lines += _told(sign, Role.KEY, LEGEND, meaning, width)
    for group in Group:
        those = [action for action in actions if action.group is group]
        lines += [EMPTY, ((group.value, Role.HEAD),)] if those else []
        for action in those:
            lines += _told(fit(action.shown, KEYS, right=True), Role.KEY, SIGNS, action.help, width)
    lines += [EMPTY, (("Filter", Role.HEAD),)]
    for term, meaning in TERMS:
        lines += _told(term, Role.KEY, LONGEST_TERM, meaning, width)
    return [clip_line(line, width) for line in lines]


def _told(sign: str, role: Role, cells: int, meaning: str, width: int) -> list[Line]:
    first, *rest = wrap(meaning, width - cells)
    return [((fit(sign, cells), role), (first, Role.TEXT)), *(((" " * cells + line, Role.TEXT),) for line in rest)]
