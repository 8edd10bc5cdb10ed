"""The columns of saved jobs, requests and timelines: each is named once, with how its value is written and read.

Reading cleans every text, because a database is input from outside, too. A value that cannot be read raises one of
`ROW_FAULTS`.
"""

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import astuple, dataclass, replace
from functools import lru_cache
from operator import attrgetter
from sys import intern
from typing import Any, LiteralString, TypeAlias, TypeVar

from jobdeck.domain.attention import UNREACHABLE_FAILURES
from jobdeck.domain.exchange import Exchange
from jobdeck.domain.instant import Instant
from jobdeck.domain.job import Job, JobError, JobKey, Stage, StageRecord, Target
from jobdeck.domain.phase import Phase
from jobdeck.domain.problem import Problem, ProblemKind
from jobdeck.domain.scope import parse_scope
from jobdeck.domain.text import clean
from jobdeck.domain.timeline import TimelineEvent, TimelineEventKind
from jobdeck.store.models import RequestRecord, RequestState, from_epoch


def sql(template: LiteralString, **parts: str) -> str:
    """Return a statement with the `parts` put where the template names them, as in ``{columns}``.

    Parts are constants of this package and names from the schema. Text of a user, a server or a row is a parameter of
    the statement, never a part.
    """
    return template.format(**parts)


ToInstant: TypeAlias = Callable[[int], Instant]
"""Makes a moment of microseconds since the epoch."""

Row: TypeAlias = tuple[Any, ...]
"""A row of a query; the types are those of the selected columns."""

T = TypeVar("T")

ROW_FAULTS = (ValueError, TypeError, LookupError, AttributeError, ArithmeticError, RecursionError)
"""Errors that a damaged row raises: text that is not UTF-8, a value of another type, an unknown word."""

_DAMAGED = "the saved value is damaged"

_LARGEST = 2**62
"""The largest number a row may hold: a database holds no more than twice as much, and no count or date comes near."""

# `Phase(word)` takes 7 µs; a start with 10,000 jobs looks up 40,000 phases.
_PHASES = {phase.value: phase for phase in Phase}

encode_json = json.JSONEncoder(ensure_ascii=True, allow_nan=False, separators=(",", ":")).encode


def integer(value: Any) -> int:
    """Return an integer; raises ValueError for anything else, and for a number above `_LARGEST`."""
    if type(value) is not int or abs(value) > _LARGEST:
        raise ValueError("not an integer, or too large")
    return value


def optional(value: Any) -> int | None:
    """Return an integer or None."""
    return None if value is None else integer(value)


def lenient(value: Any) -> int | None:
    """Return an integer, or None for anything else."""
    return value if type(value) is int and abs(value) <= _LARGEST else None


def text(value: str | None) -> str | None:
    """Return a cleaned line or None."""
    return None if value is None else clean(value)


def word(value: str) -> str:
    """Return a cleaned word, which all rows that have it share in memory."""
    return intern(clean(value))


def phase_from(value: str) -> Phase:
    """Return a phase, `UNKNOWN` for a word that a later version wrote."""
    return _PHASES.get(value, Phase.UNKNOWN)


def key_from(profile: str, account_group: str, job_id: str) -> JobKey:
    """Return the key of a row of jobs, which has '' for a missing account group."""
    return JobKey(word(profile), word(account_group) or None, clean(job_id))


def problem_text(problem: Problem | None) -> str | None:
    """Return a problem as JSON text."""
    return None if problem is None else encode_json(astuple(problem))


def problem_from(value: str | None, moment: ToInstant = from_epoch) -> Problem | None:
    """Return a problem from its JSON text, as an unexpected answer if a later version wrote its kind."""
    problem = _decoded(value, _problem, None, Problem(ProblemKind.PROTOCOL, _DAMAGED))
    if problem is None or problem.retry_at_us is None:
        return problem
    return replace(problem, retry_at_us=moment(problem.retry_at_us).us)


