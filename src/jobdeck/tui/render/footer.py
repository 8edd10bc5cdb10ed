"""The footer: the keys of what can be done here and now, the most needed first."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from jobdeck.tui.actions import Action, in_footer
from jobdeck.tui.cell_text import width_of
from jobdeck.tui.render.spans import Line, Role, Span


@dataclass(frozen=True, slots=True)
class Footer:
    """The footer's line, and which action is under which cells (first, one past the last)."""

    line: Line
    places: tuple[tuple[int, int, str], ...]


@dataclass(frozen=True, slots=True)
class FooterView:
    """What decides which keys the footer has.

    `labels` replaces an action's label by name, as `pause` becomes `resume`. `marked` jobs are what actions are about
    that act on marks; `hidden` of them are not in the list as it is filtered.
    """

    labels: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    locked: bool = False
    replay: bool = False
    marked: int = 0
    hidden: int = 0


def footer(width: int, view: FooterView) -> Footer:
    """Return the footer; with marks those actions come first that act on them.

    An action with a label of the moment is the way out of where one is: it stays longest.
    """
    labels = view.labels
    actions = in_footer(locked=view.locked, replay=view.replay, marks=bool(view.marked))
    head = _marked(view)
    room = width - width_of(head)
    while actions and _width(actions, labels) > room:
        actions.remove(max(actions, key=lambda action: _rank(action, labels, head)))
    spans: list[Span] = [(head, Role.STRONG)] if head else []
    places: list[tuple[int, int, str]] = []
    x = width_of(head)
    for action in actions:
        label = labels.get(action.name, action.label)
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


def _rank(action: Action, labels: Mapping[str, str], head: str) -> int:
    """Return how soon an action gives way, the largest first."""
    if action.name in labels:
        return 0
    order = action.footer or 0
    return order if not head or action.on_marks else order + 100


def _width(actions: Collection[Action], labels: Mapping[str, str]) -> int:
    return sum(width_of(action.shown) + width_of(labels.get(action.name, action.label)) + 3 for action in actions)
