"""How long jobs of a kind take, and what that says about one that is still going."""

import math
from bisect import bisect_right
from collections import deque
from collections.abc import Iterable, Mapping, Sequence

ANY_KIND = "*"
"""In place of a kind: what the API's page says of all kinds that it does not name."""

DEFAULT_TYPICAL = 60.0
"""What orders the polls of kinds of which nobody says anything; nothing that is shown comes from it."""

PRIOR_WEIGHT = 3.0
SAMPLES_FOR_ETA = 5
MIN_REMAINING = 2.0
MAX_REMAINING = 3_600.0
STALL_QUANTILE = 0.99
STALL_FACTOR = 3.0
"""Times the duration that the API's page calls typical, while too few have ended to know what is unusual."""

SLACK_SAMPLES = 10.0
"""Of few samples the 99th percentile is no more than the slowest: it gets this many parts, by their number, more.

Of durations that spread by a factor of e, 9 % exceed 1.5 times the slowest of five, and 3 % three times it.
"""

SLOWEST_KNOWN = 40
MAX_SAMPLES = 256
"""The newest durations that count, so that the estimates follow a server that changes."""


class Durations:
    """The newest durations of one kind, in seconds."""

    def __init__(self, seconds: Iterable[object] = ()) -> None:
        self._newest: deque[float] = deque(maxlen=MAX_SAMPLES)
        self._sorted: list[float] = []
        for each in seconds:
            if isinstance(each, int | float):
                self.add(each)

    @property
    def count(self) -> int:
        """How many there are."""
        return len(self._newest)

    def add(self, seconds: float) -> None:
        """Take in one duration; what is not finite is ignored, what is below 10 ms or above a year clamped."""
        if math.isfinite(seconds):
            self._newest.append(round(min(max(seconds, 0.01), 3.2e7), 2))
            self._sorted = sorted(self._newest)

    def quantile(self, share: float, above: float = 0.0) -> float | None:
        """Return the duration that `share` (0–1) of those `above` some seconds stay below; None without any."""
        first = bisect_right(self._sorted, above)
        count = len(self._sorted) - first
        return self._sorted[first + max(0, math.ceil(share * count) - 1)] if count else None

    def export(self) -> list[float]:
        """Return them, oldest first."""
        return list(self._newest)


class Estimates:
    """Durations measured per kind, and per stage of a kind. Everything is in seconds; progress is a fraction.

    `saved` is what `export` gave earlier; what in it is not understood is left out. `typical` is what the API's page
    says of its kinds.
    """

    def __init__(self, saved: Mapping[str, object] | None = None, typical: Mapping[str, float] | None = None) -> None:
        self._documented = typical or {}
        self._durations: dict[str, Durations] = {}
        self._typical: dict[str, float] = {}
        for name, data in (saved or {}).items():
            if isinstance(data, list):
                self._durations[name] = Durations(data)

    def export(self) -> dict[str, list[float]]:
        """Return all durations as plain data that JSON can hold."""
        return {name: durations.export() for name, durations in self._durations.items()}

    def add_sample(self, kind: str, seconds: float, stage: str | None = None) -> None:
        """Take in how long a job of `kind`, or its `stage`, took from beginning to end."""
        name = _name(kind, stage)
        self._durations.setdefault(name, Durations()).add(seconds)
        self._typical.pop(name, None)

    def typical(self, kind: str) -> float:
        """Return the median duration, leaning on the documented one while few are known."""
        known = self._typical.get(kind)
        if known is None:
            known = self._documented_typical(kind) or DEFAULT_TYPICAL
            durations = self._durations.get(kind)
            median = durations.quantile(0.5) if durations else None
            if durations and median is not None:
                known = (PRIOR_WEIGHT * known + durations.count * median) / (PRIOR_WEIGHT + durations.count)
            self._typical[kind] = known
        return known

    def completed_fraction(self, kind: str, stages: Sequence[tuple[str, float | None]], *, guess: bool) -> float | None:
        """Return how much of a job is done, from how much of each stage is; None where that cannot be told.

        A stage counts by how long it usually takes. With a `guess`, one of which too little is known counts like the
        others, and one that goes on untracked as not begun.
        """
        lengths = [self._typical_stage(kind, name) for name, _ in stages]
        known = [length for length in lengths if length is not None]
        if not stages or not (guess or (len(known) == len(stages) and all(part is not None for _, part in stages))):
            return None
        usual = sum(known) / len(known) if known else 1.0
        weights = [usual if length is None else length for length in lengths]
        return sum(weight * (part or 0.0) for weight, (_, part) in zip(weights, stages, strict=True)) / sum(weights)

    def remaining(self, kind: str, elapsed: float, progress: float | None) -> float:
        """Return the seconds a job probably has to go.

        Extrapolated from its progress where it tells any, else typical minus elapsed; never below half of what
        has elapsed unless progress says so, since what is late tends to be later still.
        """
        left = max(self.typical(kind) - elapsed, elapsed / 2)
        if progress is not None and progress > 0.02:
            left_by_progress = elapsed * (1.0 - progress) / progress
            # The first percents say little; by half-way the extrapolation is all that counts.
            trust = min(1.0, 2 * progress)
            left = trust * left_by_progress + (1 - trust) * left
        return min(max(left, MIN_REMAINING), MAX_REMAINING)

    def eta(
        self, kind: str, elapsed: float, progress: float | None, *, exact: bool = True
    ) -> tuple[float, float] | None:
        """Return a likely range of seconds to go (the middle 80 % of those that took longer); None below five samples.

        Its end is below zero for a job that has taken longer than every one before it: by how much it is over. Unless
        `elapsed` is `exact`, the job may have begun earlier, and without progress the range begins at zero.
        """
        durations = self._durations.get(kind)
        if durations is None or durations.count < SAMPLES_FOR_ETA:
            return None
        if progress is not None and progress >= 0.1:
            left_by_progress = elapsed * (1.0 - progress) / progress
            spread = 1.0 + (1.0 - progress) / 2
            return left_by_progress / spread, left_by_progress * spread
        low, high = durations.quantile(0.1, elapsed), durations.quantile(0.9, elapsed)
        if low is None or high is None:
            return 0.0, (durations.quantile(1.0) or 0.0) - elapsed
        return low - elapsed if exact else 0.0, high - elapsed

    def stall_after(self, kind: str, stage: str | None = None) -> float | None:
        """Return the seconds without any change after which a job (in `stage`) counts as stalled.

        None while neither the API's page nor enough jobs tell how long its kind takes.
        """
        # No stage takes longer than its job, so what is known of the job will do.
        for name in dict.fromkeys((_name(kind, stage), kind)):
            durations = self._durations.get(name)
            if durations is not None and durations.count >= SAMPLES_FOR_ETA:
                slowest = durations.quantile(STALL_QUANTILE) or 0.0
                return (
                    slowest if durations.count >= SLOWEST_KNOWN else slowest * (1.0 + SLACK_SAMPLES / durations.count)
                )
        if self._documented_typical(kind) is None:
            return None
        return STALL_FACTOR * self.typical(kind)

    def _documented_typical(self, kind: str) -> float | None:
        return self._documented.get(kind, self._documented.get(ANY_KIND))

    def _typical_stage(self, kind: str, stage: str) -> float | None:
        durations = self._durations.get(_name(kind, stage))
        return durations.quantile(0.5) if durations and durations.count >= SAMPLES_FOR_ETA else None


def _name(kind: str, stage: str | None) -> str:
    return kind if stage is None else f"{kind}/{stage}"
