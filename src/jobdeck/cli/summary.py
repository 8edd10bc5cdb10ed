"""The summary at the end of a wait: counts of outcomes, and jobs with problems."""

from collections.abc import Iterable, Iterator, Sequence

from jobdeck.cli.job_text import describe_anomaly, describe_id, describe_message, describe_reason, describe_unconfirmed
from jobdeck.cli.log import log
from jobdeck.domain import humanize
from jobdeck.domain.job import Job
from jobdeck.domain.phase import Phase

MOST = 5
"""Jobs with problems that are listed: as many as one reads at the end of a log. The lines before list all of them."""


def describe_summary(jobs: Sequence[Job], *, brief: bool) -> Iterator[str]:
    """Yield the lines: counts, then jobs with problems. With `brief`, nothing if all succeeded."""
    trouble = [job for job in jobs if _in_trouble(job)]
    if brief and not trouble:
        return
    known = [job for job in jobs if job.terminal and job.confirmed]
    ends = [(sum(job.phase is phase for job in known), phase.value) for phase in Phase if phase.terminal]
    unconfirmed = sum(job.terminal and not job.confirmed for job in jobs)
    counts = [*ends, (sum(not job.terminal for job in jobs), "unfinished"), (unconfirmed, "not confirmed")]
    described = ", ".join(f"{count} {word}" for count, word in counts if count)
    yield f"{len(jobs)} job{'' if len(jobs) == 1 else 's'}: {described}"
    yield from (f"  {job.key}  {_reason(job)}" for job in trouble[:MOST])
    if len(trouble) > MOST:
        yield f"  and {len(trouble) - MOST} more"


def log_anomalies(jobs: Iterable[Job]) -> None:
    """Log what the JSON keys of jobs do not contain: contradictions of their end, and dropped results."""
    for job in jobs:
        missing = humanize.describe_dropped_result(job.dropped_result) or humanize.describe_evicted_result(
            job.evicted_result
        )
        for text in (describe_anomaly(job), missing):
            if text:
                log(f"{job.key}  {text}")


def _in_trouble(job: Job) -> bool:
    """Whether a job did not plainly succeed, could not be polled to its end, or has a contradicted end."""
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
