"""What stands around the panes: header with quota, banner, footer; and what an empty list says."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from jobdeck.domain import words
from jobdeck.domain.instant import Instant
from jobdeck.domain.job import JobKey
from jobdeck.domain.problem import Problem
from jobdeck.scheduling.actions import BudgetView
from jobdeck.tui.cell_text import clip
from jobdeck.tui.render.spans import EMPTY, Line, Role, Span, bar, clip_line, justify, line_width
from jobdeck.tui.render.state import ALL_STATES, CANCELLED, DONE, FAILED, PARTIAL, State

NAME_CELLS = 12
WINDOW = 60.0
GAP = "   "


def budget_lines(budgets: Mapping[str, BudgetView], now: Instant) -> list[Line]:
    """Return ways to tell the budgets, the longest first, the last of them empty."""
    if not budgets:
        return [()]
    tightest = max(budgets, key=lambda name: budgets[name].used / max(budgets[name].limit, 1.0))
    if len(budgets) == 1:
        only = budgets[tightest]
        ways = [_whole("quota", only, now), _renewed("quota", only, now)]
        ways += [_left("quota", only, now), _short("quota", only, now, f" per {_unit(only)}")]
        return [*(_line([way]) for way in ways), _line([_short("", only, now, f"/{_unit(only)}")]), ()]
    each = sorted(budgets.items())
    # Each with its own unit, unless all are told for a minute.
    minutes = all(_unit(budget) == "min" for budget in budgets.values())
    units = {name: "" if minutes else f"/{_unit(budget)}" for name, budget in each}
    same = " per min" if minutes else ""
    head: Line = ((f"{GAP}quota", Role.DIM),)
    return [
        (*head, *_line([_whole(name, budget, now) for name, budget in each], " · ")),
        (*head, *_line([_renewed(name, budget, now) for name, budget in each], " · ")),
        (*head, *_line([_left(name, budget, now) for name, budget in each], " · ")),
        (*head, *_line([_short(name, budget, now, units[name]) for name, budget in each], " "), (same, Role.DIM)),
        _line([_short(name, budget, now, units[name]) for name, budget in each]),
        _line([_short(tightest, budgets[tightest], now, units[tightest])]),
        (),
    ]


def spending(budget: BudgetView) -> str:
    """Return what a budget is spent on (``57 by a list every 4s, 3 singly``); empty when there is nothing to ask."""
    parts: list[str] = []
    if budget.pages and budget.covered:
        parts.append(f"{budget.covered} via list ({words.span(max(1, WINDOW / budget.pages))})")
    if budget.alone:
        parts.append(f"{budget.alone} individually")
    return ", ".join(parts)


def _line(parts: list[Line], between: str = GAP) -> Line:
    """Join parts; the first is set off from what stands before it as the others are from each other."""
    gap: Span = (between if between != " · " else " ", Role.DIM)
    spans: list[Span] = []
    for part in parts:
        spans += [(between, Role.DIM) if spans else gap, *part]
    return tuple(spans)


def _whole(name: str, budget: BudgetView, now: Instant) -> Line:
    spent = spending(budget)
    if budget.blocked_until is not None and budget.covered + budget.alone:
        spent = f"{words.plural(budget.covered + budget.alone, 'job')} waiting"
    return (*_renewed(name, budget, now), *(((f", {spent}", Role.DIM),) if spent else ()))


def _renewed(name: str, budget: BudgetView, now: Instant) -> Line:
    told = budget.resets is not None and budget.resets > now.mono and not _until(budget, now)
    until = f" until {words.clock(now.later((budget.resets or 0.0) - now.mono).us)}" if told else ""
    return (*_left(name, budget, now), (until, Role.DIM))


def _left(name: str, budget: BudgetView, now: Instant) -> Line:
    used, limit = _sent_of_limit(budget)
    blocked = _until(budget, now)
    told = blocked or f" per {_unit(budget)}, {max(0, int(limit) - used)} left"
    return (*_used(name, budget), (told, Role.WARN if blocked else Role.DIM))


def _short(name: str, budget: BudgetView, now: Instant, unit: str) -> Line:
    blocked = _until(budget, now)
    return (*_used(name, budget), (blocked or unit, Role.WARN if blocked else Role.DIM))


def _used(name: str, budget: BudgetView) -> Line:
    used, limit = _sent_of_limit(budget)
    tight = budget.blocked_until is not None or used >= limit
    label = f"{clip(name, NAME_CELLS)} " if name else ""
    # A limit of less than one is none that is used up.
    shown = f"{limit:.0f}" if limit >= 1 else f"{limit:.2g}"
    return ((label, Role.DIM), (f"{used}/{shown}", Role.WARN if tight else Role.TEXT))


def _sent_of_limit(budget: BudgetView) -> tuple[int, float]:
    """Return requests sent and allowed, in the window that the server tells its limit for."""
    if budget.window is None:
        return budget.used, budget.limit
    return budget.window_used, budget.window_limit


def _unit(budget: BudgetView) -> str:
    return words.per(WINDOW if budget.window is None else budget.window)


def _until(budget: BudgetView, now: Instant) -> str:
    if budget.blocked_until is None or budget.blocked_until <= now.mono:
        return ""
    return f" until {words.clock(now.later(budget.blocked_until - now.mono).us)}"


AWAY_FROM = 60


@dataclass(frozen=True, slots=True)
class Overview:
    """What the header tells of the whole deck.

    `away` while nobody looks and everything is asked less often; `replay` tells how a recording is played, `dated` that
    it is one of several days. `reading` is how many jobs there will be once all that is remembered has been read, 0
    when it has.
    """

    profiles: Sequence[str]
    counts: Mapping[State, int]
    budgets: Mapping[str, BudgetView]
    paused: bool
    now: Instant
    away: bool = False
    replay: str = ""
    dated: bool = False
    reading: int = 0


def header_line(view: Overview, width: int, *, counts_below: bool = False) -> Line:
    """Return the header; at small widths the counts, or with `counts_below` how many are done, stay longest."""
    name: list[Span] = [(" jobdeck", Role.STRONG)]
    counts = [] if counts_below else _counts(view.counts)
    reading: Line = ()
    if view.reading:
        reading = ((f"  reading {sum(view.counts.values()):,} of {view.reading:,}", Role.DIM),)
        counts += reading
    tail: list[Span] = []
    clock: Span = (words.clock(view.now.us) + " ", Role.DIM)
    if view.replay:
        shown = words.stamp(view.now.us) if view.dated else words.clock(view.now.us)
        tail = [("REPLAY ", Role.WARN), (shown, Role.TEXT), (f" {view.replay} ", Role.WARN)]
        clock = ("", Role.DIM)
    elif view.paused:
        tail.append(("PAUSED  ", Role.WARN))
    elif view.away and width >= AWAY_FROM:
        tail.append(("polling slower (unfocused)  ", Role.DIM))
    profiles: list[Span] = (
        [(f"  {clip('·'.join(clip(name, 24) for name in view.profiles), 24)}", Role.DIM)] if view.profiles else []
    )
    told = budget_lines(view.budgets, view.now)
    short, shortest = (("   ", Role.TEXT), *counts), (("  ", Role.TEXT), *counts)
    middles: tuple[Line, ...] = ((*profiles, *short), short)
    if counts_below:
        # Of a part of the jobs nobody knows how many of all have ended.
        long, short, shortest = (reading or _done(view.counts, cells) for cells in (20, 10, 0))
        middles = ((*profiles, *long), (*profiles, *short), short)
    timed = (*tail, clock)
    ways: list[tuple[Line, Line]] = [((*name, *one, *budget), timed) for budget in told[:-1] for one in middles]
    # The budget is of more use than the time of day.
    ways += [((*name, *one, *budget), tuple(tail)) for budget in told[-2:-1] for one in (short, shortest)]
    ways += [((*name, *one), timed) for one in (*middles, shortest)]
    for left, right in ways:
        if line_width(left) + line_width(right) + 1 <= width:
            return justify(left, right, width)
    return justify((*name, *shortest), timed, width)


def _done(counts: Mapping[State, int], cells: int) -> Line:
    """Return how many jobs have ended of all, with a bar of so many cells."""
    total = sum(counts.values())
    if not total:
        return ()
    ended = sum(counts.get(state, 0) for state in (FAILED, PARTIAL, DONE, CANCELLED))
    drawn = (("   ", Role.TEXT), *bar(ended / total, cells, Role.DONE)) if cells else ()
    return (*drawn, ("  ", Role.TEXT), (f"{ended:,}/{total:,}", Role.TEXT), (" done", Role.DIM))


def _counts(counts: Mapping[State, int]) -> list[Span]:
    by_glyph: dict[str, tuple[int, Role]] = {}
    for state in ALL_STATES:
        count = counts.get(state, 0)
        if count > 0:
            before = by_glyph.get(state.glyph, (0, state.role))[0]
            by_glyph[state.glyph] = (before + count, state.role)
    spans: list[Span] = []
    for glyph, (count, role) in by_glyph.items():
        spans.append((f"{' ' if spans else ''}{glyph}{count}", role))
    return spans


@dataclass(frozen=True, slots=True)
class UnreachableProfile:
    """A profile of which no unfinished job can be seen; `since` is the last good look, None when there was none.

    `job` is one of those that cannot be seen, `problem` the newest reason, `next_try` when it is asked again, in
    monotonic seconds.
    """

    profile: str
    job: JobKey | None
    since: Instant | None
    problem: Problem | None = None
    next_try: float | None = None


def banner_lines(
    width: int,
    halted: Mapping[str, Problem],
    blind: Sequence[UnreachableProfile],
    now: Instant,
    failure: str | None,
    *,
    unkept: str = "",
    locked: bool = False,
) -> list[Line]:
    """Return a line for each of them. `unkept` is why nothing is kept; with `locked` no key can change anything."""
    lines: list[Line] = []
    if failure is not None:
        lines.append(((f" ✗ {clip(failure, 200)}", Role.FAILED), ("  nothing below is current · q quits", Role.TEXT)))
    since = {one.profile: one.since for one in blind}
    for name, problem in halted.items():
        at = since.get(name)
        seen = f"  no data since {words.near(at.us, now)}" if at is not None else ""
        then = "jobdeck doctor" if locked else "jobdeck doctor, then R"
        text = (f" ✗ {clip(name, 40)}: {_reason(problem)}", Role.FAILED)
        lines.append((text, (f"  polling stopped: {then}{seen}", Role.TEXT), (f"  {problem.message}", Role.DIM)))
    lines += [_blind_line(one, now, locked=locked) for one in blind if one.profile not in halted]
    if unkept:
        lines.append(((" ! nothing is being saved", Role.WARN), (f"  {clip(unkept, 200)}", Role.TEXT)))
    return [clip_line(line, width) for line in lines]


def _blind_line(one: UnreachableProfile, now: Instant, *, locked: bool) -> Line:
    since = f"since {words.near(one.since.us, now)}" if one.since is not None else "yet"
    head = (f" ? {clip(one.profile, 40)}: no data {since}", Role.BLIND)
    if one.problem is None:
        return (head, ("  not one answer", Role.TEXT))
    again = ""
    if one.next_try is not None:
        again = f", next try in {words.span(one.next_try - now.mono)}{'' if locked else ', R: now'}"
    return (head, (f"  {_reason(one.problem)}{again}", Role.TEXT), (f"  {one.problem.message}", Role.DIM))


def _reason(problem: Problem) -> str:
    return f"{problem.kind.words} {problem.http_status}" if problem.http_status is not None else problem.kind.words


OPENING: tuple[Line, ...] = (EMPTY, (("  opening…", Role.DIM),))
"""What is said until the engine is there."""

NO_JOBS: tuple[Line, ...] = (EMPTY, (("  No jobs yet.", Role.STRONG),))

EMPTY_DECK: tuple[Line, ...] = (
    *NO_JOBS,
    EMPTY,
    (("  a", Role.KEY), ("  adds jobs: paste IDs, poll URLs or 202 responses", Role.DIM)),
    (("  or, from a shell:  ", Role.DIM), ("curl … | jobdeck -", Role.TEXT)),
)


NOTHING_PASSES: tuple[Line, ...] = (
    EMPTY,
    (("  No matching jobs.  ", Role.STRONG), ("esc", Role.KEY), (" shows all", Role.DIM)),
)


def empty_lines(failure: str | None, total: int, *, opened: bool, read_only: bool) -> tuple[Line, ...]:
    """Return what a list without rows says, of a deck of `total` jobs; nothing beside a failure, which says it all."""
    if failure is not None:
        return ()
    if not opened:
        return OPENING
    return NOTHING_PASSES if total else NO_JOBS if read_only else EMPTY_DECK
