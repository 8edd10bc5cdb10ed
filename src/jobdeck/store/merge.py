"""How answers change what is saved: the pure part between one read and one write, for every database.

`merge_answers` takes the rows of all jobs that the answers show, and returns what to write.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from hashlib import blake2b
from operator import itemgetter
from typing import TypeAlias

from jobdeck.domain.events import JobEvent
from jobdeck.domain.exchange import Exchange
from jobdeck.domain.job import Job, JobKey, Observation
from jobdeck.domain.problem import Problem, ProblemKind
from jobdeck.domain.timeline import timeline_of
from jobdeck.domain.transitions import apply_failure, apply_observation
from jobdeck.store.columns import (
    ROW_FAULTS,
    STATE_NAMES,
    TARGET_NAMES,
    Row,
    encode_json,
    is_damaged,
    job_from,
    phase_from,
    state_values,
    timeline_values,
)
from jobdeck.store.models import Answer, Completed, from_epoch
from jobdeck.store.protocol import COOLDOWN_SECONDS, LIST_SECONDS

SAVED_RESULT = "the saved result"
"""Stands for the result in a job that was read, which may be megabytes and is of no use to the rules."""

_DIGEST_SIZE = 16

BESIDE_STATE = ("result_bytes", "result_digest", "whole_digest", "row_digest", "first_shown", "last_shown")
"""The columns that are read and written beside the state of a job."""

WRITTEN = (*STATE_NAMES, *BESIDE_STATE)
"""The columns that `JobState.values` gives."""

READ = (*BESIDE_STATE, "added_us", *TARGET_NAMES, *STATE_NAMES)
"""The columns that `SavedRow` takes as its `values`."""

_head_of = itemgetter(*map(READ.index, ("sequence", "failures", "phase", "whole_digest", "row_digest")))

Place: TypeAlias = tuple[int, str, str]
"""What finds the row of a job: the row of its scope, its account group ('' for none) and its ID."""


class DamagedRowError(ValueError):
    """The row of a job cannot be read."""

    def __init__(self, row: int) -> None:
        self.row = row
        super().__init__(f"row {row} of jobs cannot be read")


@dataclass(frozen=True, slots=True)
class JobState:
    """A job, its moments counted from the epoch, and what is kept beside it."""

    job: Job

    result_bytes: int | None = None
    result_digest: bytes | None = None
    """Size and digest of the last result."""

    whole_digest: bytes | None = None
    row_digest: bytes | None = None
    """Digests of the last own answer and of the last list row."""

    first_shown: int | None = None
    last_shown: int | None = None
    """The first and the last request, by its sequence, that showed the job's phase."""

    @classmethod
    def from_values(cls, values: Row) -> "JobState":
        """Return the state of the values of `READ`; raises ValueError when a part of them cannot be read."""
        result_bytes = values[0]
        job = job_from("", values[len(BESIDE_STATE) :], None if result_bytes is None else SAVED_RESULT)
        if is_damaged(job):
            raise ValueError("part of the row cannot be read")
        return cls(job, *values[: len(BESIDE_STATE)])

    @property
    def values(self) -> Row:
        """The values of `WRITTEN`."""
        beside = (self.result_bytes, self.result_digest, self.whole_digest, self.row_digest)
        return (*state_values(self.job), *beside, self.first_shown, self.last_shown)


class SavedRow:
    """The row of a job as it was read, and as the answers merged so far leave it.

    Its digests tell most answers from news before the state is decoded, which is most of the work of a merge. A row
    that the reader has not `read_before` may be damaged although its digests match: then no answer is a repeat.
    """

    def __init__(
        self, row: int, *, fence: int, watched: bool, values: Row, version: int = 0, read_before: bool = True
    ) -> None:
        self.row = row
        self.fence = fence
        self.watched = watched
        self.version = version
        self.read_before = read_before
        self.sequence, self.failures, self.phase, self.whole_digest, self.row_digest = _head_of(values)
        self._values = values
        self._state: JobState | None = None
        self._repeat: MergedAnswer | None = None

    @property
    def is_decoded(self) -> bool:
        """Whether the state was decoded, and so is sound."""
        return self._state is not None

    @property
    def state(self) -> JobState:
        """The state of the job; raises one of `ROW_FAULTS` for a damaged row."""
        if self._state is None:
            self._state = JobState.from_values(self._values)
        if self._repeat is not None:
            answered, self._repeat = self._repeat, None
            self._state = _repeated(self._state, answered)
        return self._state

    @state.setter
    def state(self, state: JobState) -> None:
        job = state.job
        self._state, self._repeat = state, None
        self.sequence, self.failures, self.phase = job.sequence, job.failures, job.phase.value
        self.whole_digest, self.row_digest = state.whole_digest, state.row_digest

    def repeat(self, answered: "MergedAnswer") -> None:
        """Note an answer that showed the job as it is."""
        self.sequence, self._repeat = answered.order, answered


