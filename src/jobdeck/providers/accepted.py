"""Accepted answers: what came of the request that started a job names the job, and the ID to give to support."""

import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from itertools import islice

from jobdeck.domain.job import JobKey, Resource, Target
from jobdeck.domain.text import clean, one_line
from jobdeck.providers.directory import Directory, TargetError, make_target, shown
from jobdeck.providers.http_head import Head
from jobdeck.providers.poll_url import is_absolute, parse_poll_url

_IDS = {"operationId", "id", "jobId"}
_LOCATIONS = ("operation-location", "azure-asyncoperation", "location")
"""Headers with the poll URL of an accepted job, the most telling first: a location may be that of its result."""

_MAX_REFERENCE = 200
_MAX_REASON = 300
_MOST_VALUES = 64
"""Values of a body among which a poll URL is looked for."""


def rows_of(value: object) -> Iterator[object]:
    """Yield the single bodies (or strings) in a JSON value: of arrays, and of both APIs' list answers.

    A list answer's rows carry no envelope, so what they were accepted with is not known.
    """
    pending = [value]
    while pending:
        item = pending.pop()
        rows: object = item
        if isinstance(item, dict) and not _IDS & item.keys():
            data = item.get("data", item.get("items"))
            rows = data.get("items") if isinstance(data, dict) and not _IDS & data.keys() else data
        if isinstance(rows, list):
            pending.extend(reversed(rows))
        else:
            yield item


def target_of_answer(head: Head, body: Mapping[str, object] | None, directory: Directory) -> Target:
    """Return the job that an answer with its head names: by a poll URL in a header, else by its body.

    Raises `TargetError`, for an error answer with its message.
    """
    if not 200 <= head.status < 300:
        said = f": {_error_words(body)}" if body is not None else ""
        raise TargetError(f"an answer of HTTP {head.status}, no job was started{said}")
    target: Target | None = None
    reason = TargetError("an answer without a body that could be read, and without a poll URL in its headers")
    for name in _LOCATIONS:
        if target is None and name in head.headers:
            try:
                target = parse_poll_url(head.headers[name], directory)
            except TargetError as error:
                reason = error
    if target is None:
        if body is None:
            raise reason
        target = target_of_body(body, directory)
    described = directory.profiles[target.key.profile].described
    names = described.request_id_headers if described is not None else ("x-request-id",)
    told = next((_reference(head.headers[name]) for name in names if name in head.headers), None)
    return replace(
        target,
        accepted_request_id=target.accepted_request_id or told,
        accepted=True,
        retry_after=_seconds_to_wait(head.headers, time.time()),
    )


def _seconds_to_wait(headers: Mapping[str, str], now: float) -> float | None:
    """Return for how many seconds from `now` the answer wants its job left alone; None when that is over, or unsaid.

    A file may be read long after the answer came, which its date tells.
    """
    from jobdeck.providers.http_date import parse_http_date  # noqa: PLC0415 - most targets are no answers
    from jobdeck.providers.retry_after import parse_retry_after  # noqa: PLC0415 - the same

    value, date = headers.get("retry-after"), headers.get("date")
    wish = parse_retry_after(value, date, now) if value is not None else None
    if wish is None:
        return None
    answered = parse_http_date(date) if date is not None else None
    left = wish.seconds - max(0.0, now - answered if answered is not None else 0.0)
    return left if left > 0 else None


def target_of_body(body: Mapping[str, object], directory: Directory) -> Target:
    """Return the job that an accepted body names, with the request ID and trace ID of its acceptance.

    That is a job the server has spoken of: one it does not know a moment later is not yet everywhere.

    Of The Hog: `operationId`, else `id`, plain or inside `data`; the poll URL decides resource and profile. Of
    Sonarly: `jobId`, with the profile's account group. Raises `TargetError`; for an error answer with its message.
    """
    return replace(_target_of_body(body, directory), accepted=True)


def _target_of_body(body: Mapping[str, object], directory: Directory) -> Target:
    inner = body.get("data")
    data: Mapping[str, object] = inner if isinstance(inner, dict) else body
    if body.get("success") is False:
        raise _error_answer(body)
    described = _by_url(body, directory) or _of_described(body, directory)
    if described is not None:
        return described
    if all(profile.described is not None for profile in directory.profiles.values()) and directory.profiles:
        raise _error_answer(body) if _is_error(body) else TargetError(_no_described_job(directory))
    job_id = _first(data, "jobId")
    target = _sonarly(job_id, data, directory) if job_id is not None else _thehog(body, data, directory)
    return replace(
        target,
        accepted_request_id=_request_id(body) or _request_id(data),
        accepted_trace_id=_reference(body.get("traceId")),
    )


