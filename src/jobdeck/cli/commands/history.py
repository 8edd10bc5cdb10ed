"""``jobdeck history``: list saved jobs."""

import argparse
import sys

from jobdeck.app.job_export import ExportFormat, export_jobs
from jobdeck.app.json_shapes import SavedKeys
from jobdeck.cli.bootstrap import open_store_for, read_settings
from jobdeck.cli.exit_codes import ExitCode
from jobdeck.cli.job_text import describe_message, describe_progress, describe_state
from jobdeck.cli.log import log, truncate_with_notice
from jobdeck.cli.output import of_profile, print_table_of_scopes
from jobdeck.cli.run_async import run_async
from jobdeck.config import Settings
from jobdeck.domain import humanize
from jobdeck.domain.instant import Instant
from jobdeck.domain.job import Job
from jobdeck.engine.clock import SystemClock
from jobdeck.store import Store
from jobdeck.store.models import Annotation, SavedJob

DAY_US = 86_400 * 1_000_000
_HEADER = ("STATE", "JOB", "KIND", "PROGRESS", "UPDATED", "REQUEST ID", "MESSAGE")


def run(arguments: argparse.Namespace) -> ExitCode:
    """List saved jobs, most recently active first, or delete old ones with ``--purge``."""
    run_async(_run(arguments, read_settings(arguments)))
    return ExitCode.OK


async def _run(arguments: argparse.Namespace, settings: Settings) -> None:
    now = SystemClock().now()
    form = ExportFormat.JSON if arguments.json else arguments.format
    async with open_store_for(arguments, settings, needed=True) as store:
        if arguments.purge is not None:
            await _purge(store, now.us - round(arguments.purge * DAY_US), arguments.purge)
            return
        stored = truncate_with_notice(await store.jobs(arguments.profile, arguments.limit + 1), arguments.limit)
        notes = await store.annotations(item.last.key for item in stored)
    if not stored and not form:
        log(f"no saved jobs{of_profile(arguments, settings.scopes)} yet")
    elif form:
        jobs, more = [item.at(now) for item in stored], [_saved(item, notes.get(item.last.key)) for item in stored]
        sys.stdout.write(export_jobs(jobs, now, ExportFormat(form), more, SavedKeys.__annotations__))
        sys.stdout.flush()
    else:
        named = [(item.last.key.profile, item.scope) for item in stored]
        print_table_of_scopes(_HEADER, [_row(item.at(now), now) for item in stored], named)


def _saved(item: SavedJob, note: Annotation | None) -> SavedKeys:
    return {
        "origin": item.scope.origin or None,
        "organization": item.scope.organization,
        "watched": item.watched_us is not None,
        "acknowledged": note is not None and note.acknowledged,
        "note": note.note if note is not None else "",
    }


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


async def _purge(store: Store, before_us: int, days: float) -> None:
    gone = await store.purge(before_us)
    log(
        f"deleted {humanize.pluralize(gone.jobs, 'job')}, {humanize.pluralize(gone.exchanges, 'request')} and"
        f" {humanize.pluralize(gone.observations, 'observation')} older than {days:g} days"
    )
