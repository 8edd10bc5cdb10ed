"""The first line of the screen, and the banners under it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from jobdeck.domain import words
from jobdeck.domain.instant import Instant
from jobdeck.domain.problem import Problem
from jobdeck.scheduling.actions import BudgetView
from jobdeck.tui.cells import clip
from jobdeck.tui.draw.spans import Line, Role, Span, clip_line, justify, line_width
from jobdeck.tui.draw.spending import budget_lines
from jobdeck.tui.draw.state import COUNTED, State

AWAY_FROM = 60


@dataclass(frozen=True, slots=True)
class Overview:
    """What the header tells of the whole deck.

    `away` while nobody looks and everything is asked less often; `replay` tells how a recording is played.
    """

    profiles: Sequence[str]
    counts: Mapping[State, int]
    budgets: Mapping[str, BudgetView]
    paused: bool
    now: Instant
    away: bool = False
    replay: str = ""


@dataclass(frozen=True, slots=True)
class BlindProfile:
    """A profile of which no unfinished job can be seen; `since` is the last good look, None when there was none."""

    profile: str
    since: Instant | None
    reason: str


def header_line(view: Overview, width: int) -> Line:
    """Return the header; at small widths the counts stay longest."""
    name: list[Span] = [(" jobdeck", Role.STRONG)]
    counts = _counts(view.counts)
    tail: list[Span] = []
    clock: Span = (words.clock(view.now.us) + " ", Role.DIM)
    if view.replay:
        tail = [("REPLAY ", Role.WARN), (words.clock(view.now.us), Role.TEXT), (f" {view.replay} ", Role.WARN)]
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


def banner_lines(
    width: int,
    halted: Mapping[str, Problem],
    blind: Sequence[BlindProfile],
    now: Instant,
    failure: str | None,
    *,
    unkept: str = "",
) -> list[Line]:
    """Return a line for everything that keeps the whole deck, or a whole profile, from being seen, or from being kept.

    `unkept` is why nothing is kept.
    """
    lines: list[Line] = []
    if failure is not None:
        lines.append(((f" ✗ {clip(failure, 200)}", Role.FAILED), ("  nothing below is current · q quits", Role.TEXT)))
    for name, problem in halted.items():
        text = f" ✗ {clip(name, 40)}: {problem.kind.words}"
        lines.append(((text, Role.FAILED), ("  nothing is asked until it is put right: jobdeck doctor", Role.TEXT)))
    for one in blind:
        if one.profile not in halted:
            since = f"since {words.near(one.since.us, now)}" if one.since is not None else "so far"
            lines.append(
                ((f" ? {clip(one.profile, 40)}: blind {since}", Role.BLIND), (f"  {clip(one.reason, 80)}", Role.TEXT))
            )
    if unkept:
        lines.append(((" ! nothing is kept", Role.WARN), (f"  {clip(unkept, 200)}", Role.TEXT)))
    return [clip_line(line, width) for line in lines]


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
