"""The jobs of a simulation: the state of each is a pure function of its script and the simulated time."""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum

from jobdeck.simulator.scenario import Api, JobScript, Outcome, Resource, Scenario, StageScript, object_id, ulid

_PROSPECTING_STAGES = (StageScript("import", share=2.0), StageScript("enrichment", share=3.0))


class State(StrEnum):
    """The state of a job or a stage; each API has its own names for these."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    PARTIAL = "partial"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def ended(self) -> bool:
        """Whether it is a final state."""
        return self not in {State.QUEUED, State.RUNNING}


@dataclass(frozen=True, slots=True)
class StageState:
    """A stage at a moment; `done` is a fraction within 0–1."""

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
    """Return the job at `now`, cancelled by a client at `cancelled` (None: never); None if it cannot be found."""
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
    """Return the seconds of work within the first `run` seconds, and the moment of the last work in them."""
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
        # Sums of shares miss 1 by a rounding error; a stage this close to 1 is complete.
        complete = part > 1 - 1e-9 and not (state is State.FAILED and number == len(scripts))
        states.append(StageState(stage.name, _stage_state(state, complete, reached), 1.0 if complete else part))
        reached = reached or not complete
    return tuple(states)


def _stage_state(job: State, complete: bool, reached: bool) -> State:
    """Return the state of a stage: `complete`, after the job's current stage (`reached`), or the current one."""
    if complete:
        return State.SUCCEEDED
    match job:
        case State.CANCELLED:
            return State.CANCELLED
        case State.FAILED | State.RUNNING:
            return State.QUEUED if reached else job
        case State.QUEUED | State.SUCCEEDED | State.PARTIAL:
            return State.QUEUED


Clock = Callable[[], float]


class SimulatedJobs:
    """The jobs of `scenario`, which start at construction. `clock` returns real epoch seconds and never goes back."""

    def __init__(self, scenario: Scenario, clock: Clock) -> None:
        self.scenario = scenario
        self._clock = clock
        self._started_at = clock()
        self._scripts = {job.id: job for job in scenario.jobs}
        self._cancelled: dict[str, float] = {}
        self._accepted: dict[tuple[Api, str], str] = {}

    @property
    def now(self) -> float:
        """Simulated seconds since the start."""
        return (self._clock() - self._started_at) * self.scenario.speed

    def iso(self, moment: float | None = None) -> str:
        """Return a simulated moment (None: now) as the date that a real clock shows then."""
        seconds = self._started_at + (self.now if moment is None else moment) / self.scenario.speed
        # Round to whole milliseconds first: cutting the float would turn .123 into .122.
        date = datetime.fromtimestamp(round(seconds * 1000) // 1000, UTC)
        return f"{date:%Y-%m-%dT%H:%M:%S}.{round(seconds * 1000) % 1000:03d}Z"

    def find(self, api: Api, job_id: str) -> JobState | None:
        """Return the job as it is now; None if it does not exist, not yet, or no longer."""
        script = self._scripts.get(job_id)
        if script is None or script.api is not api:
            return None
        return state_at(script, self.now, self._cancelled.get(job_id))

    def states(self, api: Api) -> list[JobState]:
        """Return every job of `api` that can be found now, newest first."""
        now = self.now
        scripts = [script for script in self._scripts.values() if script.api is api]
        states = [state_at(script, now, self._cancelled.get(script.id)) for script in scripts]
        found = [state for state in states if state is not None]
        return sorted(found, key=lambda state: (state.created, state.script.id), reverse=True)

    def start(self, script: JobScript, idempotency_key: str | None = None) -> tuple[JobState, bool]:
        """Add a job that arrives now, and return it and False; for a used `idempotency_key`, its job and True."""
        started = None if idempotency_key is None else self._accepted.get((script.api, idempotency_key))
        if started is not None:
            replayed = self.find(script.api, started)
            if replayed is not None:
                return replayed, True
        key = f"{self.scenario.seed}/started/{len(self._scripts)}"
        job_id = object_id(key) if script.api is Api.SONARLY else f"op_{ulid(key)}"
        arrived = replace(script, id=job_id, arrival=self.now)
        self._scripts[job_id] = arrived
        if idempotency_key is not None:
            self._accepted[script.api, idempotency_key] = job_id
        state = state_at(arrived, arrived.arrival)
        if state is None:
            raise AssertionError("a job that arrives now can be found")
        return state, False

    def cancel(self, job_id: str) -> None:
        """Cancel a job now; a job that has ended stays as it is."""
        self._cancelled.setdefault(job_id, self.now)
