"""The footer: the keys that are useful now, most important first."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

from jobdeck.tui.actions import BY_NAME, LIVE, Action, Mode, Pane, footer_actions
from jobdeck.tui.cell_text import width_of
from jobdeck.tui.render.spans import Line, Role, Span


@dataclass(frozen=True, slots=True)
class Footer:
    """The footer's line, and the actions under its cells (first, one past the last)."""

    line: Line
    places: tuple[tuple[int, int, str], ...]


@dataclass(frozen=True, slots=True)
class FooterView:
    """The state that determines the footer's keys."""

    pane: Pane = Pane.LIST
    labels: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    """Renames actions (`pause` becomes `resume`) and pins them: they are dropped last."""
    words: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    """Renames actions in this pane."""
    absent: frozenset[str] = frozenset()
    """Actions that are hidden because they make no sense now."""
    mode: Mode = LIVE
    marked: int = 0
    """The number of selected jobs."""
    hidden: int = 0
    """How many of these the filter hides."""


def footer(width: int, view: FooterView) -> Footer:
    """Return as many keys as fit, ending with the help."""
    words = {**view.words, **view.labels}
    actions = footer_actions(view.pane, view.mode, marks=bool(view.marked))
    actions = [action for action in actions if action.name not in view.absent]
    head = _marked(view)
    room = width - width_of(head) - _width((BY_NAME["help"],), words)
    while actions and _width(actions, words) > room:
        actions.remove(next((one for one in reversed(actions) if one.name not in view.labels), actions[-1]))
    spans: list[Span] = [(head, Role.STRONG)] if head else []
    places: list[tuple[int, int, str]] = []
    x = width_of(head)
    for action in (*actions, *((BY_NAME["help"],) if actions else ())):
        label = words.get(action.name, action.label)
        spans += [(f" {action.shown}", Role.KEY), (f" {label} ", Role.DIM)]
        end = x + width_of(action.shown) + width_of(label) + 3
        places.append((x, end, action.name))
        x = end
    return Footer(tuple(spans), tuple(places))


def _marked(view: FooterView) -> str:
    if not view.marked:
        return ""
    hidden = f" ({view.hidden} hidden)" if view.hidden else ""
    return f" on {view.marked:,} selected{hidden}: "


def _width(actions: Sequence[Action], words: Mapping[str, str]) -> int:
    return sum(width_of(action.shown) + width_of(words.get(action.name, action.label)) + 3 for action in actions)
