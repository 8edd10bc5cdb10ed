"""The progress of all jobs together: finish rate, time left, failures over time. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from math import sqrt

from jobdeck.domain.attention import stalled, unreachable
from jobdeck.domain.instant import Instant
from jobdeck.domain.job import Job, JobKey
from jobdeck.domain.phase import Phase

RATE_SECONDS = 300.0
"""The rate is computed from jobs that finished within this time."""

LEAST_SECONDS = 60.0
"""No rate is shown before jobs have been watched for this long."""

LEAST_ENDS = 5
"""The time left is derived from the rate only if at least this many jobs finished: four may be chance."""

KEEP_SECONDS = 1.0
"""While no job finishes, the progress is recomputed at most this often."""

MANY = 1_000
"""From this many jobs on, it is recomputed at most once per second and thousand jobs, even if jobs finish: 12 ms for
10,000."""

BUCKETS = 8
SPANS = (600, 1_800, 3_600, 3 * 3_600, 6 * 3_600, 12 * 3_600, 24 * 3_600, 3 * 86_400, 7 * 86_400)
"""Time spans, in seconds, for the failures over time; the shortest that contains the oldest failure is drawn."""


@dataclass(frozen=True, slots=True)
class Progress:
    """The progress of all jobs at one time."""

    per_minute: float | None = None
    """Jobs that finish per minute; None if not known."""
    eta: tuple[float, float] | None = None
    """A likely range of seconds until the last has finished; None if not known."""
    failures: tuple[int, ...] = ()
    """The jobs that failed in equal parts of a span, newest last; empty if none did within the longest of `SPANS`."""


class OverallProgress:
    """Tracks when jobs finish. An end counts if the server dates it, or if the job was seen unfinished before.

    Ends before the watch began count towards the rate only while every one of them is dated: some would be too few.
    """

    def __init__(self) -> None:
        self._open: dict[JobKey, Job] = {}
        self._ends: dict[JobKey, int] = {}
        self._undated: set[JobKey] = set()
        self._failed: set[JobKey] = set()
        self._since: Instant | None = None
        self._progress = Progress()
        self._computed: tuple[Instant, int, int] | None = None

    def apply(self, jobs: Iterable[Job], removed: Iterable[JobKey], now: Instant) -> None:
        """Apply changed jobs, and drop removed ones."""
        if self._since is None:
            self._since = now
        for key in removed:
            self._drop(key)
        for job in jobs:
            before = self._open.get(job.key)
            known_end = self._ends.get(job.key)
            self._drop(job.key)
            if not job.terminal:
                self._open[job.key] = job
                continue
            end_us = job.ended_us
            if end_us is None and job.ended is not None and before is not None and before.observed is not None:
                end_us = job.ended.us
            end_us = known_end if end_us is None else end_us
            if end_us is None:
                self._undated.add(job.key)
            else:
                self._ends[job.key] = end_us
                if job.phase is Phase.FAILED:
                    self._failed.add(job.key)

    def at(self, now: Instant) -> Progress:
        """Return the progress at a given time."""
        of = len(self._open), len(self._ends)
        last = self._computed
        changed = last is not None and last[1:] != of and sum(of) < MANY
        if last is None or changed or abs(now.since(last[0])) >= max(KEEP_SECONDS, sum(of) / MANY):
            self._computed = now, *of
            self._progress = self._compute(now)
        return self._progress

    def _compute(self, now: Instant) -> Progress:
        failures = self._failures(now)
        if not self._open:
            return Progress(failures=failures)
        ends, seconds = self._recent_ends(now)
        rate = ends / seconds if seconds >= LEAST_SECONDS else None
        return Progress(None if rate is None else rate * 60, self._time_left(now, ends, rate), failures)

    def _recent_ends(self, now: Instant) -> tuple[int, float]:
        """Return how many jobs finished within the window, and its length in seconds."""
        since = self._since or now
        watched = now.since(since)
        ends = [end for end in self._ends.values() if 0 <= now.us - end <= RATE_SECONDS * 1e6]
        if not self._undated and len(ends) >= LEAST_ENDS:
            return len(ends), min(RATE_SECONDS, max(watched, (now.us - min(ends)) / 1e6))
        return sum(end >= since.us for end in ends), min(RATE_SECONDS, watched)

    def _time_left(self, now: Instant, ends: int, rate: float | None) -> tuple[float, float] | None:
        """Return the range in which the last of the active jobs is likely to finish, or None.

        It is the latest of the jobs' own ranges, if each has one, but no earlier than the rate allows. The rate is that
        of a Poisson process: a count of n has a standard deviation of √n.
        """
        moving = [job for job in self._open.values() if not (job.not_found or unreachable(job) or stalled(job))]
        if not moving:
            return None
        low = high = -1.0
        if rate is not None and ends >= LEAST_ENDS:
            spread = 1 / sqrt(ends)
            low, high = len(moving) / (rate * (1 + spread)), len(moving) / (rate * (1 - spread))
        own = [_own_range(job, now) for job in moving]
        known = [one for one in own if one is not None]
        if len(known) < len(own):
            return (low, high) if high > 0 else None
        low, high = max(low, *(one[0] for one in known)), max(high, *(one[1] for one in known))
        return (max(0.0, low), high) if high > 0 else None

    def _failures(self, now: Instant) -> tuple[int, ...]:
        ages = [max(0.0, (now.us - self._ends[key]) / 1e6) for key in self._failed]
        if not ages:
            return ()
        span = next((one for one in SPANS if max(ages) < one), SPANS[-1])
        counts = [0] * BUCKETS
        for age in ages:
            if age < span:
                counts[BUCKETS - 1 - int(age * BUCKETS / span)] += 1
        return tuple(counts) if any(counts) else ()

    def _drop(self, key: JobKey) -> None:
        self._open.pop(key, None)
        self._ends.pop(key, None)
        self._undated.discard(key)
        self._failed.discard(key)


def _own_range(job: Job, now: Instant) -> tuple[float, float] | None:
    if job.eta is None or job.observed is None:
        return None
    age = now.since(job.observed)
    return job.eta[0] - age, job.eta[1] - age
