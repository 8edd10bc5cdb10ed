"""The shapes of the JSON that commands write: a contract. The reference and its schema are made from them."""

import json
import math
from typing import Annotated, Any, Literal, TypedDict

from jobdeck.domain.instant import Instant, date_of, utc
from jobdeck.domain.job import Job
from jobdeck.domain.problem import Problem
from jobdeck.scheduling.actions import BudgetView

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
    """A named part of a job."""

    name: Annotated[str, "its name"]
    status: Annotated[str | None, "the server's word for its state"]
    phase: Annotated[PhaseName, "what that word means"]
    progress: Annotated[float | None, "from 0 to 1"]


class ErrorObject(TypedDict):
    """Why a job failed, as the server says."""

    code: Annotated[str | None, "the server's code"]
    message: Annotated[str | None, "the server's message"]
    details: Annotated[Any, "whatever else the server says"]


class ProblemObject(TypedDict):
    """Why a request gave no observation. It says nothing about the job."""

    kind: Annotated[ProblemName, "which of a closed set of reasons"]
    message: Annotated[str, "the reason in words, never empty"]
    http_status: Annotated[int | None, "the answer's status, null without an answer"]
    request_id: Annotated[str | None, "the answer's request ID"]
    trace_id: Annotated[str | None, "the answer's trace ID"]
    retry_at: Annotated[Time | None, "when the server asks to be asked again"]


class JobObject(TypedDict):
    """A job as last observed. Written by `status`, `wait` and `discover`, and within others."""

    profile: Annotated[str, "the profile that it is asked through"]
    provider: Annotated[str, "the API that the profile speaks"]
    id: Annotated[str, "the job's ID"]
    account_group: Annotated[str | None, "the account group, where the API has such"]
    kind: Annotated[str, "what kind of work it is"]
    status: Annotated[str | None, "the server's own word; null before the first good answer"]
    phase: Annotated[PhaseName, "what that word means"]
    progress: Annotated[float | None, "from 0 to 1; null where the API does not tell"]
    stages: Annotated[list[StageObject], "its named parts"]
    error: Annotated[ErrorObject | None, "why it failed, as the server says"]
    result: Annotated[Any, "what it gave, as the server says; null before its end, and where it is too large to keep"]
    created_at: Annotated[Time | None, "when it was made, as the server says"]
    updated_at: Annotated[Time | None, "when it changed last, as the server says"]
    observed_at: Annotated[Time | None, "when it was last observed"]
    age_seconds: Annotated[float | None, "seconds since then"]
    request_id: Annotated[str | None, "the request ID of that observation"]
    trace_id: Annotated[str | None, "its trace ID"]
    accepted_request_id: Annotated[str | None, "the request ID of the answer that accepted the job"]
    http_status: Annotated[int | None, "the status of the newest answer"]
    problem: Annotated[ProblemObject | None, "why the newest look failed; null when it did not"]


class HistoryObject(JobObject):
    """A remembered job. Written by `history`."""

    origin: Annotated[str | None, "the server that it was seen at; null where an older jobdeck did not note it"]
    organization: Annotated[str, "whose job it is: the profile's `organization`, else its name"]
    watched: Annotated[bool, "whether it is on the watch list"]
    acknowledged: Annotated[bool, "whether a person knows of its trouble"]
    note: Annotated[str, "the note of its ticket"]


class WatchedObject(JobObject):
    """A job that changed. Written by `watch`."""

    change: Annotated[dict[str, Any], "`event` names what happened, `at` when; the rest depends on the name"]


class BudgetObject(TypedDict):
    """A profile's rate budget in the last minute."""

    limit_per_minute: Annotated[float, "polls a minute that hold now"]
    list_limit_per_minute: Annotated[float | None, "list pages a minute, where they have a limit of their own"]
    used: Annotated[int, "requests of the last minute"]
    list_pages: Annotated[int, "list pages of the last minute"]
    jobs_by_list: Annotated[int, "unfinished jobs that lists refresh"]
    jobs_one_by_one: Annotated[int, "unfinished jobs that are asked one by one"]
    silent_until: Annotated[Time | None, "until when nothing is sent, after a 429 or a Retry-After"]
    paused: Annotated[bool, "whether a person has paused it"]
    halted: Annotated[bool, "whether a refused key has stopped it"]


class BudgetEvent(BudgetObject):
    """What a profile's budget is spent on. Written by `watch`, at most every ten seconds."""

    event: Annotated[Literal["budget"], "always `budget`"]
    at: Annotated[Time, "when"]
    profile: Annotated[str, "the profile"]


class RequestObject(TypedDict):
    """A request on record. Written by `requests`."""

    profile: Annotated[str, "the profile that it was sent through"]
    job: Annotated[str | None, "the job that it asked about; null for a list"]
    state: Annotated[Literal["sent", "answered", "abandoned"], "what came of it"]
    sent_at: Annotated[Time | None, "when it was sent"]
    method: Annotated[str | None, "its method"]
    url: Annotated[str | None, "its URL"]
    http_status: Annotated[int | None, "the answer's status"]
    request_id: Annotated[str | None, "the answer's request ID"]
    trace_id: Annotated[str | None, "the answer's trace ID"]
    duration_seconds: Annotated[float | None, "seconds until the answer was read"]
    size: Annotated[int | None, "bytes of the answer's body"]
    problem: Annotated[ProblemObject | None, "why it gave no observation"]
    actor: Annotated[str, "the process that sent it"]


class CheckObject(TypedDict):
    """One check. Written by `doctor`."""

    check: Annotated[str, "what was looked at"]
    verdict: Annotated[Literal["ok", "warning", "failed"], "how it came out"]
    found: Annotated[str, "what was found, in words"]


SHAPES: tuple[type, ...] = (
    JobObject,
    StageObject,
    ErrorObject,
    ProblemObject,
    WatchedObject,
    BudgetEvent,
    HistoryObject,
    RequestObject,
    CheckObject,
)
"""What the reference shows, in its order."""


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
