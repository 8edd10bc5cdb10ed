"""All jobs of a simulation: those of the scenario and those that clients started or cancelled."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

from jobdeck.simulator.ids import object_id, ulid
from jobdeck.simulator.lifecycle import JobState, state_at
from jobdeck.simulator.scenario import Api, JobScript, Scenario

Clock = Callable[[], float]


class World:
    """The jobs of `scenario` from the moment of construction on. `clock` gives real epoch seconds and never falls."""

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
        """A simulated moment (left out: now) as the date that a real clock shows then."""
        seconds = self._started_at + (self.now if moment is None else moment) / self.scenario.speed
        # Whole milliseconds first: rounding down a float would turn .123 into .122.
        date = datetime.fromtimestamp(round(seconds * 1000) // 1000, UTC)
        return f"{date:%Y-%m-%dT%H:%M:%S}.{round(seconds * 1000) % 1000:03d}Z"

    def find(self, api: Api, job_id: str) -> JobState | None:
        """The job as it is now; None when there is none, not yet, or no longer."""
        script = self._scripts.get(job_id)
        if script is None or script.api is not api:
            return None
        return state_at(script, self.now, self._cancelled.get(job_id))

    def states(self, api: Api) -> list[JobState]:
        """Every job of `api` that can be found now, newest first."""
        now = self.now
        scripts = [script for script in self._scripts.values() if script.api is api]
        states = [state_at(script, now, self._cancelled.get(script.id)) for script in scripts]
        found = [state for state in states if state is not None]
        return sorted(found, key=lambda state: (state.created, state.script.id), reverse=True)

    def start(self, script: JobScript, idempotency_key: str | None = None) -> tuple[JobState, bool]:
        """Add a job that arrives now; a known `idempotency_key` returns the job it started, and True."""
        known = None if idempotency_key is None else self._accepted.get((script.api, idempotency_key))
        if known is not None:
            replayed = self.find(script.api, known)
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
        """Cancel a job now; one that has ended stays as it is."""
        self._cancelled.setdefault(job_id, self.now)
