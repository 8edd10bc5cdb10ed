"""The first line of the screen: the progress of all jobs, and the use of each quota."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from jobdeck.domain import humanize
from jobdeck.domain.instant import Instant
from jobdeck.scheduling.outlook import QuotaSnapshot
from jobdeck.tui.cell_text import truncate
from jobdeck.tui.overall_progress import Progress
from jobdeck.tui.render.spans import LEVELS, Line, Role, Span, bar, line_width, truncate_line
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
"""Parts of the left side that stay during a pause: the name, the jobs done, the jobs failed."""

Parts: TypeAlias = tuple[Line, ...]


@dataclass(frozen=True, slots=True)
class Overview:
    """The data of the header."""

    profiles: Sequence[str]
    counts: Mapping[State, int]
    budgets: Mapping[str, QuotaSnapshot]
    paused: bool
    now: Instant
    unfocused: bool = False
    """The terminal is in the background, and polling is slower."""
    replay: str = ""
    """The state of a recording's playback; empty if it is not a replay."""
    dated: bool = False
    """The recording spans several days, so that the date is shown."""
    reading: int = 0
    """The number of jobs expected while saved jobs are being loaded, 0 afterwards."""
    progress: Progress = field(default_factory=Progress)


def header_line(view: Overview, width: int, *, strip_below: bool = False) -> Line:
    """Return the header; with `strip_below`, the line below it shows the counts of states.

    Transient notes (PAUSED) use free space or replace rate and ETA, so that nothing else moves. With less width it
    drops first the details of the quotas, the profiles, the gauges, the failures over time and the time of day, then
    the ETA, the rate, and all quotas but the tightest.
    """
    for left, quota, clock in _ways(view, strip_below=strip_below):
        right = line_width(quota) + line_width(clock)
        # Reserve the room of PAUSED at all times, so that nothing moves when it appears.
        if line_width(_flat(left)) + right < width and line_width(_flat((*_in_pause(left), PAUSED))) + right <= width:
            break
    else:
        return truncate_line((NAME, *_flat(_overall(view, strip_below=strip_below)[-1])), width)
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
    """Return the left side during a pause, which has no rate and no ETA."""
    return left[:KEPT_IN_PAUSE]


def _ways(view: Overview, *, strip_below: bool) -> Iterator[tuple[Parts, Line, Line]]:
    """Yield layouts from the widest to the narrowest: left side in parts, quotas, time of day."""
    profiles: Line = ()
    if view.profiles:
        names = truncate(" · ".join(truncate(one, PROFILES_CELLS) for one in view.profiles), PROFILES_CELLS)
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
    # The quota is more useful than the time of day, but less than the position in a recording.
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
    """Return variants of the overall progress, longest first, each in parts with the most important first."""
    if view.reading:
        # The fraction done is unknown while only some of the jobs are loaded.
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
    """Return counts as a bar chart in one line, scaled to the highest."""
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
    """Return six variants of the quotas' use, longest first."""
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


def quota_use(budget: QuotaSnapshot) -> str:
    """Return the use of a quota (``57 via list (4s), 3 individually``); empty if nothing is polled."""
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
    """Return used/limit of a quota, for the window in which the server states its limit."""
    used, limit, window = budget.used, budget.limit, MINUTE
    if budget.window is not None:
        used, limit, window = budget.window_used, budget.window_limit, budget.window
    until = ""
    if budget.blocked_until is not None and budget.blocked_until > now.mono:
        until = f" until {humanize.format_time(now.later(budget.blocked_until - now.mono).us)}"
    role = Role.WARN if budget.blocked_until is not None or used >= limit else Role.TEXT
    # Limits below one keep two digits: rounded to 0 they would look used up.
    shown = f"{limit:.0f}" if limit >= 1 else f"{limit:.2g}"
    drawn: Line = ()
    if gauge:
        full = min(GAUGE_CELLS, round(used / limit * GAUGE_CELLS)) if limit > 0 else GAUGE_CELLS
        if used > 0 and not full:
            full = 1
        drawn = ((USED * full, role), (UNUSED * (GAUGE_CELLS - full), Role.FAINT), (" ", Role.DIM))
    label: Line = ((f"{truncate(name, NAME_CELLS)} ", Role.DIM),) if name else ()
    unit = "" if window == MINUTE else f"/{humanize.format_rate_unit(window)}"
    return (*label, *drawn, (f"{used}/{shown}", role), (unit + until, Role.WARN if until else Role.DIM))


def _details(budget: QuotaSnapshot, now: Instant) -> Line:
    """Return when a quota resets, and what it is used for."""
    details: list[str] = []
    if budget.blocked_until is not None and budget.covered + budget.alone:
        details.append(f"{humanize.pluralize(budget.covered + budget.alone, 'job')} waiting")
    else:
        if budget.resets is not None and budget.resets > now.mono:
            details.append(f"resets {humanize.format_time(now.later(budget.resets - now.mono).us)}")
        if spent := quota_use(budget):
            details.append(spent)
    return ((f" {', '.join(details)}", Role.DIM),) if details else ()
