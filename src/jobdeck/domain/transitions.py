"""How a job changes: the pure rules by which the newest full answer is the state, and a problem never is.

Newer is what was sent later (`Exchange.sequence`), never what a clock says.
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
"""A job that was accepted or seen is not found when nothing but 404 has come for so long: a replica that lags, or a
deployment, answers 404 for some seconds."""

UNKNOWN_SECONDS = 5.0
"""The same for an ID that nobody has seen: most often a mistyped one, for which nobody wants to wait long."""

SAME_US = 1_000_000
"""Two dates of one creation may differ by so much: one answer may have its milliseconds, another not."""

_DAY = 86_400.0

_UNFINISHED = frozenset({Phase.QUEUED, Phase.RUNNING})
"""What begins a new run after an end; a word that nobody knows may as well be what becomes of ended jobs."""

_RELIABILITY = {source: place for place, source in enumerate(Source)}

_NO_ANSWER_ABOUT_JOB = frozenset({ProblemKind.NETWORK, ProblemKind.TIMEOUT, ProblemKind.RATE_LIMIT})
"""What tells neither that a job is there nor that it is not, and so does not end a time in which it is not found."""

MAX_ANOMALIES = 20

MAX_PART_ATTEMPTS = 3
"""Requests for a part of a job that cannot be had, before that is said."""

_RESULT_SIZES = frozenset({DROPPED_RESULT, EVICTED_RESULT})

_TRANSIENT = frozenset({ProblemKind.NETWORK, ProblemKind.TIMEOUT, ProblemKind.SERVER_ERROR})
"""Problems after which a part is asked for again."""


def apply_observation(
    job: Job, observation: Observation, exchange: Exchange, now: Instant, source: Source = Source.ANSWER
) -> tuple[Job, tuple[JobEvent, ...]]:
    """Return the job after a good answer, and what changed.

    An answer to a request sent before the one that gave the present state is old news and changes nothing. A list row
    changes the state like any newer answer, but lists run some seconds ahead of the job's own answer (`exchange.job`),
    or behind: only that one ends a job for good, begins a new run by going on after an end, or makes an anomaly. A row
    that denies an end which it told is noted as a doubt, which the next one settles. An answer to a request for a part
    alone changes that part.
    """
    if exchange.sequence < job.sequence:
        return job, ()
    if exchange.part is not None:
        return _apply_part(job, exchange.part.part, observation, exchange, now)
    own = exchange.job is not None
    if not own and _is_doubt(job, observation):
        return replace(job, doubt=observation.status, version=job.version + 1), ()
    events: list[JobEvent] = []
    if job.failures:
        events.append(Recovered(now, job.key, job.failures))
    ended_as = _own_end(job)
    listed_end = observation.phase.terminal and not own and (job.summary_only or not job.terminal)
    denial = _denial(job, ended_as, observation, now) if own and observation.whole else None
    new_run = _shows_new_run(job, observation, own=own)
    if new_run or (denial is not None and observation.phase in _UNFINISHED):
        message = _run_message(job, observation, ended_as) if new_run else denial or ""
        job = _blank_run(job, now)
        events.append(RunBegan(now, job.key, job.run, message))
        ended_as = None
    elif not own and job.disputed_end is None and ended_as is not None and observation.status != ended_as[0]:
        job = replace(job, disputed_end=ended_as)
    seen = replace(
        job,
        observed=now,
        asked=exchange.started,
        sequence=exchange.sequence,
        doubt=None,
        problem=None,
        outage=None,
        failures=0,
        # A list may go on showing an ended job whose own answer is gone.
        misses=job.misses if listed_end else 0,
        missing_since=job.missing_since if listed_end else None,
        not_found=False,
        http_status=exchange.http_status,
        request_id=exchange.request_id,
        trace_id=exchange.trace_id,
        version=job.version + 1,
    )
    seen = _with_anomaly(seen, observation.note, now, events)
    if not new_run:
        seen = _with_anomaly(seen, denial, now, events)
    same_end = job.terminal and observation.phase is job.phase
    observation = _with_known_parts(job, observation)
    if same_end and observation.whole:
        observation = _fill_from_known(job, observation)
    changes = _changes(job, observation, exchange, now)
    changed = now if changes else job.changed
    if job.changed is None:
        changed = _last_change(observation, exchange, now)
    taken = _merge(seen, observation, now, changed, own=own)
    is_full = own and observation.whole
    missing = _missing_parts(job, observation, same_end=same_end) if is_full else job.missing
    # An end that the job's own answer told is not told less well when a list or another process repeats it.
    better = job.source if same_end and _RELIABILITY[job.source] > _RELIABILITY[source] else source
    # Nor is it newer for that: an answer of the job's own that was sent between the two still counts.
    repeated = same_end and not job.summary_only and (not own or better is not source)
    sequence = job.sequence if repeated else exchange.sequence
    return replace(taken, missing=missing, source=better, sequence=sequence), (*events, *changes)


def apply_failure(job: Job, exchange: Exchange, problem: Problem, now: Instant) -> tuple[Job, tuple[JobEvent, ...]]:
    """Return the job after an exchange that told nothing about it: its last good state stays, with its age.

    One that was sent before the request that gave this state is old news and changes nothing. That a part could not be
    fetched is said, and is no failure of the job's.
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
    # By the monotonic clock: a wall clock that is set forward must not make 30 s of two looks.
    waited = now.mono - since.mono if since is not None else 0.0
    seen = replace(
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
    return seen, (ProblemMet(now, job.key, problem, seen.failures),)


def not_found_seconds(job: Job) -> float:
    """Return for how long nothing but "not found" must come before it is believed."""
    return KNOWN_SECONDS if job.observed is not None or job.target.accepted else UNKNOWN_SECONDS


def is_new_run(job: Job, observation: Observation) -> bool:
    """Whether an answer of a job's own shows by its dates or its attempt that it is about another run of the ID."""
    return _shows_new_run(job, observation, own=True)


def _own_end(job: Job) -> tuple[str, int] | None:
    """Return the status and the moment of the end that a job's own answer told last; None when it told of none."""
    if job.disputed_end is not None:
        return job.disputed_end
    if job.terminal and not job.summary_only:
        return job.status or "", (job.ended or job.added).us
    return None


def _is_doubt(job: Job, row: Observation) -> bool:
    told_in_full = job.terminal and not job.summary_only and job.source is not Source.MEMORY
    return told_in_full and row.phase is not job.phase and not _shows_new_run(job, row, own=False)


def _denial(job: Job, ended_as: tuple[str, int] | None, observation: Observation, now: Instant) -> str | None:
    """Return in words how an answer contradicts an end; None when it does not."""
    same = job.terminal and job.phase is observation.phase and job.disputed_end is None
    if ended_as is None or same or observation.status == ended_as[0]:
        return None
    status, us = ended_as
    return f"was {status} at {humanize.format_recent(us, now)}, the server now says {observation.status}"


def _shows_new_run(job: Job, observation: Observation, *, own: bool) -> bool:
    if job.attempt is not None and observation.attempt is not None and job.attempt != observation.attempt:
        return True
    # Rows may be dated otherwise than the job's own answer.
    dates = ((job.created_us, observation.created_us), (job.started_us, observation.started_us))
    return own and job.whole is not None and any(_differ(known, told) for known, told in dates)


def _differ(known: int | None, told: int | None) -> bool:
    return known is not None and told is not None and abs(known - told) > SAME_US


def _run_message(job: Job, observation: Observation, ended_as: tuple[str, int] | None) -> str:
    """Return in words what the run before was, and how the new one shows."""
    if job.attempt != observation.attempt and observation.attempt is not None:
        sign = f"attempt {observation.attempt}"
    elif _differ(job.created_us, observation.created_us):
        sign = f"created {utc(observation.created_us or 0)}"
    else:
        sign = f"started {utc(observation.started_us or 0)}"
    was = ended_as[0] if ended_as is not None else job.status
    return f"{sign}; the previous run was {was}"


def _blank_run(job: Job, now: Instant) -> Job:
    """Return the job as the next run of its ID, of which nothing is known yet."""
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


def _fill_from_known(job: Job, observation: Observation) -> Observation:
    return replace(
        observation,
        progress=job.progress if observation.progress is None else observation.progress,
        stages=observation.stages or tuple(record.stage for record in job.stages),
        error=observation.error or job.error,
        result=job.result if observation.result is None else observation.result,
        facts=_with_evicted_result(job, observation),
    )


def _with_evicted_result(job: Job, observation: Observation) -> tuple[tuple[str, str], ...]:
    """Return the facts of an answer without a result, with the size of the one that is known but not in memory."""
    size = job.evicted_result
    if size is None or observation.result is not None or DROPPED_RESULT in dict(observation.facts):
        return observation.facts
    return ((EVICTED_RESULT, str(size)), *(fact for fact in observation.facts if fact[0] != EVICTED_RESULT))


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


def _merge(job: Job, observation: Observation, now: Instant, changed: Instant | None, *, own: bool) -> Job:
    whole, ends = observation.whole, observation.phase.terminal
    same_end = ends and observation.phase is job.phase and job.ended is not None
    ended = job.ended if same_end else now if ends else None
    end_ids = (job.end_request_id, job.end_trace_id) if same_end else (job.request_id, job.trace_id)
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
        created_us=_newer_date(job.created_us, observation.created_us, own=own),
        updated_us=_first_known(observation.updated_us, job.updated_us),
        ended_us=_first_known(observation.ended_us, job.ended_us) if ends else None,
        started_us=_newer_date(job.started_us, observation.started_us, own=own),
        attempt=observation.attempt if observation.attempt is not None else job.attempt,
        changed=changed,
        ended=ended,
        end_request_id=end_ids[0] if ends else None,
        end_trace_id=end_ids[1] if ends else None,
        whole=now if whole else job.whole,
        summary_only=not (own and whole) and (job.summary_only or observation.status != job.status),
        disputed_end=None if own and whole else job.disputed_end,
        # What a person knew of was the trouble of then.
        acknowledged=job.acknowledged and observation.phase is job.phase,
        seen_queued=job.seen_queued or observation.phase is Phase.QUEUED,
    )


