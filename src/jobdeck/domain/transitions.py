"""How a job changes: the pure rules that keep a problem from becoming an outcome, and an outcome from changing."""

from dataclasses import replace

from jobdeck.domain.events import (
    AnomalyMet,
    JobEvent,
    PhaseChanged,
    ProblemMet,
    ProgressChanged,
    Recovered,
    StageChanged,
)
from jobdeck.domain.exchange import Exchange
from jobdeck.domain.instant import Instant
from jobdeck.domain.job import Job, Observation, Stage, StageRecord
from jobdeck.domain.phase import Phase
from jobdeck.domain.problem import Problem, ProblemKind

MAX_ANOMALIES = 20
_DAY = 86_400.0


def observe(job: Job, observation: Observation, exchange: Exchange, now: Instant) -> tuple[Job, tuple[JobEvent, ...]]:
    """Return the job after a good answer, and what changed.

    An answer to a request sent before the one that gave the present state is old news and changes nothing.
    Terminal is final: a later contradiction leaves status, progress, stages, error and result as they are and is
    recorded as an anomaly; what a later answer leaves out, such as a result that has expired, stays.
    """
    if job.asked is not None and exchange.started.mono < job.asked.mono:
        return job, ()
    events: list[JobEvent] = []
    if job.failures:
        events.append(Recovered(now, job.key, job.failures))
    seen = replace(
        job,
        observed=now,
        asked=exchange.started,
        problem=None,
        outage=None,
        failures=0,
        misses=0,
        http_status=exchange.http_status,
        request_id=exchange.request_id,
        trace_id=exchange.trace_id,
        version=job.version + 1,
    )
    seen = _with_anomaly(seen, observation.note, now, events)
    if job.terminal and observation.phase is not job.phase:
        message = f"ended as {job.status}, but the server now says {observation.status}"
        seen = _with_anomaly(seen, message, now, events)
        # No look will tell more of an end that the server takes back.
        return replace(seen, outlined=job.outlined and not observation.whole), tuple(events)
    if job.terminal and observation.whole:
        observation = _with_what_is_known(job, observation)
    changes = _changes(job, observation, exchange, now)
    changed = now if changes else job.changed
    if job.changed is None:
        changed = _last_change(observation, exchange, now)
    return _take_over(seen, observation, now, changed), (*events, *changes)


def _with_anomaly(job: Job, message: str | None, now: Instant, events: list[JobEvent]) -> Job:
    """Return the job with an anomaly added, once, and its event."""
    if message is None or message in job.anomalies:
        return job
    events.append(AnomalyMet(now, job.key, message))
    return replace(job, anomalies=(*job.anomalies, message)[-MAX_ANOMALIES:])


def miss(job: Job, exchange: Exchange, problem: Problem, now: Instant) -> tuple[Job, tuple[JobEvent, ...]]:
    """Return the job after an exchange that told nothing about it: its last good state stays, with its age.

    One that was sent before the request that gave this state is old news and changes nothing.
    """
    if job.asked is not None and exchange.started.mono < job.asked.mono:
        return job, ()
    misses = job.misses + 1 if problem.kind is ProblemKind.NOT_FOUND else 0
    seen = replace(
        job,
        problem=problem,
        failures=job.failures + 1,
        misses=misses,
        http_status=exchange.http_status,
        request_id=exchange.request_id,
        trace_id=exchange.trace_id,
        version=job.version + 1,
    )
    return seen, (ProblemMet(now, job.key, problem, seen.failures),)


def _with_what_is_known(job: Job, observation: Observation) -> Observation:
    return replace(
        observation,
        progress=job.progress if observation.progress is None else observation.progress,
        stages=observation.stages or tuple(record.stage for record in job.stages),
        error=observation.error or job.error,
        result=job.result if observation.result is None else observation.result,
    )


def _last_change(observation: Observation, exchange: Exchange, now: Instant) -> Instant:
    """Return when a job that is seen for the first time changed last: when its server says so, else now.

    The server's clock counts where the answer tells it, and is not off by more than a day. Only an update after the
    creation tells that this date is kept up.
    """
    created_us, updated_us = observation.created_us, observation.updated_us
    if created_us is None or updated_us is None or updated_us <= created_us or observation.phase.terminal:
        return now
    offset = exchange.clock_offset or 0.0
    return now.later(min(0.0, (updated_us - now.us) / 1e6 - (offset if abs(offset) < _DAY else 0.0)))


def _take_over(job: Job, observation: Observation, now: Instant, changed: Instant | None) -> Job:
    whole = observation.whole
    return replace(
        job,
        status=observation.status,
        phase=observation.phase,
        kind=observation.kind or job.kind,
        progress=observation.progress if whole else job.progress,
        stages=_records(job.stages, observation.stages, now, job.ended or now) if whole else job.stages,
        error=observation.error if whole else job.error,
        result=observation.result if whole else job.result,
        facts=observation.facts or job.facts,
        created_us=observation.created_us if observation.created_us is not None else job.created_us,
        updated_us=observation.updated_us if observation.updated_us is not None else job.updated_us,
        ended_us=observation.ended_us if observation.ended_us is not None else job.ended_us,
        changed=changed,
        ended=job.ended or (now if observation.phase.terminal else None),
        whole=now if whole else job.whole,
        outlined=not whole and (job.outlined or observation.status != job.status),
        # What a person knew of was the trouble of then.
        acknowledged=job.acknowledged and observation.phase is job.phase,
        seen_queued=job.seen_queued or observation.phase is Phase.QUEUED,
    )


def _changes(job: Job, observation: Observation, exchange: Exchange, now: Instant) -> tuple[JobEvent, ...]:
    events: list[JobEvent] = []
    if observation.status != job.status:
        events.append(PhaseChanged(now, job.key, job.phase, observation.phase, observation.status, exchange.request_id))
    if not observation.whole:
        return tuple(events)
    if observation.progress != job.progress:
        events.append(ProgressChanged(now, job.key, None, job.progress, observation.progress))
    known = {record.stage.name: record.stage for record in job.stages}
    for stage in observation.stages:
        before = known.get(stage.name)
        if before is None or before.phase is not stage.phase:
            was = before.phase if before else None
            events.append(StageChanged(now, job.key, stage.name, was, stage.phase, exchange.request_id))
        if before is not None and before.progress != stage.progress:
            events.append(ProgressChanged(now, job.key, stage.name, before.progress, stage.progress))
    return tuple(events)


def _records(
    known: tuple[StageRecord, ...], stages: tuple[Stage, ...], now: Instant, over: Instant
) -> tuple[StageRecord, ...]:
    """Return the stages as told `now`; those that have ended had done so when the job was, `over` at the latest."""
    records = {record.stage.name: record for record in known}
    return tuple(_record(records.get(stage.name), stage, now, over) for stage in stages)


def _record(known: StageRecord | None, stage: Stage, now: Instant, over: Instant) -> StageRecord:
    if known is not None and known.stage == stage:
        return known
    begun = stage.phase is not Phase.QUEUED
    if known is None:
        # A stage that had already ended when we first saw it has no moment of its own that we could know.
        started = now if stage.phase is Phase.RUNNING else None
        return StageRecord(stage, started=started, changed=now, ended=None)
    started = known.started or (now if begun and known.stage.phase is Phase.QUEUED else None)
    ended = (known.ended or over) if stage.phase.terminal else None
    return StageRecord(stage, started=started, changed=now, ended=ended)
