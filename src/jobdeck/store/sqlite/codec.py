"""Domain facts as SQLite values, and back. What comes back is cleaned: a file is a string from outside, too."""

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import astuple
from functools import lru_cache
from sys import intern
from typing import Any, TypeAlias, TypeVar
from uuid import UUID

from jobdeck.domain.instant import Instant
from jobdeck.domain.job import Job, JobError, JobKey, Observation, Stage, StageRecord, Target
from jobdeck.domain.phase import Phase
from jobdeck.domain.problem import Problem, ProblemKind
from jobdeck.domain.scope import parse_scope
from jobdeck.domain.text import clean
from jobdeck.store.records import LedgerEntry, LedgerState
from jobdeck.store.sqlite.faults import ROW_FAULTS
from jobdeck.store.sqlite.sql import sql
from jobdeck.store.stored import StoredJob, wall

Moment: TypeAlias = Callable[[int], Instant]
"""Makes a moment of microseconds since the epoch."""

Row: TypeAlias = tuple[Any, ...]
"""A row as SQLite gives it: its types are those of the STRICT columns that were selected."""

T = TypeVar("T")

_DAMAGED = "the saved value is damaged"

_LARGEST = 2**62
"""Of a number in a row: twice as large is more than SQLite holds, and no count or date comes near."""

# An enumeration called with a word takes 7 µs; a start with 10,000 jobs asks for 40,000.
_PHASES = {phase.value: phase for phase in Phase}

_encode = json.JSONEncoder(ensure_ascii=True, allow_nan=False, separators=(",", ":")).encode


def readable(rows: Iterator[Any], make: Callable[[Any], T]) -> Iterator[T]:
    """Yield what `make` makes of each row, without those that cannot be read: `Store.health` names them."""
    while True:
        try:
            made = make(next(rows))
        except StopIteration:
            return
        except ROW_FAULTS:
            continue
        yield made


def first(rows: Iterator[Any], make: Callable[[Any], T]) -> T | None:
    """Return what `make` makes of the first row that can be read; None when there is none."""
    return next(readable(rows, make), None)


def whole(value: Any) -> int:
    """Return a whole number; raises ValueError for anything else, and for one that is larger than any of ours."""
    if type(value) is not int or abs(value) > _LARGEST:
        raise ValueError("not an integer, or too large")
    return value


def optional(value: Any) -> int | None:
    """Return a whole number or None."""
    return None if value is None else whole(value)


def _lenient(value: Any) -> int | None:
    return value if type(value) is int and abs(value) <= _LARGEST else None


def fraction(value: Any) -> float | None:
    """Return a progress or None; raises ValueError for one outside 0 to 1."""
    if value is not None and not (type(value) in {int, float} and 0 <= value <= 1):
        raise ValueError("progress outside 0 to 1")
    return None if value is None else float(value)


def key_of(profile: str, account_group: str, job_id: str) -> JobKey:
    """Return the key of a row of jobs, in which a missing account group is empty."""
    return JobKey(_word(profile), _word(account_group) or None, clean(job_id))


def problem_text(problem: Problem | None) -> str | None:
    """Return a problem as JSON text."""
    return None if problem is None else _encode(astuple(problem))


def problem_from(text: str | None) -> Problem | None:
    """Return a problem from its JSON text; a kind of a later version counts as an unexpected answer."""
    return _decoded(text, _problem, None, Problem(ProblemKind.PROTOCOL, _DAMAGED))


def fields_text(observation: Observation) -> str:
    """Return what an observation said, but for its result, as a JSON object a person can read."""
    said: dict[str, object] = {"status": observation.status, "phase": observation.phase, "whole": observation.whole}
    if observation.progress is not None:
        said["progress"] = observation.progress
    if observation.stages:
        said["stages"] = [
            {"name": stage.name, "status": stage.status, "phase": stage.phase, "progress": stage.progress}
            for stage in observation.stages
        ]
    if observation.error is not None:
        error = observation.error
        said["error"] = {"code": error.code, "message": error.message, "details": error.details}
    for name in ("kind", "created_us", "updated_us", "ended_us", "attempt", "started_us"):
        value = getattr(observation, name)
        if value is not None:
            said[name] = value
    if observation.facts:
        said["facts"] = dict(observation.facts)
    return _encode(said)


STATE_NAMES = (
    *("status", "phase", "kind", "progress", "stages", "error", "facts", "created_us", "updated_us", "ended_us"),
    *("observed_us", "asked_us", "changed_us", "ended_seen_us", "seen_queued", "problem", "failures", "misses"),
    *("http_status", "request_id", "trace_id", "anomalies", "outlined", "sequence", "run", "begun_us", "attempt"),
    *("started_us", "missing_since_us", "not_found"),
)
"""The columns that `state_values` gives, in this order."""

