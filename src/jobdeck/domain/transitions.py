"""How a job changes: pure rules by which the newest full answer becomes the state, and a problem never does.

An answer is newer if its request was sent later (`Exchange.sequence`), whatever the clocks say.
"""

from collections.abc import Iterator
from dataclasses import replace

from jobdeck.domain import humanize
from jobdeck.domain.events import (
    AnomalyMet,
    JobEvent,
    PhaseChanged,
    ProblemMet,
    ProgressChanged,
    Recovered,
    RunBegan,
    StageChanged,
)
from jobdeck.domain.exchange import Exchange
from jobdeck.domain.instant import Instant, utc
from jobdeck.domain.job import (
    DROPPED_RESULT,
    EVICTED_RESULT,
    Job,
    MissingPart,
    Observation,
    Part,
    Source,
    Stage,
    StageRecord,
)
from jobdeck.domain.phase import Phase
from jobdeck.domain.problem import Problem, ProblemKind

KNOWN_SECONDS = 30.0
"""Seconds of nothing but 404 after which a job that was accepted or observed counts as not found: a lagging replica or
a deployment answers 404 for some seconds."""

UNKNOWN_SECONDS = 5.0
"""The same for an ID that was never observed: it is most often mistyped, and nobody wants to wait long for that."""

SAME_US = 1_000_000
"""Most microseconds between two dates of the same moment: one answer may have milliseconds, another not."""

_DAY = 86_400.0

_UNFINISHED = frozenset({Phase.QUEUED, Phase.RUNNING})
"""Phases that begin a new run after an end. An unknown status does not: it may be a state of ended jobs."""

_RELIABILITY = {source: level for level, source in enumerate(Source)}

_NO_ANSWER_ABOUT_JOB = frozenset({ProblemKind.NETWORK, ProblemKind.TIMEOUT, ProblemKind.RATE_LIMIT})
"""Problems that neither confirm nor refute "not found", and so do not end a series of it."""

MAX_ANOMALIES = 20

MAX_PART_ATTEMPTS = 3
"""Failed requests for a part of a job before the failure is reported."""

_RESULT_SIZES = frozenset({DROPPED_RESULT, EVICTED_RESULT})

_TRANSIENT = frozenset({ProblemKind.NETWORK, ProblemKind.TIMEOUT, ProblemKind.SERVER_ERROR})
"""Problems after which a part is requested again, a limited number of times; after a rate limit, always."""


def apply_observation(
    job: Job, observation: Observation, exchange: Exchange, now: Instant, source: Source = Source.ANSWER
) -> tuple[Job, tuple[JobEvent, ...]]:
    """Return the job after a good answer, and the events for the differences.

    An answer changes nothing if its request was sent before the one that gave the present state. An answer to a request
    for a part (`exchange.part`) changes only that part.

    A list row can run ahead of the job or behind it. So only the job's own answer (`exchange.job`) ends a job for good,
    starts a new run after an end, or records an anomaly. If a row contradicts such an end, its status is kept as
    `doubt` until the next own answer.
    """
    if exchange.sequence < job.sequence:
        return job, ()
    if exchange.part is not None:
        return _apply_part(job, exchange.part.part, observation, exchange, now)
    own = exchange.job is not None
    if not own and _is_doubt(job, observation):
        return replace(job, doubt=observation.status, version=job.version + 1), ()
    job, events = _settle_run(job, observation, now, own=own)
    same_end = job.terminal and observation.phase is job.phase
    observation = _with_known_stages(job, observation)
    if same_end and observation.whole:
        observation = _with_known_details(job, observation)
    changes = _changes(job, observation, exchange, now)
    changed = now if changes else job.changed
    if job.changed is None:
        changed = _last_change(observation, exchange, now)
    origin = _settle_source(job, exchange, source, same_end=same_end)
    return _merge(job, observation, exchange, now, changed, origin=origin), (*events, *changes)


