"""A job as it is remembered, and how it comes back to life on another run's clocks."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from jobdeck.domain.instant import Instant
from jobdeck.domain.job import Job, StageRecord
from jobdeck.domain.scope import Scope


@dataclass(frozen=True, slots=True)
class StoredJob:
    """The last known state of a job, and how its polling stands.

    The monotonic clock of the run that saw it is gone, so the moments in `last` count both clocks from the epoch:
    use `at` for a job to work with. `result_bytes` is the size of its last result, None without one; the result
    itself is in `last.result` only when results are kept. What is expected of a job, the outage of its profile and its
    `version` are not remembered.
    """

    scope: Scope
    last: Job
    fence: int
    lease_owner: str | None
    lease_until_us: int | None
    next_poll_us: int | None
    watched_us: int | None
    result_bytes: int | None

    def at(self, now: Instant) -> Job:
        """Return the job with its moments on the clocks of this run, of which `now` is the present."""
        return _mapped(self.last, lambda moment: now.later((moment.us - now.us) / 1e6))


def wall(us: int) -> Instant:
    """Return the moment `us` with both clocks counted from the epoch."""
    return Instant(us, us / 1e6)


def on_wall(job: Job) -> Job:
    """Return the job with moments of any run counted from the epoch: what `StoredJob.last` holds."""
    return _mapped(job, lambda moment: wall(moment.us))


def _mapped(job: Job, shift: Callable[[Instant], Instant]) -> Job:
    def moved(moment: Instant | None) -> Instant | None:
        return None if moment is None else shift(moment)

    stages = tuple(
        StageRecord(record.stage, moved(record.started), moved(record.changed), moved(record.ended))
        for record in job.stages
    )
    return replace(
        job,
        added=shift(job.added),
        stages=stages,
        observed=moved(job.observed),
        whole=moved(job.whole),
        asked=moved(job.asked),
        changed=moved(job.changed),
        ended=moved(job.ended),
        begun=moved(job.begun),
        missing_since=moved(job.missing_since),
    )