@dataclass(frozen=True, slots=True)
class Update:
    """What to write of one job that an answer changed, or that a request failed about."""

    row: int
    state: JobState

    changed: bool = False
    """Whether the state of the job is another one, not only when and how it was last seen."""

    noted: bool = True
    """Whether to note the answer as one that showed the job."""

    new_result: bool = False

    fields: str | None = None
    """What a change showed, as JSON."""

    timeline: tuple[Row, ...] = ()
    """The values of `TIMELINE_NAMES` of each new event."""


@dataclass(slots=True)
class MergedAnswer:
    """What to write of one answer, in this order: `updates`, then `repeats`."""

    answer: Answer
    now_us: int

    job: int | None = None
    """The row of the job that the request was about."""

    late: bool = False
    """Whether another lease on that job was taken meanwhile: then the answer changes no job."""

    updates: list[Update] = field(default_factory=list)

    repeats: list[int] = field(default_factory=list)
    """Rows of jobs that the answer showed as they were, of which only the moment is written."""

    _shown: dict[JobKey, tuple[int, bool]] = field(default_factory=dict)
    _exchange: Exchange | None = None

    @property
    def exchange(self) -> Exchange:
        """The exchange with its moment counted from the epoch, as in saved jobs."""
        if self._exchange is None:
            started = from_epoch(self.answer.exchange.started.us)
            self._exchange = replace(self.answer.exchange, started=started, sequence=self.order)
        return self._exchange

    @property
    def sequence(self) -> int:
        """The request on record."""
        return self.answer.grant.sequence

    @property
    def order(self) -> int:
        """The place of the request in the order of sending; not `sequence` where its record was written again."""
        return self.answer.exchange.sequence or self.answer.grant.sequence

    @property
    def cooldown_us(self) -> int | None:
        """Until when the bucket lets nothing through; None without a 429."""
        problem = self.answer.exchange.problem
        if problem is None or problem.kind is not ProblemKind.RATE_LIMIT:
            return None
        return self.now_us + round(COOLDOWN_SECONDS * 1e6) if problem.retry_at_us is None else problem.retry_at_us

    @property
    def list_until_us(self) -> int | None:
        """Until when no other client gets the list; None for other requests. After a problem it is free at once."""
        request = self.answer.grant.request
        if request.job is not None or not request.lease:
            return None
        return self.now_us + (round(LIST_SECONDS * 1e6) if self.answer.exchange.problem is None else 0)

    @property
    def noted(self) -> tuple[int, ...]:
        """The rows of the jobs that the answer is noted with, as one that showed them."""
        return tuple(dict.fromkeys((*(update.row for update in self.updates if update.noted), *self.repeats)))

    @property
    def news(self) -> tuple[int, ...]:
        """The rows of the jobs about which others should hear; that a poll failed is news, too."""
        changed = {row: None for row, is_changed in self._shown.values() if is_changed}
        request = self.answer.grant.request
        if self.job is not None and request.lease and (self.late or self.answer.exchange.problem is not None):
            changed[self.job] = None
        return tuple(changed)

    @property
    def completed(self) -> Completed:
        """What the answer did."""
        return Completed(
            changed=tuple(key for key, (_, changed) in self._shown.items() if changed),
            seen=tuple(key for key, (_, changed) in self._shown.items() if not changed),
            late=self.late,
        )

    def show(self, key: JobKey, row: int, *, changed: bool) -> None:
        """Note a job that the answer is about; one that it once changed stays changed."""
        before = self._shown.get(key)
        self._shown[key] = (row, changed or (before is not None and before[1]))


