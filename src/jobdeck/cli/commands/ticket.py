"""``jobdeck ticket``: what support needs to find a job."""

import argparse
import sys
from dataclasses import replace
from pathlib import Path

from jobdeck.cli.errors import CommandError
from jobdeck.cli.exit_codes import ExitCode, job_code
from jobdeck.cli.follow import follow
from jobdeck.cli.inputs import open_targets
from jobdeck.cli.opening import open_store_for
from jobdeck.cli.output import job_object, print_json
from jobdeck.cli.run_async import run_async
from jobdeck.cli.silence import unbearable
from jobdeck.domain.exchange import Exchange
from jobdeck.domain.problem import Problem
from jobdeck.domain.ticket import ticket_markdown, ticket_object
from jobdeck.engine.batch import Batch
from jobdeck.engine.engine import Engine
from jobdeck.wiring import UseOfLists
from jobdeck.wiring.private_file import PrivateFileError, write_output
from jobdeck.wiring.tickets import ticket_source


def run(arguments: argparse.Namespace) -> ExitCode:
    """Take one fresh look, join it with what is remembered, and write the ticket."""
    wiring, inputs = open_targets(arguments, [arguments.target])
    targets = inputs.targets
    if len(targets) != 1:
        raise CommandError(f"a ticket is about one job, and {len(targets)} were named")

    fresh: list[Exchange] = []
    silent: dict[str, Problem] = {}

    def looked(engine: Engine, batch: Batch) -> bool:
        fresh.extend(item for item in batch.exchanges if item.job == targets[0].key)
        silent.update(unbearable(engine, wiring.clock.now()))
        looked_at = bool(fresh) and not engine.jobs[targets[0].key].awaits_part
        return looked_at or bool(engine.halted()) or bool(silent)

    (job,) = run_async(follow(wiring, targets, looked, lists=UseOfLists.NONE))
    with open_store_for(arguments, wiring.settings.scopes) as store:
        source = ticket_source(
            wiring, store, job, fresh, note=arguments.note or "", include_result=arguments.include_result
        )
    if arguments.format == "json":
        made = ticket_object(source, job_object(source.job, wiring.clock.now()))
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
    return job_code(source.job if fresh or not silent else replace(source.job, problem=silent[job.key.profile]))


def _save(name: str, text: str) -> None:
    try:
        write_output(Path(name), text)
    except PrivateFileError as error:
        raise CommandError(str(error), ExitCode.INTERNAL if error.of_machine else ExitCode.USAGE) from None


def _json_text(value: object) -> str:
    import json  # noqa: PLC0415 - only for this form

    return json.dumps(value, ensure_ascii=True, allow_nan=False, indent=2) + "\n"