def _by_url(body: Mapping[str, object], directory: Directory) -> Target | None:
    """Return the job of a described API whose poll URL is in a body, at its top or one level below; None without one.

    None too where there are several jobs' URLs, or where the body calls its job otherwise: it is not that job's own.
    """
    if _first(body, "pollUrl", "poll_url") is not None:
        return None
    if not any(profile.described is not None for profile in directory.profiles.values()):
        return None
    found: dict[JobKey, Target] = {}
    for url in _urls(body):
        with suppress(TargetError):
            named = parse_poll_url(url, directory)
            found[named.key] = named
    if len(found) != 1:
        return None
    (target,) = found.values()
    described = directory.profiles[target.key.profile].described
    if described is None:
        return None
    from jobdeck.providers.described.reading import accepted  # noqa: PLC0415 - JSONPath, for those who need it

    told = accepted(described, body)
    if told is None:
        return target
    name, request_id, trace_id = told
    if name.rpartition("/")[2] != target.key.id:
        return None
    return replace(target, accepted_request_id=_reference(request_id), accepted_trace_id=_reference(trace_id))


def _urls(body: Mapping[str, object]) -> Iterator[str]:
    for value in islice(body.values(), _MOST_VALUES):
        inner = islice(value.values(), _MOST_VALUES) if isinstance(value, dict) else (value,)
        yield from (text for text in inner if isinstance(text, str) and is_absolute(text))


def _of_described(body: Mapping[str, object], directory: Directory) -> Target | None:
    """Return the job that a body names to the default profile, where that one's API is described; else None.

    An answer that names its job by a URL says by itself whose it is.
    """
    profile = directory.default_profile
    described = profile.described if profile is not None else None
    if profile is None or described is None or _first(body, "pollUrl", "poll_url") is not None:
        return None
    from jobdeck.providers.described.reading import accepted  # noqa: PLC0415 - JSONPath, for those who need it
    from jobdeck.providers.places import target_named  # noqa: PLC0415 - the same

    found = accepted(described, body)
    if found is None:
        return None
    name, request_id, trace_id = found
    return replace(
        target_named(profile, described, name),
        accepted_request_id=_reference(request_id),
        accepted_trace_id=_reference(trace_id),
    )


def _sonarly(job_id: str, data: Mapping[str, object], directory: Directory) -> Target:
    profile = directory.speaking("sonarly", job_id)
    return make_target(profile, Resource.PROSPECTING, job_id, _first(data, "accountGroupId"))


def _thehog(body: Mapping[str, object], data: Mapping[str, object], directory: Directory) -> Target:
    job_id = _first(data, "operationId", "id")
    url = _first(data, "pollUrl", "poll_url")
    if job_id is None and url is None:
        raise _error_answer(body) if _is_error(body) else TargetError(_no_job(body))
    if "cadence_minutes" in data:
        raise TargetError(f"{shown(job_id or '')}: a monitor's settings, not a job that can be polled")
    if url is None:
        resource = Resource.SEARCH if "query" in data and "type" in data else Resource.OPERATION
        job_id = job_id or ""
        return make_target(directory.speaking("thehog", job_id), resource, job_id)
    target = parse_poll_url(url, directory)
    if job_id is not None and job_id != target.key.id:
        raise TargetError(f"{shown(job_id)}: its poll URL is of another job, {shown(target.key.id)}")
    return target


def _first(data: Mapping[str, object], *names: str) -> str | None:
    for name in names:
        value = data.get(name)
        if isinstance(value, str) and value:
            return value
    return None


def _request_id(body: Mapping[str, object]) -> str | None:
    meta = body.get("meta")
    if isinstance(meta, dict):
        found = _reference(meta.get("requestId")) or _reference(meta.get("request_id"))
        if found is not None:
            return found
    return _reference(body.get("requestId"))


def _reference(value: object) -> str | None:
    return clean(value[:_MAX_REFERENCE])[:_MAX_REFERENCE] if isinstance(value, str) and value else None


def _is_error(body: Mapping[str, object]) -> bool:
    return "statusCode" in body or bool(body.get("error"))


def _error_answer(body: Mapping[str, object]) -> TargetError:
    return TargetError(f"an error answer, no job was started: {_error_words(body)}")


def _error_words(body: Mapping[str, object]) -> str:
    error = body.get("error")
    words: list[object] = [body.get("message"), error, body.get("detail"), body.get("title")]
    if isinstance(error, dict):
        words = [error.get("message"), error.get("reason"), error.get("code")]
    said = next((one_line(word)[:_MAX_REASON] for word in words if isinstance(word, str) and word), "without a message")
    reference = _request_id(body) or _reference(body.get("traceId"))
    return said + (f" ({reference})" if reference else "")


def _no_described_job(directory: Directory) -> str:
    profile = directory.default_profile
    described = profile.described if profile is not None else None
    if described is None:
        return "a JSON object without a poll URL of a profile: write PROFILE:- for one that has an ID alone"
    where = " or ".join((*described.item, *described.fields.id)) or "the description has no id"
    return f"a JSON object without a poll URL of a profile, and without an ID as {described.name} has it ({where})"


def _no_job(body: Mapping[str, object]) -> str:
    if body.get("data") or body.get("results"):
        return "an answer without a job ID: it was complete at once, and there is nothing to poll"
    return "a JSON object without a job ID (operationId, id or data.jobId) and without a poll URL of a profile"