def places_of(scopes: Mapping[str, int], answers: Sequence[Answer]) -> list[Place]:
    """Return which rows `merge_answers` needs; `scopes` has the row of each profile's scope."""
    places: dict[Place, None] = {}
    for answer in answers:
        request = answer.grant.request
        scope = scopes[request.profile]
        if request.job is not None:
            places[_place(scope, request.job)] = None
        for observation in answer.observations:
            places[_place(scope, _key_of(answer, observation))] = None
    return list(places)


def merge_answers(
    saved: Mapping[Place, SavedRow], scopes: Mapping[str, int], answers: Sequence[Answer], now_us: int
) -> tuple[MergedAnswer, ...]:
    """Merge answers that came by `now_us` with the rows of `places_of`, each with what the one before left of them.

    Ignores jobs without a row, which were never watched. Raises `DamagedRowError`; then `saved` is of no more use.
    """
    return tuple(_merge(saved, scopes[answer.grant.request.profile], answer, now_us) for answer in answers)


def _merge(saved: Mapping[Place, SavedRow], scope: int, answer: Answer, now_us: int) -> MergedAnswer:
    grant, problem = answer.grant, answer.exchange.problem
    asked = None if grant.request.job is None else saved.get(_place(scope, grant.request.job))
    merged = MergedAnswer(
        answer,
        now_us,
        job=None if asked is None else asked.row,
        late=grant.fence is not None and (asked is None or asked.fence != grant.fence),
    )
    if merged.late:
        return merged
    if problem is not None:
        if asked is not None and grant.request.job is not None and grant.request.lease:
            _fail(merged, grant.request.job, asked, problem)
        return merged
    for observation in answer.observations:
        key = _key_of(answer, observation)
        row = saved.get(_place(scope, key))
        if row is not None:
            _observe(merged, key, row, observation)
    return merged


def _place(scope: int, key: JobKey) -> Place:
    return scope, key.account_group or "", key.id


def _key_of(answer: Answer, observation: Observation) -> JobKey:
    request = answer.grant.request
    if request.job is not None and request.job.id == observation.id:
        return request.job
    return JobKey(request.profile, observation.account_group, observation.id)


def _fail(merged: MergedAnswer, key: JobKey, row: SavedRow, problem: Problem) -> None:
    """Merge an exchange that told nothing about a job: its last good state stays."""
    try:
        state = row.state
        after, events = apply_failure(state.job, merged.exchange, problem, from_epoch(merged.now_us))
    except ROW_FAULTS as error:
        raise DamagedRowError(row.row) from error
    row.state = replace(state, job=after)
    merged.updates.append(Update(row.row, row.state, noted=False, timeline=_timeline(merged, events)))
    merged.show(key, row.row, changed=False)


def _observe(merged: MergedAnswer, key: JobKey, row: SavedRow, observation: Observation) -> None:
    try:
        digest = _observation_digest(observation)
        # Lists show ended jobs for hours, and jobs that nobody watches: noting a hundred such rows every 2 s would take
        # 100 MB a day.
        quiet = merged.answer.grant.request.job is None and (not row.watched or phase_from(row.phase).terminal)
        if _is_repeat(merged, row, observation, digest):
            if quiet:
                return
            if row.read_before or row.is_decoded:
                merged.repeats.append(row.row)
                merged.show(key, row.row, changed=False)
                row.repeat(merged)
                return
        update = _apply(merged, row, observation, digest, quiet=quiet)
    except ROW_FAULTS as error:
        raise DamagedRowError(row.row) from error
    if update is not None:
        row.state = update.state
        merged.updates.append(update)
        if update.noted:
            merged.show(key, row.row, changed=update.changed)


def _is_repeat(merged: MergedAnswer, row: SavedRow, observation: Observation, digest: bytes) -> bool:
    """Whether an observation is newer than the saved state, and equals the last one of its kind."""
    if row.failures or merged.answer.exchange.part is not None or row.sequence > merged.order:
        return False
    known: bytes | None = row.row_digest if _is_row(merged, observation) else row.whole_digest
    return digest == known


def _is_row(merged: MergedAnswer, observation: Observation) -> bool:
    return merged.answer.grant.request.job is None or not observation.whole


