"""A job as saved, and how its moments are moved to the clocks of another run."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from jobdeck.domain.instant import Instant
from jobdeck.domain.job import Job, StageRecord
from jobdeck.domain.scope import Scope


@dataclass(frozen=True, slots=True)
class SavedJob:
    """The last known state of a job, and which client polls it now.

    Forecasts, the outage of the profile and the `version` of the job are not saved.
    """

    scope: Scope

    last: Job
    """The job, with moments that count both clocks from the epoch, since the monotonic clock of the run that saw it is
    gone: use `at` for a job to work with. It has a result only where results are kept."""

    fence: int
    lease_owner: str | None
    lease_until_us: int | None

    watched_us: int | None
    """Since when it is on the watch list; None when it is not."""

    result_bytes: int | None
    """The size of the last result, None without one."""

    def at(self, now: Instant) -> Job:
        """Return the job with its moments on the clocks of this run, which show `now`."""
        return _with_moments(self.last, lambda moment: now.later((moment.us - now.us) / 1e6))


def from_epoch(us: int) -> Instant:
    """Return the moment `us`, with both clocks counted from the epoch."""
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