def numbers_from(value: str) -> list[int]:
    """Return the row numbers of a JSON list."""
    return _decoded(value, lambda numbers: [int(number) for number in numbers], [], [])


def numbers_text(numbers: Iterable[int]) -> str:
    """Return row numbers as a JSON list."""
    return encode_json(list(numbers))


TARGET_NAMES = (
    *("account_group", "job_id", "provider", "resource"),
    *("accepted_request_id", "accepted_trace_id", "accepted", "batch"),
)
"""The columns of a job's target, beside its profile."""


def target_values(target: Target) -> Row:
    """Return the values of `TARGET_NAMES`."""
    key, ids = target.key, (target.accepted_request_id, target.accepted_trace_id)
    named = (key.account_group or "", key.id, target.provider, target.resource)
    return (*named, *ids, int(target.accepted), target.batch or None)


def target_from(profile: str, values: Sequence[Any]) -> Target:
    """Return a target from the values of `TARGET_NAMES`."""
    account_group, job_id, provider, resource, request_id, trace_id, accepted, batch = values
    key = key_from(profile, account_group, job_id)
    return Target(
        key, word(provider), word(resource), text(request_id), text(trace_id), bool(accepted), batch=text(batch) or ""
    )


NEED = (
    "CASE WHEN a.acknowledged AND (j.ended_seen_us IS NULL OR a.at_us >= j.ended_seen_us) THEN 6"
    " WHEN j.phase = 'failed' THEN 0 WHEN j.phase = 'partial' THEN 2 WHEN j.phase IN ('succeeded', 'cancelled') THEN 5"
    f" WHEN j.failures >= {UNREACHABLE_FAILURES} OR (j.failures > 0 AND j.observed_us IS NULL) THEN 1"
    " WHEN j.observed_us IS NULL OR j.phase = 'queued' THEN 4 ELSE 3 END,"
    " coalesce(j.ended_seen_us, j.changed_us, j.added_us) DESC, w.seq"
)
"""How a query orders jobs `j` with annotations `a` and watches `w` by need, as `domain/attention.py` does.

Rows do not show which jobs have stalled, nor an outage of their profile.
"""


@dataclass(frozen=True, slots=True)
class Column:
    """One column: the field of `Job` or `Exchange` that it holds, and how that is written and read."""

    name: str
    field: str
    encode: Callable[[Any], Any]
    decode: Callable[[Any, ToInstant], Any]


def _same(value: T) -> T:
    return value


def _us(moment: Instant | None) -> int | None:
    return None if moment is None else moment.us


def _instant(value: Any, moment: ToInstant) -> Instant | None:
    return None if value is None else moment(integer(value))


def _fraction(value: Any) -> float | None:
    if value is not None and not (type(value) in {int, float} and 0 <= value <= 1):
        raise ValueError("progress outside 0 to 1")
    return None if value is None else float(value)


def _lines(value: str | None) -> str | None:
    return None if value is None else clean(value, lines=True)


def _words(value: str | None, _: ToInstant) -> str | None:
    return None if value is None else word(value)


def _plain(name: str, decode: Callable[[Any], Any], field: str = "") -> Column:
    return Column(name, field or name, _same, lambda value, _: decode(value))


def _flag(name: str) -> Column:
    return Column(name, name, int, lambda value, _: bool(value))


def _moment(name: str, field: str = "") -> Column:
    return Column(name, field or name.removesuffix("_us"), _us, _instant)


def _json_list(name: str, shape: Callable[[Any], Any], damaged: object) -> Column:
    return Column(
        name,
        name,
        lambda value: encode_json(value) if value else None,
        lambda value, _: _decoded(value, shape, (), damaged),
    )


def _decoded(value: str | None, shape: Callable[[Any], T], nothing: T, damaged: T) -> T:
    """Return the value of a column of JSON text, `damaged` for a text that cannot be read."""
    if value is None:
        return nothing
    try:
        return shape(json.loads(value))
    except ROW_FAULTS:
        return damaged