def _apply(
    merged: MergedAnswer, row: SavedRow, observation: Observation, digest: bytes, *, quiet: bool
) -> Update | None:
    """Return what an observation changes, None when that is nothing; with `quiet` it is noted only if it did."""
    state, exchange, before = row.state, merged.exchange, row.state.job
    after, events = apply_observation(before, observation, exchange, from_epoch(merged.now_us))
    if after is before or after.doubt is not None:
        return None
    new_result = after.result is not SAVED_RESULT and _digest_or_none(after.result) != state.result_digest
    changed = new_result or _essence(before) != _essence(after)
    if exchange.part is None:
        same = (before.phase, before.run) == (after.phase, after.run)
        first = state.first_shown if same and state.first_shown is not None else merged.sequence
        state = replace(state, first_shown=first, last_shown=merged.sequence)
    else:
        observation = replace(observation, status=after.status or "", phase=after.phase)
    # After a change the other kind of observation must be merged again: a list row that repeats what it showed before
    # may now be old, or contradict an end.
    if _is_row(merged, observation):
        state = replace(state, job=after, row_digest=digest, whole_digest=None if changed else state.whole_digest)
    else:
        state = replace(state, job=after, whole_digest=digest, row_digest=None if changed else state.row_digest)
    if new_result:
        size = None if after.result is None else len(after.result)
        state = replace(state, result_bytes=size, result_digest=_digest_or_none(after.result))
    return Update(
        row.row,
        state,
        changed=changed,
        noted=changed or not quiet,
        new_result=new_result,
        fields=_fields_text(observation) if changed else None,
        timeline=_timeline(merged, events),
    )


def _repeated(state: JobState, answered: MergedAnswer) -> JobState:
    """Return the state after an answer that showed the job as it was."""
    exchange = answered.exchange
    job = replace(
        state.job,
        observed=from_epoch(answered.now_us),
        asked=exchange.started,
        sequence=exchange.sequence,
        http_status=exchange.http_status,
        request_id=exchange.request_id,
        trace_id=exchange.trace_id,
    )
    return replace(state, job=job, last_shown=answered.sequence)


def _timeline(merged: MergedAnswer, events: Iterable[JobEvent]) -> tuple[Row, ...]:
    return tuple(timeline_values(event, merged.now_us, merged.exchange) for event in timeline_of(events, None))


def _observation_digest(observation: Observation) -> bytes:
    """Return a digest of an observation; equal observations have equal digests."""
    shown = (
        observation.status,
        observation.phase.value,
        observation.progress,
        [(stage.name, stage.status, stage.phase.value, stage.progress) for stage in observation.stages],
        observation.error,
        _digest_or_none(observation.result),
        observation.kind,
        observation.created_us,
        observation.updated_us,
        observation.ended_us,
        observation.facts,
        observation.note,
        observation.attempt,
        observation.started_us,
    )
    return _digest(repr(shown))


def _digest_or_none(text: str | None) -> bytes | None:
    return None if text is None else _digest(text)


def _digest(text: str) -> bytes:
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=_DIGEST_SIZE).digest()


def _essence(job: Job) -> tuple[object, ...]:
    """Return the state of a job, without how and when it was last seen."""
    state = (job.status, job.phase, job.kind, job.progress, job.stages, job.error, job.facts, job.anomalies)
    return (*state, job.created_us, job.updated_us, job.ended_us, job.run, job.attempt, job.started_us)


def _fields_text(observation: Observation) -> str:
    """Return an observation without its result, as a JSON object that a person can read."""
    shown: dict[str, object] = {"status": observation.status, "phase": observation.phase, "whole": observation.whole}
    if observation.progress is not None:
        shown["progress"] = observation.progress
    if observation.stages:
        shown["stages"] = [
            {"name": stage.name, "status": stage.status, "phase": stage.phase, "progress": stage.progress}
            for stage in observation.stages
        ]
    if observation.error is not None:
        error = observation.error
        shown["error"] = {"code": error.code, "message": error.message, "details": error.details}
    for name in ("kind", "created_us", "updated_us", "ended_us", "attempt", "started_us"):
        value = getattr(observation, name)
        if value is not None:
            shown[name] = value
    if observation.facts:
        shown["facts"] = dict(observation.facts)
    return encode_json(shown)
