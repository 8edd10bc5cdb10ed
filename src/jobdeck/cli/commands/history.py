"""``jobdeck history``: the jobs that are remembered."""

import argparse

from jobdeck.app.json_shapes import HistoryObject, job_object
from jobdeck.cli.exit_codes import ExitCode
from jobdeck.cli.job_text import describe_message, describe_progress, describe_state
from jobdeck.cli.log import log, truncate_with_notice
from jobdeck.cli.output import of_profile, print_json, print_table_of_scopes
from jobdeck.cli.store import open_store_for, read_scopes
from jobdeck.domain import humanize
from jobdeck.domain.instant import Instant
from jobdeck.domain.job import Job
from jobdeck.engine.clock import SystemClock
from jobdeck.store import Store

DAY_US = 86_400 * 1_000_000
_HEADER = ("STATE", "JOB", "KIND", "PROGRESS", "UPDATED", "REQUEST ID", "MESSAGE")


def run(arguments: argparse.Namespace) -> ExitCode:
    """List remembered jobs, newest activity first, or forget old ones with ``--purge``."""
    now = SystemClock().now()
    scopes = read_scopes(arguments)
    with open_store_for(arguments, scopes, needed=True) as store:
        if arguments.purge is not None:
            return _purge(store, now.us - round(arguments.purge * DAY_US), arguments.purge)
        stored = truncate_with_notice(store.jobs(arguments.profile, arguments.limit + 1), arguments.limit)
        notes = store.annotations(item.last.key for item in stored)
        if not arguments.json and not stored:
            log(f"no saved jobs{of_profile(arguments, scopes)} yet")
        elif not arguments.json:
            named = [(item.last.key.profile, item.scope) for item in stored]
            print_table_of_scopes(_HEADER, [_row(item.at(now), now) for item in stored], named)
        for item in stored if arguments.json else ():
            note = notes.get(item.last.key)
            line: HistoryObject = {
                **job_object(item.at(now), now),
                "origin": item.scope.origin or None,
                "organization": item.scope.organization,
                "watched": item.watched_us is not None,
                "acknowledged": note is not None and note.acknowledged,
                "note": note.note if note is not None else "",
            }
            print_json(line)
    return ExitCode.OK


def _row(job: Job, now: Instant) -> tuple[str, ...]:
    age = job.age(now)
    return (
        describe_state(job, now),
        str(job.key),
        job.kind,
        describe_progress(job),
        "never" if age is None else f"{humanize.format_duration(age)} ago",
        job.support_id or "–",
        describe_message(job),
    )


def _purge(store: Store, before_us: int, days: float) -> ExitCode:
    exchanges = observations = jobs = 0
    while True:
        gone = store.purge(before_us)
        exchanges += gone.exchanges
        observations += gone.observations
        jobs += gone.jobs
        if not gone.more:
            break
    log(f"deleted {jobs} jobs, {exchanges} requests and {observations} observations older than {days:g} days")
    return ExitCode.OK
