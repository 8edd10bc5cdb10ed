"""The footer: the keys of what can be done here and now, the most needed first."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

from jobdeck.tui.actions import BY_NAME, Action, Pane, footer_actions
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

    `labels` replaces an action's label by name, as `pause` becomes `resume`; what is named so is the way out of where
    one is, and stays longest. `words` only calls it otherwise in this pane. What is `absent` makes no sense now.
    `marked` jobs are what actions are about that act on marks; `hidden` of them the filter does not admit.
    """

    pane: Pane = Pane.LIST
    labels: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    words: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    absent: frozenset[str] = frozenset()
    locked: bool = False
    replay: bool = False
    marked: int = 0
    hidden: int = 0


def footer(width: int, view: FooterView) -> Footer:
    """Return the footer: as many keys as fit, the help the last of them."""
    words = {**view.words, **view.labels}
    actions = footer_actions(view.pane, locked=view.locked, replay=view.replay, marks=bool(view.marked))
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
