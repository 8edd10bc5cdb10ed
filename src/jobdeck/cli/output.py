"""Standard output is data: one JSON object a line, or a plain table."""

import argparse
import json
import math
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from jobdeck.cli.shapes import BudgetObject, JobObject, ProblemObject
from jobdeck.domain.instant import Instant, date_of, utc
from jobdeck.domain.job import Job
from jobdeck.domain.problem import Problem
from jobdeck.domain.scope import Scope
from jobdeck.domain.text import one_line
from jobdeck.scheduling.actions import BudgetView


def rfc3339(us: int | None) -> str | None:
    """Render microseconds since the epoch as RFC 3339 in UTC with milliseconds; None stays None.

    A moment outside the years 1–9999 gives None as well: it cannot be written.
    """
    return None if us is None or date_of(us) is None else utc(us)


def job_object(job: Job, now: Instant) -> JobObject:
    """Return the JSON object of a job; its keys are always present, and a contract."""
    age = job.age(now)
    return {
        "profile": job.key.profile,
        "provider": job.target.provider,
        "id": job.key.id,
        "account_group": job.key.account_group,
        "kind": job.kind,
        "status": job.status,
        "phase": job.phase.value,
        "progress": job.progress,
        "stages": [
            {
                "name": record.stage.name,
                "status": record.stage.status,
                "phase": record.stage.phase.value,
                "progress": record.stage.progress,
            }
            for record in job.stages
        ],
        "error": None
        if job.error is None
        else {"code": job.error.code, "message": job.error.message, "details": _parsed(job.error.details)},
        "result": _parsed(job.result),
        "created_at": rfc3339(job.created_us),
        "updated_at": rfc3339(job.updated_us),
        "observed_at": rfc3339(job.observed.us) if job.observed is not None else None,
        "age_seconds": None if age is None else round(age, 3),
        "request_id": job.request_id,
        "trace_id": job.trace_id,
        "accepted_request_id": job.target.accepted_request_id,
        "http_status": job.http_status,
        "problem": problem_object(job.trouble),
    }


def problem_object(problem: Problem | None) -> ProblemObject | None:
    """Return the JSON object of a problem."""
    if problem is None:
        return None
    return {
        "kind": problem.kind.value,
        "message": problem.message,
        "http_status": problem.http_status,
        "request_id": problem.request_id,
        "trace_id": problem.trace_id,
        "retry_at": rfc3339(problem.retry_at_us),
    }


def budget_object(budget: BudgetView, now: Instant) -> BudgetObject:
    """Return the JSON object of a profile's budget: the last minute's requests, and what they are spent on."""
    wait = None if budget.blocked_until is None else budget.blocked_until - now.mono
    return {
        "limit_per_minute": budget.limit,
        "list_limit_per_minute": budget.list_limit,
        "used": budget.used,
        "list_pages": budget.pages,
        "jobs_by_list": budget.covered,
        "jobs_one_by_one": budget.alone,
        "silent_until": None if wait is None else rfc3339(now.later(wait).us),
        "paused": budget.paused,
        "halted": budget.halted,
    }


def of_profile(arguments: argparse.Namespace, scopes: Mapping[str, Scope]) -> str:
    """Return the words that say whom a command was asked about alone, and at which server; empty when about all."""
    name = arguments.profile
    if name is None:
        return ""
    return f" of profile {one_line(name, 80)}" + (f" at {scopes[name].origin}" if name in scopes else "")


def describe_scope(name: str, scope: Scope) -> str:
    """Return the origin of what is shown under a profile's name, with the organization where that is another name."""
    origin = scope.origin or "unknown"
    return origin if scope.organization == name else f"{origin} ({one_line(scope.organization, 80)})"


def print_json(value: Mapping[str, Any]) -> None:
    """Write one JSON object as one line of ASCII, flushed, so that a pipe sees it at once."""
    sys.stdout.write(json.dumps(value, ensure_ascii=True, allow_nan=False, separators=(", ", ": ")) + "\n")
    sys.stdout.flush()


def print_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Write a table whose columns are as wide as their widest cell; the last one is not padded."""
    widths = [max(len(row[column]) for row in (header, *rows)) for column in range(len(header))]
    for row in (header, *rows):
        cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=True)]
        sys.stdout.write("  ".join(cells).rstrip() + "\n")
    sys.stdout.flush()


def print_table_of_scopes(
    header: Sequence[str], rows: Sequence[Sequence[str]], named: Sequence[tuple[str, Scope]]
) -> None:
    """Write a table of what is remembered under profiles' names; `named` has name and scope of each row.

    A name that is not configured any more may stand for several servers: then a column tells them apart.
    """
    known: dict[str, Scope] = {}
    if any(known.setdefault(name, scope.budget) != scope.budget for name, scope in named):
        header = ("SERVER", *header)
        rows = [(describe_scope(*pair), *row) for pair, row in zip(named, rows, strict=True)]
    print_table(header, rows)


def _parsed(text: str | None) -> Any:
    """Return what a JSON text says; the text itself where it is none, as in a database that was damaged."""
    if text is None:
        return None
    try:
        return json.loads(text, parse_constant=_refuse, parse_float=_finite)
    except (ValueError, RecursionError):
        return text


def _refuse(word: str) -> Any:
    raise ValueError(word)


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(text)
    return value
