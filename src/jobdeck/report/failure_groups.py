"""Groups of failures: one error in many jobs is one thing to look at, not many."""

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from jobdeck.domain.job import Job, JobKey
from jobdeck.domain.phase import Phase
from jobdeck.domain.text import one_line

_VARIABLE_PARTS = re.compile(r"[0-9a-fA-F]{8}-[0-9a-fA-F-]{27}|\b[0-9a-fA-F]{16,}\b|\S*\d\S*|\"[^\"]*\"|'[^']*'")
MAX_MESSAGE = 80


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """How jobs failed: `error` is the error's code, else its message without what differs from job to job."""

    error: str
    coded: bool
    stage: str | None
    kind: str

    @property
    def place(self) -> str:
        """The stage in which they failed, else the kind of the jobs."""
        return self.stage or self.kind

    def describe(self, count: int) -> str:
        """Return in one line how many jobs failed in this way."""
        place = f" in {one_line(self.place, 40)}" if self.place else ""
        return f"{count} {'job' if count == 1 else 'jobs'} failed with {one_line(self.error, MAX_MESSAGE)}{place}"


def fingerprint_of(job: Job) -> Fingerprint | None:
    """Return how a job failed; None for one that did not, or did not say why."""
    error = job.error
    if job.phase is not Phase.FAILED or error is None or not (error.code or error.message):
        return None
    current = job.current_stage
    stage = current.stage.name if current is not None and current.stage.phase is Phase.FAILED else None
    if error.code:
        return Fingerprint(error.code, True, stage, job.kind)
    return Fingerprint(_normalize(error.message or ""), False, stage, job.kind)


def _normalize(message: str) -> str:
    """Return the longest part of a message that has neither numbers nor names in it."""
    parts = [part.strip(" .,:;()") for part in _VARIABLE_PARTS.split(message[:1_000])]
    return max(parts, key=len)[:MAX_MESSAGE] or message[:MAX_MESSAGE]


@dataclass(frozen=True, slots=True)
class FailureGroup:
    """How many of the watched jobs failed in the same way, and when the first of them ended (microseconds)."""

    fingerprint: Fingerprint
    count: int
    since_us: int


@dataclass(frozen=True, slots=True)
class ErrorGroup:
    """How many of the watched jobs failed with one error, of whatever kind they are and in whatever stage."""

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
        """Count changed jobs anew, and forget removed ones."""
        for key in removed:
            self._remove(key)
        for job in jobs:
            self._remove(job.key)
            fingerprint = fingerprint_of(job)
            if fingerprint is not None:
                self._add(job.key, fingerprint, _end_us(job))

    def group_of(self, key: JobKey) -> FailureGroup | None:
        """Return how a job failed, and how many failed in the same way, itself among them."""
        fingerprint = self._fingerprints.get(key)
        return (
            None
            if fingerprint is None
            else FailureGroup(fingerprint, len(self._ends[fingerprint]), self._since[fingerprint])
        )

    def by_error(self) -> tuple[ErrorGroup, ...]:
        """Return the errors that jobs failed with, the most common first."""
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
