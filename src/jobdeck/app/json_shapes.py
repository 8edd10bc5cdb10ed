"""The shapes of all JSON output: a contract. The reference and its schema are generated from them."""

import json
import math
from typing import Annotated, Any, Literal, TypedDict

from jobdeck.domain.instant import Instant, date_of, utc
from jobdeck.domain.job import Job
from jobdeck.domain.problem import Problem
from jobdeck.scheduling.outlook import QuotaSnapshot

Time = str
"""RFC 3339 in UTC, such as ``2026-04-28T14:02:00.000Z``."""

PhaseName = Literal["queued", "running", "succeeded", "partial", "failed", "cancelled", "unknown"]
ProblemName = Literal[
    "network",
    "timeout",
    "redirect",
    "auth",
    "permission",
    "payment",
    "not_found",
    "rate_limit",
    "server_error",
    "too_big",
    "not_json",
    "protocol",
]


class StageObject(TypedDict):
    """A stage of a job."""

    name: Annotated[str, "its name"]
    status: Annotated[str | None, "the server's status"]
    phase: Annotated[PhaseName, "what the status means"]
    progress: Annotated[float | None, "from 0 to 1"]


class ErrorObject(TypedDict):
    """Why a job failed, as reported by the server."""

    code: Annotated[str | None, "the server's code"]
    message: Annotated[str | None, "the server's message"]
    details: Annotated[Any, "any further details from the server"]


class ProblemObject(TypedDict):
    """Why a request failed. It says nothing about the job itself."""

    kind: Annotated[ProblemName, "the kind of problem"]
    message: Annotated[str, "a description; never empty"]
    http_status: Annotated[int | None, "the response status; null without a response"]
    request_id: Annotated[str | None, "the response's request ID"]
    trace_id: Annotated[str | None, "the response's trace ID"]
    retry_at: Annotated[Time | None, "when the server asked to retry"]


class JobObject(TypedDict):
    """A job as last observed. Written by `status`, `wait` and `discover`, and part of other objects."""

    profile: Annotated[str, "the profile used to poll it"]
    provider: Annotated[str, "the API the profile uses"]
    id: Annotated[str, "the job's ID"]
    account_group: Annotated[str | None, "the account group, if the API has them"]
    kind: Annotated[str, "the kind of job"]
    status: Annotated[str | None, "the server's own status; null before the first successful response"]
    phase: Annotated[PhaseName, "what the status means"]
    progress: Annotated[float | None, "from 0 to 1; null if the API does not report it"]
    stages: Annotated[list[StageObject], "its stages"]
    error: Annotated[ErrorObject | None, "why it failed, as reported by the server"]
    result: Annotated[Any, "its result, as reported by the server; null until it finishes, or if too large to keep"]
    created_at: Annotated[Time | None, "when it was created, as reported by the server"]
    updated_at: Annotated[Time | None, "when it last changed, as reported by the server"]
    observed_at: Annotated[Time | None, "when it was last observed"]
    age_seconds: Annotated[float | None, "seconds since then"]
    request_id: Annotated[str | None, "the request ID of that observation"]
    trace_id: Annotated[str | None, "its trace ID"]
    accepted_request_id: Annotated[str | None, "the request ID of the response that accepted the job"]
    http_status: Annotated[int | None, "the HTTP status of the latest response"]
    problem: Annotated[ProblemObject | None, "why the latest poll failed; null if it did not"]


class SavedKeys(TypedDict):
    """What is saved about a job beside its state."""

    origin: Annotated[str | None, "the server it was observed at; null if recorded by an older jobdeck"]
    organization: Annotated[str, "who owns the job: the profile's `organization`, or its name"]
    watched: Annotated[bool, "whether it is on the watch list"]
    acknowledged: Annotated[bool, "whether its problem has been acknowledged"]
    note: Annotated[str, "the note for its ticket"]


class HistoryObject(JobObject, SavedKeys):
    """A saved job. Written by `history`."""


