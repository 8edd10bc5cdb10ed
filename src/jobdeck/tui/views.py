"""Saved views: a named filter and sort order."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from jobdeck.tui.job_filter import FilterState
from jobdeck.tui.job_table import Order, parse_order

MOST = 9
LONGEST_NAME = 40
LONGEST_FILTER = 500


@dataclass(frozen=True, slots=True)
class View:
    """A named filter and sort order."""

    name: str
    filter: str = ""
    problems: bool = False
    order: str = ""

    @property
    def state(self) -> FilterState:
        """The view's filter."""
        return FilterState(self.filter, self.problems)

    @property
    def sorting(self) -> Order:
        """The view's sort order."""
        return parse_order(self.order)


def views_text(views: Sequence[View]) -> str:
    """Serialize views for `parse_views`."""
    return json.dumps([asdict(view) for view in views])


def parse_views(text: str) -> tuple[View, ...]:
    """Parse saved views; unreadable ones are skipped."""
    try:
        read = json.loads(text) if text else []
    except ValueError:
        return ()
    found = (_view(one) for one in read) if isinstance(read, list) else ()
    return tuple(view for view in found if view is not None)[:MOST]


def _view(raw: object) -> View | None:
    if not isinstance(raw, dict):
        return None
    name, text, order = (raw.get(key, "") for key in ("name", "filter", "order"))
    fits = all(isinstance(one, str) and len(one) <= LONGEST_FILTER for one in (name, text, order))
    return View(name[:LONGEST_NAME], text, raw.get("problems") is True, order) if fits and name else None
