"""The last line of the screen: as many keys as fit, the most needed ones longest."""

from collections.abc import Mapping
from dataclasses import dataclass

from jobdeck.tui.actions import Action, in_footer
from jobdeck.tui.cells import width_of
from jobdeck.tui.draw.spans import Line, Role, Span


@dataclass(frozen=True, slots=True)
class Footer:
    """The footer's line, and which action is under which cells (first, one past the last)."""

    line: Line
    places: tuple[tuple[int, int, str], ...]


def footer(width: int, labels: Mapping[str, str], *, locked: bool = False, replay: bool = False) -> Footer:
    """Return the footer; `labels` replaces an action's label by name, as `pause` becomes `resume`.

    An action with a label of the moment is the way out of where one is: it stays longest.
    """
    actions = list(in_footer(locked=locked, replay=replay))
    while actions and _width(actions, labels) > width:
        actions.remove(max(actions, key=lambda action: 0 if action.name in labels else action.footer or 0))
    spans: list[Span] = []
    places: list[tuple[int, int, str]] = []
    x = 0
    for action in actions:
        label = labels.get(action.name, action.label)
        spans += [(f" {action.shown}", Role.KEY), (f" {label} ", Role.DIM)]
        end = x + width_of(action.shown) + width_of(label) + 3
        places.append((x, end, action.name))
        x = end
    return Footer(tuple(spans), tuple(places))


def _width(actions: list[Action], labels: Mapping[str, str]) -> int:
    return sum(width_of(action.shown) + width_of(labels.get(action.name, action.label)) + 3 for action in actions)
