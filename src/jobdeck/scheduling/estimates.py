"""How long jobs of a kind take, and what that says about one that is still going."""

from collections.abc import Mapping, Sequence

from jobdeck.scheduling.sketch import Sketch

ANY_KIND = "*"
"""In place of a kind: what the API's page says of all kinds that it does not name."""

DEFAULT_TYPICAL = 60.0
"""What orders the polls of kinds of which nobody says anything; nothing that is shown comes from it."""

GUESSED = "~"
"""Before the name of durations measured on jobs that may have begun before they were first seen."""

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


class Estimates:
    """Durations measured per kind, and per stage of a kind. Everything is in seconds; progress is a fraction.

    `saved` is what `export` gave earlier; what in it is not understood is left out. `typical` is what the API's page
    says of its kinds.
    """

    def __init__(self, saved: Mapping[str, object] | None = None, typical: Mapping[str, float] | None = None) -> None:
        self._documented = typical or {}
        self._sketches: dict[str, Sketch] = {}
        self._typical: dict[str, float] = {}
        for name, data in (saved or {}).items():
            if isinstance(data, Mapping):
                self._sketches[name] = Sketch.load(data)

    def export(self) -> dict[str, dict[str, float]]:
        """Return all durations as plain data that JSON can hold."""
        return {name: sketch.export() for name, sketch in self._sketches.items()}

    def add_sample(self, kind: str, seconds: float, stage: str | None = None, *, guessed: bool = False) -> None:
        """Take in how long a job of `kind`, or its `stage`, took from beginning to end.

        A `guessed` beginning, which may have been earlier, orders polls and tells nobody of stalls or of what is left.
        """
        name = _name(kind, stage)
        self._sketches.setdefault(GUESSED + name if guessed else name, Sketch()).add(seconds)
        self._typical.pop(name, None)

    def typical(self, kind: str) -> float:
        """Return the median duration, leaning on the documented one while few are known."""
        known = self._typical.get(kind)
        if known is None:
            known = self._documented_typical(kind) or DEFAULT_TYPICAL
            sketches = (self._sketches.get(kind), self._sketches.get(GUESSED + kind))
            sketch = max((each for each in sketches if each), key=lambda each: each.count, default=None)
            median = sketch.quantile(0.5) if sketch else None
            if sketch and median is not None:
                known = (PRIOR_WEIGHT * known + sketch.count * median) / (PRIOR_WEIGHT + sketch.count)
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
        sketch = self._sketches.get(kind)
        if sketch is None or sketch.count < SAMPLES_FOR_ETA:
            return None
        if progress is not None and progress >= 0.1:
            left_by_progress = elapsed * (1.0 - progress) / progress
            spread = 1.0 + (1.0 - progress) / 2
            return left_by_progress / spread, left_by_progress * spread
        low, high = sketch.quantile(0.1, elapsed), sketch.quantile(0.9, elapsed)
        if low is None or high is None:
            return 0.0, (sketch.quantile(1.0) or 0.0) - elapsed
        return low - elapsed if exact else 0.0, high - elapsed

    def stall_after(self, kind: str, stage: str | None = None) -> float | None:
        """Return the seconds without any change after which a job (in `stage`) counts as stalled.

        None while neither the API's page nor enough jobs tell how long its kind takes.
        """
        # No stage takes longer than its job, so what is known of the job will do.
        for name in dict.fromkeys((_name(kind, stage), kind)):
            sketch = self._sketches.get(name)
            if sketch is not None and sketch.count >= SAMPLES_FOR_ETA:
                slowest = sketch.quantile(STALL_QUANTILE) or 0.0
                return slowest if sketch.count >= SLOWEST_KNOWN else slowest * (1.0 + SLACK_SAMPLES / sketch.count)
        if self._documented_typical(kind) is None:
            return None
        return STALL_FACTOR * self.typical(kind)

    def _documented_typical(self, kind: str) -> float | None:
        return self._documented.get(kind, self._documented.get(ANY_KIND))

    def _typical_stage(self, kind: str, stage: str) -> float | None:
        sketch = self._sketches.get(_name(kind, stage))
        return sketch.quantile(0.5) if sketch and sketch.count >= SAMPLES_FOR_ETA else None


def _name(kind: str, stage: str | None) -> str:
    return kind if stage is None else f"{kind}/{stage}"
