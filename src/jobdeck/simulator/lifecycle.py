"""The state of a job at a moment: a pure function of its script and the simulated time."""

import math
from dataclasses import dataclass
from enum import StrEnum

from jobdeck.simulator.scenario import JobScript, Outcome, Resource, StageScript

_PROSPECTING_STAGES = (StageScript("import", share=2.0), StageScript("enrichment", share=3.0))


class State(StrEnum):
    """A job's or a stage's state; each API has its own names for these."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    PARTIAL = "partial"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def ended(self) -> bool:
        """Whether nothing follows."""
        return self not in {State.QUEUED, State.RUNNING}


@dataclass(frozen=True, slots=True)
class StageState:
    """A stage; `done` is a fraction within 0–1."""

    name: str
    state: State
    done: float


@dataclass(frozen=True, slots=True)
class JobState:
    """A job at a moment; `done` is a fraction within 0–1, `created`, `updated` and `ended` simulated seconds."""

    script: JobScript
    state: State
    done: float
    stages: tuple[StageState, ...]
    created: float
    updated: float
    ended: float | None = None


def state_at(script: JobScript, now: float, cancelled: float | None = None) -> JobState | None:
    """The job at `now` if a client cancelled it at `cancelled`; None when it cannot be found."""
    age = now - script.arrival
    if age < 0 or (script.lost_after is not None and age >= script.lost_after):
        return None
    if cancelled is not None and now >= cancelled:
        return _cancelled_at(script, cancelled)
    if age < script.queued_for:
        return _job_state(script, State.QUEUED, 0.0, script.arrival)
    begun = script.arrival + script.queued_for
    lasts = _run_time(script)
    if lasts is not None and now - begun >= lasts:
        return _job_state(script, _end_state(script.outcome), script.done_at_end, begun + lasts, ended=begun + lasts)
    updated = math.floor((now - begun) / script.update_every) * script.update_every
    worked, last_change = _work_seconds(script, updated)
    share = worked / script.run_seconds
    done = 0.99 * (1 - math.exp(-share)) if script.outcome is Outcome.NEVER else share * script.done_at_end
    return _job_state(script, State.RUNNING, done, begun + last_change)


def _run_time(script: JobScript) -> float | None:
    if script.outcome is Outcome.NEVER:
        return None
    if script.stall is None:
        return script.run_seconds
    return None if script.stall.seconds is None else script.run_seconds + script.stall.seconds


def _work_seconds(script: JobScript, run: float) -> tuple[float, float]:
    """The seconds of `run` that were work, and the moment within `run` at which work was last done."""
    if script.stall is None:
        return run, run
    start = script.stall.at * script.run_seconds
    if run <= start:
        return run, run
    if script.stall.seconds is None or run < start + script.stall.seconds:
        return start, start
    return run - script.stall.seconds, run


def _cancelled_at(script: JobScript, cancelled: float) -> JobState | None:
    before = state_at(script, cancelled)
    if before is None or before.state.ended:
        return before
    return _job_state(script, State.CANCELLED, before.done, cancelled, ended=cancelled)


def _end_state(outcome: Outcome) -> State:
    match outcome:
        case Outcome.FAILED:
            return State.FAILED
        case Outcome.CANCELLED:
            return State.CANCELLED
        case Outcome.PARTIAL_SUCCESS:
            return State.PARTIAL
        case Outcome.SUCCEEDED | Outcome.COMPLETED | Outcome.NEVER:
            return State.SUCCEEDED


def _job_state(script: JobScript, state: State, done: float, updated: float, ended: float | None = None) -> JobState:
    stages = _stages(script, state, done)
    return JobState(script, state, done, stages, created=script.arrival, updated=updated, ended=ended)


def _stages(script: JobScript, state: State, done: float) -> tuple[StageState, ...]:
    scripts = script.stages or (_PROSPECTING_STAGES if script.resource is Resource.PROSPECTING else ())
    total = sum(stage.weight for stage in scripts)
    states: list[StageState] = []
    passed = 0.0
    reached = False
    for number, stage in enumerate(scripts, start=1):
        share = stage.weight / total
        part = min(1.0, max(0.0, (done - passed) / share))
        passed += share
        # Sums of shares miss 1 by a rounding error; a stage that far along is complete.
        complete = part > 1 - 1e-9 and not (state is State.FAILED and number == len(scripts))
        states.append(StageState(stage.name, _stage_state(state, complete, reached), 1.0 if complete else part))
        reached = reached or not complete
    return tuple(states)


def _stage_state(job: State, complete: bool, reached: bool) -> State:
    """The state of a stage that is `complete`, or the job's current one, or (`reached`) comes after the current one."""
    if complete:
        return State.SUCCEEDED
    match job:
        case State.CANCELLED:
            return State.CANCELLED
        case State.FAILED | State.RUNNING:
            return State.QUEUED if reached else job
        case State.QUEUED | State.SUCCEEDED | State.PARTIAL:
            return State.QUEUED