# A place in the order of sending behind every request on record, which only damage gives, would let no answer count.
_SEQUENCE = (
    "CASE WHEN j.sequence <= (SELECT seq FROM sqlite_sequence WHERE name = 'exchanges') THEN j.sequence ELSE 0 END"
)
# The timeline outlives the exchanges of a job, and is slower to look through.
_END_IDS = (
    sql(
        "CASE WHEN j.ended_seen_us IS NOT NULL THEN coalesce((SELECT e.{name} FROM exchanges e WHERE e.seq ="
        " j.first_shown), (SELECT t.{name} FROM timeline t WHERE t.job = j.seq AND t.kind = 'phase' AND t.phase_after ="
        " j.phase ORDER BY t.seq DESC LIMIT 1)) END",
        name=name,
    )
    for name in ("request_id", "trace_id")
)
STATE_COLUMNS = ", ".join((*(_SEQUENCE if name == "sequence" else f"j.{name}" for name in STATE_NAMES), *_END_IDS))
"""`STATE_NAMES` as a query selects them, and the IDs of the first exchange that showed the end."""

TARGET_COLUMNS = (
    "n.name, j.account_group, j.job_id, j.provider, j.resource, j.accepted_request_id, j.accepted_trace_id, j.accepted,"
    " j.batch"
)
"""The columns that `target_from` takes; `n.name` is the name that the job's profile is shown as."""


def state_values(job: Job) -> Row:
    """Return the values of `STATE_NAMES` for a job."""
    error, stages = job.error, job.stages
    return (
        job.status,
        job.phase.value,
        job.kind,
        job.progress,
        _encode([_stage_values(record) for record in stages]) if stages else None,
        None if error is None else _encode((error.code, error.message, error.details)),
        _encode(job.facts) if job.facts else None,
        job.created_us,
        job.updated_us,
        job.ended_us,
        _us(job.observed),
        _us(job.asked),
        _us(job.changed),
        _us(job.ended),
        int(job.seen_queued),
        problem_text(job.problem),
        job.failures,
        job.misses,
        job.http_status,
        job.request_id,
        job.trace_id,
        _encode(job.anomalies) if job.anomalies else None,
        int(job.summary_only),
        job.sequence,
        job.run,
        _us(job.begun),
        job.attempt,
        job.started_us,
        _us(job.missing_since),
        int(job.not_found),
    )


def target_from(row: Row) -> Target:
    """Return a target from a row of `TARGET_COLUMNS`."""
    profile, account_group, job_id, provider, resource, request_id, trace_id, accepted, batch = row
    key = key_of(profile, account_group, job_id)
    ids = _text(request_id), _text(trace_id)
    return Target(key, *api_from((provider, resource)), *ids, bool(accepted), batch=_text(batch) or "")


def api_from(row: Row) -> tuple[str, str]:
    """Return how a job is asked for: the API and what it is there."""
    provider, resource = row
    return _word(provider), _word(resource)


def job_from(target: Target, added_us: int, state: Row, result: str | None = None, moment: Moment = wall) -> Job:
    """Return the job of a row; `moment` makes its moments, counted from the epoch unless it says otherwise."""
    (
        status, phase, kind, progress, stages, error, facts, created_us, updated_us, ended_us, observed_us, asked_us,
        changed_us, ended_seen_us, seen_queued, problem, failures, misses, http_status, request_id, trace_id, anomalies,
        outlined, sequence, run, begun_us, attempt, started_us, missing_since_us, not_found,
        end_request_id, end_trace_id,
    ) = state  # fmt: skip
    return Job(
        target=target,
        added=moment(whole(added_us)),
        status=None if status is None else _word(status),
        phase=phase_from(phase),
        kind=_word(kind),
        progress=fraction(progress),
        stages=_decoded(stages, lambda rows: tuple(_stage_from(row, moment) for row in rows), (), ()),
        error=_decoded(error, lambda parts: JobError(*map(_lines, parts)), None, JobError(message=_DAMAGED)),
        result=result,
        facts=_decoded(facts, lambda pairs: tuple((clean(name), _lines(value) or "") for name, value in pairs), (), ()),
        created_us=optional(created_us),
        updated_us=optional(updated_us),
        ended_us=optional(ended_us),
        observed=None if observed_us is None else moment(whole(observed_us)),
        asked=None if asked_us is None else moment(whole(asked_us)),
        changed=None if changed_us is None else moment(whole(changed_us)),
        ended=None if ended_seen_us is None else moment(whole(ended_seen_us)),
        seen_queued=bool(seen_queued),
        sequence=whole(sequence),
        summary_only=bool(outlined),
        run=whole(run),
        begun=None if begun_us is None else moment(whole(begun_us)),
        attempt=_text(attempt),
        started_us=optional(started_us),
        problem=problem_from(problem) if failures else None,
        failures=whole(failures),
        misses=whole(misses),
        missing_since=None if missing_since_us is None else moment(whole(missing_since_us)),
        not_found=bool(not_found),
        http_status=optional(http_status),
        request_id=_text(request_id),
        trace_id=_text(trace_id),
        end_request_id=_text(end_request_id),
        end_trace_id=_text(end_trace_id),
        anomalies=_decoded(anomalies, lambda texts: tuple(map(clean, texts)), (), (_DAMAGED,)),
    )


