"""Parts of a job that its own answer has not: how they join it, and how it is said that they could not be fetched.

They never change what state a job is in.
"""

from dataclasses import replace

from jobdeck.domain.events import JobEvent
from jobdeck.domain.exchange import Exchange
from jobdeck.domain.instant import Instant
from jobdeck.domain.job import DROPPED_RESULT, EVICTED_RESULT, Job, MissingPart, Observation, Part
from jobdeck.domain.problem import Problem, ProblemKind
from jobdeck.domain.stages import stage_changes, update_records, with_anomaly

MOST_TRIES = 3

_SIZES = {DROPPED_RESULT, EVICTED_RESULT}

_PASSING = frozenset({ProblemKind.NETWORK, ProblemKind.TIMEOUT, ProblemKind.SERVER_ERROR})
"""Problems after which a part is asked for again."""


def with_known_parts(job: Job, observation: Observation) -> Observation:
    """Return an observation with the stages that are known, where its answer has none because they are elsewhere."""
    if observation.stages or all(one.part is not Part.STAGES for one in observation.elsewhere):
        return observation
    return replace(observation, stages=tuple(record.stage for record in job.stages))


def missing_parts(job: Job, observation: Observation, *, same_end: bool) -> tuple[MissingPart, ...]:
    """Return the parts that are to be fetched after an answer: of an end that was known, those that are missing yet."""
    if not same_end:
        return observation.elsewhere
    known = {Part.RESULT} if job.result is not None else set()
    if job.stages and all(record.stage.phase.terminal for record in job.stages):
        known.add(Part.STAGES)
    return tuple(one for one in observation.elsewhere if one.part not in known)


def apply_part(
    job: Job, part: Part, observation: Observation, exchange: Exchange, now: Instant
) -> tuple[Job, tuple[JobEvent, ...]]:
    """Return the job with a part that was fetched; the result of a job that goes on (again) is no news."""
    if job.observed is None or (part is Part.RESULT and not job.terminal):
        return job, ()
    told = {name for name, _ in observation.facts} | (_SIZES if part is Part.RESULT else set())
    taken = replace(
        job,
        missing=tuple(one for one in job.missing if one.part is not part),
        anomalies=tuple(one for one in job.anomalies if not one.startswith(_not_fetched(part))),
        facts=(*((name, value) for name, value in job.facts if name not in told), *observation.facts),
        sequence=exchange.sequence,
        version=job.version + 1,
    )
    if part is Part.RESULT:
        return replace(taken, result=observation.result), ()
    events = tuple(stage_changes(job, observation.stages, exchange, now))
    stages = update_records(job.stages, observation.stages, now, job.ended or now)
    return replace(taken, stages=stages, changed=now if events and not job.terminal else job.changed), events


def note_missing_part(
    job: Job, missing: MissingPart, problem: Problem, now: Instant
) -> tuple[Job, tuple[JobEvent, ...]]:
    """Return the job after a request for a part that failed: asked for again where that may help, else it is said."""
    others = tuple(one for one in job.missing if one.part is not missing.part)
    again = replace(missing, tries=missing.tries + 1)
    if problem.kind in _PASSING and again.tries < MOST_TRIES:
        return replace(job, missing=(*others, again), version=job.version + 1), ()
    events: list[JobEvent] = []
    message = f"{_not_fetched(missing.part)}{problem.kind.words}: {problem.message}"
    job = replace(job, missing=others, version=job.version + 1)
    return with_anomaly(job, message, now, events), tuple(events)


def _not_fetched(part: Part) -> str:
    return f"{part} not fetched: "
