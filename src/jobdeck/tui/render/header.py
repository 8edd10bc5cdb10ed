"""The first line of the screen: how far all jobs are, and how much of each quota is used."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from jobdeck.domain import humanize
from jobdeck.domain.instant import Instant
from jobdeck.scheduling.outlook import QuotaSnapshot
from jobdeck.tui.cell_text import clip
from jobdeck.tui.overall_progress import Progress
from jobdeck.tui.render.spans import LEVELS, Line, Role, Span, bar, clip_line, line_width
from jobdeck.tui.render.state import ALL_STATES, ENDED, FAILED, State

NAME_CELLS = 12
PROFILES_CELLS = 24
GAUGE_CELLS = 8
USED, UNUSED = "▰", "▱"
MINUTE = 60.0
GAP: Span = ("   ", Role.TEXT)
NAME: Span = (" jobdeck", Role.STRONG)
PAUSED: Line = (GAP, ("PAUSED", Role.WARN))
KEPT_IN_PAUSE = 3
"""Parts of the left: the name, how many are done, and how many failed."""

Parts: TypeAlias = tuple[Line, ...]


@dataclass(frozen=True, slots=True)
class Overview:
    """What the header tells of the whole deck.

    `unfocused` while nobody looks and everything is polled less often; `replay` tells how a recording is played,
    `dated` that it is one of several days. `reading` is how many jobs there will be once all that is remembered has
    been read, 0 when it has.
    """

    profiles: Sequence[str]
    counts: Mapping[State, int]
    budgets: Mapping[str, QuotaSnapshot]
    paused: bool
    now: Instant
    unfocused: bool = False
    replay: str = ""
    dated: bool = False
    reading: int = 0
    progress: Progress = field(default_factory=Progress)


def header_line(view: Overview, width: int, *, strip_below: bool = False) -> Line:
    """Return the header; with `strip_below` the counts of states are on the line under it.

    What comes and goes, such as a pause, stands in free space or instead of rate and time left: nothing moves for it.
    As width gets short, the details of the quotas, the profiles, the gauges, the failures over time and the time of day
    give way, then the time left, the rate, and all quotas but the tightest.
    """
    for left, quota, clock in _ways(view, strip_below=strip_below):
        right = line_width(quota) + line_width(clock)
        # A pause finds its place whenever it comes, so that nothing has to move for it.
        if line_width(_flat(left)) + right < width and line_width(_flat((*_in_pause(left), PAUSED))) + right <= width:
            break
    else:
        return clip_line((NAME, *_flat(_overall(view, strip_below=strip_below)[-1])), width)
    note: Line = ()
    if view.paused and not view.replay:
        left, note = _in_pause(left), PAUSED
    elif view.unfocused and not view.replay:
        note = (GAP, ("polling slower (unfocused)", Role.DIM))
    room = width - line_width(_flat(left)) - right
    if line_width(note) > room:
        note = ()
    return (*_flat(left), *note, (" " * (room - line_width(note)), Role.TEXT), *quota, *clock)


def _in_pause(left: Parts) -> Parts:
    """Return what stands at the left in a pause, which has neither a rate nor a time left."""
    return left[:KEPT_IN_PAUSE]


def _ways(view: Overview, *, strip_below: bool) -> Iterator[tuple[Parts, Line, Line]]:
    """Yield ways to lay the header out: what stands at the left, part by part, the quotas, and the time of day."""
    profiles: Line = ()
    if view.profiles:
        names = clip(" · ".join(clip(one, PROFILES_CELLS) for one in view.profiles), PROFILES_CELLS)
        profiles = (("  ", Role.TEXT), (names, Role.DIM))
    whole, *shorter = _overall(view, strip_below=strip_below)
    detailed, gauges, named, plain, tightest, bare = _quotas(view.budgets, view.now)
    clock = _clock(view)
    for quota in (detailed, gauges, named):
        yield ((NAME, *profiles), *whole), quota, clock
    for quota in (gauges, named, plain):
        yield ((NAME,), *whole), quota, clock
    for middle in shorter[:3]:
        yield ((NAME,), *middle), plain, clock
    # The quota is of more use than the time of day, but a recording's place is not.
    end = clock if view.replay else ()
    for middle in shorter[2:3]:
        yield ((NAME,), *middle), plain, end
    for middle in shorter[2:]:
        yield ((NAME,), *middle), tightest, end
    for quota in (bare, ()):
        yield ((NAME,), *(shorter or [whole])[-1]), quota, end


def _flat(parts: Parts) -> Line:
    return tuple(span for part in parts for span in part)


def _clock(view: Overview) -> Line:
    if not view.replay:
        return (GAP, (humanize.format_time(view.now.us) + " ", Role.DIM))
    shown = humanize.format_datetime(view.now.us) if view.dated else humanize.format_time(view.now.us)
    return (GAP, ("REPLAY ", Role.WARN), (shown, Role.TEXT), (f" {view.replay} ", Role.WARN))


def _overall(view: Overview, *, strip_below: bool) -> list[Parts]:
    """Return ways to tell how far all jobs are, the longest first, each in parts: what is most needed comes first."""
    if view.reading:
        # Of a part of the jobs nobody knows how many of all have ended.
        counts = () if strip_below else (GAP, *_counts(view.counts))
        return [((*counts, ("  ", Role.TEXT), _reading(view)),)]
    if not strip_below:
        return [((GAP, *_counts(view.counts)),)]
    total = sum(view.counts.values())
    if not total:
        return [()]
    ended = sum(view.counts.get(state, 0) for state in ENDED)
    failed = view.counts.get(FAILED, 0)
    progress = view.progress
    done: Line = (("  ", Role.TEXT), (f"{ended:,}/{total:,}", Role.TEXT))
    named: Line = (*done, (" done", Role.DIM))
    failures: Line = (GAP, (f"{failed:,} failed", Role.FAILED)) if failed else ()
    over_time: Line = (
        (*failures, (f" {levels(progress.failures)}", Role.FAILED)) if failed and any(progress.failures) else failures
    )
    rate: Line = ()
    if progress.per_minute is not None:
        rate = (GAP, (_rate(progress.per_minute), Role.TEXT), ("/min", Role.DIM))
    eta: Line = ()
    short_eta: Line = ()
    if progress.eta is not None:
        left = (humanize.format_eta(*progress.eta), Role.TEXT)
        eta, short_eta = (GAP, ("ETA ", Role.DIM), left), (GAP, left)
    long, short = ((GAP, *bar(ended / total, cells, Role.DONE)) for cells in (20, 10))
    return [
        ((*long, *named), over_time, rate, eta),
        ((*short, *named), over_time, rate, eta),
        ((*short, *done), over_time, rate, eta),
        ((*short, *done), failures, rate, short_eta),
        ((*short, *done), failures, rate),
        ((*short, *done), failures),
        (done, failures),
        (done,),
    ]


def _reading(view: Overview) -> Span:
    return f"reading {sum(view.counts.values()):,} of {view.reading:,}", Role.DIM


def _rate(per_minute: float) -> str:
    return f"{per_minute:.1f}" if 0 < per_minute < 10 else f"{per_minute:.0f}"


def levels(counts: Sequence[int]) -> str:
    """Return counts as columns in one line, the highest as high as the line."""
    most = max(counts, default=0)
    return "".join(LEVELS[-(-count * (len(LEVELS) - 1) // most)] if most else LEVELS[0] for count in counts)


def _counts(counts: Mapping[State, int]) -> Line:
    by_glyph: dict[str, tuple[int, Role]] = {}
    for state in ALL_STATES:
        count = counts.get(state, 0)
        if count > 0:
            before = by_glyph.get(state.glyph, (0, state.role))[0]
            by_glyph[state.glyph] = (before + count, state.role)
    return tuple(
        (f"{' ' if place else ''}{glyph}{count}", role) for place, (glyph, (count, role)) in enumerate(by_glyph.items())
    )


def _quotas(budgets: Mapping[str, QuotaSnapshot], now: Instant) -> tuple[Line, ...]:
    """Return six ways to tell how much of each quota is used, the longest first."""
    if not budgets:
        return ((),) * 6
    each = sorted(budgets.items())
    tightest = max(budgets, key=lambda name: budgets[name].used / max(budgets[name].limit, 1.0))
    gauges = [_quota(name, one, now, gauge=True) for name, one in each]
    detailed = [(*gauge, *_details(one, now)) for gauge, (_, one) in zip(gauges, each, strict=True)]
    plain = [_quota(name, one, now) for name, one in each]
    return (
        _joined(detailed, named=True),
        _joined(gauges, named=True),
        _joined(plain, named=True),
        _joined(plain),
        _joined([_quota(tightest, budgets[tightest], now)]),
        _joined([_quota("", budgets[tightest], now)]),
    )


def spending(budget: QuotaSnapshot) -> str:
    """Return what a quota is spent on (``57 via list (4s), 3 individually``); empty when there is nothing to poll."""
    parts: list[str] = []
    if budget.pages and budget.covered:
        parts.append(f"{budget.covered} via list ({humanize.format_duration(max(1, MINUTE / budget.pages))})")
    if budget.alone:
        parts.append(f"{budget.alone} individually")
    return ", ".join(parts)


def _joined(quotas: Sequence[Line], *, named: bool = False) -> Line:
    first: Line = (GAP, ("quota ", Role.DIM)) if named else (GAP,)
    spans = [span for quota in quotas for span in (GAP, *quota)]
    return (*first, *spans[1:])


def _quota(name: str, budget: QuotaSnapshot, now: Instant, *, gauge: bool = False) -> Line:
    """Return the requests sent of those allowed, in the window that the server gives its limit for."""
    used, limit, window = budget.used, budget.limit, MINUTE
    if budget.window is not None:
        used, limit, window = budget.window_used, budget.window_limit, budget.window
    until = ""
    if budget.blocked_until is not None and budget.blocked_until > now.mono:
        until = f" until {humanize.format_time(now.later(budget.blocked_until - now.mono).us)}"
    role = Role.WARN if budget.blocked_until is not None or used >= limit else Role.TEXT
    # A limit of less than one is none that is used up.
    shown = f"{limit:.0f}" if limit >= 1 else f"{limit:.2g}"
    drawn: Line = ()
    if gauge:
        full = min(GAUGE_CELLS, round(used / limit * GAUGE_CELLS)) if limit > 0 else GAUGE_CELLS
        if used > 0 and not full:
            full = 1
        drawn = ((USED * full, role), (UNUSED * (GAUGE_CELLS - full), Role.FAINT), (" ", Role.DIM))
    label: Line = ((f"{clip(name, NAME_CELLS)} ", Role.DIM),) if name else ()
    unit = "" if window == MINUTE else f"/{humanize.format_rate_unit(window)}"
    return (*label, *drawn, (f"{used}/{shown}", role), (unit + until, Role.WARN if until else Role.DIM))


def _details(budget: QuotaSnapshot, now: Instant) -> Line:
    """Return when a quota is whole again, and what it is spent on."""
    details: list[str] = []
    if budget.blocked_until is not None and budget.covered + budget.alone:
        details.append(f"{humanize.pluralize(budget.covered + budget.alone, 'job')} waiting")
    else:
        if budget.resets is not None and budget.resets > now.mono:
            details.append(f"resets {humanize.format_time(now.later(budget.resets - now.mono).us)}")
        if spent := spending(budget):
            details.append(spent)
    return ((f" {', '.join(details)}", Role.DIM),) if details else ()