class WatchedObject(JobObject):
    """A job that changed. Written by `watch`."""

    change: Annotated[dict[str, Any], "`event` is what happened, `at` when; other keys depend on the event"]


class CancelObject(TypedDict):
    """The outcome of a cancel request. Only the job's own response shows its state."""

    outcome: Annotated[
        Literal["accepted", "refused", "unknown", "not_sent"],
        "`unknown`: the server may or may not have accepted the request",
    ]
    message: Annotated[str, "a description, with the server's own words"]
    sent_at: Annotated[Time | None, "when it was sent"]
    http_status: Annotated[int | None, "the response status; null without a response"]
    request_id: Annotated[str | None, "the response's request ID"]
    trace_id: Annotated[str | None, "the response's trace ID"]


class CancelledObject(JobObject):
    """A job after a cancel request, according to its own response. Written by `cancel`."""

    cancel: Annotated[CancelObject, "the outcome of the request"]


class BudgetObject(TypedDict):
    """A profile's rate budget in the last minute."""

    limit_per_minute: Annotated[float, "polls per minute allowed now"]
    list_limit_per_minute: Annotated[float | None, "list pages per minute, if they have a separate limit"]
    used: Annotated[int, "requests in the last minute"]
    list_pages: Annotated[int, "list pages in the last minute"]
    jobs_by_list: Annotated[int, "unfinished jobs updated through lists"]
    jobs_one_by_one: Annotated[int, "unfinished jobs polled individually"]
    silent_until: Annotated[Time | None, "no requests are sent before this time, after a 429 or Retry-After"]
    paused: Annotated[bool, "whether polling is paused by the user"]
    halted: Annotated[bool, "whether polling stopped because the API key was rejected"]


class BudgetEvent(BudgetObject):
    """How a profile's rate limit is used. Written by `watch`, at most every ten seconds."""

    event: Annotated[Literal["budget"], "always `budget`"]
    at: Annotated[Time, "when"]
    profile: Annotated[str, "the profile"]


class RequestObject(TypedDict):
    """A request on record. Written by `requests`."""

    profile: Annotated[str, "the profile it was sent with"]
    job: Annotated[str | None, "the job it was for; null for a list"]
    state: Annotated[Literal["sent", "answered", "abandoned"], "its outcome"]
    sent_at: Annotated[Time | None, "when it was sent"]
    method: Annotated[str | None, "its method"]
    url: Annotated[str | None, "its URL"]
    http_status: Annotated[int | None, "the response status"]
    request_id: Annotated[str | None, "the response's request ID"]
    trace_id: Annotated[str | None, "the response's trace ID"]
    duration_seconds: Annotated[float | None, "seconds until the response was read"]
    size: Annotated[int | None, "size of the response body in bytes"]
    problem: Annotated[ProblemObject | None, "why it failed"]
    actor: Annotated[str, "the process that sent it"]


class CheckObject(TypedDict):
    """One check. Written by `doctor`."""

    check: Annotated[str, "what was checked"]
    verdict: Annotated[Literal["ok", "warning", "failed"], "the outcome"]
    found: Annotated[str, "what was found"]


SHAPES: tuple[type, ...] = (
    JobObject,
    StageObject,
    ErrorObject,
    ProblemObject,
    WatchedObject,
    CancelledObject,
    CancelObject,
    BudgetEvent,
    HistoryObject,
    RequestObject,
    CheckObject,
)
"""The shapes in the reference, in order."""


def rfc3339(us: int | None) -> str | None:
    """Format microseconds since the epoch as RFC 3339 in UTC with milliseconds; None stays None.

    A time outside the years 1–9999 also gives None, because it cannot be written.
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


def budget_object(budget: QuotaSnapshot, now: Instant) -> BudgetObject:
    """Return the JSON object of a profile's rate limit: the requests of the last minute, and their use."""
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


def _parsed(text: str | None) -> Any:
    """Parse a JSON text; an invalid one, as in a damaged database, is returned as text."""
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