def apply_failure(job: Job, exchange: Exchange, problem: Problem, now: Instant) -> tuple[Job, tuple[JobEvent, ...]]:
    """Return the job after an exchange without an observation: its last good state stays, and ages.

    The exchange changes nothing if its request was sent before the one that gave this state. A part that could not be
    fetched becomes an anomaly, not a failure of the job.
    """
    if exchange.sequence < job.sequence:
        return job, ()
    if exchange.part is not None:
        return _apply_part_failure(job, exchange.part, problem, now)
    missing = problem.kind is ProblemKind.NOT_FOUND
    misses, since = job.misses, job.missing_since
    if missing:
        misses, since = misses + 1, since or now
    elif problem.kind not in _NO_ANSWER_ABOUT_JOB:
        misses, since = 0, None
    # By the monotonic clock: a wall clock that is set forward must not turn two quick polls into 30 s.
    waited = now.mono - since.mono if since is not None else 0.0
    failed = replace(
        job,
        problem=problem,
        failures=job.failures + 1,
        misses=misses,
        missing_since=since,
        not_found=missing and misses > 1 and waited >= not_found_seconds(job),
        http_status=exchange.http_status,
        request_id=exchange.request_id,
        trace_id=exchange.trace_id,
        version=job.version + 1,
    )
    return failed, (ProblemMet(now, job.key, problem, failed.failures),)


def not_found_seconds(job: Job) -> float:
    """Return for how many seconds "not found" must be the only answer before it is believed."""
    return KNOWN_SECONDS if job.observed is not None or job.target.accepted else UNKNOWN_SECONDS


def is_new_run(job: Job, observation: Observation) -> bool:
    """Whether the dates or the attempt in a job's own answer belong to another run of its ID."""
    return _shows_new_run(job, observation, own=True)


# Ends, contradictions to them, and new runs of an ID.


def _settle_run(job: Job, observation: Observation, now: Instant, *, own: bool) -> tuple[Job, list[JobEvent]]:
    """Return the job in the run that the answer belongs to, with anomalies, and the events so far."""
    events: list[JobEvent] = [Recovered(now, job.key, job.failures)] if job.failures else []
    contradiction = None
    if _shows_new_run(job, observation, own=own):
        job = _begin_run(job, _run_message(job, observation), now, events)
    elif not own:
        job = _with_disputed_end(job, observation)
    elif observation.whole:
        contradiction = _contradiction(job, observation, now)
        if contradiction is not None and observation.phase in _UNFINISHED:
            job = _begin_run(job, contradiction, now, events)
    job = _with_anomaly(job, observation.note, now, events)
    return _with_anomaly(job, contradiction, now, events), events


def _begin_run(job: Job, message: str, now: Instant, events: list[JobEvent]) -> Job:
    """Return the job as the next run of its ID, without a state yet, and add the event."""
    events.append(RunBegan(now, job.key, job.run + 1, message))
    return Job(
        target=job.target,
        added=job.added,
        kind=job.kind,
        run=job.run + 1,
        begun=now,
        problem=job.problem,
        outage=job.outage,
        failures=job.failures,
        interval=job.interval,
        version=job.version,
    )


def _confirmed_end(job: Job) -> tuple[str, int] | None:
    """Return status and moment of the newest end that the job's own answer showed; None if there was none."""
    if job.disputed_end is not None:
        return job.disputed_end
    if job.terminal and not job.summary_only:
        return job.status or "", (job.ended or job.added).us
    return None


def _is_doubt(job: Job, row: Observation) -> bool:
    """Whether a list row contradicts an end that the job's own answer showed in this run of jobdeck."""
    confirmed = job.terminal and not job.summary_only and job.source is not Source.MEMORY
    return confirmed and row.phase is not job.phase and not _shows_new_run(job, row, own=False)


def _with_disputed_end(job: Job, row: Observation) -> Job:
    """Return the job with the end that a list row contradicts as `disputed_end`, for the next own answer to settle."""
    end = _confirmed_end(job)
    if job.disputed_end is not None or end is None or row.status == end[0]:
        return job
    return replace(job, disputed_end=end)


