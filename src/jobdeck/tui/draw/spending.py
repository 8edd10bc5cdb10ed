"""The rate budget in words: used and left, until when nothing goes, and what it is spent on."""

from collections.abc import Mapping

from jobdeck.domain import words
from jobdeck.domain.instant import Instant
from jobdeck.scheduling.actions import BudgetView
from jobdeck.tui.cells import clip
from jobdeck.tui.draw.spans import Line, Role, Span

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
        ways = [_whole("budget", only, now), _renewed("budget", only, now)]
        ways += [_left("budget", only, now), _short("budget", only, now, f" per {_unit(only)}")]
        return [*(_line([way]) for way in ways), _line([_short("", only, now, f"/{_unit(only)}")]), ()]
    each = sorted(budgets.items())
    # Each with its own unit, unless all are told for a minute.
    minutes = all(_unit(budget) == "min" for budget in budgets.values())
    units = {name: "" if minutes else f"/{_unit(budget)}" for name, budget in each}
    same = " per min" if minutes else ""
    head: Line = ((f"{GAP}budget", Role.DIM),)
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
        parts.append(f"{budget.covered} by a list every {words.span(max(1, WINDOW / budget.pages))}")
    if budget.alone:
        parts.append(f"{budget.alone} singly")
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
    used, limit = _counts(budget)
    blocked = _until(budget, now)
    told = blocked or f" per {_unit(budget)}, {max(0, int(limit) - used)} left"
    return (*_used(name, budget), (told, Role.WARN if blocked else Role.DIM))


def _short(name: str, budget: BudgetView, now: Instant, unit: str) -> Line:
    blocked = _until(budget, now)
    return (*_used(name, budget), (blocked or unit, Role.WARN if blocked else Role.DIM))


def _used(name: str, budget: BudgetView) -> Line:
    used, limit = _counts(budget)
    tight = budget.blocked_until is not None or used >= limit
    label = f"{clip(name, NAME_CELLS)} " if name else ""
    # A limit of less than one is none that is used up.
    shown = f"{limit:.0f}" if limit >= 1 else f"{limit:.2g}"
    return ((label, Role.DIM), (f"{used}/{shown}", Role.WARN if tight else Role.TEXT))


def _counts(budget: BudgetView) -> tuple[int, float]:
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
