"""What failures have in common: one fault in many jobs is one thing to look at, not many."""

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from jobdeck.domain.job import Job, JobKey
from jobdeck.domain.phase import Phase
from jobdeck.domain.text import one_line

_VARIES = re.compile(r"[0-9a-fA-F]{8}-[0-9a-fA-F-]{27}|\b[0-9a-fA-F]{16,}\b|\S*\d\S*|\"[^\"]*\"|'[^']*'")
LONGEST = 80


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """How jobs failed: `fault` is the error's code, else its message without what differs from job to job."""

    fault: str
    coded: bool
    stage: str | None
    kind: str

    def words(self, count: int) -> str:
        """Return in one line how many jobs failed alike."""
        place = f" in {one_line(self.stage, 40)}" if self.stage else ""
        return f"{count} {'job' if count == 1 else 'jobs'} failed with {one_line(self.fault, LONGEST)}{place}"


def fingerprint(job: Job) -> Fingerprint | None:
    """Return how a job failed; None for one that did not, or did not say why."""
    error = job.error
    if job.phase is not Phase.FAILED or error is None or not (error.code or error.message):
        return None
    current = job.current_stage
    stage = current.stage.name if current is not None and current.stage.phase is Phase.FAILED else None
    if error.code:
        return Fingerprint(error.code, True, stage, job.kind)
    return Fingerprint(_steady(error.message or ""), False, stage, job.kind)


def _steady(message: str) -> str:
    """Return the longest part of a message that has neither numbers nor names in it."""
    parts = [part.strip(" .,:;()") for part in _VARIES.split(message[:1_000])]
    return max(parts, key=len)[:LONGEST] or message[:LONGEST]


@dataclass(frozen=True, slots=True)
class Alike:
    """How many of the watched jobs failed with one fault, and when the first of them ended (microseconds)."""

    fault: Fingerprint
    count: int
    since_us: int


@dataclass(frozen=True, slots=True)
class ErrorGroup:
    """How many of the watched jobs failed with one error, of whatever kind they are and in whatever stage."""

    error: str
    coded: bool
    count: int


class Faults:
    """Counts fingerprints as jobs change."""

    def __init__(self) -> None:
        self._of: dict[JobKey, Fingerprint] = {}
        self._ends: dict[Fingerprint, dict[JobKey, int]] = {}
        self._since: dict[Fingerprint, int] = {}

    def take(self, jobs: Iterable[Job], removed: Iterable[JobKey]) -> None:
        """Take in changed jobs, and forget removed ones."""
        for key in removed:
            self._drop(key)
        for job in jobs:
            self._drop(job.key)
            fault = fingerprint(job)
            if fault is not None:
                self._put(job.key, fault, _end_us(job))

    def of(self, key: JobKey) -> Alike | None:
        """Return how a job failed, and how many failed alike, itself among them."""
        fault = self._of.get(key)
        return None if fault is None else Alike(fault, len(self._ends[fault]), self._since[fault])

    def groups(self) -> tuple[ErrorGroup, ...]:
        """Return the errors that jobs failed with, the most common first."""
        counts: Counter[tuple[str, bool]] = Counter()
        for fault, ends in self._ends.items():
            counts[fault.fault, fault.coded] += len(ends)
        found = (ErrorGroup(error, coded, count) for (error, coded), count in counts.items())
        return tuple(sorted(found, key=lambda group: (-group.count, group.error)))

    def _put(self, key: JobKey, fault: Fingerprint, end_us: int) -> None:
        self._of[key] = fault
        self._ends.setdefault(fault, {})[key] = end_us
        self._since[fault] = min(end_us, self._since.get(fault, end_us))

    def _drop(self, key: JobKey) -> None:
        fault = self._of.pop(key, None)
        if fault is None:
            return
        ends = self._ends[fault]
        end_us = ends.pop(key)
        if not ends:
            del self._ends[fault], self._since[fault]
        elif end_us == self._since[fault]:
            self._since[fault] = min(ends.values())


def _end_us(job: Job) -> int:
    if job.ended_us is not None:
        return job.ended_us
    return job.ended.us if job.ended is not None else job.added.us