def _contradiction(job: Job, observation: Observation, now: Instant) -> str | None:
    """Return in words how the job's own answer contradicts an end; None when it does not."""
    end = _confirmed_end(job)
    same_phase = job.terminal and job.phase is observation.phase and job.disputed_end is None
    if end is None or same_phase or observation.status == end[0]:
        return None
    status, us = end
    return f"was {status} at {humanize.format_recent(us, now)}, the server now says {observation.status}"


def _shows_new_run(job: Job, observation: Observation, *, own: bool) -> bool:
    if job.attempt is not None and observation.attempt is not None and job.attempt != observation.attempt:
        return True
    # The dates of a list row may differ from those of the job's own answer.
    dates = ((job.created_us, observation.created_us), (job.started_us, observation.started_us))
    return own and job.whole is not None and any(_differ(before, after) for before, after in dates)


def _differ(before: int | None, after: int | None) -> bool:
    return before is not None and after is not None and abs(before - after) > SAME_US


def _run_message(job: Job, observation: Observation) -> str:
    """Return in words the evidence of a new run, and the status of the run before it."""
    if job.attempt != observation.attempt and observation.attempt is not None:
        evidence = f"attempt {observation.attempt}"
    elif _differ(job.created_us, observation.created_us):
        evidence = f"created {utc(observation.created_us or 0)}"
    else:
        evidence = f"started {utc(observation.started_us or 0)}"
    end = _confirmed_end(job)
    return f"{evidence}; the previous run was {job.status if end is None else end[0]}"


# The new state.


def _settle_source(job: Job, exchange: Exchange, source: Source, *, same_end: bool) -> tuple[Source, int]:
    """Return source and sequence of the state after an answer from `source`; `same_end`: it repeats a known end."""
    # Keep the more reliable source when a list or another process repeats the end.
    keeps_source = same_end and _RELIABILITY[job.source] > _RELIABILITY[source]
    # A repeated end keeps its sequence, so that an own answer sent in between still counts.
    keeps_sequence = same_end and not job.summary_only and (exchange.job is None or keeps_source)
    return job.source if keeps_source else source, job.sequence if keeps_sequence else exchange.sequence


def _with_known_details(job: Job, observation: Observation) -> Observation:
    """Return an observation that repeats an end, with the known details that it lacks."""
    return replace(
        observation,
        progress=job.progress if observation.progress is None else observation.progress,
        stages=observation.stages or tuple(record.stage for record in job.stages),
        error=observation.error or job.error,
        result=job.result if observation.result is None else observation.result,
        facts=_with_evicted_result(job, observation),
    )


def _with_evicted_result(job: Job, observation: Observation) -> tuple[tuple[str, str], ...]:
    """Return the observation's facts, with the size of a known result that is not in memory if it has no result."""
    size = job.evicted_result
    if size is None or observation.result is not None or DROPPED_RESULT in dict(observation.facts):
        return observation.facts
    return ((EVICTED_RESULT, str(size)), *(fact for fact in observation.facts if fact[0] != EVICTED_RESULT))


def _last_change(observation: Observation, exchange: Exchange, now: Instant) -> Instant:
    """Return when a job that is observed for the first time changed last: by the server's date, else now.

    The date is corrected by the offset of the server's clock, unless that is unknown or over a day. Only an update
    after the creation shows that the server maintains this date.
    """
    created_us, updated_us = observation.created_us, observation.updated_us
    if created_us is None or updated_us is None or updated_us <= created_us or observation.phase.terminal:
        return now
    offset = exchange.clock_offset or 0.0
    return now.later(min(0.0, (updated_us - now.us) / 1e6 - (offset if abs(offset) < _DAY else 0.0)))


