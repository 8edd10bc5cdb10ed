"""``jobdeck cancel``: cancel jobs, if the profile allows it and the user confirms."""

import argparse
import sys
from collections.abc import Sequence

from jobdeck.app.context import AppContext, ListPolicy
from jobdeck.app.json_shapes import CancelledObject, CancelObject, job_object, rfc3339
from jobdeck.cli.commands.status import FirstResponses, load_unpolled
from jobdeck.cli.exit_codes import CommandError, ExitCode, problem_code, worst
from jobdeck.cli.headless import run_headless
from jobdeck.cli.job_text import STATUS_HEADER, describe_id, describe_row
from jobdeck.cli.log import STATUS_LINE, log
from jobdeck.cli.output import print_json, print_table
from jobdeck.cli.rate_limit_notices import RateLimitNotices
from jobdeck.cli.run_async import run_async, run_printing
from jobdeck.cli.targets import open_targets
from jobdeck.domain.cancel import CancelOutcome, CancelResult
from jobdeck.domain.humanize import pluralize
from jobdeck.domain.job import Job, JobKey, Target
from jobdeck.domain.phase import Phase
from jobdeck.domain.problem import ProblemKind

NAMED = 20
"""The number of jobs that the question lists."""

CONFIRMATION = "cancel"


def run(arguments: argparse.Namespace) -> ExitCode:
    """Send one cancel request per job, poll each job once, and print the states; no request is sent twice."""
    context, inputs = open_targets(arguments, arguments.targets)
    targets = inputs.targets
    _require_allowed(context, targets)
    if not arguments.yes:
        _confirm(targets)
    began = context.clock.now()
    results = run_printing(_cancel_all(context, targets))
    responses = FirstResponses(targets, context.clock, as_json=False)
    try:
        run_printing(run_headless(context, targets, responses, lists=ListPolicy.NONE))
    finally:
        STATUS_LINE.clear()
    if responses.unpolled:
        run_async(load_unpolled(arguments, context.settings, responses))
    jobs = [responses.done[target.key] for target in targets]
    now = context.clock.now()
    if arguments.json:
        for job in jobs:
            line: CancelledObject = {**job_object(job, now), "cancel": _cancel_object(results[job.key], job)}
            print_json(line)
    else:
        print_table(STATUS_HEADER, [describe_row(job, now, began) for job in jobs])
    return worst(cancel_code(results[job.key], job) for job in jobs)


async def _cancel_all(context: AppContext, targets: Sequence[Target]) -> dict[JobKey, CancelResult]:
    """Cancel jobs one after the other, logging each result."""
    names = dict.fromkeys(target.key.profile for target in targets)
    results: dict[JobKey, CancelResult] = {}
    rejected: dict[str, CancelResult] = {}
    async with context.direct_clients(names, RateLimitNotices(context.clock).notify) as clients:
        for target in targets:
            key = target.key
            result = rejected.get(key.profile) or await clients[key.profile].cancel(target)
            results[key] = result
            if result.problem is not None and result.problem.kind is ProblemKind.AUTH:
                rejected[key.profile] = CancelResult.not_sent(result.problem)
            exchange = result.exchange
            trail = describe_id(exchange.request_id, exchange.trace_id) if exchange is not None else ""
            log("  ".join(part for part in (str(key), result.describe(), trail) if part))
    return results


def _cancel_object(result: CancelResult, job: Job) -> CancelObject:
    exchange = result.exchange
    return {
        "outcome": result.outcome.value,
        "message": result.describe(job if job.confirmed else None),
        "sent_at": None if exchange is None else rfc3339(exchange.started.us),
        "http_status": None if exchange is None else exchange.http_status,
        "request_id": None if exchange is None else exchange.request_id,
        "trace_id": None if exchange is None else exchange.trace_id,
    }


def _require_allowed(context: AppContext, targets: Sequence[Target]) -> None:
    """Raise `CommandError` if a profile does not allow cancelling (exit 4) or the API cannot cancel (exit 2)."""
    for target in targets:
        profile = context.settings_of(target.key.profile).profile
        if obstacle := profile.cancel_obstacle(target.resource):
            possible = profile.spec.cancel_of(target.resource) is not None
            code = ExitCode.NOT_ALLOWED if possible else ExitCode.USAGE
            raise CommandError(f"{target.key}: {obstacle}", code)


def _confirm(targets: Sequence[Target]) -> None:
    """Ask the user to confirm; raises `CommandError` if they do not, or without a terminal."""
    count = len(targets)
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise CommandError(f"not confirmed: add --yes to cancel {pluralize(count, 'job')} without a terminal")
    sys.stderr.write("".join(f"  {target.key}\n" for target in targets[:NAMED]))
    if count > NAMED:
        sys.stderr.write(f"  and {count - NAMED} more\n")
    question = f"Cancel {'this job' if count == 1 else f'these {count} jobs'}? This cannot be undone."
    sys.stderr.write(f"{question} Type {CONFIRMATION} or {count} to confirm: ")
    sys.stderr.flush()
    if sys.stdin.readline().strip() not in {CONFIRMATION, str(count)}:
        raise CommandError("not confirmed: nothing was sent")


def cancel_code(result: CancelResult, job: Job) -> ExitCode:
    """Return the exit code of one job: 0 if the server accepted the request, or reports the job as cancelled.

    3 if it refused, for example because the job has finished; 7 if it is unknown whether it accepted the request.
    """
    if result.outcome is CancelOutcome.ACCEPTED or (job.confirmed and job.phase is Phase.CANCELLED):
        return ExitCode.OK
    kind = result.problem.kind if result.problem is not None else ProblemKind.PROTOCOL
    refused = result.outcome is CancelOutcome.REFUSED and kind in {ProblemKind.PROTOCOL, ProblemKind.PAYMENT}
    return ExitCode.PARTIAL if refused else problem_code(kind)
