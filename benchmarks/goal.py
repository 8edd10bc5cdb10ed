"""Goals, and what was measured beside them."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from statistics import median
from time import process_time


@dataclass(frozen=True, slots=True)
class Goal:
    """A number to hold: at most `limit` (at least, with `least`), in `unit`; a ratio says what it is `of`."""

    name: str
    limit: float
    unit: str
    of: str = ""
    least: bool = False

    @property
    def text(self) -> str:
        """The goal as a person reads it."""
        return " ".join(filter(None, ("≥" if self.least else "≤", f"{self.limit:,g}", self.unit, self.of)))

    def met(self, value: float) -> bool:
        """Whether a value holds the goal; one that is no number does not."""
        return value >= self.limit if self.least else value <= self.limit

    def found(self, value: float, note: str = "") -> "Number":
        """Return what was measured, with a `note` that says more of it."""
        return Number(self, value, note)


@dataclass(frozen=True, slots=True)
class Number:
    """What was measured for a goal."""

    goal: Goal
    value: float
    note: str = ""

    @property
    def met(self) -> bool:
        """Whether the goal is held, by the value as it is and not as it is shown."""
        return self.goal.met(self.value)

    @property
    def measured(self) -> str:
        """The value as a person reads it."""
        digits = 0 if self.value >= 100 or self.value == 0 else 1 if self.value >= 10 else 2
        text = f"{self.value:,.{digits}f} {self.goal.unit}"
        return f"{text} ({self.note})" if self.note else text


def seconds_of(run: Callable[[], object], rounds: int = 5) -> float:
    """Return the least processor time that `run` took: others on the machine only ever add to it."""
    spent = []
    for _ in range(rounds):
        begun = process_time()
        run()
        spent.append(process_time() - begun)
    return min(spent)


def middle_of(run: Callable[[], object], rounds: int = 200) -> float:
    """Return the median of the processor times that `run` took."""
    spent = []
    for _ in range(rounds):
        begun = process_time()
        run()
        spent.append(process_time() - begun)
    return median(spent)


def percentile(values: Iterable[float], share: float) -> float:
    """Return the value that `share` of the values stay below; NaN for none."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else float("nan")
