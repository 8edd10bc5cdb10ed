"""Jobs that failed while watched: those not yet on the screen, and the order of failing."""

from collections.abc import Iterable

from jobdeck.domain.job import Job, JobKey
from jobdeck.domain.phase import Phase


class NewFailures:
    """Counts the jobs that failed out of view, except those that had failed when they were first seen."""

    def __init__(self) -> None:
        self._unfinished: set[JobKey] = set()
        self._unseen: dict[JobKey, None] = {}

    def __len__(self) -> int:
        """Return the number of failures that were not on the screen yet."""
        return len(self._unseen)

    def apply(self, jobs: Iterable[Job], removed: Iterable[JobKey]) -> None:
        """Apply changed jobs, and drop removed ones."""
        for key in removed:
            self._unfinished.discard(key)
            self._unseen.pop(key, None)
        for job in jobs:
            if not job.terminal:
                if job.observed is not None:
                    self._unfinished.add(job.key)
                self._unseen.pop(job.key, None)
            elif job.key in self._unfinished:
                self._unfinished.discard(job.key)
                if job.phase is Phase.FAILED:
                    self._unseen[job.key] = None

    def mark_seen(self, keys: Iterable[JobKey]) -> None:
        """Mark the failures on the screen as seen."""
        if self._unseen:
            for key in keys:
                self._unseen.pop(key, None)


def next_failure(jobs: Iterable[Job], after: JobKey | None) -> JobKey | None:
    """Return the job that failed last, or the one that failed before `after`."""
    failed = sorted((job for job in jobs if job.phase is Phase.FAILED and not job.acknowledged), key=_newest_first)
    keys = [job.key for job in failed]
    if after in keys:
        return keys[(keys.index(after) + 1) % len(keys)]
    return keys[0] if keys else None


def _newest_first(job: Job) -> tuple[int, JobKey]:
    end_us = job.ended_us if job.ended_us is not None else job.ended.us if job.ended is not None else job.added.us
    return -end_us, job.key
