"""Accepted bodies: the answer to the request that started a job names the job, and the ID to give to support."""

from collections.abc import Iterator, Mapping
from dataclasses import replace

from jobdeck.domain.job import Resource, Target
from jobdeck.domain.text import clean, one_line
from jobdeck.providers.directory import Directory, TargetError, make_target, shown
from jobdeck.providers.poll_url import parse_poll_url

_IDS = {"operationId", "id", "jobId"}
_MAX_REFERENCE = 200
_MAX_REASON = 300


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


def target_of_body(body: Mapping[str, object], directory: Directory) -> Target:
    """Return the job that an accepted body names, with the request ID and trace ID of its acceptance.

    Of The Hog: `operationId`, else `id`, plain or inside `data`; the poll URL decides resource and profile. Of
    Sonarly: `jobId`, with the profile's account group. Raises `TargetError`; for an error answer with its message.
    """
    inner = body.get("data")
    data: Mapping[str, object] = inner if isinstance(inner, dict) else body
    if body.get("success") is False:
        raise _error_answer(body)
    described = _of_described(body, directory)
    if described is not None:
        return described
    job_id = _first(data, "jobId")
    target = _sonarly(job_id, data, directory) if job_id is not None else _thehog(body, data, directory)
    return replace(
        target,
        accepted_request_id=_request_id(body) or _request_id(data),
        accepted_trace_id=_reference(body.get("traceId")),
    )


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
    error = body.get("error")
    words: list[object] = [body.get("message"), error]
    if isinstance(error, dict):
        words = [error.get("message"), error.get("code")]
    said = next((one_line(word)[:_MAX_REASON] for word in words if isinstance(word, str) and word), "without a message")
    reference = _request_id(body) or _reference(body.get("traceId"))
    return TargetError(f"an error answer, no job was started: {said}" + (f" ({reference})" if reference else ""))


def _no_job(body: Mapping[str, object]) -> str:
    if body.get("data") or body.get("results"):
        return "an answer without a job ID: it was complete at once, and there is nothing to poll"
    return "a JSON object without a job ID (operationId, id or data.jobId) and without a poll URL"
