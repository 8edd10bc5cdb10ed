"""What takes much memory of a job: the newest body and the result, of all jobs together within a budget each."""

from collections import OrderedDict
from sys import getsizeof

from jobdeck.domain.job import JobKey

BODIES_BYTES = 32 * 1024 * 1024

RESULTS_BYTES = 64 * 1024 * 1024
"""300 results of 1 MB took 412 MB of memory, 120 of 7.5 MB a gigabyte."""


class Bodies:
    """The newest body of each job, as received; the ones looked at longest ago go when 32 MiB are reached."""

    def __init__(self, budget: int = BODIES_BYTES) -> None:
        self._bodies: OrderedDict[JobKey, bytes] = OrderedDict()
        self._budget = budget
        self._size = 0

    def put(self, key: JobKey, body: bytes) -> None:
        """Keep a job's newest body, unless it alone is over the budget."""
        self.drop(key)
        if len(body) > self._budget:
            return
        self._bodies[key] = body
        self._size += len(body)
        while self._size > self._budget:
            self._size -= len(self._bodies.popitem(last=False)[1])

    def get(self, key: JobKey) -> bytes | None:
        """Return a job's newest body, None when it was never received alone or had to go."""
        if key in self._bodies:
            self._bodies.move_to_end(key)
        return self._bodies.get(key)

    def copy(self) -> "Bodies":
        """Return another that goes on from here by itself."""
        other = Bodies(self._budget)
        other._bodies, other._size = self._bodies.copy(), self._size
        return other

    def drop(self, key: JobKey) -> None:
        """Forget a job's body."""
        self._size -= len(self._bodies.pop(key, b""))


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
