"""The help page: what the signs mean, and what the keys do, from the one table of actions."""

from jobdeck.tui.actions import Group, actions_when
from jobdeck.tui.cells import fit
from jobdeck.tui.draw.spans import EMPTY, Line, Role, clip_line
from jobdeck.tui.draw.state import (
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
    (STALLED, "no change for much longer than usual; advice, not an outcome"),
    (BLIND, "its newest requests failed: you see the past, as old as SEEN says"),
    (LOST, "the server says it knows no such job"),
    (PARTIAL, "it ended with part of the work done"),
    (RUNNING, "it runs"),
    (QUEUED, "it waits at the server"),
    (NEW, "we wait for the first answer about it"),
    (DONE, "it succeeded"),
    (CANCELLED, "it was cancelled"),
)
KEYS = 11


def help_lines(width: int, *, locked: bool = False, replay: bool = False) -> list[Line]:
    """Return the help page; `locked` where nothing may be changed, `replay` where a recording is played."""
    lines: list[Line] = []
    actions = actions_when(locked=locked, replay=replay)
    for group in Group:
        if not any(action.group is group for action in actions):
            continue
        lines.append(((group.value, Role.HEAD),))
        lines.extend(
            ((fit(action.shown, KEYS, right=True) + "  ", Role.KEY), (action.help, Role.TEXT))
            for action in actions
            if action.group is group
        )
        lines.append(EMPTY)
    lines.append((("Signs", Role.HEAD),))
    for state, meaning in MEANINGS:
        lines.append(((fit(f"{state.glyph} {state.word}", KEYS + 2), state.role), (meaning, Role.TEXT)))
    lines += [
        EMPTY,
        (("SEEN", Role.HEAD), ("  the age of the last good answer: what we could not see is never", Role.TEXT)),
        (("      shown as what happened. ≥ before a time: we came late, it is at least that.", Role.TEXT),),
    ]
    return [clip_line(line, width) for line in lines]
