"""Domain objects for tests, with only what a test cares about spelled out."""

from jobdeck.domain.exchange import Exchange
from jobdeck.domain.instant import Instant
from jobdeck.domain.job import Job, JobKey, Observation, Resource, Stage, Target
from jobdeck.domain.phase import Phase
from jobdeck.domain.problem import Problem

START = Instant(1_780_000_000_000_000, 1_000.0)
STATUS_OF = {
    Phase.QUEUED: "queued",
    Phase.RUNNING: "processing",
    Phase.SUCCEEDED: "succeeded",
    Phase.PARTIAL: "partial_success",
    Phase.FAILED: "failed",
    Phase.CANCELLED: "cancelled",
    Phase.UNKNOWN: "marinating",
}


class ManualClock:
    """A clock that stands still until it is moved."""

    def __init__(self, start: Instant = START) -> None:
        self._now = start

    def now(self) -> Instant:
        return self._now

    def advance(self, seconds: float) -> Instant:
        self._now = self._now.later(seconds)
        return self._now


def make_target(id_: str = "op_1", profile: str = "hog", resource: Resource = Resource.OPERATION) -> Target:
    if resource is Resource.PROSPECTING:
        return Target(JobKey(profile, "507f1f77bcf86cd799439011", id_), "sonarly", resource)
    return Target(JobKey(profile, None, id_), "thehog", resource)


def make_job(id_: str = "op_1", added: Instant = START, **changes: object) -> Job:
    return Job(target=make_target(id_), added=added, **changes)  # type: ignore[arg-type] - any field of Job


def make_observation(
    phase: Phase = Phase.RUNNING, progress: float | None = None, stages: tuple[Stage, ...] = (), id_: str = "op_1"
) -> Observation:
    return Observation(id_, STATUS_OF[phase], phase, progress, stages)


def make_exchange(started: Instant = START, problem: Problem | None = None, id_: str = "op_1") -> Exchange:
    return Exchange(
        profile="hog",
        method="GET",
        url=f"https://developer.thehog.ai/api/operations/{id_}",
        started=started,
        duration=0.1,
        job=JobKey("hog", None, id_),
        http_status=200 if problem is None else problem.http_status,
        request_id="3f7a1c2e-88b4-4d0e-a1f5-0c9e2b3d7f4a",
        problem=problem,
        # Sent when it was started: tests about order have no other clock.
        sequence=round(started.mono * 1e6),
    )
