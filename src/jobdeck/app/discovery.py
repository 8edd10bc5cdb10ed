"""Discovery: the newest jobs in the lists of the APIs, watched or not."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from jobdeck.apis.profile import Profile
from jobdeck.apis.spec import ListSpec
from jobdeck.app.context import AppContext
from jobdeck.app.direct_client import DirectClient, RateLimitedError
from jobdeck.domain.exchange import Exchange
from jobdeck.domain.instant import Instant
from jobdeck.domain.job import Job, JobKey, Observation, Target
from jobdeck.domain.problem import Problem
from jobdeck.domain.transitions import apply_observation
from jobdeck.scheduling.actions import ListPage

MAX_PAGES = 20
MAX_VALUES = 300
"""The number of account groups (or other values of a variable) that are listed: each takes a request."""


@dataclass(frozen=True, slots=True)
class Found:
    """The listed jobs of one profile.

    They are not merged by time: rows may have no time.
    """

    jobs: tuple[Job, ...]
    """List by list, newest first."""
    problems: tuple[Problem, ...]
    """Why lists could not be read."""
    gaps: tuple[str, ...] = ()
    """What was left out of a list, in words."""


def listing_obstacle(profile: Profile) -> str | None:
    """Return why the jobs of a profile cannot be listed; None if they can."""
    spec = profile.spec
    if not spec.lists:
        return f"{spec.title} cannot list jobs"
    if not any(_place_of(profile, listed) is not None or _listed_variable(profile, listed) for listed in spec.lists):
        needed = ", ".join(spec.lists[0].url.variables)
        return f"listing {spec.title} jobs needs {needed} in [profiles.{profile.name}.variables]"
    return None


def _place_of(profile: Profile, listed: ListSpec) -> dict[str, str] | None:
    """Return the values of a list's variables from the profile; None if one is missing."""
    return profile.spec.resources[listed.shows[0]].parse_account_group(None, profile.variables)


def _listed_variable(profile: Profile, listed: ListSpec) -> str | None:
    """Return the one variable of a list that the profile lacks, if the API can list its values."""
    missing = [name for name in listed.url.variables if name not in profile.variables]
    variable = profile.spec.variables.get(missing[0]) if len(missing) == 1 else None
    return missing[0] if variable is not None and variable.url is not None else None


async def discover(
    context: AppContext,
    names: Sequence[str],
    limit: int,
    status: str | None,
    on_cooldown: Callable[[str, Instant], object] | None = None,
) -> dict[str, Found]:
    """Read the lists of profiles, side by side, with one request at a time per profile.

    `listing_obstacle` must be None for each profile. `on_cooldown` is called with a profile that may not send requests,
    and until when; a long cooldown becomes a problem of its lists.
    """
    async with context.direct_clients(names, on_cooldown) as clients:
        lists = (list_jobs(context, name, client, limit, status=status) for name, client in clients.items())
        found = await asyncio.gather(*lists)
    return dict(zip(names, found, strict=True))


async def list_jobs(
    context: AppContext,
    name: str,
    client: DirectClient,
    limit: int,
    *,
    status: str | None = None,
    progress: Callable[[Found], object] = lambda _: None,
) -> Found:
    """Read the lists of one profile, newest jobs first; `progress` gets the intermediate result after each list."""
    jobs: dict[JobKey, Job] = {}
    lists, problem, found = await _lists(context, client, name)
    problems = [problem] if problem is not None else []
    gaps = list(found)
    for first in lists:
        read = await _read(client, replace(first, status=status), limit)
        problems.extend([read.problem] if read.problem is not None else [])
        gaps.extend(read.gaps)
        for row, exchange in read.rows:
            job = _job(context, name, first.resource, row, exchange)
            jobs.setdefault(job.key, job)
        progress(Found(tuple(jobs.values()), tuple(problems), tuple(dict.fromkeys(gaps))))
    return Found(tuple(jobs.values()), tuple(problems), tuple(dict.fromkeys(gaps)))


@dataclass(frozen=True, slots=True)
class _Read:
    rows: tuple[tuple[Observation, Exchange], ...]
    problem: Problem | None
    gaps: tuple[str, ...] = ()


async def _read(client: DirectClient, page: ListPage, limit: int) -> _Read:
    """Page through one list until `limit` rows, its end, a repeated cursor, a problem, or twenty pages."""
    # Every page uses the same limit: a server that counts pages would otherwise start the next one elsewhere.
    rows: list[tuple[Observation, Exchange]] = []
    gaps: list[str] = []
    asked: set[str | None] = set()
    for _ in range(MAX_PAGES):
        asked.add(page.cursor)
        try:
            result = await client.list_page(replace(page, limit=min(100, limit)))
        except RateLimitedError as error:
            return _Read(tuple(rows), error.problem, tuple(gaps))
        if result.problem is not None:
            return _Read(tuple(rows), result.problem, tuple(gaps))
        rows.extend((row, result.exchange) for row in result.observations)
        gaps.extend([result.partial_error] if result.partial_error is not None else [])
        if len(rows) >= limit or result.next_cursor is None or result.next_cursor in asked:
            break
        page = replace(page, cursor=result.next_cursor)
    return _Read(tuple(rows[:limit]), None, tuple(gaps))


async def _lists(
    context: AppContext, client: DirectClient, name: str
) -> tuple[tuple[ListPage, ...], Problem | None, tuple[str, ...]]:
    """Return the lists of a profile: one for each value of a variable that the profile does not set.

    Also returns the problem that left values unknown, and notes about omitted ones.
    """
    profile = context.settings.profiles[name].profile
    pages: list[ListPage] = []
    gaps: list[str] = []
    for listed in profile.spec.lists:
        resource = listed.shows[0]
        place = _place_of(profile, listed)
        if place is not None:
            pages.append(ListPage(resource, profile.spec.resources[resource].account_group_of(place)))
        elif (variable := _listed_variable(profile, listed)) is not None:
            values, problem, complete = await _values(client, variable)
            pages.extend(ListPage(resource, value) for value in values)
            if problem is not None:
                return tuple(pages), problem, tuple(gaps)
            if not complete:
                gaps.append(f"listed only the jobs of the first {len(values)} {variable.replace('_', ' ')}s")
    return tuple(pages), None, tuple(gaps)


async def _values(client: DirectClient, variable: str) -> tuple[tuple[str, ...], Problem | None, bool]:
    """Page through the values of a variable until `MAX_VALUES`, their end, a problem, or twenty pages.

    Returns them, the problem, and whether they are complete.
    """
    values: dict[str, None] = {}
    asked: set[str | None] = set()
    cursor: str | None = None
    while cursor not in asked and len(asked) < MAX_PAGES and len(values) < MAX_VALUES:
        asked.add(cursor)
        try:
            found = await client.list_values(variable, cursor)
        except RateLimitedError as error:
            return tuple(values), error.problem, False
        if found.problem is not None:
            return tuple(values), found.problem, False
        values.update(dict.fromkeys(found.values))
        cursor = found.next_cursor
        if cursor is None:
            break
    return tuple(values)[:MAX_VALUES], None, cursor is None and len(values) <= MAX_VALUES


def _job(context: AppContext, name: str, resource: str, row: Observation, exchange: Exchange) -> Job:
    provider = context.settings.profiles[name].profile.provider
    now = context.clock.now()
    target = Target(JobKey(name, row.account_group, row.id), provider, resource)
    job, _ = apply_observation(Job(target=target, added=now, kind=resource), row, exchange, now)
    return job
