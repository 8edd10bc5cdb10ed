"""The order of need: which job a person should look at first, and whether its state is stale or unreachable."""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING, TypeAlias

from jobdeck.domain.phase import Phase
from jobdeck.domain.problem import ProblemKind

if TYPE_CHECKING:
    from jobdeck.domain.instant import Instant
    from jobdeck.domain.job import Job

Rank: TypeAlias = tuple[int, int, int]
"""Class of need, time of entering it (newest first), order of arrival. No two rows of a list have the same rank."""

ACKNOWLEDGED_RANK = 7
"""The class of need of an acknowledged job: below all others."""

STALE_FACTOR = 3.0
"""A job is stale when its age is past this many times its expected interval."""

UNREACHABLE_FAILURES = 2
"""A job is unreachable when its newest exchanges, at least this many, failed: a single failure may be a hiccup."""


class Attention(IntEnum):
    """Classes of need, the most urgent first."""

    FAILED = 0
    STALLED = 1
    UNREACHABLE = 2
    PARTIAL = 3
    RUNNING = 4
    QUEUED = 5
    DONE = 6


def stale(job: Job, now: Instant) -> bool:
    """Whether the last good answer is older than the job's polling interval explains; False for an ended job."""
    age = job.age(now)
    return not job.terminal and age is not None and age > STALE_FACTOR * job.interval


def unreachable(job: Job) -> bool:
    """Whether the newest exchanges about an unfinished job, or all of its profile, failed: its row may be outdated."""
    if job.terminal:
        return False
    return job.failures >= UNREACHABLE_FAILURES or job.outage is not None or (job.failures > 0 and job.observed is None)


def fails_alone(job: Job) -> bool:
    """Whether the newest exchange failed because of this job alone ("not found", …); its profile may be fine."""
    problem = job.problem
    if problem is None or job.outage is not None:
        return False
    return not (problem.kind.affects_profile or problem.kind is ProblemKind.RATE_LIMIT)


def stalled(job: Job) -> bool:
    """Whether a running job has not changed for much longer than jobs of its kind usually take, where that is known.

    Only a full answer counts, since a list row has no stages.
    """
    if job.phase is not Phase.RUNNING or job.changed is None or job.whole is None or job.stall_after is None:
        return False
    return job.whole.since(job.changed) > job.stall_after


def attention(job: Job) -> Attention:
    """Return the job's class of need."""
    match job.phase:
        case Phase.FAILED:
            return Attention.FAILED
        case Phase.PARTIAL:
            return Attention.PARTIAL
        case Phase.SUCCEEDED | Phase.CANCELLED:
            return Attention.DONE
        case Phase.QUEUED | Phase.RUNNING | Phase.UNKNOWN:
            if stalled(job):
                return Attention.STALLED
            if unreachable(job):
                return Attention.UNREACHABLE
            return Attention.QUEUED if job.phase is Phase.QUEUED or job.observed is None else Attention.RUNNING


def rank(job: Job, before: Rank | None, arrival: int) -> Rank:
    """Return a job's rank; it stays `before` as long as its class of need stays the same.

    So a row does not move under the reader's eye while many jobs make progress at once.
    """
    need = ACKNOWLEDGED_RANK if job.acknowledged else int(attention(job))
    if before is not None and before[0] == need:
        return before
    return need, _newest_change_first(job), arrival if before is None else before[2]


def _newest_change_first(job: Job) -> int:
    """Return a sort key by which the newest change comes first."""
    return -(job.ended or job.changed or job.added).us
