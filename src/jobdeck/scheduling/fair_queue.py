"""Which job to poll next, one at a time: fair queueing by the square root of the hazard, and a queue by due time."""

import heapq
import math
from collections.abc import Iterator
from typing import Generic, TypeVar

from jobdeck.domain.job import JobKey
from jobdeck.scheduling.estimates import Estimates
from jobdeck.scheduling.scheduled_job import ScheduledJob

K = TypeVar("K")

CANDIDATES = 8
"""Of the earliest this many, the most valuable goes; with only one, the mean delay grows by 29 %."""

VISIBLE_WEIGHT = 3.0

MAX_ROUNDS = 6.0
"""Rounds of all ready jobs after which a job goes before those that are worth more.

What a poll is worth grows exponentially: without it four jobs stuck at 99 % leave a fifth alone for minutes.
No job that is ready waits longer than so many rounds, and one and a half more while the selected job takes its third.
"""


class DueQueue(Generic[K]):
    """Keys by due time; moving or dropping one is O(log n), or free until the old entry surfaces.

    Entries are never searched for: a superseded one is recognised by its number when it comes up, and the heap is
    rebuilt once more than half of it is superseded.
    """

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, K]] = []
        self._entry: dict[K, tuple[float, int]] = {}
        self._count = 0

    def __len__(self) -> int:
        return len(self._entry)

    def __contains__(self, key: object) -> bool:
        return key in self._entry

    def __iter__(self) -> Iterator[K]:
        return iter(self._entry)

    def due(self, key: K) -> float | None:
        """Return when `key` is due; None when it is not queued."""
        entry = self._entry.get(key)
        return None if entry is None else entry[0]

    def put(self, key: K, due: float) -> None:
        """Queue `key` for `due`, wherever it was before; among equals the first put comes first."""
        self._count += 1
        self._entry[key] = (due, self._count)
        heapq.heappush(self._heap, (due, self._count, key))
        if len(self._heap) > 64 and len(self._heap) > 2 * len(self._entry):
            self._heap = [(at, number, key) for key, (at, number) in self._entry.items()]
            heapq.heapify(self._heap)

    def drop(self, key: K) -> None:
        """Take `key` out; harmless when it is not queued."""
        self._entry.pop(key, None)

    def first_due(self) -> float | None:
        """Return when the earliest key is due; None when nothing is queued."""
        self._settle()
        return self._heap[0][0] if self._heap else None

    def pop(self) -> K:
        """Take the earliest key out and return it; raises IndexError when nothing is queued."""
        self._settle()
        key = heapq.heappop(self._heap)[2]
        del self._entry[key]
        return key

    def _settle(self) -> None:
        while self._heap and self._entry.get(self._heap[0][2]) != self._heap[0][:2]:
            heapq.heappop(self._heap)

    def earliest(self, count: int) -> list[K]:
        """Return up to `count` keys in due order, leaving them queued."""
        taken: list[tuple[float, int, K]] = []
        while self._heap and len(taken) < count:
            item = heapq.heappop(self._heap)
            if self._entry.get(item[2]) == item[:2]:
                taken.append(item)
        for item in taken:
            heapq.heappush(self._heap, item)
        return [key for _, _, key in taken]


