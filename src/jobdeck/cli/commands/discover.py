"""``jobdeck discover``: what the APIs say was started lately."""

import argparse
import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from jobdeck.apis.profile import Profile
from jobdeck.apis.spec import ListSpec
from jobdeck.cli.errors import CommandError
from jobdeck.cli.exit_codes import ExitCode, problem_code, worst
from jobdeck.cli.narration import narrate
from jobdeck.cli.opening import open_wiring
from jobdeck.cli.output import job_object, print_json, print_table
from jobdeck.cli.run_async import run_async
from jobdeck.cli.silence import Silences
from jobdeck.cli.words import STATUS_HEADER, describe_row
from jobdeck.domain.exchange import Exchange
from jobdeck.domain.instant import Instant
from jobdeck.domain.job import Job, JobKey, Observation, Target
from jobdeck.domain.problem import Problem
from jobdeck.domain.text import one_line
from jobdeck.domain.transitions import apply_observation
from jobdeck.scheduling.actions import ListPage
from jobdeck.wiring import Wiring
from jobdeck.wiring.asking import Asker
from jobdeck.wiring.patience import SilencedError

MAX_PAGES = 20


@dataclass(frozen=True, slots=True)
class Found:
    """What the lists of one profile gave: jobs, list by list and newest first, and why a list could not be read.

    They are not merged by time: rows may carry none. `gaps` are what of a page could not.
    """

    jobs: tuple[Job, ...]
    problems: tuple[Problem, ...]
    gaps: tuple[str, ...] = ()


def run(arguments: argparse.Namespace) -> ExitCode:
    """List the newest jobs of the profiles; exits as their problems say when a list could not be read."""
    wiring = open_wiring(arguments)
    names = _listing(wiring, arguments.profile)
    for name in names:
        wiring.profile(name)
    began = wiring.clock.now()
    found = run_async(discover(wiring, names, arguments.limit, arguments.status, Silences(wiring.clock).tell))
    now = wiring.clock.now()
    jobs = [job for part in found.values() for job in part.jobs]
    if arguments.json:
        for job in jobs:
            print_json(job_object(job, now))
    elif jobs:
        print_table(STATUS_HEADER, [describe_row(job, now, began) for job in jobs])
    elif not any(part.problems for part in found.values()):
        narrate("the lists show no jobs")
    for name, part in found.items():
        for problem in part.problems:
            narrate(f"profile {name}: {problem.kind.words}: {problem.message}")
        for gap in part.gaps:
            narrate(f"profile {name}: {one_line(gap)}")
    return worst(problem_code(problem.kind) for part in found.values() for problem in part.problems)


def profiles_of(wiring: Wiring, name: str | None) -> tuple[str, ...]:
    """Return the profile called `name`, or all; raises `CommandError` when there is none of that name."""
    if name is None:
        return tuple(wiring.settings.profiles)
    if name not in wiring.settings.profiles:
        known = ", ".join((*wiring.settings.profiles, *wiring.settings.unlisted))
        raise CommandError(f"there is no profile {name}; there are: {known}")
    return (name,)


def hindrance(profile: Profile) -> str | None:
    """Return why the jobs of a profile cannot be listed; None when they can."""
    spec = profile.spec
    if not spec.lists:
        return f"{spec.title} has no list of jobs"
    if not any(_place_of(profile, listed) is not None or _listed_variable(profile, listed) for listed in spec.lists):
        needed = ", ".join(spec.lists[0].url.variables)
        return f"a list of {spec.title} jobs needs {needed} in [profiles.{profile.name}.variables]"
    return None


def _place_of(profile: Profile, listed: ListSpec) -> dict[str, str] | None:
    """Return the values of a list's variables, as far as the profile has them; None when one is missing."""
    return profile.spec.resources[listed.shows[0]].parse_scope(None, profile.variables)


def _listed_variable(profile: Profile, listed: ListSpec) -> str | None:
    """Return the only variable of a list that the profile does not have, where the API lists its values."""
    missing = [name for name in listed.url.variables if name not in profile.variables]
    variable = profile.spec.variables.get(missing[0]) if len(missing) == 1 else None
    return missing[0] if variable is not None and variable.url is not None else None


