"""``jobdeck ticket``: create a ticket with what support needs to find a job."""

import argparse
import json
import sys
from dataclasses import replace
from pathlib import Path

from jobdeck.app.context import ListPolicy
from jobdeck.app.json_shapes import job_object
from jobdeck.app.private_file import PrivateFileError, write_output
from jobdeck.app.tickets import ticket_source
from jobdeck.cli.bootstrap import open_store_for
from jobdeck.cli.exit_codes import CommandError, ExitCode, job_code
from jobdeck.cli.headless import run_headless
from jobdeck.cli.output import print_json
from jobdeck.cli.rate_limit_notices import blocked_too_long
from jobdeck.cli.run_async import run_async
from jobdeck.cli.targets import open_targets
from jobdeck.domain.exchange import Exchange
from jobdeck.domain.problem import Problem
from jobdeck.engine.engine import Engine
from jobdeck.engine.subscription import ChangeSet
from jobdeck.report.ticket import TicketSource, ticket_markdown, ticket_object


def run(arguments: argparse.Namespace) -> ExitCode:
    """Poll the job once, combine the response with saved data, and write the ticket."""
    context, inputs = open_targets(arguments, [arguments.target])
    targets = inputs.targets
    if len(targets) != 1:
        raise CommandError(f"a ticket covers one job, but {len(targets)} were given")

    fresh: list[Exchange] = []
    silent: dict[str, Problem] = {}

    def looked(engine: Engine, batch: ChangeSet) -> bool:
        fresh.extend(item for item in batch.exchanges if item.job == targets[0].key)
        silent.update(blocked_too_long(engine, context.clock.now()))
        looked_at = bool(fresh) and not engine.jobs[targets[0].key].awaits_part
        return looked_at or bool(engine.halted()) or bool(silent)

    async def look() -> TicketSource:
        (job,) = await run_headless(context, targets, looked, lists=ListPolicy.NONE)
        async with open_store_for(arguments, context.settings) as store:
            return await ticket_source(
                context, store, job, fresh, note=arguments.note or "", include_result=arguments.include_result
            )

    source = run_async(look())
    if arguments.format == "json":
        made = ticket_object(source, job_object(source.job, context.clock.now()))
        if arguments.output is None:
            print_json(made)
        else:
            _save(arguments.output, _json_text(made))
    elif arguments.output is None:
        sys.stdout.write(ticket_markdown(source))
        sys.stdout.flush()
    else:
        _save(arguments.output, ticket_markdown(source))
    if source.job.observed is not None:
        return ExitCode.OK
    return job_code(source.job if fresh or not silent else replace(source.job, problem=silent[source.job.key.profile]))


def _save(name: str, text: str) -> None:
    try:
        write_output(Path(name), text)
    except PrivateFileError as error:
        raise CommandError(str(error), ExitCode.INTERNAL if error.of_machine else ExitCode.USAGE) from None


def _json_text(value: object) -> str:
    return json.dumps(value, ensure_ascii=True, allow_nan=False, indent=2) + "\n"
