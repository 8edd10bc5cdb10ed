"""What one answer tells about one job: the domain's rules, applied to a row."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import Enum

from jobdeck.domain.events import AnomalyMet, JobEvent, PhaseChanged, RunBegan, StageChanged
from jobdeck.domain.exchange import Exchange
from jobdeck.domain.job import Job, JobKey, Observation
from jobdeck.domain.problem import Problem
from jobdeck.domain.transitions import apply_failure, apply_observation
from jobdeck.store.records import TimelineKind
from jobdeck.store.sqlite.codec import Row, fields_text, phase_from
from jobdeck.store.sqlite.database import Session
from jobdeck.store.sqlite.jobstate import load, observation_digest, result_changed, save
from jobdeck.store.stored import wall

_HEAD = (
    "SELECT j.seq, j.sequence, j.failures, j.phase, j.whole_digest, j.row_digest,"
    " EXISTS (SELECT 1 FROM watches w WHERE w.job = j.seq) FROM jobs j"
    " WHERE j.scope = ? AND j.account_group = ? AND j.job_id = ?"
)
_SEEN_AGAIN = (
    "UPDATE jobs SET observed_us = ?, asked_us = ?, sequence = ?, http_status = ?, request_id = ?, trace_id = ?,"
    " last_shown = ? WHERE seq = ?"
)
_OBSERVED = "INSERT OR IGNORE INTO observations (job, exchange) VALUES (?, ?)"
_SAID = "INSERT INTO states (job, exchange, at_us, fields) VALUES (?, ?, ?, ?)"
_TIMELINE = (
    "INSERT INTO timeline (job, exchange, at_us, kind, stage, phase_before, phase_after, words, request_id, trace_id)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)


class Told(Enum):
    """Whether an answer changed a job or only showed it again."""

    CHANGED = "changed"
    SEEN = "seen"


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer, its ledger row (`exchanges.seq`), and whether it was a list."""

    session: Session
    exchange: Exchange
    row: int
    now_us: int
    listed: bool

    @property
    def on_wall(self) -> Exchange:
        """The exchange with its moment counted from the epoch, as those in the database are."""
        return replace(self.exchange, started=wall(self.exchange.started.us), sequence=self.sequence)

    @property
    def sequence(self) -> int:
        """Its place in the order of sending: the row that was made for it before it was sent."""
        return self.exchange.sequence or self.row


def tell(answer: Answer, scope: int, key: JobKey, observation: Observation) -> tuple[int, Told] | None:
    """Apply an observation; returns the job's row and what that did, None when it did nothing.

    A list shows ended jobs for hours, and jobs that nobody watches: those are written only when they changed (a
    hundred such rows every 2 s would be 100 MB a day).
    """
    head = answer.session.connection.execute(_HEAD, (scope, key.account_group or "", key.id)).fetchone()
    if head is None:
        return None
    seq, sequence, failures, phase, whole_digest, row_digest, watched = head
    quiet = answer.listed and (not watched or phase_from(phase).terminal)
    digest = observation_digest(observation)
    said_before = digest == (row_digest if answer.listed or not observation.whole else whole_digest)
    newer = sequence <= answer.sequence
    if said_before and newer and not failures and answer.exchange.part is None:
        if quiet:
            return None
        if seq in answer.session.applied:
            _see_again(answer, seq)
            return seq, Told.SEEN
    told = _apply_observation(answer, seq, observation, digest, quiet=quiet)
    answer.session.applied.add(seq)
    return None if told is None else (seq, told)


def note_problem(answer: Answer, seq: int, problem: Problem) -> None:
    """Apply an exchange that told nothing about a job: its last good state stays."""
    state = load(answer.session, seq)
    after, _ = apply_failure(state.job, answer.on_wall, problem, wall(answer.now_us))
    save(answer.session, seq, replace(state, job=after), active_us=0)


def _see_again(answer: Answer, seq: int) -> None:
    """Note an observation that says what the last one said, without reading the state: 5 times cheaper."""
    exchange, connection = answer.exchange, answer.session.connection
    ids = (exchange.http_status, exchange.request_id, exchange.trace_id)
    moments = (answer.now_us, exchange.started.us, answer.sequence)
    connection.execute(_SEEN_AGAIN, (*moments, *ids, answer.row, seq))
    connection.execute(_OBSERVED, (seq, answer.row))


def _apply_observation(
    answer: Answer, seq: int, observation: Observation, digest: bytes, *, quiet: bool
) -> Told | None:
    session = answer.session
    state = load(session, seq)
    before = state.job
    after, events = apply_observation(before, observation, answer.on_wall, wall(answer.now_us))
    if after is before or after.doubt is not None:
        return None
    state = replace(state, job=after)
    changed = _essence(before) != _essence(after) or result_changed(state)
    same = (before.phase, before.run) == (after.phase, after.run)
    first = state.first_shown if same and state.first_shown is not None else answer.row
    if answer.exchange.part is None:
        state = replace(state, first_shown=first, last_shown=answer.row)
    else:
        observation = replace(observation, status=after.status or "", phase=after.phase)
    state = state.with_digest(digest, row=answer.listed or not observation.whole, changed=changed)
    save(session, seq, state, active_us=answer.now_us if changed else 0)
    if not changed and quiet:
        return None
    session.connection.execute(_OBSERVED, (seq, answer.row))
    if not changed:
        return Told.SEEN
    session.connection.execute(_SAID, (seq, answer.row, answer.now_us, fields_text(observation)))
    session.connection.executemany(_TIMELINE, _lines(answer, seq, events, observation))
    return Told.CHANGED


def _essence(job: Job) -> tuple[object, ...]:
    """Return what of a job is its state, as opposed to how it was last seen."""
    state = (job.status, job.phase, job.kind, job.progress, job.stages, job.error, job.facts, job.anomalies)
    return (*state, job.created_us, job.updated_us, job.ended_us, job.run, job.attempt, job.started_us)


def _lines(answer: Answer, seq: int, events: tuple[JobEvent, ...], observation: Observation) -> Iterator[Row]:
    """Return the rows of the timeline: kind, stage, phase before, phase after and words of each event."""
    statuses = {stage.name: stage.status for stage in observation.stages}
    ids = (answer.exchange.request_id, answer.exchange.trace_id)
    for event in events:
        line: Row
        match event:
            case RunBegan(message=message):
                line = (TimelineKind.RUN.value, None, None, None, message)
            case PhaseChanged(before=before, after=after, status=status):
                line = (TimelineKind.PHASE.value, None, before.value, after.value, status)
            case StageChanged(stage=stage, before=was, after=after):
                line = (TimelineKind.STAGE.value, stage, was and was.value, after.value, statuses[stage])
            case AnomalyMet(message=message):
                line = (TimelineKind.ANOMALY.value, None, None, None, message)
            case _:
                continue
        yield (seq, answer.row, answer.now_us, *line, *ids)
