"""Quantiles of many durations in little memory."""

import math
from collections.abc import Mapping

GROWTH = 1.1
KEPT = 512
"""Samples that count: past them all counts are halved, so that what is learnt follows a server that changes."""

_LOG = math.log(GROWTH)


class Sketch:
    """A histogram with logarithmic bins: any quantile within 5 % (Masson, Rim, Lee: DDSketch, VLDB 2019).

    Durations from 10 ms to a year fit into at most 230 bins, typically 30.
    """

    def __init__(self) -> None:
        self._bins: dict[int, float] = {}
        self._total = 0.0

    @property
    def count(self) -> float:
        """How many samples count, old ones by less than one."""
        return self._total

    def add(self, seconds: float) -> None:
        """Take in one duration; what is not finite, or below 10 ms or above a year, is clamped or ignored."""
        if not math.isfinite(seconds):
            return
        place = round(math.log(min(max(seconds, 0.01), 3.2e7)) / _LOG)
        self._bins[place] = self._bins.get(place, 0.0) + 1.0
        self._total += 1.0
        if self._total > KEPT:
            self._bins = {place: count / 2 for place, count in self._bins.items() if count > 0.1}
            self._total = sum(self._bins.values())

    def quantile(self, share: float, above: float = 0.0) -> float | None:
        """Return the duration that `share` (0–1) of the samples `above` some seconds stay below; None without any."""
        places = sorted(place for place in self._bins if GROWTH**place > above)
        if not places:
            return None
        rest = share * sum(self._bins[place] for place in places)
        for place in places:
            rest -= self._bins[place]
            if rest <= 0:
                return GROWTH**place
        return GROWTH ** places[-1]

    def export(self) -> dict[str, float]:
        """Return the bins as plain data that JSON can hold."""
        return {str(place): count for place, count in sorted(self._bins.items())}

    @classmethod
    def load(cls, data: Mapping[str, object]) -> "Sketch":
        """Return a sketch from what `export` gave; whatever else is in `data` is left out."""
        sketch = cls()
        for name, count in data.items():
            if not name.lstrip("-").isascii() or not name.lstrip("-").isdigit() or len(name) > 4:
                continue
            if isinstance(count, int | float) and 0 < count <= 2 * KEPT:
                sketch._bins[int(name)] = float(count)
        sketch._total = sum(sketch._bins.values())
        return sketch
