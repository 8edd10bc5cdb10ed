"""The built-in scenario of `jobdeck demo`: every sort of fate within the first two minutes."""

import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from jobdeck.simulator.faultscript import Endpoint, Fault, FaultKind
from jobdeck.simulator.ids import dice, target_of
from jobdeck.simulator.scenario import (
    AccountGroup,
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
)
from jobdeck.simulator.vocabulary import Api, at_least

_RESEARCH = JobScript(
    result_kind=ResultKind.DEEP_RESEARCH, progress=ProgressForm.FLOAT, query="Which of our accounts are hiring?"
)
_CRAWL = JobScript(result_kind=ResultKind.CRAWL)
_PEOPLE = JobScript(result_kind=ResultKind.PEOPLE_SEARCH, query="platform engineers at Halcyon Labs")
_ENRICHMENT = JobScript(resource=Resource.ENRICHMENT, result_kind=ResultKind.ENRICHMENT)
_SEARCH = JobScript(resource=Resource.SEARCH, result_kind=ResultKind.WEB_SEARCH)
_UNTRACKED = JobScript(result_kind=ResultKind.COMPANY_SEARCH, progress=ProgressForm.NONE)
_PROSPECTING = JobScript(
    api=Api.SONARLY,
    resource=Resource.PROSPECTING,
    outcome=Outcome.COMPLETED,
    stages=(StageScript("import", share=0.35), StageScript("enrichment", share=0.65)),
)
# A kind of job with the shortest and the longest time it takes, in seconds.
_ORDINARY = (
    (_RESEARCH, 60.0, 240.0),
    (_CRAWL, 40.0, 160.0),
    (_PEOPLE, 20.0, 70.0),
    (_ENRICHMENT, 10.0, 30.0),
    (_SEARCH, 20.0, 80.0),
    (_UNTRACKED, 20.0, 90.0),
)


def demo_scenario(jobs: int = 24, seed: int = 1, speed: float = 1.0) -> Scenario:
    """A lively scenario of that many jobs, two thirds The Hog's; every job but one can always be found.

    The first jobs have the remarkable fates, so that a small demo shows them too; nothing starts over, so finished
    jobs stay and the stalled and the never-ending one go on. Raises ScenarioError for fewer than one job and for a
    speed that is not above 0.
    """
    at_least("jobs", jobs, 1)
    roll = dice(f"demo/{seed}")
    cast = list(_remarkable())[:jobs]
    prospecting = sum(job.api is Api.SONARLY for job in cast)
    while len(cast) < jobs:
        if 3 * prospecting < len(cast) + 1:
            prospecting += 1
            cast.append(_some_time(roll, _PROSPECTING, 40.0, 240.0))
        else:
            cast.append(_some_time(roll, *roll.choice(_ORDINARY)))
    return Scenario(
        seed=seed,
        speed=speed,
        jobs=tuple(cast),
        faults=_faults(),
        limits=(RateLimit(Api.SONARLY, 300),),
        account_groups=(AccountGroup(name="Northwind Robotics"),),
    )


@dataclass(frozen=True, slots=True)
class DemoProfile:
    """A profile for the demo: its name, the API it speaks, and the secrets that the simulator takes."""

    name: str
    api: str
    secrets: Mapping[str, str]


DEMO_PROFILES = (
    DemoProfile("hog", Api.THEHOG.value, {"access_key": "ak_simulated", "secret_key": "sk_simulated"}),
    DemoProfile("sonarly", Api.SONARLY.value, {"token": "sk_live_simulated"}),
)


def demo_targets(scenario: Scenario) -> list[str]:
    """Every job of `scenario` as a target: a relative poll URL or, for The Hog's operations, a bare ID."""
    return [target_of(job.resource, job.id, job.account_group) for job in scenario.jobs]


def _remarkable() -> Iterator[JobScript]:
    """One job for every fate; a screenful of a few jobs shows the most telling ones."""
    failed, partial, cancelled = Outcome.FAILED, Outcome.PARTIAL_SUCCESS, Outcome.CANCELLED
    timeout = JobFailure(
        "UPSTREAM_TIMEOUT", "The enrichment provider did not answer in time.", {"provider": "contacts", "attempts": 3}
    )
    yield replace(_RESEARCH, arrival=-70, duration=150)
    yield replace(_CRAWL, arrival=-45, duration=120, stall=Stall(at=0.31))
    yield replace(_PROSPECTING, arrival=-50, queued_for=6, duration=64, outcome=failed, stops_at=0.84, error=timeout)
    yield replace(_PEOPLE, arrival=-12, duration=47, outcome=partial)
    yield replace(_ENRICHMENT, arrival=-4, queued_for=2, duration=12)
    yield replace(_PROSPECTING, arrival=-30, queued_for=4, duration=110)
    yield replace(_SEARCH, arrival=-3, queued_for=8, duration=34)
    yield replace(_RESEARCH, arrival=-180, duration=240, outcome=Outcome.NEVER)
    yield replace(_PROSPECTING, arrival=-20, queued_for=3, duration=62, outcome=cancelled, stops_at=0.55)
    refused = JobFailure(message="The search source refused the query.", retryable=True)
    yield replace(_SEARCH, arrival=-5, queued_for=15, duration=55, outcome=failed, error=refused)
    silent = JobFailure("UPSTREAM_TIMEOUT", "The research provider did not answer in time.")
    yield replace(_RESEARCH, arrival=-25, duration=105, outcome=failed, stops_at=0.66, error=silent)
    yield replace(_PROSPECTING, arrival=-60, queued_for=10, duration=230)
    yield replace(_CRAWL, arrival=-33, duration=200, lost_after=33 + 75)


def _some_time(roll: random.Random, script: JobScript, shortest: float, longest: float) -> JobScript:
    """An ordinary job that is in flight, just accepted, or (as though it came later) queued for up to a minute."""
    duration = round(roll.uniform(shortest, longest), 1)
    mood = roll.random()
    if mood < 0.35:
        return replace(script, arrival=-round(roll.uniform(0.1, 0.8) * duration, 1), duration=duration)
    if mood < 0.55:
        return replace(script, arrival=-round(roll.uniform(0, 3), 1), queued_for=6.0, duration=duration)
    return replace(script, arrival=-1.0, queued_for=round(roll.uniform(8, 60), 1), duration=duration)


def _faults() -> tuple[Fault, ...]:
    return (
        Fault(FaultKind.STATUS, api=Api.THEHOG, start=28, end=33, probability=0.7, status=503),
        Fault(FaultKind.DELAY, api=Api.SONARLY, start=48, end=62, seconds=1.5),
        Fault(FaultKind.RESET_BEFORE, api=Api.SONARLY, endpoint=Endpoint.POLL, start=70, count=1),
        Fault(FaultKind.HTML, api=Api.THEHOG, endpoint=Endpoint.POLL, start=85, count=1),
    )
