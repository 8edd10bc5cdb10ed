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


class Faults:
    """Counts fingerprints as jobs change."""

    def __init__(self) -> None:
        self._of: dict[JobKey, Fingerprint] = {}
        self._counts: Counter[Fingerprint] = Counter()

    def take(self, jobs: Iterable[Job], removed: Iterable[JobKey]) -> None:
        """Take in changed jobs, and forget removed ones."""
        for key in removed:
            self._put(key, None)
        for job in jobs:
            self._put(job.key, fingerprint(job))

    def of(self, key: JobKey) -> tuple[Fingerprint, int] | None:
        """Return how a job failed, and how many failed alike, itself among them."""
        found = self._of.get(key)
        return None if found is None else (found, self._counts[found])

    def _put(self, key: JobKey, new: Fingerprint | None) -> None:
        old = self._of.pop(key, None)
        if old is not None:
            self._counts[old] -= 1
            if not self._counts[old]:
                del self._counts[old]
        if new is not None:
            self._of[key] = new
            self._counts[new] += 1