def is_damaged(job: Job) -> bool:
    """Whether a part of the row that a job was made of could not be read, and is shown as such."""
    texts = (job.error and job.error.message, job.problem and job.problem.message, *job.anomalies)
    return _DAMAGED in texts


def stored_from(row: Row, result: str | None = None) -> StoredJob:
    """Return a stored job from a row as `history` selects it."""
    scope, fence, owner, lease_until_us, next_poll_us, watched_us, result_bytes, added_us = row[:8]
    return StoredJob(
        scope=parse_scope(clean(scope)),
        last=job_from(target_from(row[8:17]), added_us, row[17:], result),
        fence=_lenient(fence) or 0,
        lease_owner=_text(owner),
        # How its polling stands is no reason to go without the job.
        lease_until_us=_lenient(lease_until_us),
        next_poll_us=_lenient(next_poll_us),
        watched_us=None if watched_us is None else _lenient(watched_us) or 0,
        result_bytes=_lenient(result_bytes),
    )


def entry_from(row: Row) -> LedgerEntry:
    """Return a ledger entry from a row as `ledger` selects it."""
    (
        id_, profile, scope, actor, state, bucket, sent_us, account_group, job_id, method, url, started_us, duration_us,
        http_status, request_id, body_request_id, trace_id, size, problem, sequence,
    ) = row  # fmt: skip
    return LedgerEntry(
        id=UUID(bytes=id_),
        profile=clean(profile),
        scope=parse_scope(clean(scope)),
        actor=clean(actor),
        state=LedgerState(state),
        bucket=clean(bucket),
        sent_us=whole(sent_us),
        key=None if job_id is None else key_of(profile, account_group, job_id),
        method=clean(method or ""),
        url=clean(url or ""),
        started_us=optional(started_us),
        duration=None if duration_us is None else whole(duration_us) / 1e6,
        http_status=optional(http_status),
        request_id=_text(request_id),
        body_request_id=_text(body_request_id),
        trace_id=_text(trace_id),
        size=optional(size) or 0,
        problem=problem_from(problem),
        sequence=whole(sequence),
    )


def phase_from(word: str) -> Phase:
    """Return a phase; a word of a later version counts as unknown."""
    return _PHASES.get(word, Phase.UNKNOWN)


def numbers_from(text: str) -> list[int]:
    """Return the row numbers of a JSON list."""
    return _decoded(text, lambda numbers: [int(number) for number in numbers], [], [])


def numbers_text(numbers: Iterable[int]) -> str:
    """Return row numbers as a JSON list."""
    return _encode(list(numbers))


def _decoded(text: str | None, shape: Callable[[Any], T], nothing: T, damaged: T) -> T:
    """Return what a column of JSON text holds; `damaged` for what no jobdeck wrote, which costs no more than itself."""
    if text is None:
        return nothing
    try:
        return shape(json.loads(text))
    except ROW_FAULTS:
        return damaged


def _problem(values: list[Any]) -> Problem:
    kind, message, http_status, request_id, trace_id, retry_at_us = values
    known = ProblemKind(kind) if kind in list(ProblemKind) else ProblemKind.PROTOCOL
    ids = (_text(request_id), _text(trace_id))
    return Problem(known, clean(message), optional(http_status), *ids, optional(retry_at_us))


def _stage_values(record: StageRecord) -> Row:
    stage = record.stage
    moments = (_us(record.started), _us(record.changed), _us(record.ended))
    return (stage.name, stage.status, stage.phase.value, stage.progress, *moments)


def _stage_from(values: list[Any], moment: Moment) -> StageRecord:
    name, status, phase, progress, *moments = values
    known = (None if us is None else moment(whole(us)) for us in moments)
    return StageRecord(_stage(name, status, phase, progress), *known)


@lru_cache(maxsize=1_024)
def _stage(name: str, status: str, phase: str, progress: float | None) -> Stage:
    """Return a stage; jobs of one kind have the same few, and 10,000 of them would take 5 MB for their own."""
    return Stage(_word(name), _word(status), phase_from(phase), fraction(progress))


def _us(moment: Instant | None) -> int | None:
    return None if moment is None else moment.us


def _word(value: str) -> str:
    """Return a cleaned word that many rows share, once in memory for all of them."""
    return intern(clean(value))


def _text(value: str | None) -> str | None:
    return None if value is None else clean(value)


def _lines(value: str | None) -> str | None:
    return None if value is None else clean(value, lines=True)
