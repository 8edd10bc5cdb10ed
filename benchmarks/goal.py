"""Goals and measured numbers."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from statistics import median
from time import process_time


@dataclass(frozen=True, slots=True)
class Goal:
    """A goal for a number."""

    name: str
    limit: float
    """The number must be at most this, or, with `least`, at least this."""
    unit: str
    of: str = ""
    """What a ratio is relative to."""
    least: bool = False

    @property
    def text(self) -> str:
        """The goal as text."""
        return " ".join(filter(None, ("≥" if self.least else "≤", f"{self.limit:,g}", self.unit, self.of)))

    def met(self, value: float) -> bool:
        """Whether a value meets the goal; NaN does not."""
        return value >= self.limit if self.least else value <= self.limit

    def found(self, value: float, note: str = "") -> "Number":
        """Return the measured number, with a `note`."""
        return Number(self, value, note)


@dataclass(frozen=True, slots=True)
class Number:
    """The measured number for a goal."""

    goal: Goal
    value: float
    note: str = ""

    @property
    def met(self) -> bool:
        """Whether the goal is met, by the exact value and not the rounded one."""
        return self.goal.met(self.value)

    @property
    def measured(self) -> str:
        """The value as text."""
        digits = 0 if self.value >= 100 or self.value == 0 else 1 if self.value >= 10 else 2
        text = f"{self.value:,.{digits}f} {self.goal.unit}"
        return f"{text} ({self.note})" if self.note else text


def seconds_of(run: Callable[[], object], rounds: int = 5) -> float:
    """Return the minimum processor time of `run`: other processes only ever add to it."""
    spent = []
    for _ in range(rounds):
        begun = process_time()
        run()
        spent.append(process_time() - begun)
    return min(spent)


def middle_of(run: Callable[[], object], rounds: int = 200) -> float:
    """Return the median processor time of `run`."""
    spent = []
    for _ in range(rounds):
        begun = process_time()
        run()
        spent.append(process_time() - begun)
    return median(spent)


def percentile(values: Iterable[float], share: float) -> float:
    """Return the value below which `share` of the values are; NaN for none."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else float("nan")
