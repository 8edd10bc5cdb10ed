"""Jobs that end while somebody watches: which ones, and how that is told in one line."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from jobdeck.domain.events import Event, PhaseChanged
from jobdeck.domain.job import Job, JobKey
from jobdeck.domain.phase import Phase
from jobdeck.domain.text import one_line

_ORDER = (Phase.FAILED, Phase.PARTIAL, Phase.CANCELLED, Phase.SUCCEEDED)


def newly_ended(events: Iterable[Event], jobs: Mapping[JobKey, Job]) -> tuple[Job, ...]:
    """Return the jobs that the events show to have ended, each once, in their order.

    A job that had ended before anybody watched it is none of them: where the server gives no dates, one that had
    ended at the first look is taken for such, unless the answer that accepted it is known.
    """
    found: dict[JobKey, Job] = {}
    for event in events:
        if not isinstance(event, PhaseChanged) or not event.after.terminal or event.before is event.after:
            continue
        job = jobs.get(event.key)
        if job is not None and job.terminal and not (event.before is Phase.UNKNOWN and _ended_before(job)):
            found[job.key] = job
    return tuple(found.values())


def describe_ends(jobs: Sequence[Job]) -> str:
    """Return ends as one line: a job with its error, or how many there are of each sort."""
    if len(jobs) == 1:
        job = jobs[0]
        why = one_line(" ".join(job.reason), 120)
        return f"{one_line(job.key.id, 60)} {job.phase.value}" + (f": {why}" if why else "")
    counts = Counter(job.phase for job in jobs)
    sorts = ", ".join(f"{counts[phase]} {phase.value}" for phase in _ORDER if counts[phase])
    return f"{len(jobs)} jobs finished: {sorts}"


def _ended_before(job: Job) -> bool:
    """Whether a job that had ended at the first look had done so before it was watched."""
    end_us = job.ended_us or job.updated_us
    if end_us is None and job.run > 1:
        return False
    if end_us is None:
        return job.target.accepted_request_id is None and job.target.accepted_trace_id is None
    return end_us < job.added.us
