"""How an answer changes what is saved of a job: the pure part between one read and one write, for every database."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import Enum
from hashlib import blake2b

from jobdeck.domain.events import AnomalyMet, JobEvent, PhaseChanged, RunBegan, StageChanged
from jobdeck.domain.exchange import Exchange
from jobdeck.domain.job import Job, Observation
from jobdeck.domain.problem import Problem
from jobdeck.domain.timeline import TimelineEventKind
from jobdeck.domain.transitions import apply_failure, apply_observation
from jobdeck.store.columns import (
    STATE_NAMES,
    Row,
    encode_json,
    is_damaged,
    job_from,
    phase_from,
    state_values,
    target_from,
)
from jobdeck.store.models import Answer
from jobdeck.store.saved_job import from_epoch

SAVED_RESULT = "the saved result"
"""Stands for the result in a job that was read, which may be megabytes and is of no use to the rules."""

_DIGEST_SIZE = 16

BESIDE_STATE = ("result_bytes", "result_digest", "whole_digest", "row_digest", "first_shown", "last_shown")
"""The columns that are read and written beside the state of a job."""

WRITTEN = (*STATE_NAMES, *BESIDE_STATE)
"""The columns that `JobState.values` gives."""


@dataclass(frozen=True, slots=True)
class JobState:
    """A job, its moments counted from the epoch, and what is kept beside it.

    That is the size and digest of its result, the digests of its last own answer and of its last list row,
    and the first and last request (by its sequence) that showed its phase.
    """

    job: Job
    result_bytes: int | None = None
    result_digest: bytes | None = None
    whole_digest: bytes | None = None
    row_digest: bytes | None = None
    first_shown: int | None = None
    last_shown: int | None = None

    @classmethod
    def from_row(cls, row: Row) -> "JobState":
        """Return the state of a row: `BESIDE_STATE`, when it was added, the target's columns, the state's.

        Raises ValueError when a part of it cannot be read.
        """
        result_bytes, added_us = row[0], row[6]
        job = job_from(target_from(row[7:16]), added_us, row[16:], None if result_bytes is None else SAVED_RESULT)
        if is_damaged(job):
            raise ValueError("part of the row cannot be read")
        return cls(job, *row[:6])

    @property
    def values(self) -> Row:
        """The values of `WRITTEN`."""
        beside = (self.result_bytes, self.result_digest, self.whole_digest, self.row_digest)
        return (*state_values(self.job), *beside, self.first_shown, self.last_shown)


@dataclass(frozen=True, slots=True)
class JobHead:
    """As much of a saved job as tells whether an answer may say something new about it."""

    row: int
    sequence: int
    failures: int
    phase: str
    whole_digest: bytes | None
    row_digest: bytes | None
    watched: bool


class Step(Enum):
    """What an observation asks for: nothing, the moment alone, or a merge with the state."""

    NOTHING = "nothing"
    REPEAT = "repeat"
    MERGE = "merge"


@dataclass(frozen=True, slots=True)
class Update:
    """What is to be written of one job: its state, and whether the answer is noted as one that showed it.

    `active_us` is the time of a change, 0 when there was none; `fields` and `timeline` are what a change is recorded
    with. `new_result` says that the result is another one than before.
    """

    row: int
    state: JobState
    changed: bool = False
    seen: bool = True
    active_us: int = 0
    new_result: bool = False
    fields: str | None = None
    timeline: tuple[Row, ...] = ()


@dataclass(frozen=True, slots=True)
class Merge:
    """One answer, taken in at `now_us`, to a request on record under `sequence`."""

    answer: Answer
    sequence: int
    now_us: int

    @property
    def exchange(self) -> Exchange:
        """The exchange with its moment counted from the epoch, as those that are saved."""
        exchange = self.answer.exchange
        return replace(exchange, started=from_epoch(exchange.started.us), sequence=exchange.sequence or self.sequence)

    @property
    def listed(self) -> bool:
        """Whether it is the answer of a list."""
        return self.answer.grant.request.job is None

    def step(self, head: JobHead, digest: bytes, observation: Observation, *, read_before: bool) -> Step:
        """Return what an observation with this digest asks for.

        A list shows ended jobs for hours, and jobs that nobody watches: those are written only when they changed (a
        hundred such rows every 2 s would be 100 MB a day). Of a row that this run has not `read_before`, the digests
        may be all that damage has left.
        """
        as_row = self.listed or not observation.whole
        same = digest == (head.row_digest if as_row else head.whole_digest)
        newer = head.sequence <= (self.answer.exchange.sequence or self.sequence)
        if not same or not newer or head.failures or self.answer.exchange.part is not None:
            return Step.MERGE
        if self.is_quiet(head):
            return Step.NOTHING
        return Step.REPEAT if read_before else Step.MERGE

    def is_quiet(self, head: JobHead) -> bool:
        """Whether the answer is noted with a job only if it changed it."""
        return self.listed and (not head.watched or phase_from(head.phase).terminal)

    def observe(self, head: JobHead, state: JobState, observation: Observation, digest: bytes) -> Update | None:
        """Return what an observation changes; None when that is nothing."""
        exchange, before = self.exchange, state.job
        after, events = apply_observation(before, observation, exchange, from_epoch(self.now_us))
        if after is before or after.doubt is not None:
            return None
        new_result = after.result is not SAVED_RESULT and _digest_or_none(after.result) != state.result_digest
        changed = new_result or _essence(before) != _essence(after)
        if exchange.part is None:
            same = (before.phase, before.run) == (after.phase, after.run)
            first = state.first_shown if same and state.first_shown is not None else self.sequence
            state = replace(state, first_shown=first, last_shown=self.sequence)
        else:
            observation = replace(observation, status=after.status or "", phase=after.phase)
        state = self._with_digest(replace(state, job=after), observation, digest, changed=changed)
        if new_result:
            size = None if after.result is None else len(after.result)
            state = replace(state, result_bytes=size, result_digest=_digest_or_none(after.result))
        return Update(
            head.row,
            state,
            changed=changed,
            seen=changed or not self.is_quiet(head),
            active_us=self.now_us if changed else 0,
            new_result=new_result,
            fields=_fields_text(observation) if changed else None,
            timeline=tuple(_timeline_rows(events, observation)) if changed else (),
        )

    def fail(self, row: int, state: JobState, problem: Problem) -> Update:
        """Return what an exchange that told nothing about a job changes: its last good state stays."""
        after, _ = apply_failure(state.job, self.exchange, problem, from_epoch(self.now_us))
        return Update(row, replace(state, job=after), seen=False)

    def _with_digest(self, state: JobState, observation: Observation, digest: bytes, *, changed: bool) -> JobState:
        """Note the digest of an observation that was applied: of a list row, or of the job's own answer.

        After a change the other kind of observation has to be looked at again: a list row that says what it said
        before may now be old, or contradict an end.
        """
        if self.listed or not observation.whole:
            return replace(state, row_digest=digest, whole_digest=None if changed else state.whole_digest)
        return replace(state, whole_digest=digest, row_digest=None if changed else state.row_digest)


def observation_digest(observation: Observation) -> bytes:
    """Return a digest of everything an observation says, the same for the same words."""
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
    """Return what of a job is its state, as opposed to how it was last seen."""
    state = (job.status, job.phase, job.kind, job.progress, job.stages, job.error, job.facts, job.anomalies)
    return (*state, job.created_us, job.updated_us, job.ended_us, job.run, job.attempt, job.started_us)


def _fields_text(observation: Observation) -> str:
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
    return encode_json(said)


TIMELINE_COLUMNS = ("kind", "stage", "phase_before", "phase_after", "words")
"""The columns that `Update.timeline` has the values of; the IDs are the exchange's."""


def _timeline_rows(events: tuple[JobEvent, ...], observation: Observation) -> Iterator[Row]:
    statuses = {stage.name: stage.status for stage in observation.stages}
    for event in events:
        match event:
            case RunBegan(message=message):
                yield (TimelineEventKind.RUN.value, None, None, None, message)
            case PhaseChanged(before=before, after=after, status=status):
                yield (TimelineEventKind.PHASE.value, None, before.value, after.value, status)
            case StageChanged(stage=stage, before=was, after=after):
                yield (TimelineEventKind.STAGE.value, stage, was and was.value, after.value, statuses[stage])
            case AnomalyMet(message=message):
                yield (TimelineEventKind.ANOMALY.value, None, None, None, message)
            case _:
                continue
