"""A job's remembered state, read before and written after an answer."""

from dataclasses import dataclass, replace
from hashlib import blake2b

from jobdeck.domain.job import Job, Observation
from jobdeck.store.sqlite.codec import (
    STATE_COLUMNS,
    STATE_NAMES,
    TARGET_COLUMNS,
    is_damaged,
    job_from,
    state_values,
    target_from,
)
from jobdeck.store.sqlite.database import Session
from jobdeck.store.sqlite.rows import one
from jobdeck.store.sqlite.sql import sql

_LOAD = sql(
    "SELECT j.result_bytes, j.result_digest, j.whole_digest, j.row_digest, j.first_shown, j.last_shown, j.added_us,"
    " {target}, {state} FROM jobs j JOIN profiles n ON n.id = j.profile WHERE j.seq = ?",
    target=TARGET_COLUMNS,
    state=STATE_COLUMNS,
)
_SAVE = sql(
    "UPDATE jobs SET {state} = ?, result_bytes = ?, result_digest = ?, whole_digest = ?,"
    " row_digest = ?, first_shown = ?, last_shown = ?, active_us = max(active_us, ?) WHERE seq = ?",
    state=" = ?, ".join(STATE_NAMES),
)

_AS_BEFORE = "the saved result"
"""Stands for the result in a loaded job, which may be megabytes and is of no use to the rules."""

_DIGEST_SIZE = 16


@dataclass(frozen=True, slots=True)
class Remembered:
    """A job and what is kept beside it.

    That is the size and digest of its result, the digests of its last own answer and of its last list row,
    and the first and last exchange (`exchanges.seq`) that showed its phase.
    """

    job: Job
    result_bytes: int | None
    result_digest: bytes | None
    whole_digest: bytes | None
    row_digest: bytes | None
    first_shown: int | None
    last_shown: int | None

    def with_digest(self, digest: bytes, *, row: bool, changed: bool) -> "Remembered":
        """Note the digest of an observation that was applied: of a list row, or of the job's own answer.

        After a change the other kind of observation has to be looked at again: a list row that says what it said
        before may now be old, or contradict an end.
        """
        if row:
            return replace(self, row_digest=digest, whole_digest=None if changed else self.whole_digest)
        return replace(self, whole_digest=digest, row_digest=None if changed else self.row_digest)


def load(session: Session, seq: int) -> Remembered:
    """Return what is remembered of the job in row `seq`, its moments counted from the epoch; raises a row fault."""
    row = one(session.connection, _LOAD, (seq,))
    result_bytes, added_us = row[0], row[6]
    job = job_from(target_from(row[7:16]), added_us, row[16:], None if result_bytes is None else _AS_BEFORE)
    if is_damaged(job):
        raise ValueError("part of the row cannot be read")
    return Remembered(job, *row[:6])


def save(session: Session, seq: int, state: Remembered, active_us: int) -> None:
    """Write a job's state; `active_us` is the time of a change, 0 when there was none."""
    job = state.job
    if job.result is not _AS_BEFORE and (job.result is not None or state.result_bytes is not None):
        state = _keep_result(session, seq, state)
    session.connection.execute(
        _SAVE,
        (
            *state_values(job),
            state.result_bytes,
            state.result_digest,
            state.whole_digest,
            state.row_digest,
            state.first_shown,
            state.last_shown,
            active_us,
            seq,
        ),
    )


def result_changed(state: Remembered) -> bool:
    """Whether the job has another result than the one remembered."""
    result = state.job.result
    return result is not _AS_BEFORE and (None if result is None else digest_of(result)) != state.result_digest


def observation_digest(observation: Observation) -> bytes:
    """Return a digest of everything an observation says, the same for the same words."""
    result = observation.result
    told = (
        observation.status,
        observation.phase.value,
        observation.progress,
        [(stage.name, stage.status, stage.phase.value, stage.progress) for stage in observation.stages],
        observation.error,
        None if result is None else digest_of(result),
        observation.kind,
        observation.created_us,
        observation.updated_us,
        observation.ended_us,
        observation.facts,
        observation.note,
        observation.attempt,
        observation.started_us,
    )
    return digest_of(repr(told))


def digest_of(text: str) -> bytes:
    """Return a digest of 16 bytes."""
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=_DIGEST_SIZE).digest()


def _keep_result(session: Session, seq: int, state: Remembered) -> Remembered:
    result, connection = state.job.result, session.connection
    digest = None if result is None else digest_of(result)
    if digest == state.result_digest:
        return state
    connection.execute("DELETE FROM results WHERE job = ?", (seq,))
    if result is None:
        return replace(state, result_bytes=None, result_digest=None)
    if session.keep_results:
        connection.execute("INSERT INTO results (job, body) VALUES (?, ?)", (seq, result))
    return replace(state, result_bytes=len(result), result_digest=digest)
