"""The built-in scenario of `jobdeck demo`: a failure, a stall and an outage at once, every outcome in two minutes."""

import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from itertools import cycle

from jobdeck.simulator.scenario import (
    AccountGroup,
    Api,
    Endpoint,
    Fault,
    FaultKind,
    JobFailure,
    JobScript,
    Outcome,
    ProgressForm,
    RateLimit,
    Resource,
    ResultKind,
    Scenario,
    StageScript,
    Stall,
    check_minimum,
    seeded_random,
)

_RESEARCH = JobScript(
    result_kind=ResultKind.DEEP_RESEARCH, progress=ProgressForm.FLOAT, query="Which of our accounts are hiring?"
)
_CRAWL = JobScript(result_kind=ResultKind.CRAWL)
_PEOPLE = JobScript(result_kind=ResultKind.PEOPLE_SEARCH, query="platform engineers at Halcyon Labs")
_ENRICHMENT = JobScript(resource=Resource.ENRICHMENT, result_kind=ResultKind.ENRICHMENT)
_SEARCH = JobScript(resource=Resource.SEARCH, result_kind=ResultKind.WEB_SEARCH)
_COMPANY_SEARCH = JobScript(result_kind=ResultKind.COMPANY_SEARCH, progress=ProgressForm.NONE)
_PROSPECTING = JobScript(
    api=Api.SONARLY,
    resource=Resource.PROSPECTING,
    outcome=Outcome.COMPLETED,
    stages=(StageScript("import", share=0.35), StageScript("enrichment", share=0.65)),
)
# Kinds of jobs, with the shortest and the longest duration in seconds.
_KINDS = (
    (_RESEARCH, 60.0, 240.0),
    (_CRAWL, 40.0, 160.0),
    (_PEOPLE, 20.0, 70.0),
    (_ENRICHMENT, 10.0, 30.0),
    (_SEARCH, 20.0, 80.0),
    (_COMPANY_SEARCH, 20.0, 90.0),
)


_PROSPECTING_KIND = (_PROSPECTING, 40.0, 240.0)
_NIGHT_ERRORS = (
    (9, JobFailure("RATE_LIMITED", "LinkedIn source throttled us; retry after 15 minutes")),
    (7, JobFailure("CREDITS_EXHAUSTED", "organization has no credits left for this source")),
    (6, JobFailure("UPSTREAM_TIMEOUT", "The enrichment provider did not answer in time.")),
    (5, JobFailure("INVALID_INPUT", "company_domain: not a domain name")),
    (4, JobFailure("SOURCE_UNAVAILABLE", "The directory is closed for maintenance.")),
)
"""Errors of a night's jobs, with their weights."""

NIGHT_JOBS = 100
"""Number of jobs from which on the demo shows a whole night: many jobs have ended, or failed, before it begins."""

NIGHT_SECONDS = 1_500.0
_SAMPLES = 40
_TARGETS = {
    Resource.OPERATION: "{id}",
    Resource.ENRICHMENT: "/api/enrichments/{id}",
    Resource.SEARCH: "/api/v1/search/{id}",
    Resource.PROSPECTING: "/v1/accounts/{group}/prospecting/{id}",
}


def demo_scenario(jobs: int = 24, seed: int = 1, speed: float = 1.0) -> Scenario:
    """Return a scenario with that many jobs, two thirds of them The Hog's; every job but one can always be found.

    The first jobs have the unusual outcomes, so that a small demo shows them too. Nothing starts again: finished jobs
    stay, and the stalled and the endless one go on. From `NIGHT_JOBS` on, half of the jobs have ended before, as after
    a night. Raises ScenarioError for fewer than one job, and for a speed that is not above 0.
    """
    check_minimum("jobs", jobs, 1)
    rng = seeded_random(f"demo/{seed}")
    night_errors = [error for often, error in _NIGHT_ERRORS for _ in range(often)]
    shuffled = seeded_random(f"demo/{seed}/errors").sample(night_errors, len(night_errors))
    night = partial(_night_job, errors=cycle(shuffled))
    make_job = night if jobs >= NIGHT_JOBS else _day_job
    drawn = list(_showcase_jobs())[:jobs]
    prospecting = sum(job.api is Api.SONARLY for job in drawn)
    while len(drawn) < jobs:
        if 3 * prospecting < len(drawn) + 1:
            prospecting += 1
            drawn.append(make_job(rng, *_PROSPECTING_KIND))
        else:
            drawn.append(make_job(rng, *rng.choice(_KINDS)))
    return Scenario(
        seed=seed,
        speed=speed,
        jobs=tuple(drawn),
        faults=_faults(),
        limits=(RateLimit(Api.SONARLY, 300),),
        account_groups=(AccountGroup(name="Northwind Robotics"),),
    )


@dataclass(frozen=True, slots=True)
class DemoProfile:
    """A profile for the demo: its name, its API, and secrets that the simulator accepts."""

    name: str
    api: str
    secrets: Mapping[str, str]


DEMO_PROFILES = (
    DemoProfile("hog", Api.THEHOG.value, {"access_key": "ak_simulated", "secret_key": "sk_simulated"}),
    DemoProfile("sonarly", Api.SONARLY.value, {"token": "sk_live_simulated"}),
)


def demo_targets(scenario: Scenario) -> list[str]:
    """Return every job of `scenario` as a target: a relative poll URL or, for The Hog's operations, a bare ID."""
    return [_TARGETS[job.resource].format(id=job.id, group=job.account_group) for job in scenario.jobs]