def _problem(values: list[Any]) -> Problem:
    kind, message, http_status, request_id, trace_id, retry_at_us = values
    known = ProblemKind(kind) if kind in list(ProblemKind) else ProblemKind.PROTOCOL
    return Problem(
        known, clean(message), optional(http_status), text(request_id), text(trace_id), optional(retry_at_us)
    )


def _stages_from(value: str | None, moment: ToInstant) -> tuple[StageRecord, ...]:
    return _decoded(value, lambda rows: tuple(_stage_from(row, moment) for row in rows), (), ())


def _stage_values(record: StageRecord) -> Row:
    stage = record.stage
    moments = (_us(record.started), _us(record.changed), _us(record.ended))
    return (stage.name, stage.status, stage.phase.value, stage.progress, *moments)


def _stage_from(values: list[Any], moment: ToInstant) -> StageRecord:
    name, status, phase, progress, *moments = values
    known = (None if us is None else moment(integer(us)) for us in moments)
    return StageRecord(_stage(name, status, phase, progress), *known)


@lru_cache(maxsize=1_024)
def _stage(name: str, status: str, phase: str, progress: float | None) -> Stage:
    """Return a stage, the same object for equal stages: 10,000 jobs with stages of their own take 5 MB more."""
    return Stage(word(name), word(status), phase_from(phase), _fraction(progress))


STATE = (
    Column("status", "status", _same, _words),
    Column("phase", "phase", lambda phase: phase.value, lambda value, _: phase_from(value)),
    _plain("kind", word),
    _plain("progress", _fraction),
    Column(
        "stages",
        "stages",
        lambda stages: encode_json([_stage_values(record) for record in stages]) if stages else None,
        _stages_from,
    ),
    Column(
        "error",
        "error",
        lambda error: None if error is None else encode_json((error.code, error.message, error.details)),
        lambda value, _: _decoded(value, lambda parts: JobError(*map(_lines, parts)), None, JobError(message=_DAMAGED)),
    ),
    _json_list("facts", lambda pairs: tuple((clean(name), _lines(value) or "") for name, value in pairs), ()),
    _plain("created_us", optional),
    _plain("updated_us", optional),
    _plain("ended_us", optional),
    _moment("observed_us"),
    _moment("asked_us"),
    _moment("changed_us"),
    _moment("ended_seen_us", "ended"),
    _flag("seen_queued"),
    Column("problem", "problem", problem_text, problem_from),
    _plain("failures", integer),
    _plain("misses", integer),
    _plain("http_status", optional),
    _plain("request_id", text),
    _plain("trace_id", text),
    _json_list("anomalies", lambda texts: tuple(map(clean, texts)), (_DAMAGED,)),
    _flag("summary_only"),
    _plain("sequence", integer),
    _plain("run", integer),
    _moment("begun_us"),
    _plain("attempt", text),
    _plain("started_us", optional),
    _moment("missing_since_us"),
    _flag("not_found"),
)
"""The columns of a job's state, in the order of every statement."""

STATE_NAMES = tuple(column.name for column in STATE)

END_ID_NAMES = ("end_request_id", "end_trace_id")
"""What a query selects of a job after its state: the IDs of the first exchange that showed its end."""

_fields_of = attrgetter(*(column.field for column in STATE))
_ENCODERS = tuple(column.encode for column in STATE)
_DECODERS = tuple((column.field, column.decode) for column in STATE)
_TARGET_END = 1 + len(TARGET_NAMES)
_STATE_END = _TARGET_END + len(STATE)


def state_values(job: Job) -> Row:
    """Return the values of `STATE` for a job."""
    return tuple([encode(value) for encode, value in zip(_ENCODERS, _fields_of(job), strict=True)])