def _newer_date(known: int | None, told: int | None, *, own: bool) -> int | None:
    """Return a date that tells one run from another: rows may be dated otherwise, and fill in what is missing alone."""
    return _first_known(told, known) if own else _first_known(known, told)


def _first_known(told: int | None, known: int | None) -> int | None:
    return told if told is not None else known


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
    """Return the job with an anomaly added, once, and its event."""
    if message is None or message in job.anomalies:
        return job
    events.append(AnomalyMet(now, job.key, message))
    return replace(job, anomalies=(*job.anomalies, message)[-MAX_ANOMALIES:])


def _stage_changes(job: Job, stages: tuple[Stage, ...], exchange: Exchange, now: Instant) -> Iterator[JobEvent]:
    """Yield what is new in the stages that an answer told."""
    known = {record.stage.name: record.stage for record in job.stages}
    for stage in stages:
        before = known.get(stage.name)
        if before is None or before.phase is not stage.phase:
            was = before.phase if before else None
            yield StageChanged(now, job.key, stage.name, was, stage.phase, exchange.request_id)
        if before is not None and before.progress != stage.progress:
            yield ProgressChanged(now, job.key, stage.name, before.progress, stage.progress)


def _update_stage_records(
    known: tuple[StageRecord, ...], stages: tuple[Stage, ...], now: Instant, over: Instant
) -> tuple[StageRecord, ...]:
    """Return the stages as told `now`; those that have ended had done so when the job was, `over` at the latest."""
    records = {record.stage.name: record for record in known}
    return tuple(_update_stage_record(records.get(stage.name), stage, now, over) for stage in stages)


