"""``jobdeck discover``: list the jobs that the APIs started recently."""

import argparse

from jobdeck.app.context import AppContext
from jobdeck.app.discovery import discover, listing_obstacle
from jobdeck.app.json_shapes import job_object
from jobdeck.cli.bootstrap import open_context
from jobdeck.cli.exit_codes import CommandError, ExitCode, problem_code, worst
from jobdeck.cli.job_text import STATUS_HEADER, describe_row
from jobdeck.cli.log import log
from jobdeck.cli.output import print_json, print_table
from jobdeck.cli.rate_limit_notices import RateLimitNotices
from jobdeck.cli.run_async import run_async
from jobdeck.domain.text import one_line


def run(arguments: argparse.Namespace) -> ExitCode:
    """List the newest jobs of the profiles; the exit code reflects lists that could not be read."""
    context = open_context(arguments)
    names = _listing(context, arguments.profile)
    for name in names:
        context.profile(name)
    began = context.clock.now()
    found = run_async(
        discover(context, names, arguments.limit, arguments.status, RateLimitNotices(context.clock).notify)
    )
    now = context.clock.now()
    jobs = [job for part in found.values() for job in part.jobs]
    if arguments.json:
        for job in jobs:
            print_json(job_object(job, now))
    elif jobs:
        print_table(STATUS_HEADER, [describe_row(job, now, began) for job in jobs])
    elif not any(part.problems for part in found.values()):
        log("no jobs listed")
    for name, part in found.items():
        for problem in part.problems:
            log(f"profile {name}: {problem.kind.label}: {problem.message}")
        for gap in part.gaps:
            log(f"profile {name}: {one_line(gap)}")
    return worst(problem_code(problem.kind) for part in found.values() for problem in part.problems)


def profiles_of(context: AppContext, name: str | None) -> tuple[str, ...]:
    """Return the profile called `name`, or all; raises `CommandError` for an unknown name."""
    if name is None:
        return tuple(context.settings.profiles)
    if name not in context.settings.profiles:
        known = ", ".join((*context.settings.profiles, *context.settings.unlisted))
        raise CommandError(f"unknown profile {name}; available: {known}")
    return (name,)


def _listing(context: AppContext, name: str | None) -> tuple[str, ...]:
    """Return the profiles to list; raises `CommandError` if none of them can be listed."""
    names = profiles_of(context, name)
    reasons = {each: listing_obstacle(context.settings.profiles[each].profile) for each in names}
    listing = tuple(each for each, reason in reasons.items() if reason is None)
    if not names:
        unlisted = ", ".join(context.settings.unlisted)
        raise CommandError(f"no profile configured; with --profile you can use one from the environment: {unlisted}")
    if not listing:
        raise CommandError("\n".join(f"profile {each}: {reason}" for each, reason in reasons.items()))
    return listing
