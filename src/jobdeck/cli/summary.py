"""What a wait says when it is over: how many ended how, and which are in trouble, with their reasons."""

from collections.abc import Iterable, Iterator, Sequence

from jobdeck.cli.job_text import describe_anomaly, describe_id, describe_message, describe_reason, describe_unconfirmed
from jobdeck.cli.log import log
from jobdeck.domain import humanize
from jobdeck.domain.job import Job
from jobdeck.domain.phase import Phase

MOST = 5
"""Jobs in trouble that are named: what a person reads at the end of a log. All of them are in the lines before it."""


def describe_summary(jobs: Sequence[Job], *, brief: bool) -> Iterator[str]:
    """Yield the lines: counts, then the jobs in trouble. Nothing for jobs that all succeeded when `brief`."""
    trouble = [job for job in jobs if _in_trouble(job)]
    if brief and not trouble:
        return
    known = [job for job in jobs if job.terminal and job.confirmed]
    ends = [(sum(job.phase is phase for job in known), phase.value) for phase in Phase if phase.terminal]
    unconfirmed = sum(job.terminal and not job.confirmed for job in jobs)
    counts = [*ends, (sum(not job.terminal for job in jobs), "unfinished"), (unconfirmed, "not confirmed")]
    told = ", ".join(f"{count} {word}" for count, word in counts if count)
    yield f"{len(jobs)} job{'' if len(jobs) == 1 else 's'}: {told}"
    yield from (f"  {job.key}  {_reason(job)}" for job in trouble[:MOST])
    if len(trouble) > MOST:
        yield f"  and {len(trouble) - MOST} more"


def log_anomalies(jobs: Iterable[Job]) -> None:
    """Say of jobs printed as JSON what its keys do not: what contradicts their end, and a result that was not kept."""
    for job in jobs:
        missing = humanize.describe_dropped_result(job.dropped_result) or humanize.describe_evicted_result(
            job.evicted_result
        )
        for text in (describe_anomaly(job), missing):
            if text:
                log(f"{job.key}  {text}")


def _in_trouble(job: Job) -> bool:
    """Whether a job ended otherwise than hoped for, cannot be seen to end, or has an end that is contradicted."""
    if job.terminal and job.confirmed:
        return job.phase is not Phase.SUCCEEDED or bool(job.anomalies)
    return job.terminal or job.trouble is not None


def _reason(job: Job) -> str:
    what = describe_message(job)
    if job.terminal and not job.confirmed:
        what = f"{describe_unconfirmed(job)}: {what}" if what else describe_unconfirmed(job)
    elif job.terminal:
        reason = "; ".join(part for part in (describe_reason(job), describe_anomaly(job)) if part)
        what = f"{job.phase.value}: {reason}" if reason else job.phase.value
    trail = describe_id(*job.support_ids)
    return f"{what}  {trail}" if trail else what
