"""Domain objects for tests, with only what a test cares about spelled out."""

import random
from collections.abc import Mapping, Sequence
from typing import Any

from jobdeck.apis.pages import Page, PageLibrary
from jobdeck.apis.profile import Profile
from jobdeck.apis.spec import ApiSpec
from jobdeck.app.factories import intervals_of
from jobdeck.domain.exchange import Exchange, ExchangeContent
from jobdeck.domain.instant import Instant
from jobdeck.domain.job import Job, JobKey, Observation, Stage, Target
from jobdeck.domain.phase import Phase
from jobdeck.domain.problem import Problem
from jobdeck.scheduling.bucket import Limit
from jobdeck.scheduling.list_tracker import ListEndpoint
from jobdeck.scheduling.scheduler import Scheduler

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


APIS = PageLibrary()


def make_profile(name: str, api: str | ApiSpec = "thehog", **settings: Any) -> Profile:
    """Return a profile of a built-in API, or of one that a test describes."""
    short = {key: settings.pop(key) for key in ("account_group", "project_id") if settings.get(key) is not None}
    settings = {key: value for key, value in settings.items() if value is not None}
    if short:
        settings["variables"] = {**short, **settings.get("variables", {})}
    return Profile.create(name, APIS.spec(api) if isinstance(api, str) else api, **settings)


def describe(name: str, tables: Mapping[str, Any], file: str = "config.toml") -> ApiSpec:
    """Return what a page among the tables of a configuration says."""
    own = {key: Page(table, file, f"providers.{key}") for key, table in tables.items()}
    return PageLibrary(own).spec(name)


PAGES = [APIS.spec(name) for name in ("thehog", "sonarly")]
TYPICAL = {name: one.typical for spec in PAGES for name, one in spec.resources.items() if one.typical is not None}
INTERVALS = {name: found for spec in PAGES for name, found in intervals_of(spec).items()}
"""What the pages of both APIs say of their jobs, for a scheduler of both."""


def make_scheduler(
    limit: Limit, rng: random.Random, lists: Sequence[ListEndpoint] = (), estimates: Mapping[str, object] | None = None
) -> Scheduler:
    """Return a scheduler that knows of jobs what the pages of both APIs say."""
    return Scheduler(limit, rng, lists, estimates, typical=TYPICAL, intervals=INTERVALS)


def make_target(id_: str = "op_1", profile: str = "hog", resource: str = "operation") -> Target:
    if resource == "prospecting":
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


def body_of(content: ExchangeContent | None) -> bytes | None:
    """The body that is kept of an exchange, None when there is none."""
    return content.body if content is not None else None
