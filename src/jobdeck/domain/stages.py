"""Stages and anomalies of a job's next state."""

from collections.abc import Iterator
from dataclasses import replace

from jobdeck.domain.events import AnomalyMet, JobEvent, ProgressChanged, StageChanged
from jobdeck.domain.exchange import Exchange
from jobdeck.domain.instant import Instant
from jobdeck.domain.job import Job, Stage, StageRecord
from jobdeck.domain.phase import Phase

MAX_ANOMALIES = 20


def with_anomaly(job: Job, message: str | None, now: Instant, events: list[JobEvent]) -> Job:
    """Return the job with an anomaly added, once, and its event."""
    if message is None or message in job.anomalies:
        return job
    events.append(AnomalyMet(now, job.key, message))
    return replace(job, anomalies=(*job.anomalies, message)[-MAX_ANOMALIES:])


def stage_changes(job: Job, stages: tuple[Stage, ...], exchange: Exchange, now: Instant) -> Iterator[JobEvent]:
    """Yield what is new in the stages that an answer told."""
    known = {record.stage.name: record.stage for record in job.stages}
    for stage in stages:
        before = known.get(stage.name)
        if before is None or before.phase is not stage.phase:
            was = before.phase if before else None
            yield StageChanged(now, job.key, stage.name, was, stage.phase, exchange.request_id)
        if before is not None and before.progress != stage.progress:
            yield ProgressChanged(now, job.key, stage.name, before.progress, stage.progress)


def update_records(
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
