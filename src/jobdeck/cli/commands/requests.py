"""``jobdeck requests``: every request on record, with its request ID."""

import argparse
import sys
from collections.abc import Iterable, Sequence

from jobdeck.app.json_shapes import RequestObject, problem_object, rfc3339
from jobdeck.cli.bootstrap import open_context
from jobdeck.cli.exit_codes import ExitCode
from jobdeck.cli.log import log, truncate_with_notice
from jobdeck.cli.output import describe_scope, of_profile, print_json, print_table_of_scopes
from jobdeck.cli.store import open_store_for, read_scopes
from jobdeck.cli.targets import gather_targets
from jobdeck.domain import humanize
from jobdeck.domain.text import one_line
from jobdeck.store import Store
from jobdeck.store.records import Found, LedgerEntry, LedgerState

_HEADER = ("TIME", "STATUS", "TOOK", "JOB", "REQUEST ID", "OUTCOME")


def run(arguments: argparse.Namespace) -> ExitCode:
    """List the newest requests, those about a target, or what is known of one request or trace ID."""
    scopes = read_scopes(arguments)
    with open_store_for(arguments, scopes, needed=True) as store:
        if arguments.target is None:
            entries = truncate_with_notice(store.all_exchanges(arguments.profile, arguments.limit + 1), arguments.limit)
            if not entries and not arguments.json:
                log(f"no requests{of_profile(arguments, scopes)} on record yet")
            _print(entries, as_json=arguments.json)
            return ExitCode.OK
        found = store.find_request(arguments.target, arguments.limit)
        if found.exchanges or found.accepted:
            _print_found(found, as_json=arguments.json)
            return ExitCode.OK
        if found.elsewhere:
            where = ", ".join(dict.fromkeys(describe_scope("", scope) for scope in found.elsewhere))
            log(f"{one_line(arguments.target, 200)} is on record for {where}, but no profile uses that now")
            return ExitCode.NOT_FOUND
        return _of_target(store, arguments)


def _of_target(store: Store, arguments: argparse.Namespace) -> ExitCode:
    targets = gather_targets([arguments.target], open_context(arguments).registry).targets
    most = arguments.limit
    entries = [
        entry for target in targets for entry in truncate_with_notice(store.exchanges(target.key, most + 1), most)
    ]
    if not entries:
        log(f"no requests on record for {one_line(arguments.target, 200)}")
        return ExitCode.NOT_FOUND
    _print(entries, as_json=arguments.json)
    return ExitCode.OK


def _print(entries: Iterable[LedgerEntry], *, as_json: bool) -> None:
    listed = list(entries)
    if as_json:
        for entry in listed:
            print_json(ledger_object(entry))
    elif listed:
        _print_table(listed)


def _print_table(entries: Sequence[LedgerEntry]) -> None:
    named = [(entry.profile, entry.scope) for entry in entries]
    print_table_of_scopes(_HEADER, [_row(entry) for entry in entries], named)


def _print_found(found: Found, *, as_json: bool) -> None:
    """Say which jobs an ID belongs to, when, and what it answered."""
    if as_json:
        for entry in found.exchanges:
            told = [{"job": str(item.key), "changed": item.changed} for item in found.sightings]
            print_json({**ledger_object(entry), "told": told})
        for key in found.accepted:
            print_json({"accepted": str(key)})
        return
    if found.exchanges:
        _print_table(found.exchanges)
    for item in found.sightings:
        said = f": {one_line(item.fields, 2_000)}" if item.fields else ""
        sys.stdout.write(f"{'updated' if item.changed else 'no change in'} {item.key}{said}\n")
    for key in found.accepted:
        sys.stdout.write(f"accepted {key}\n")


def ledger_object(entry: LedgerEntry) -> RequestObject:
    """Return the JSON object of a request on record; its keys are always present, and a contract."""
    return {
        "profile": entry.profile,
        "job": str(entry.key) if entry.key is not None else None,
        "state": entry.state.value,
        "sent_at": rfc3339(entry.sent_us),
        "method": entry.method or None,
        "url": entry.url or None,
        "http_status": entry.http_status,
        "request_id": entry.request_id,
        "trace_id": entry.trace_id,
        "duration_seconds": None if entry.duration is None else round(entry.duration, 3),
        "size": entry.size,
        "problem": problem_object(entry.problem),
        "actor": entry.actor,
    }


def _row(entry: LedgerEntry) -> tuple[str, ...]:
    return (
        humanize.format_datetime(entry.sent_us),
        str(entry.http_status or "–"),
        "–" if entry.duration is None else f"{entry.duration * 1000:.0f} ms",
        str(entry.key) if entry.key is not None else f"{entry.profile} list",
        entry.request_id or entry.trace_id or "–",
        _outcome(entry),
    )


def _outcome(entry: LedgerEntry) -> str:
    match entry.state:
        case LedgerState.SENT:
            return "no response on record"
        case LedgerState.ABANDONED:
            return "abandoned before a response"
        case LedgerState.ANSWERED:
            problem = entry.problem
            said = "ok" if problem is None else f"{problem.kind.label}: {problem.message}"
            return said if entry.method in {"", "GET"} else f"{entry.method} {said}"