def _merge(
    job: Job,
    observation: Observation,
    exchange: Exchange,
    now: Instant,
    changed: Instant | None,
    *,
    origin: tuple[Source, int],
) -> Job:
    """Return the job as observed `now`: without problems, with the IDs of the exchange."""
    own, whole, ends = exchange.job is not None, observation.whole, observation.phase.terminal
    same_phase = observation.phase is job.phase
    same_end = ends and same_phase and job.ended is not None
    ended = job.ended if same_end else now if ends else None
    end_ids = (job.end_request_id, job.end_trace_id) if same_end else (exchange.request_id, exchange.trace_id)
    # A list may go on showing an ended job whose own answer is gone.
    listed_end = ends and not own and (job.summary_only or not job.terminal)
    # All at once: each `replace` builds a job anew, and three of them took 3 % of a poll's processor time.
    return replace(
        job,
        status=observation.status,
        phase=observation.phase,
        kind=observation.kind or job.kind,
        progress=observation.progress if whole else job.progress,
        stages=_update_stage_records(job.stages, observation.stages, now, ended or now) if whole else job.stages,
        error=observation.error if whole else job.error,
        result=observation.result if whole else job.result,
        facts=observation.facts if whole else observation.facts or job.facts,
        missing=_missing_parts(job, observation, same_end=job.terminal and same_phase)
        if own and whole
        else job.missing,
        created_us=_newer_date(job.created_us, observation.created_us, own=own),
        updated_us=_first_known(observation.updated_us, job.updated_us),
        ended_us=_first_known(observation.ended_us, job.ended_us) if ends else None,
        started_us=_newer_date(job.started_us, observation.started_us, own=own),
        attempt=observation.attempt if observation.attempt is not None else job.attempt,
        observed=now,
        asked=exchange.started,
        changed=changed,
        ended=ended,
        end_request_id=end_ids[0] if ends else None,
        end_trace_id=end_ids[1] if ends else None,
        whole=now if whole else job.whole,
        source=origin[0],
        sequence=origin[1],
        summary_only=not (own and whole) and (job.summary_only or observation.status != job.status),
        doubt=None,
        disputed_end=None if own and whole else job.disputed_end,
        # An acknowledgement ends when the phase changes.
        acknowledged=job.acknowledged and same_phase,
        seen_queued=job.seen_queued or observation.phase is Phase.QUEUED,
        problem=None,
        outage=None,
        failures=0,
        misses=job.misses if listed_end else 0,
        missing_since=job.missing_since if listed_end else None,
        not_found=False,
        http_status=exchange.http_status,
        request_id=exchange.request_id,
        trace_id=exchange.trace_id,
        version=job.version + 1,
    )


def _newer_date(before: int | None, after: int | None, *, own: bool) -> int | None:
    """Return a date that distinguishes runs; since a list row's may differ, that only fills in a missing one."""
    return _first_known(after, before) if own else _first_known(before, after)


def _first_known(first: int | None, second: int | None) -> int | None:
    return first if first is not None else second


def _changes(job: Job, observation: Observation, exchange: Exchange, now: Instant) -> tuple[JobEvent, ...]:
    events: list[JobEvent] = []
    if observation.status != job.status:
        events.append(PhaseChanged(now, job.key, job.phase, observation.phase, observation.status, exchange.request_id))
    if not observation.whole:
        return tuple(events)
    if observation.progress != job.progress:
        events.append(ProgressChanged(now, job.key, None, job.progress, observation.progress))
    events.extend(_stage_changes(job, observation.stages, exchange, now))
    return tuple(events)


def _with_anomaly(job: Job, message: str | None, now: Instant, events: list[JobEvent]) -> Job:
    """Return the job with an anomaly added, and add its event; neither if the job has this anomaly already."""
    if message is None or message in job.anomalies:
        return job
    events.append(AnomalyMet(now, job.key, message))
    return replace(job, anomalies=(*job.anomalies, message)[-MAX_ANOMALIES:])


def _stage_changes(job: Job, stages: tuple[Stage, ...], exchange: Exchange, now: Instant) -> Iterator[JobEvent]:
    """Yield the changes between the job's stages and those of an answer."""
    stages_before = {record.stage.name: record.stage for record in job.stages}
    for stage in stages:
        before = stages_before.get(stage.name)
        if before is None or before.phase is not stage.phase:
            phase = before.phase if before else None
            yield StageChanged(now, job.key, stage.name, phase, stage.phase, exchange.request_id, stage.status)
        if before is not None and before.progress != stage.progress:
            yield ProgressChanged(now, job.key, stage.name, before.progress, stage.progress)


