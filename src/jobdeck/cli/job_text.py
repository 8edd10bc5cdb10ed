"""Jobs as plain text."""

from collections.abc import Iterable, Iterator, Sequence

from jobdeck.cli.log import log
from jobdeck.domain import glyphs, humanize
from jobdeck.domain.attention import stale, unreachable
from jobdeck.domain.instant import Instant
from jobdeck.domain.job import Job, Source
from jobdeck.domain.phase import Phase

STATUS_HEADER = ("STATE", "JOB", "KIND", "STAGE", "PROGRESS", "UPDATED", "REQUEST ID", "MESSAGE")


def describe_row(job: Job, now: Instant, since: Instant) -> tuple[str, ...]:
    """Return the cells of a job: state, target, kind, stage, progress, age, support ID, message.

    Data observed after `since`, the start of this check, is not stale: no second poll was promised.
    """
    seen = job.observed
    return (
        describe_state(job, seen if seen is not None and seen.us >= since.us else now),
        str(job.key),
        job.kind,
        job.current_stage.stage.name if job.current_stage is not None else "–",
        describe_progress(job),
        describe_age(job, now),
        job.support_id or "–",
        describe_message(job),
    )


def describe_state(job: Job, now: Instant) -> str:
    """Return glyph and word: the server's own word if its meaning is unknown."""
    if job.not_found and not job.terminal:
        return f"{glyphs.UNREACHABLE} not found"
    if job.status is None:
        return f"{glyphs.UNREACHABLE} no data" if job.trouble is not None else f"{glyphs.NEW} new"
    word = job.status if job.phase is Phase.UNKNOWN else job.phase.value
    doubt = " (unreachable)" if unreachable(job) else " (stale)" if stale(job, now) else ""
    return f"{glyphs.BY_PHASE[job.phase]} {word}{doubt}"


def describe_progress(job: Job) -> str:
    """Return the percentage of the job, or else of its current stage, or else a dash."""
    progress = job.displayed_progress
    return "–" if progress is None else humanize.format_percent(progress)


def describe_age(job: Job, now: Instant) -> str:
    """Return the age of the data; ``final`` for a finished job, ``never`` if it was never polled successfully."""
    age = job.age(now)
    if age is None:
        return "never"
    return "final" if job.terminal and job.confirmed else humanize.format_duration(age)


def describe_message(job: Job) -> str:
    """Return the problem, or else the reason for the outcome and what contradicts it, in one line."""
    if job.trouble is not None:
        return f"{job.trouble.kind.label}: {job.trouble.message}"
    doubt = f"the list says {job.doubt}" if job.doubt is not None else ""
    parts = (describe_reason(job), describe_anomaly(job), doubt, humanize.describe_dropped_result(job.dropped_result))
    return "; ".join(part for part in parts if part)


def describe_unconfirmed(job: Job) -> str:
    """Return where an unconfirmed outcome comes from: a list, another jobdeck or saved data."""
    match job.source:
        case Source.LIST:
            return f"{job.phase.value} according to a list, not confirmed by the job itself"
        case Source.PEER:
            return f"{job.phase.value} according to another jobdeck, not confirmed"
        case _:
            return f"{job.phase.value} according to saved data, not confirmed"


def describe_anomaly(job: Job) -> str:
    """Return the server's latest statement that contradicts the job's end, or nothing."""
    return f"anomaly: {job.anomalies[-1]}" if job.anomalies else ""


def describe_reason(job: Job) -> str:
    """Return why the job did not plainly succeed, in one line; empty if it did, or if only its end is known."""
    return " ".join(" ".join(job.reason).split())


def describe_id(request_id: str | None, trace_id: str | None) -> str:
    """Return the ID for support with its name, or nothing."""
    if request_id:
        return f"request {request_id}"
    return f"trace {trace_id}" if trace_id else ""


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
        missing = humanize.describe_missing_result(job.dropped_result, job.evicted_result)
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