def job_from(profile: str, row: Sequence[Any], result: str | None = None, moment: ToInstant = from_epoch) -> Job:
    """Return the job of a row: when it was added, `TARGET_NAMES`, `STATE_NAMES`, and perhaps `END_ID_NAMES`.

    `profile` is the name under which the job is shown.
    """
    values, end_ids = row[_TARGET_END:_STATE_END], row[_STATE_END:] or (None, None)
    fields = {field: decode(value, moment) for (field, decode), value in zip(_DECODERS, values, strict=True)}
    if not fields["failures"]:
        fields["problem"] = None
    return Job(
        target=target_from(profile, row[1:_TARGET_END]),
        added=moment(integer(row[0])),
        result=result,
        end_request_id=text(end_ids[0]),
        end_trace_id=text(end_ids[1]),
        **fields,
    )


def is_damaged(job: Job) -> bool:
    """Whether a part of the job's row could not be read, so that the job shows a placeholder."""
    texts = (job.error and job.error.message, job.problem and job.problem.message, *job.anomalies)
    return _DAMAGED in texts


EXCHANGE = (
    _moment("started_us"),
    Column(
        "duration_us",
        "duration",
        lambda seconds: round(seconds * 1e6),
        lambda value, _: 0.0 if value is None else integer(value) / 1e6,
    ),
    _plain("method", lambda value: clean(value or "")),
    _plain("url", lambda value: clean(value or "")),
    _plain("http_status", optional),
    _plain("request_id", text),
    _plain("body_request_id", text),
    _plain("trace_id", text),
    _plain("size", lambda value: optional(value) or 0),
    Column("problem", "problem", problem_text, problem_from),
)
"""The columns of a request that its answer fills; they are empty until then."""

EXCHANGE_NAMES = tuple(column.name for column in EXCHANGE)

_answer_fields_of = attrgetter(*(column.field for column in EXCHANGE))
_ANSWER_ENCODERS = tuple(column.encode for column in EXCHANGE)


def exchange_values(exchange: Exchange) -> Row:
    """Return the values of `EXCHANGE`."""
    return tuple([encode(value) for encode, value in zip(_ANSWER_ENCODERS, _answer_fields_of(exchange), strict=True)])


RECORD_COLUMNS = ", ".join(
    (
        *("e.state", "e.bucket", "e.sent_us", "j.account_group", "j.job_id", "e.seq"),
        *(f"e.{name}" for name in EXCHANGE_NAMES),
    )
)
"""What a query selects for `record_from`, of exchanges `e` and jobs `j`."""


def record_from(
    profile: str, scope: str, client: str, values: Sequence[Any], moment: ToInstant = from_epoch
) -> RequestRecord:
    """Return a request on record from the values of `RECORD_COLUMNS`."""
    state, bucket, sent_us, account_group, job_id, sequence, *answered = values
    fields = {column.field: column.decode(value, moment) for column, value in zip(EXCHANGE, answered, strict=True)}
    sent = moment(integer(sent_us))
    exchange = Exchange(
        profile=clean(profile),
        job=None if job_id is None else key_from(profile, account_group, job_id),
        sequence=integer(sequence),
        **{**fields, "started": fields["started"] or sent},
    )
    return RequestRecord(
        exchange, RequestState(state), clean(client), parse_scope(clean(scope)), clean(bucket), sent.us
    )


TIMELINE_NAMES = ("at_us", "kind", "stage", "phase_before", "phase_after", "words", "request_id", "trace_id")
"""The columns of an event of a timeline."""


def timeline_values(event: TimelineEvent, at_us: int, exchange: Exchange) -> Row:
    """Return the values of `TIMELINE_NAMES` for an event that an exchange showed at `at_us`."""
    change = (event.kind.value, event.stage, event.before, event.after, event.text)
    return (at_us, *change, exchange.request_id, exchange.trace_id)


def timeline_event_from(row: Sequence[Any], moment: ToInstant = from_epoch) -> TimelineEvent:
    """Return an event from its row; support needs one ID, the request's or else the trace's."""
    at_us, kind, stage, before, after, words, request_id, trace_id = row
    return TimelineEvent(
        at_us=moment(integer(at_us)).us,
        kind=TimelineEventKind(kind),
        text=clean(words),
        stage=text(stage),
        before=text(before),
        after=text(after),
        request_id=text(request_id) or text(trace_id),
    )
