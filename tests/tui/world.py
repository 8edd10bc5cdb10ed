"""Plain domain objects for the screen's tests: a frozen time, and jobs in every state."""

from dataclasses import replace
from datetime import UTC, datetime

from jobdeck.domain.exchange import Exchange
from jobdeck.domain.instant import Instant
from jobdeck.domain.job import Job, JobError, JobKey, Stage, StageRecord, Target
from jobdeck.domain.phase import Phase
from jobdeck.domain.problem import Problem, ProblemKind
from tests.support.clocks import ManualClock

NOON = Instant(int(datetime(2026, 4, 28, 14, 2, 0, tzinfo=UTC).timestamp() * 1e6), 50_000.0)
GROUP = "507f1f77bcf86cd799439000"
UUID = "3f7a1c2e-88b4-4d0e-a1f5-0c9e2b3d7f4a"


def clock_at_noon() -> ManualClock:
    """A clock that stands still at noon until it is moved."""
    return ManualClock(NOON)


def ago(seconds: float) -> Instant:
    return NOON.later(-seconds)


def key(id_: str, profile: str = "hog") -> JobKey:
    return JobKey(profile, GROUP if profile == "sonarly" else None, id_)


def target(id_: str, profile: str = "hog") -> Target:
    if profile == "sonarly":
        return Target(key(id_, profile), "sonarly", "prospecting")
    return Target(key(id_, profile), "thehog", "operation")


def job(id_: str, phase: Phase = Phase.RUNNING, profile: str = "hog", **changes: object) -> Job:
    """A job in a phase, seen 4 s before noon and two minutes old, unless `changes` say otherwise."""
    made = Job(
        target=target(id_, profile),
        added=ago(120),
        status=phase.value,
        phase=phase,
        kind="operation" if profile == "hog" else "prospecting",
        observed=ago(4),
        whole=ago(4),
        asked=ago(4.2),
        changed=ago(20),
        ended=ago(15) if phase.terminal else None,
        created_us=ago(125).us,
        http_status=200,
        request_id=UUID if profile == "hog" else None,
        trace_id=None if profile == "hog" else f"{id_[:8]}77bcf86cd799439011",
        version=1,
    )
    made = replace(made, **changes)  # type: ignore[arg-type] - each test names fields of Job
    if phase.terminal and "end_request_id" not in changes:
        made = replace(made, end_request_id=made.request_id, end_trace_id=made.trace_id)
    return made


def stage(name: str, phase: Phase, progress: float | None = None, started: float | None = None) -> StageRecord:
    """A stage that began and changed so many seconds before noon."""
    began = ago(started) if started is not None else None
    ended = ago(1) if phase.terminal and began is not None else None
    return StageRecord(Stage(name, phase.value, phase, progress), began, ago(62), ended)


def exchange(id_: str, seconds: float = 4.0, profile: str = "hog", **changes: object) -> Exchange:
    """A good look at a job so many seconds before noon."""
    path = f"/api/operations/{id_}" if profile == "hog" else f"/v1/accounts/{GROUP}/prospecting/{id_}"
    made = Exchange(
        profile=profile,
        method="GET",
        url=f"https://developer.thehog.ai{path}",
        started=ago(seconds),
        duration=0.084,
        job=key(id_, profile),
        http_status=200,
        request_id=UUID[:-4] + f"{int(seconds * 10) % 10_000:04d}" if profile == "hog" else None,
        trace_id=None if profile == "hog" else f"{id_[:8]}77bcf86cd7994{int(seconds * 10):05d}",
        size=1_234,
    )
    return replace(made, **changes)  # type: ignore[arg-type] - each test names fields of Exchange


def problem(
    kind: ProblemKind = ProblemKind.SERVER_ERROR, message: str = "Service Unavailable", **rest: object
) -> Problem:
    return replace(Problem(kind, message), **rest)  # type: ignore[arg-type] - each test names fields of Problem


def deck_of_every_state() -> list[Job]:
    """One job for every sign there is, and a few ordinary ones."""
    failed = JobError("UPSTREAM_TIMEOUT", "The enrichment provider did not answer in time.", '{"attempts": 3}')
    limited = problem(ProblemKind.RATE_LIMIT, "Rate limit exceeded.", http_status=429, retry_at_us=NOON.later(8).us)
    return [
        job("op_01HZ9K2QW3RV4M5N6P7Q8R9S0T", Phase.FAILED, progress=0.66, error=failed, kind="deep research",
            stages=(stage("import", Phase.SUCCEEDED, 1.0, 112), stage("enrichment", Phase.FAILED, 0.76, 70))),
        job("op_01HZ9K2QW3RV4M5N6P7Q8R9S1V", progress=0.31, kind="crawl", created_us=ago(1120).us, changed=ago(700),
            stall_after=180.0),
        job("507f1f77bcf86cd799439011", profile="sonarly", observed=ago(96), failures=3, problem=limited,
            http_status=429, status="running",
            stages=(stage("import", Phase.SUCCEEDED, 1.0, 300), stage("enrichment", Phase.RUNNING, 0.5, 200))),
        job("op_01HZ9K2QW3RV4M5N6P7Q8R9S2W", misses=2, not_found=True, failures=2, http_status=404,
            problem=problem(ProblemKind.NOT_FOUND, "Operation not found", http_status=404)),
        job("op_01HZ9K2QW3RV4M5N6P7Q8R9S3X", Phase.PARTIAL, progress=1.0, kind="search",
            result='{"data": [], "meta": {"providerOutcome": "empty_partial_failure"}}'),
        job("507f1f77bcf86cd799439012", profile="sonarly", observed=ago(1), created_us=ago(118).us,
            stages=(stage("import", Phase.RUNNING, 0.84, 100), stage("enrichment", Phase.QUEUED, 0.0))),
        job("op_01HZ9K2QW3RV4M5N6P7Q8R9S4Y", progress=0.42, created_us=None, kind="enrichment", observed=ago(21)),
        job("op_01HZ9K2QW3RV4M5N6P7Q8R9S5Z", Phase.UNKNOWN, status="reticulating", progress=0.9),
        job("op_01HZ9K2QW3RV4M5N6P7Q8R9S60", Phase.QUEUED, kind="search", observed=ago(5), created_us=ago(5).us),
        Job(target=target("op_01HZ9K2QW3RV4M5N6P7Q8R9S71"), added=ago(2), kind="operation"),
        job("op_01HZ9K2QW3RV4M5N6P7Q8R9S82", Phase.SUCCEEDED, progress=1.0, kind="enrichment"),
        job("507f1f77bcf86cd799439013", Phase.CANCELLED, profile="sonarly"),
    ]  # fmt: skip
