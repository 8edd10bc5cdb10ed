"""Which job to poll next, one at a time: fair queueing by the square root of the hazard."""

import math

from jobdeck.domain.job import JobKey
from jobdeck.scheduling.estimates import Estimates
from jobdeck.scheduling.queue import DueQueue
from jobdeck.scheduling.tracked import Tracked

CANDIDATES = 8
"""Of the earliest this many, the most valuable goes; with only one, the mean delay grows by 29 %."""

SHOWN_WEIGHT = 3.0
LIGHTEST = 1 / 3
"""The smallest weight, as a part of the mean one: the longest wait is so many mean waits, and nobody starves."""


LATE = 6.0
"""Rounds of all ready jobs after which a job goes before those that are worth more.

What a poll is worth grows exponentially: without it four jobs stuck at 99 % leave a fifth alone for minutes.
No job that is ready waits longer than so many rounds, and one and a half more while the selected job takes its third.
"""


class Singles:
    """Jobs that wait (until their floor or back-off is over) and jobs that are ready for a poll.

    Ready jobs are ordered by virtual time, which runs fast when few are ready and slowly when many are: a job of
    weight w is due 1/w after its last look, so its interval is Σw/(w·rate) whatever else comes and goes, and the
    order never has to be computed anew. Times are monotonic seconds.
    """

    def __init__(self, jobs: dict[JobKey, Tracked], estimates: Estimates) -> None:
        self._jobs = jobs
        self._estimates = estimates
        self._waiting: DueQueue[JobKey] = DueQueue()
        self._ready: DueQueue[JobKey] = DueQueue()
        self._oldest: DueQueue[JobKey] = DueQueue()
        self._weights: dict[JobKey, float] = {}
        self._sum = 0.0
        self._v = 0.0
        self._wait = 0.0

    def __len__(self) -> int:
        return len(self._waiting) + len(self._ready)

    def __contains__(self, key: object) -> bool:
        return key in self._waiting or key in self._ready

    @property
    def ready(self) -> int:
        """How many jobs only wait for a token."""
        return len(self._ready)

    def pass_time(self, seconds: float, rate: float) -> None:
        """Let virtual time run for `seconds` at `rate` requests a second."""
        self._wait = len(self._ready) / max(rate, 1e-3)
        if self._sum > 0:
            self._v += seconds * rate / self._sum

    def looked(self, job: Tracked) -> None:
        """Note a look at `job`: its turn comes anew."""
        job.v_looked = self._v

    def hold(self, job: Tracked, until: float) -> None:
        """Leave a job alone until then."""
        self._leave(job.key)
        self._waiting.put(job.key, until)

    def drop(self, key: JobKey) -> None:
        """Take a job out; harmless when it is not in."""
        self._leave(key)
        self._waiting.drop(key)

    def until(self, key: JobKey) -> float | None:
        """Return until when a job waits; None when it does not."""
        return self._waiting.due(key)

    def hurry(self, now: float, *, failed_only: bool = False) -> None:
        """Make all waiting jobs (or those that back off) ready at the next decision, in the order of their looks."""
        for key in list(self._waiting):
            if not failed_only or self._jobs[key].failures:
                due = max(now, self._jobs[key].not_before) if failed_only else now
                self._waiting.put(key, min(due, self._waiting.due(key) or due))

    def best(self, now: float) -> Tracked | None:
        """Return the job whose poll is worth most now; None when none is ready."""
        self.wake(now)
        since = self._oldest.first_due()
        if since is not None and now - since > LATE * self._wait:
            return self._jobs[self._oldest.earliest(1)[0]]
        chosen: Tracked | None = None
        most = -1.0
        for key in self._ready.earliest(CANDIDATES):
            job = self._jobs[key]
            job.hazard = 1.0 / job.remaining(now, self._estimates)
            worth = job.value(now)
            if worth > most:
                chosen, most = job, worth
        return chosen

    def next_due(self) -> float | None:
        """Return when the first waiting job becomes ready; None when none waits."""
        return self._waiting.first_due()

    def least_tried(self, now: float) -> Tracked | None:
        """Return the job for a probe of a profile that fails: the one not tried for longest, ready or not."""
        self.wake(now)
        keys = self._ready.earliest(CANDIDATES) or self._waiting.earliest(1)
        return min((self._jobs[key] for key in keys), key=lambda job: job.last_try, default=None)

    def interval(self, job: Tracked, now: float, rate: float) -> float:
        """Return the seconds between two polls of `job` when all is well."""
        weight = self._weights.get(job.key) or self._weight(job)
        others = self._sum if job.key in self._ready else self._sum + weight
        return max(job.floor(now, self._estimates), others / weight / max(rate, 1e-3))

    def wake(self, now: float) -> None:
        """Make those ready whose wait is over at `now`."""
        while (due := self._waiting.first_due()) is not None and due <= now:
            key = self._waiting.pop()
            job = self._jobs[key]
            # What counts is the hazard around the time when its turn comes, which may be minutes away.
            job.hazard = 1.0 / job.remaining(now + self._wait / 2, self._estimates)
            weight = self._weight(job)
            self._weights[key] = weight
            self._sum += weight
            self._ready.put(key, job.v_looked + 1.0 / weight)
            self._oldest.put(key, job.since)

    def _weight(self, job: Tracked) -> float:
        weight = math.sqrt(job.hazard * (SHOWN_WEIGHT if job.shown else 1.0))
        mean = self._sum / len(self._ready) if len(self._ready) else 0.0
        return max(weight, LIGHTEST * mean)

    def _leave(self, key: JobKey) -> None:
        if key in self._ready:
            self._ready.drop(key)
            self._oldest.drop(key)
            self._sum -= self._weights.pop(key)
            if not len(self._ready):
                self._sum = 0.0