def _update_stage_records(
    before: tuple[StageRecord, ...], stages: tuple[Stage, ...], now: Instant, latest_end: Instant
) -> tuple[StageRecord, ...]:
    """Return the records of `stages`, observed `now`; a stage that ended did so at `latest_end` or before."""
    records = {record.stage.name: record for record in before}
    return tuple(_update_stage_record(records.get(stage.name), stage, now, latest_end) for stage in stages)


def _update_stage_record(before: StageRecord | None, stage: Stage, now: Instant, latest_end: Instant) -> StageRecord:
    if before is not None and before.stage == stage:
        return before
    begun = stage.phase is not Phase.QUEUED
    if before is None:
        # If a stage had already ended when it was first observed, its start and end are unknown.
        started = now if stage.phase is Phase.RUNNING else None
        return StageRecord(stage, started=started, changed=now, ended=None)
    started = before.started or (now if begun and before.stage.phase is Phase.QUEUED else None)
    ended = (before.ended or latest_end) if stage.phase.terminal else None
    return StageRecord(stage, started=started, changed=now, ended=ended)


# Parts of a job that its own answer lacks; they never change its phase.


def _with_known_stages(job: Job, observation: Observation) -> Observation:
    """Return an observation with the known stages, if its answer has none because another URL has them."""
    if observation.stages or all(one.part is not Part.STAGES for one in observation.elsewhere):
        return observation
    return replace(observation, stages=tuple(record.stage for record in job.stages))


def _missing_parts(job: Job, observation: Observation, *, same_end: bool) -> tuple[MissingPart, ...]:
    """Return the parts to fetch after an answer; after a repeated end, only those that are still unknown."""
    if not same_end:
        return observation.elsewhere
    known = {Part.RESULT} if job.result is not None else set()
    if job.stages and all(record.stage.phase.terminal for record in job.stages):
        known.add(Part.STAGES)
    return tuple(one for one in observation.elsewhere if one.part not in known)


def _apply_part(
    job: Job, part: Part, observation: Observation, exchange: Exchange, now: Instant
) -> tuple[Job, tuple[JobEvent, ...]]:
    """Return the job with a part that was fetched; a result is ignored while the job runs (again)."""
    if job.observed is None or (part is Part.RESULT and not job.terminal):
        return job, ()
    replaced = {name for name, _ in observation.facts} | (_RESULT_SIZES if part is Part.RESULT else set())
    updated = replace(
        job,
        missing=tuple(one for one in job.missing if one.part is not part),
        anomalies=tuple(one for one in job.anomalies if not one.startswith(_not_fetched(part))),
        facts=(*((name, value) for name, value in job.facts if name not in replaced), *observation.facts),
        sequence=exchange.sequence,
        version=job.version + 1,
    )
    if part is Part.RESULT:
        return replace(updated, result=observation.result), ()
    events = tuple(_stage_changes(job, observation.stages, exchange, now))
    stages = _update_stage_records(job.stages, observation.stages, now, job.ended or now)
    return replace(updated, stages=stages, changed=now if events and not job.terminal else job.changed), events


def _apply_part_failure(
    job: Job, missing: MissingPart, problem: Problem, now: Instant
) -> tuple[Job, tuple[JobEvent, ...]]:
    """Return the job after a failed request for a part: requested again where that may help, else an anomaly."""
    others = tuple(one for one in job.missing if one.part is not missing.part)
    # A server that wants fewer requests has said nothing about the part.
    limited = problem.kind is ProblemKind.RATE_LIMIT
    retry = missing if limited else replace(missing, tries=missing.tries + 1)
    if limited or (problem.kind in _TRANSIENT and retry.tries < MAX_PART_ATTEMPTS):
        return replace(job, missing=(*others, retry), version=job.version + 1), ()
    events: list[JobEvent] = []
    message = f"{_not_fetched(missing.part)}{problem.kind.label}: {problem.message}"
    job = replace(job, missing=others, version=job.version + 1)
    return _with_anomaly(job, message, now, events), tuple(events)


def _not_fetched(part: Part) -> str:
    return f"{part} not fetched: "
