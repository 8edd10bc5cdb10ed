"""The first line of the screen."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from jobdeck.domain import words
from jobdeck.domain.instant import Instant
from jobdeck.scheduling.actions import BudgetView
from jobdeck.tui.cells import clip
from jobdeck.tui.draw.spans import Line, Role, Span, justify, line_width
from jobdeck.tui.draw.spending import budget_lines
from jobdeck.tui.draw.state import COUNTED, State

AWAY_FROM = 60


@dataclass(frozen=True, slots=True)
class Overview:
    """What the header tells of the whole deck.

    `away` while nobody looks and everything is asked less often; `replay` tells how a recording is played, `dated` that
    it is one of several days.
    """

    profiles: Sequence[str]
    counts: Mapping[State, int]
    budgets: Mapping[str, BudgetView]
    paused: bool
    now: Instant
    away: bool = False
    replay: str = ""
    dated: bool = False


def header_line(view: Overview, width: int) -> Line:
    """Return the header; at small widths the counts stay longest."""
    name: list[Span] = [(" jobdeck", Role.STRONG)]
    counts = _counts(view.counts)
    tail: list[Span] = []
    clock: Span = (words.clock(view.now.us) + " ", Role.DIM)
    if view.replay:
        shown = words.stamp(view.now.us) if view.dated else words.clock(view.now.us)
        tail = [("REPLAY ", Role.WARN), (shown, Role.TEXT), (f" {view.replay} ", Role.WARN)]
        clock = ("", Role.DIM)
    elif view.paused:
        tail.append(("PAUSED  ", Role.WARN))
    elif view.away and width >= AWAY_FROM:
        tail.append(("slower: no focus  ", Role.DIM))
    profiles: list[Span] = (
        [(f"  {clip('·'.join(clip(name, 24) for name in view.profiles), 24)}", Role.DIM)] if view.profiles else []
    )
    told = budget_lines(view.budgets, view.now)
    short, shortest = (("   ", Role.TEXT), *counts), (("  ", Role.TEXT), *counts)
    middles: tuple[Line, ...] = ((*profiles, *short), short)
    timed = (*tail, clock)
    ways: list[tuple[Line, Line]] = [((*name, *one, *budget), timed) for budget in told[:-1] for one in middles]
    # The budget is of more use than the time of day.
    ways += [((*name, *one, *budget), tuple(tail)) for budget in told[-2:-1] for one in (short, shortest)]
    ways += [((*name, *one), timed) for one in (*middles, shortest)]
    for left, right in ways:
        if line_width(left) + line_width(right) + 1 <= width:
            return justify(left, right, width)
    return justify((*name, *shortest), timed, width)


def _counts(counts: Mapping[State, int]) -> list[Span]:
    by_glyph: dict[str, tuple[int, Role]] = {}
    for state in COUNTED:
        count = counts.get(state, 0)
        if count > 0:
            before = by_glyph.get(state.glyph, (0, state.role))[0]
            by_glyph[state.glyph] = (before + count, state.role)
    spans: list[Span] = []
    for glyph, (count, role) in by_glyph.items():
        spans.append((f"{' ' if spans else ''}{glyph}{count}", role))
    return spans
