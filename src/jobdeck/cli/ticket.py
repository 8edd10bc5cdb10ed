"""``jobdeck ticket``: what support needs to find a job."""

import argparse
import sys
from dataclasses import replace
from pathlib import Path

from jobdeck import __version__
from jobdeck.cli.errors import CommandError
from jobdeck.cli.exit_codes import ExitCode, job_code
from jobdeck.cli.follow import follow
from jobdeck.cli.inputs import gather_targets
from jobdeck.cli.opening import open_store_for, open_wiring
from jobdeck.cli.output import job_object, print_json
from jobdeck.cli.private_file import write_private
from jobdeck.cli.run_async import run_async
from jobdeck.domain.exchange import Exchange
from jobdeck.domain.job import Job
from jobdeck.domain.ticket import MAX_EXCHANGES, TicketSource, ticket_markdown, ticket_object
from jobdeck.domain.timeline import Moment, MomentKind
from jobdeck.engine.batch import Batch
from jobdeck.engine.engine import Engine
from jobdeck.store import Store
from jobdeck.store.records import TimelineEntry
from jobdeck.wiring import UseOfLists, Wiring


def run(arguments: argparse.Namespace) -> ExitCode:
    """Take one fresh look, join it with what is remembered, and write the ticket."""
    wiring = open_wiring(arguments)
    targets = gather_targets([arguments.target], wiring.directory).targets
    if len(targets) != 1:
        message = f"a ticket is about one job, and {len(targets)} were named"
        raise CommandError(message)

    fresh: list[Exchange] = []

    def looked(engine: Engine, batch: Batch) -> bool:
        fresh.extend(item for item in batch.exchanges if item.job == targets[0].key)
        return bool(fresh) or bool(engine.halted())

    (job,) = run_async(follow(wiring, targets, looked, lists=UseOfLists.NONE))
    with open_store_for(arguments) as store:
        source = _source(wiring, store, job, fresh, arguments)
    if arguments.format == "json":
        made = ticket_object(source, job_object(source.job, wiring.clock.now()))
        if arguments.output is None:
            print_json(made)
        else:
            write_private(Path(arguments.output), _json_text(made))
    elif arguments.output is None:
        sys.stdout.write(ticket_markdown(source))
        sys.stdout.flush()
    else:
        write_private(Path(arguments.output), ticket_markdown(source))
    return ExitCode.OK if source.job.observed is not None else job_code(source.job)


def _source(
    wiring: Wiring, store: Store, job: Job, fresh: list[Exchange], arguments: argparse.Namespace
) -> TicketSource:
    """Join the fresh look with what is remembered, which also spans earlier runs and other processes."""
    now = wiring.clock.now()
    stored = store.load_job(job.key)
    if stored is not None:
        remembered = stored.at(now)
        job = replace(remembered, result=job.result or remembered.result)
    shown = store.shown(job.key)
    ends = (shown.first, shown.last) if shown is not None and job.terminal else ()
    kept = [item for entry in store.exchanges(job.key, MAX_EXCHANGES) if (item := entry.exchange(now)) is not None]
    note = store.annotations([job.key]).get(job.key)
    exchanges = tuple(kept) or tuple(fresh)
    offsets = [item.clock_offset for item in fresh if item.clock_offset is not None]
    return TicketSource(
        job=job,
        timeline=tuple(moment(entry) for entry in store.timeline(job.key)),
        exchanges=exchanges,
        ends=tuple(item for entry in ends if (item := entry.exchange(now)) is not None),
        version=__version__,
        made_us=now.us,
        curl=wiring.curl(exchanges[0]) if exchanges else "",
        clock_offset=round(offsets[0], 1) if offsets else None,
        note=arguments.note or (note.note if note is not None else ""),
        include_result=arguments.include_result,
    )


def moment(entry: TimelineEntry) -> Moment:
    """Return a remembered line of a timeline as the ticket has it."""
    return Moment(
        entry.at_us,
        MomentKind(entry.kind.value),
        entry.text,
        entry.stage,
        entry.before.value if entry.before is not None else None,
        entry.after.value if entry.after is not None else None,
        entry.request_id or entry.trace_id,
    )


def _json_text(value: object) -> str:
    import json  # noqa: PLC0415 - only for this form

    return json.dumps(value, ensure_ascii=True, allow_nan=False, indent=2) + "\n"