def demo_batch(job: JobScript) -> str:
    """Return the name of a job's batch."""
    if job.api is Api.SONARLY:
        return "crm import"
    enriches = job.resource is Resource.ENRICHMENT or job.result_kind in {
        ResultKind.PEOPLE_SEARCH,
        ResultKind.COMPANY_SEARCH,
    }
    return "lead enrichment" if enriches else "account research"


@dataclass(frozen=True, slots=True)
class DemoDuration:
    """The duration of a job of a kind, or of its stage; kinds have the names of the API's resources."""

    profile: str
    kind: str
    seconds: float
    stage: str | None = None


def demo_durations() -> Iterator[DemoDuration]:
    """Yield durations as if jobs of the demo had been watched before, spread over the range of each kind."""
    hog, sonarly = (profile.name for profile in DEMO_PROFILES)
    for script, shortest, longest in (*_KINDS, _PROSPECTING_KIND):
        profile = sonarly if script.api is Api.SONARLY else hog
        for sample in range(_SAMPLES):
            seconds = shortest + (longest - shortest) * sample / (_SAMPLES - 1)
            yield DemoDuration(profile, script.resource.value, seconds)
            for stage in script.stages:
                yield DemoDuration(profile, script.resource.value, seconds * stage.weight, stage.name)


def _showcase_jobs() -> Iterator[JobScript]:
    """Yield one job for every outcome, the most instructive ones first."""
    failed, partial, cancelled = Outcome.FAILED, Outcome.PARTIAL_SUCCESS, Outcome.CANCELLED
    timeout = JobFailure(
        "UPSTREAM_TIMEOUT", "The enrichment provider did not answer in time.", {"provider": "contacts", "attempts": 3}
    )
    yield replace(_RESEARCH, arrival=-70, duration=150)
    yield replace(_ENRICHMENT, arrival=-3, queued_for=1, duration=12, stall=Stall(at=0.31))
    yield replace(_PROSPECTING, arrival=-50, queued_for=6, duration=64, outcome=failed, stops_at=0.84, error=timeout)
    yield replace(_PEOPLE, arrival=-12, duration=47, outcome=partial)
    yield replace(_ENRICHMENT, arrival=-4, queued_for=2, duration=12)
    yield replace(_PROSPECTING, arrival=-30, queued_for=4, duration=110)
    yield replace(_SEARCH, arrival=-3, queued_for=8, duration=34)
    yield replace(_RESEARCH, arrival=-180, duration=240, outcome=Outcome.NEVER)
    yield replace(_PROSPECTING, arrival=-20, queued_for=3, duration=62, outcome=cancelled, stops_at=0.55)
    refused = JobFailure(message="The search source refused the query.", retryable=True)
    yield replace(_SEARCH, arrival=-5, queued_for=21, duration=20, outcome=failed, error=refused)
    silent = JobFailure("UPSTREAM_TIMEOUT", "The research provider did not answer in time.")
    yield replace(_RESEARCH, arrival=-75, duration=105, outcome=failed, stops_at=0.66, error=silent)
    yield replace(_PROSPECTING, arrival=-60, queued_for=10, duration=230)
    yield replace(_CRAWL, arrival=-33, duration=200, lost_after=33 + 75)


def _day_job(rng: random.Random, script: JobScript, shortest: float, longest: float) -> JobScript:
    """Return an ordinary job that is running, just accepted, or queued for up to a minute."""
    duration = round(rng.uniform(shortest, longest), 1)
    start = rng.random()
    if start < 0.35:
        return replace(script, arrival=-round(rng.uniform(0.1, 0.8) * duration, 1), duration=duration)
    if start < 0.55:
        return replace(script, arrival=-round(rng.uniform(0, 3), 1), queued_for=6.0, duration=duration)
    return replace(script, arrival=-1.0, queued_for=round(rng.uniform(8, 60), 1), duration=duration)


def _night_job(
    rng: random.Random, script: JobScript, shortest: float, longest: float, *, errors: Iterator[JobFailure]
) -> JobScript:
    """Return a job of a night: most have ended or are running, one in ten fails, a few stall."""
    duration = round(rng.uniform(shortest, longest), 1)
    job = replace(script, duration=duration)
    end = rng.random()
    fails = script.resource is not Resource.SEARCH and end < 0.13
    if fails:
        job = replace(job, outcome=Outcome.FAILED, stops_at=round(rng.uniform(0.1, 0.95), 2), error=next(errors))
    elif end < 0.16 and script.resource in {Resource.OPERATION, Resource.ENRICHMENT}:
        job = replace(job, outcome=Outcome.PARTIAL_SUCCESS)
    elif end > 0.985:
        return replace(job, arrival=-round(duration, 1), stall=Stall(at=0.4))
    start = rng.random()
    if start < (0.7 if fails else 0.45):
        return replace(job, arrival=-round(duration + rng.uniform(1, NIGHT_SECONDS), 1))
    if start < 0.85:
        return replace(job, arrival=-round(rng.uniform(0.05, 0.8) * duration, 1))
    return replace(job, arrival=-1.0, queued_for=round(rng.uniform(8, 120), 1))


def _faults() -> tuple[Fault, ...]:
    return (
        Fault(FaultKind.RESET_BEFORE, api=Api.SONARLY, start=24, end=36),
        Fault(FaultKind.STATUS, api=Api.THEHOG, start=48, end=53, probability=0.7, status=503),
        Fault(FaultKind.DELAY, api=Api.SONARLY, start=56, end=70, seconds=1.5),
        Fault(FaultKind.RESET_BEFORE, api=Api.SONARLY, endpoint=Endpoint.POLL, start=70, count=1),
        Fault(FaultKind.HTML, api=Api.THEHOG, endpoint=Endpoint.POLL, start=85, count=1),
    )