def _listing(wiring: Wiring, name: str | None) -> tuple[str, ...]:
    """Return the profiles to list; raises `CommandError` when the one that was named, or all, cannot be listed."""
    names = profiles_of(wiring, name)
    reasons = {each: hindrance(wiring.settings.profiles[each].profile) for each in names}
    listing = tuple(each for each, reason in reasons.items() if reason is None)
    if not names:
        unlisted = ", ".join(wiring.settings.unlisted)
        raise CommandError(f"no profile is configured; --profile names one that the environment gives: {unlisted}")
    if not listing:
        raise CommandError("\n".join(f"profile {each}: {reason}" for each, reason in reasons.items()))
    return listing


async def discover(
    wiring: Wiring,
    names: Sequence[str],
    limit: int,
    status: str | None,
    waits: Callable[[str, Instant], object] | None = None,
) -> dict[str, Found]:
    """Ask the lists of the profiles, one request after the other within each, the profiles side by side.

    Each is one that `hindrance` says nothing of.
    `waits` is told of a profile that has to keep silent, and until when; a long silence is a problem of its lists.
    """
    async with wiring.asking(names, waits) as askers:
        found = await asyncio.gather(*(_discover(wiring, name, asker, limit, status) for name, asker in askers.items()))
    return dict(zip(names, found, strict=True))


async def _discover(wiring: Wiring, name: str, asker: Asker, limit: int, status: str | None) -> Found:
    jobs: dict[JobKey, Job] = {}
    lists, problem = await _lists(wiring, asker, name)
    problems = [problem] if problem is not None else []
    gaps: list[str] = []
    for first in lists:
        read = await _read(asker, replace(first, status=status), limit)
        problems.extend([read.problem] if read.problem is not None else [])
        gaps.extend(read.gaps)
        for row, exchange in read.rows:
            job = _job(wiring, name, first.resource, row, exchange)
            jobs.setdefault(job.key, job)
    return Found(tuple(jobs.values()), tuple(problems), tuple(dict.fromkeys(gaps)))


@dataclass(frozen=True, slots=True)
class _Read:
    rows: tuple[tuple[Observation, Exchange], ...]
    problem: Problem | None
    gaps: tuple[str, ...] = ()


async def _read(asker: Asker, page: ListPage, limit: int) -> _Read:
    """Page through one list until `limit` rows, its end, a cursor for the second time, a problem, or twenty pages."""
    # The same limit for each page: a server that counts its pages would else begin the next one elsewhere.
    rows: list[tuple[Observation, Exchange]] = []
    gaps: list[str] = []
    asked: set[str | None] = set()
    for _ in range(MAX_PAGES):
        asked.add(page.cursor)
        try:
            reply = await asker.list_page(replace(page, limit=min(100, limit)))
        except SilencedError as error:
            return _Read(tuple(rows), error.problem, tuple(gaps))
        if reply.problem is not None:
            return _Read(tuple(rows), reply.problem, tuple(gaps))
        rows.extend((row, reply.exchange) for row in reply.observations)
        gaps.extend([reply.gap] if reply.gap is not None else [])
        if len(rows) >= limit or reply.next_cursor is None or reply.next_cursor in asked:
            break
        page = replace(page, cursor=reply.next_cursor)
    return _Read(tuple(rows[:limit]), None, tuple(gaps))


async def _lists(wiring: Wiring, asker: Asker, name: str) -> tuple[tuple[ListPage, ...], Problem | None]:
    """Return the lists that a profile has: one for each value of a variable that the profile does not give."""
    profile = wiring.settings.profiles[name].profile
    pages: list[ListPage] = []
    for listed in profile.spec.lists:
        resource = listed.shows[0]
        place = _place_of(profile, listed)
        if place is not None:
            pages.append(ListPage(resource, profile.spec.resources[resource].scope_of(place)))
        elif (variable := _listed_variable(profile, listed)) is not None:
            try:
                found = await asker.list_values(variable)
            except SilencedError as error:
                return tuple(pages), error.problem
            if found.problem is not None:
                return tuple(pages), found.problem
            pages.extend(ListPage(resource, value) for value in found.values)
    return tuple(pages), None


def _job(wiring: Wiring, name: str, resource: str, row: Observation, exchange: Exchange) -> Job:
    provider = wiring.settings.profiles[name].profile.provider
    now = wiring.clock.now()
    target = Target(JobKey(name, row.account_group, row.id), provider, resource)
    job, _ = apply_observation(Job(target=target, added=now, kind=resource), row, exchange, now)
    return job
