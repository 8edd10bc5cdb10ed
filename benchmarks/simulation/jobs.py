"""The simulated jobs: arrivals, durations and reported progress."""

import random
from dataclasses import dataclass, replace

MEDIANS = {"enrichment": 20.0, "search": 60.0, "operation": 180.0, "prospecting": 600.0}
SHARES = {"enrichment": 0.4, "search": 0.3, "operation": 0.2, "prospecting": 0.1}
SPREAD = 0.5
"""Sigma of the lognormal durations: the slowest 5 % take at least 2.3 times the median."""

TRACKED = {"enrichment": 0.5, "search": 0.0, "operation": 0.8, "prospecting": 1.0}
"""The fraction of jobs of a kind whose server reports progress."""

ARRIVALS = 600.0
BURSTS = 8


@dataclass(frozen=True, slots=True)
class SimJob:
    """One remote job."""

    number: int
    kind: str
    created: float
    started: float
    ended: float
    curve: float | None
    """The exponent of its progress over time (1 is linear); None if it reports none."""

    def status(self, now: float) -> str:
        """Return the server's status at `now`."""
        if now >= self.ended:
            return "done"
        return "running" if now >= self.started else "queued"

    def progress(self, now: float) -> float | None:
        """Return the fraction reported by the server at `now`, or None."""
        if self.curve is None or now < self.started:
            return None
        share = min(1.0, (now - self.started) / (self.ended - self.started))
        return round(float(share**self.curve), 2)


SUBMITTING = 0.01
"""Seconds between the submissions of two jobs of a batch."""


def make_jobs(count: int, rng: random.Random, *, arrivals: float | None = None, batch: bool = False) -> list[SimJob]:
    """Return jobs in order of creation, in bursts over `arrivals` seconds.

    With `batch` all are created at once and wait in the server's queue, so that only their starts come in bursts.
    """
    arrivals = ARRIVALS if arrivals is None else arrivals
    starts = sorted(rng.uniform(0.0, arrivals) for _ in range(BURSTS))
    created = sorted(rng.choice(starts) + rng.expovariate(1 / 5.0) for _ in range(count))
    jobs = [_make_job(number, at, rng) for number, at in enumerate(created)]
    return [replace(job, created=SUBMITTING * job.number) for job in jobs] if batch else jobs


def _make_job(number: int, created: float, rng: random.Random) -> SimJob:
    kind = rng.choices(list(SHARES), list(SHARES.values()))[0]
    started = created + rng.expovariate(1 / 2.0)
    ended = started + rng.lognormvariate(0.0, SPREAD) * MEDIANS[kind]
    curve = rng.lognormvariate(0.0, 0.3) if rng.random() < TRACKED[kind] else None
    return SimJob(number, kind, created, started, ended, curve)
