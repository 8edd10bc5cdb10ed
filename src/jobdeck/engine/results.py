"""The results of the jobs in memory: together they stay within a budget, whatever the number of jobs."""

from sys import getsizeof

from jobdeck.domain.job import JobKey

RESULTS_BYTES = 64 * 1024 * 1024
"""300 results of 1 MB took 412 MB of memory, 120 of 7.5 MB a gigabyte."""


class Results:
    """How much memory each job's result takes, and which of them have to go.

    The one that came last is never among them, nor is that of the job that is looked at, `viewed`.
    """

    def __init__(self, budget: int = RESULTS_BYTES) -> None:
        self.viewed: JobKey | None = None
        self._budget = budget
        self._sizes: dict[JobKey, int] = {}
        self._total = 0

    def put(self, key: JobKey, result: str | None) -> None:
        """Note a job's result, the newest there is; None notes that it has none in memory."""
        self._total -= self._sizes.pop(key, 0)
        if result is not None:
            self._sizes[key] = getsizeof(result)
            self._total += self._sizes[key]

    def evict(self) -> list[JobKey]:
        """Return the jobs whose results have to go, the oldest and largest first, and count them no more."""
        evicted: list[JobKey] = []
        while self._total > self._budget and (key := self._oldest_and_largest()) is not None:
            self.put(key, None)
            evicted.append(key)
        return evicted

    def copy(self) -> "Results":
        """Return another that goes on from here by itself."""
        other = Results(self._budget)
        other.viewed, other._sizes, other._total = self.viewed, dict(self._sizes), self._total
        return other

    def _oldest_and_largest(self) -> JobKey | None:
        newest = len(self._sizes) - 1
        weights = {
            key: size * (newest - place)
            for place, (key, size) in enumerate(self._sizes.items())
            if place < newest and key != self.viewed
        }
        return max(weights, key=weights.__getitem__, default=None)