def _update_stage_record(known: StageRecord | None, stage: Stage, now: Instant, over: Instant) -> StageRecord:
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


# Parts of a job that its own answer has not; they never change what state it is in.


def _with_known_parts(job: Job, observation: Observation) -> Observation:
    """Return an observation with the stages that are known, where its answer has none because they are elsewhere."""
    if observation.stages or all(one.part is not Part.STAGES for one in observation.elsewhere):
        return observation
    return replace(observation, stages=tuple(record.stage for record in job.stages))


def _missing_parts(job: Job, observation: Observation, *, same_end: bool) -> tuple[MissingPart, ...]:
    """Return the parts that are to be fetched after an answer: of an end that was known, those that are missing yet."""
    if not same_end:
        return observation.elsewhere
    known = {Part.RESULT} if job.result is not None else set()
    if job.stages and all(record.stage.phase.terminal for record in job.stages):
        known.add(Part.STAGES)
    return tuple(one for one in observation.elsewhere if one.part not in known)


def _apply_part(
    job: Job, part: Part, observation: Observation, exchange: Exchange, now: Instant
) -> tuple[Job, tuple[JobEvent, ...]]:
    """Return the job with a part that was fetched; the result of a job that goes on (again) is no news."""
    if job.observed is None or (part is Part.RESULT and not job.terminal):
        return job, ()
    replaced = {name for name, _ in observation.facts} | (_RESULT_SIZES if part is Part.RESULT else set())
    taken = replace(
        job,
        missing=tuple(one for one in job.missing if one.part is not part),
        anomalies=tuple(one for one in job.anomalies if not one.startswith(_not_fetched(part))),
        facts=(*((name, value) for name, value in job.facts if name not in replaced), *observation.facts),
        sequence=exchange.sequence,
        version=job.version + 1,
    )
    if part is Part.RESULT:
        return replace(taken, result=observation.result), ()
    events = tuple(_stage_changes(job, observation.stages, exchange, now))
    stages = _update_stage_records(job.stages, observation.stages, now, job.ended or now)
    return replace(taken, stages=stages, changed=now if events and not job.terminal else job.changed), events


def _apply_part_failure(
    job: Job, missing: MissingPart, problem: Problem, now: Instant
) -> tuple[Job, tuple[JobEvent, ...]]:
    """Return the job after a request for a part that failed: asked for again where that may help, else it is said."""
    others = tuple(one for one in job.missing if one.part is not missing.part)
    again = replace(missing, tries=missing.tries + 1)
    if problem.kind in _TRANSIENT and again.tries < MAX_PART_ATTEMPTS:
        return replace(job, missing=(*others, again), version=job.version + 1), ()
    events: list[JobEvent] = []
    message = f"{_not_fetched(missing.part)}{problem.kind.label}: {problem.message}"
    job = replace(job, missing=others, version=job.version + 1)
    return _with_anomaly(job, message, now, events), tuple(events)


def _not_fetched(part: Part) -> str:
    return f"{part} not fetched: "
