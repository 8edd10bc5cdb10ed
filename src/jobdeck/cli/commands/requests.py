"""``jobdeck requests``: list every request on record, with its request ID."""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import replace

from jobdeck.app.json_shapes import RequestObject, problem_object, rfc3339
from jobdeck.cli.bootstrap import open_context, open_store_for, read_settings
from jobdeck.cli.exit_codes import CommandError, ExitCode
from jobdeck.cli.log import log, truncate_with_notice
from jobdeck.cli.output import describe_scope, of_profile, print_json, print_table_of_scopes
from jobdeck.cli.run_async import run_async
from jobdeck.cli.targets import gather_targets
from jobdeck.config import Settings
from jobdeck.domain import humanize
from jobdeck.domain.text import one_line
from jobdeck.store import Store
from jobdeck.store.models import RequestMatches, RequestRecord, RequestState

_HEADER = ("TIME", "STATUS", "TOOK", "JOB", "REQUEST ID", "OUTCOME")


def run(arguments: argparse.Namespace) -> ExitCode:
    """List the newest requests, those for a target, or those with a given request or trace ID."""
    return run_async(_run(arguments, read_settings(arguments)))


async def _run(arguments: argparse.Namespace, settings: Settings) -> ExitCode:
    async with open_store_for(arguments, settings, needed=True) as store:
        if arguments.target is None:
            found = await store.all_requests(arguments.profile, arguments.limit + 1)
            records = truncate_with_notice(found, arguments.limit)
            if not records and not arguments.json:
                log(f"no requests{of_profile(arguments, settings.scopes)} on record yet")
            _print(records, as_json=arguments.json)
            return ExitCode.OK
        matches = await store.find_request(arguments.target, arguments.limit)
        if matches.requests or matches.accepted:
            _print_matches(matches, as_json=arguments.json)
            return ExitCode.OK
        if matches.elsewhere:
            where = ", ".join(dict.fromkeys(describe_scope("", scope) for scope in matches.elsewhere))
            log(f"{one_line(arguments.target, 200)} is on record for {where}, but no profile uses that now")
            return ExitCode.NOT_FOUND
        return await _of_target(store, arguments)


async def _of_target(store: Store, arguments: argparse.Namespace) -> ExitCode:
    registry = open_context(arguments).registry
    if arguments.profile is not None:
        if arguments.profile not in registry.profiles:
            raise CommandError(f"unknown profile {one_line(arguments.profile, 80)} ({registry.known()})")
        registry = replace(registry, default=arguments.profile)
    targets = gather_targets([arguments.target], registry).targets
    most = arguments.limit
    records = [
        record
        for target in targets
        for record in truncate_with_notice(await store.requests(target.key, most + 1), most)
    ]
    if not records:
        log(f"no requests on record for {one_line(arguments.target, 200)}")
        return ExitCode.NOT_FOUND
    _print(records, as_json=arguments.json)
    return ExitCode.OK


def _print(records: Sequence[RequestRecord], *, as_json: bool) -> None:
    if as_json:
        for record in records:
            print_json(request_object(record))
    elif records:
        _print_table(records)


def _print_table(records: Sequence[RequestRecord]) -> None:
    named = [(record.exchange.profile, record.scope) for record in records]
    print_table_of_scopes(_HEADER, [_row(record) for record in records], named)


def _print_matches(matches: RequestMatches, *, as_json: bool) -> None:
    """Print the requests with an ID, and the jobs they updated or started."""
    if as_json:
        for record in matches.requests:
            told = [{"job": str(item.key), "changed": item.changed} for item in matches.shown]
            print_json({**request_object(record), "told": told})
        for key in matches.accepted:
            print_json({"accepted": str(key)})
        return
    if matches.requests:
        _print_table(matches.requests)
    for item in matches.shown:
        said = f": {one_line(item.fields, 2_000)}" if item.fields else ""
        sys.stdout.write(f"{'updated' if item.changed else 'no change in'} {item.key}{said}\n")
    for key in matches.accepted:
        sys.stdout.write(f"accepted {key}\n")


def request_object(record: RequestRecord) -> RequestObject:
    """Return the JSON object of a request on record; its keys are always present, and a contract."""
    exchange = record.exchange
    return {
        "profile": exchange.profile,
        "job": str(exchange.job) if exchange.job is not None else None,
        "state": record.state.value,
        "sent_at": rfc3339(record.sent_us),
        "method": exchange.method or None,
        "url": exchange.url or None,
        "http_status": exchange.http_status,
        "request_id": exchange.request_id,
        "trace_id": exchange.trace_id,
        "duration_seconds": round(exchange.duration, 3) if _is_answered(record) else None,
        "size": exchange.size,
        "problem": problem_object(exchange.problem),
        "actor": record.client,
    }


def _row(record: RequestRecord) -> tuple[str, ...]:
    exchange = record.exchange
    return (
        humanize.format_datetime(record.sent_us),
        str(exchange.http_status or "–"),
        f"{exchange.duration * 1000:.0f} ms" if _is_answered(record) else "–",
        str(exchange.job) if exchange.job is not None else f"{exchange.profile} list",
        exchange.support_id or "–",
        _outcome(record),
    )


def _is_answered(record: RequestRecord) -> bool:
    return record.state is RequestState.ANSWERED


def _outcome(record: RequestRecord) -> str:
    match record.state:
        case RequestState.SENT:
            return "no response on record"
        case RequestState.ABANDONED:
            return "abandoned before a response"
        case RequestState.ANSWERED:
            problem, method = record.exchange.problem, record.exchange.method
            said = "ok" if problem is None else f"{problem.kind.label}: {problem.message}"
            return said if method in {"", "GET"} else f"{method} {said}"