class FairQueue:
    """Jobs that wait (until their interval or back-off is over) and jobs that are ready for a poll.

    Ready jobs are ordered by virtual time, which runs fast when few are ready and slowly when many are: a job of
    weight w is due 1/w after its last poll, so its interval is Σw/(w·rate) whatever else comes and goes, and the
    order never has to be computed anew. Times are monotonic seconds.
    """

    def __init__(self, jobs: dict[JobKey, ScheduledJob], estimates: Estimates) -> None:
        self._jobs = jobs
        self._estimates = estimates
        self._waiting: DueQueue[JobKey] = DueQueue()
        self._ready: DueQueue[JobKey] = DueQueue()
        self._oldest: DueQueue[JobKey] = DueQueue()
        self._weights: dict[JobKey, float] = {}
        self._weight_sum = 0.0
        self._virtual_time = 0.0
        self._mean_wait = 0.0

    def __len__(self) -> int:
        return len(self._waiting) + len(self._ready)

    def __contains__(self, key: object) -> bool:
        return key in self._waiting or key in self._ready

    @property
    def ready_count(self) -> int:
        """How many jobs only wait for a token."""
        return len(self._ready)

    def advance(self, seconds: float, rate: float) -> None:
        """Let virtual time run for `seconds` at `rate` requests a second."""
        self._mean_wait = len(self._ready) / max(rate, 1e-3)
        if self._weight_sum > 0:
            self._virtual_time += seconds * rate / self._weight_sum

    def mark_polled(self, job: ScheduledJob) -> None:
        """Note that `job` was polled: its turn comes anew."""
        job.virtual_polled = self._virtual_time

    def defer(self, job: ScheduledJob, until: float) -> None:
        """Leave a job alone until then."""
        self._remove(job.key)
        self._waiting.put(job.key, until)

    def drop(self, key: JobKey) -> None:
        """Take a job out; harmless when it is not in."""
        self._remove(key)
        self._waiting.drop(key)

    def deferred_until(self, key: JobKey) -> float | None:
        """Return until when a job waits; None when it does not."""
        return self._waiting.due(key)

    def make_due(self, now: float, *, failed_only: bool = False) -> None:
        """Make all waiting jobs (or those that back off) ready at the next decision, in the order of their polls."""
        for key in list(self._waiting):
            if not failed_only or self._jobs[key].failures:
                due = max(now, self._jobs[key].not_before) if failed_only else now
                self._waiting.put(key, min(due, self._waiting.due(key) or due))

    def best(self, now: float) -> ScheduledJob | None:
        """Return the job whose poll is worth most now; None when none is ready."""
        self.promote_due(now)
        since = self._oldest.first_due()
        if since is not None and now - since > MAX_ROUNDS * self._mean_wait:
            return self._jobs[self._oldest.earliest(1)[0]]
        chosen: ScheduledJob | None = None
        most = -1.0
        for key in self._ready.earliest(CANDIDATES):
            job = self._jobs[key]
            job.hazard = 1.0 / job.remaining(now, self._estimates)
            worth = job.poll_value(now)
            if worth > most:
                chosen, most = job, worth
        return chosen

    def next_due(self) -> float | None:
        """Return when the first waiting job becomes ready; None when none waits."""
        return self._waiting.first_due()

    def oldest_attempt(self, now: float) -> ScheduledJob | None:
        """Return the job for a probe of a profile that fails: the one not tried for longest, ready or not."""
        self.promote_due(now)
        keys = self._ready.earliest(CANDIDATES) or self._waiting.earliest(1)
        return min((self._jobs[key] for key in keys), key=lambda job: job.last_attempt, default=None)

    def interval(self, job: ScheduledJob, now: float, rate: float) -> float:
        """Return the seconds between two polls of `job` when all is well."""
        weight = self._weights.get(job.key) or self._weight(job)
        others = self._weight_sum if job.key in self._ready else self._weight_sum + weight
        return max(job.min_interval(now, self._estimates), others / weight / max(rate, 1e-3))

    def promote_due(self, now: float) -> None:
        """Make those ready whose wait is over at `now`."""
        while (due := self._waiting.first_due()) is not None and due <= now:
            key = self._waiting.pop()
            job = self._jobs[key]
            # What counts is the hazard around the time when its turn comes, which may be minutes away.
            job.hazard = 1.0 / job.remaining(now + self._mean_wait / 2, self._estimates)
            weight = self._weight(job)
            self._weights[key] = weight
            self._weight_sum += weight
            self._ready.put(key, job.virtual_polled + 1.0 / weight)
            self._oldest.put(key, job.unknown_since)

    def _weight(self, job: ScheduledJob) -> float:
        return math.sqrt(job.hazard * (VISIBLE_WEIGHT if job.visible else 1.0))

    def _remove(self, key: JobKey) -> None:
        if key in self._ready:
            self._ready.drop(key)
            self._oldest.drop(key)
            self._weight_sum -= self._weights.pop(key)
            if not len(self._ready):
                self._weight_sum = 0.0
