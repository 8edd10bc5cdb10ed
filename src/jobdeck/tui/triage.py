"""What the list shows and in which order, as a person has asked for it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from jobdeck.domain.instant import Instant
from jobdeck.tui.draw.columns import Name
from jobdeck.tui.draw.spans import Line, Role, Span
from jobdeck.tui.draw.state import FAULTS
from jobdeck.tui.filter import Filter, parse
from jobdeck.tui.model import Model, Row
from jobdeck.tui.order import Order

SETTLE_SECONDS = 5.0
"""How often rows are put in place in an order that moves as time passes: a line stays long enough to be read."""


@dataclass(frozen=True, slots=True)
class FilterState:
    """What a list is filtered by: a text, and whether only by trouble."""

    text: str = ""
    faults: bool = False


class Triage:
    """Sorts and filters a model."""

    def __init__(self, model: Model) -> None:
        self._model = model
        self._filter = Filter()
        self._faults = False
        self._settled: Instant | None = None

    @property
    def filter(self) -> Filter:
        """The filter as it was understood."""
        return self._filter

    @property
    def state(self) -> FilterState:
        """What the list is filtered by."""
        return FilterState(self._filter.text, self._faults)

    def set_state(self, state: FilterState, now: Instant) -> None:
        """Filter the list by what it was filtered by once."""
        self._filter, self._faults = parse(state.text), state.faults
        self._apply(now)

    @property
    def narrowed(self) -> bool:
        """Whether rows may be left out."""
        return bool(self._filter) or self._faults

    def narrow(self, text: str, now: Instant) -> None:
        """Show what passes a filter."""
        self._filter = parse(text)
        self._apply(now)

    def toggle_faults(self, now: Instant) -> None:
        """Show only jobs in trouble, or all again."""
        self._faults = not self._faults
        self._apply(now)

    def clear(self, now: Instant) -> None:
        """Show every job."""
        self._filter, self._faults = Filter(), False
        self._apply(now)

    def sort(self, order: Order, now: Instant) -> None:
        """Put the rows into an order."""
        self._settled = now
        self._model.set_order(order, now)

    def sort_by(self, column: Name, now: Instant) -> None:
        """Sort by a column; by the one it is sorted by already, the other way round."""
        order = self._model.order
        self.sort(replace(order, reverse=not order.reverse) if order.by is column else Order(column), now)

    def sort_by_next(self, columns: Sequence[Name], now: Instant) -> None:
        """Sort by the column after the one it is sorted by."""
        by = self._model.order.by
        at = columns.index(by) if by in columns else -1
        self.sort(Order(columns[(at + 1) % len(columns)] if columns else Name.STATE), now)

    def tick(self, now: Instant, *, settle: bool = False) -> bool:
        """Take note that time has passed; true when rows came, went or moved because of it.

        With `settle` every row is put in place now, whenever that was done last.
        """
        due = settle or self._settled is None or abs(now.since(self._settled)) >= SETTLE_SECONDS
        moving = self._model.order.moving and due
        if moving:
            self._settled = now
        return self._model.settle(now, order=moving) if moving or self._filter.timed else False

    def told(self) -> Line:
        """Return how many jobs are shown, and what was not understood of the filter."""
        spans: list[Span] = [("faults only  ", Role.STRONG)] if self._faults else []
        spans.append((f"{len(self._model):,} of {self._model.total:,}", Role.TEXT))
        if self._filter.complaints:
            spans.append((f"  {self._filter.complaints[0]}", Role.WARN))
        else:
            keys = (("esc", Role.KEY), (" shows all", Role.DIM))
            spans += [("  ", Role.DIM), *keys]
        return tuple(spans)

    def _apply(self, now: Instant) -> None:
        if not self.narrowed:
            self._model.set_filter(None, now)
            return
        faults, admits = self._faults, self._filter.admits

        def admitted(row: Row, at: Instant) -> bool:
            return (not faults or row.counted in FAULTS) and admits(row.job, row.counted.word, at)

        self._model.set_filter(admitted, now)
