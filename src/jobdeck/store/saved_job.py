"""A job as it is saved, and how its moments come onto the clocks of another run."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from jobdeck.domain.instant import Instant
from jobdeck.domain.job import Job, StageRecord
from jobdeck.domain.scope import Scope


@dataclass(frozen=True, slots=True)
class SavedJob:
    """The last known state of a job, and who polls it now.

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
    watched_us: int | None
    result_bytes: int | None

    def at(self, now: Instant) -> Job:
        """Return the job with its moments on the clocks of this run, of which `now` is the present."""
        return _with_moments(self.last, lambda moment: now.later((moment.us - now.us) / 1e6))


def from_epoch(us: int) -> Instant:
    """Return the moment `us` with both clocks counted from the epoch."""
    return Instant(us, us / 1e6)


def _with_moments(job: Job, shift: Callable[[Instant], Instant]) -> Job:
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
