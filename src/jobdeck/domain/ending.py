"""Jobs that ended while they were watched, and a line that describes them."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from jobdeck.domain.events import Event, PhaseChanged
from jobdeck.domain.job import Job, JobKey
from jobdeck.domain.phase import Phase
from jobdeck.domain.text import one_line

_ORDER = (Phase.FAILED, Phase.PARTIAL, Phase.CANCELLED, Phase.SUCCEEDED)


def newly_ended(events: Iterable[Event], jobs: Mapping[JobKey, Job]) -> tuple[Job, ...]:
    """Return the jobs that ended by these events, each once, in the order of the events.

    A job that ended before it was watched is left out. Without dates from the server, a job that had ended at its
    first observation counts as such, unless the answer that accepted it is known.
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
    """Return one line: a single job with its error, or the number of jobs in each phase."""
    if len(jobs) == 1:
        job = jobs[0]
        why = one_line(" ".join(job.reason), 120)
        return f"{one_line(job.key.id, 60)} {job.phase.value}" + (f": {why}" if why else "")
    counts = Counter(job.phase for job in jobs)
    sorts = ", ".join(f"{counts[phase]} {phase.value}" for phase in _ORDER if counts[phase])
    return f"{len(jobs)} jobs finished: {sorts}"


def _ended_before(job: Job) -> bool:
    """Whether a job that had ended at its first observation ended before it was watched."""
    end_us = job.ended_us or job.updated_us
    if end_us is None and job.run > 1:
        return False
    if end_us is None:
        return job.target.accepted_request_id is None and job.target.accepted_trace_id is None
    return end_us < job.added.us
