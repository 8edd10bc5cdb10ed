"""Groups of failures: an error that many jobs have in common is one problem, not many."""

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from jobdeck.domain import humanize
from jobdeck.domain.job import Job, JobKey
from jobdeck.domain.phase import Phase
from jobdeck.domain.text import one_line

_VARIABLE_PARTS = re.compile(r"[0-9a-fA-F]{8}-[0-9a-fA-F-]{27}|\b[0-9a-fA-F]{16,}\b|\S*\d\S*|\"[^\"]*\"|'[^']*'")
MAX_MESSAGE = 80


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """The common features of jobs that failed in the same way."""

    # The error's code (`coded`), else its message without the parts that vary between jobs.
    error: str
    coded: bool
    # The stage in which they failed.
    stage: str | None
    kind: str

    @property
    def place(self) -> str:
        """The stage in which the jobs failed, else their kind."""
        return self.stage or self.kind

    def describe(self, count: int) -> str:
        """Return in one line that `count` jobs failed in this way."""
        place = f" in {one_line(self.place, 40)}" if self.place else ""
        return f"{humanize.pluralize(count, 'job')} failed with {one_line(self.error, MAX_MESSAGE)}{place}"


def fingerprint_of(job: Job) -> Fingerprint | None:
    """Return the fingerprint of a failed job; None if it did not fail, or gave no reason."""
    error = job.error
    if job.phase is not Phase.FAILED or error is None or not (error.code or error.message):
        return None
    current = job.current_stage
    stage = current.stage.name if current is not None and current.stage.phase is Phase.FAILED else None
    if error.code:
        return Fingerprint(error.code, True, stage, job.kind)
    return Fingerprint(_normalize(error.message or ""), False, stage, job.kind)


def _normalize(message: str) -> str:
    """Return the longest part of a message without numbers and quoted names."""
    parts = [part.strip(" .,:;()") for part in _VARIABLE_PARTS.split(message[:1_000])]
    return max(parts, key=len)[:MAX_MESSAGE] or message[:MAX_MESSAGE]


@dataclass(frozen=True, slots=True)
class FailureGroup:
    """The number of watched jobs that failed in the same way, and when the first of them ended (microseconds)."""

    fingerprint: Fingerprint
    count: int
    since_us: int


@dataclass(frozen=True, slots=True)
class ErrorGroup:
    """The number of watched jobs that failed with the same error, in any stage and of any kind."""

    error: str
    coded: bool
    count: int


class FailureGroups:
    """Counts fingerprints as jobs change."""

    def __init__(self) -> None:
        self._fingerprints: dict[JobKey, Fingerprint] = {}
        self._ends: dict[Fingerprint, dict[JobKey, int]] = {}
        self._since: dict[Fingerprint, int] = {}

    def apply(self, jobs: Iterable[Job], removed: Iterable[JobKey]) -> None:
        """Update the counts after changes of jobs and removals."""
        for key in removed:
            self._remove(key)
        for job in jobs:
            self._remove(job.key)
            fingerprint = fingerprint_of(job)
            if fingerprint is not None:
                self._add(job.key, fingerprint, _end_us(job))

    def group_of(self, key: JobKey) -> FailureGroup | None:
        """Return the group of a failed job, which includes the job itself; None if the job is in no group."""
        fingerprint = self._fingerprints.get(key)
        return (
            None
            if fingerprint is None
            else FailureGroup(fingerprint, len(self._ends[fingerprint]), self._since[fingerprint])
        )

    def by_error(self) -> tuple[ErrorGroup, ...]:
        """Return the errors of failed jobs, the most common first."""
        counts: Counter[tuple[str, bool]] = Counter()
        for fingerprint, ends in self._ends.items():
            counts[fingerprint.error, fingerprint.coded] += len(ends)
        found = (ErrorGroup(error, coded, count) for (error, coded), count in counts.items())
        return tuple(sorted(found, key=lambda group: (-group.count, group.error)))

    def _add(self, key: JobKey, fingerprint: Fingerprint, end_us: int) -> None:
        self._fingerprints[key] = fingerprint
        self._ends.setdefault(fingerprint, {})[key] = end_us
        self._since[fingerprint] = min(end_us, self._since.get(fingerprint, end_us))

    def _remove(self, key: JobKey) -> None:
        fingerprint = self._fingerprints.pop(key, None)
        if fingerprint is None:
            return
        ends = self._ends[fingerprint]
        end_us = ends.pop(key)
        if not ends:
            del self._ends[fingerprint], self._since[fingerprint]
        elif end_us == self._since[fingerprint]:
            self._since[fingerprint] = min(ends.values())


def _end_us(job: Job) -> int:
    if job.ended_us is not None:
        return job.ended_us
    return job.ended.us if job.ended is not None else job.added.us
