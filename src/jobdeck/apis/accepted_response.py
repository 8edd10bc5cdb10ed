"""Accepted responses: the answer to the request that started a job names the job, and the ID to give to support."""

import re
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from itertools import islice

from jobdeck.apis import coerce
from jobdeck.apis.jsonpath import compile_first
from jobdeck.apis.profile import Profile
from jobdeck.apis.spec import Paths, Resource
from jobdeck.apis.targets import (
    ProfileRegistry,
    TargetError,
    is_absolute,
    make_target,
    parse_poll_url,
    target_named,
)
from jobdeck.domain.job import JobKey, Target
from jobdeck.domain.text import clean, one_line, safe_excerpt
from jobdeck.http.http_head import Head
from jobdeck.http.retry_after import parse_http_date, parse_retry_after

_LOCATIONS = ("operation-location", "azure-asyncoperation", "content-location", "location")
"""Headers with the poll URL of an accepted job, the most reliable first: `location` may be the URL of its result."""

_ROW_IDS = {"operationId", "id", "jobId"}
_MAX_REFERENCE = 200
_MAX_REASON = 300
_MAX_VALUES = 64
"""Most values of a body that are searched for a poll URL."""


def rows_of(value: object) -> Iterator[object]:
    """Yield the bodies (or strings) in a JSON value, each element of an array or list answer by itself.

    The rows of a list answer have no envelope, so the IDs of the answers that accepted them are unknown.
    """
    pending = [value]
    while pending:
        item = pending.pop()
        rows: object = item
        if isinstance(item, dict) and not _ROW_IDS & item.keys():
            data = item.get("data", item.get("items"))
            rows = data.get("items") if isinstance(data, dict) and not _ROW_IDS & data.keys() else data
        if isinstance(rows, list):
            pending.extend(reversed(rows))
        else:
            yield item


def target_of_response(head: Head, body: Mapping[str, object] | None, registry: ProfileRegistry) -> Target:
    """Return the job that a response names: by a poll URL in a header, else by its body.

    Raises `TargetError`; for an error response, with its message.
    """
    if not 200 <= head.status < 300:
        error_text = f": {_error_text(body)}" if body is not None else ""
        raise TargetError(f"an error response (HTTP {head.status}): no job was started{error_text}")
    target: Target | None = None
    reason = TargetError("a response with no readable body and no poll URL in its headers")
    for name in _LOCATIONS:
        if target is None and name in head.headers:
            try:
                target = parse_poll_url(head.headers[name], registry)
            except TargetError as error:
                reason = error
    if target is None:
        if body is None:
            raise reason
        target = target_of_body(body, registry)
    spec = registry.profiles[target.key.profile].spec
    request_id = _header_reference(head, spec.request_id_headers)
    trace_id = _header_reference(head, spec.trace_id_headers)
    return replace(
        target,
        accepted_request_id=target.accepted_request_id or request_id,
        accepted_trace_id=target.accepted_trace_id or trace_id,
        accepted=True,
        retry_after=_seconds_to_wait(head.headers, time.time()),
    )


def _seconds_to_wait(headers: Mapping[str, str], now: float) -> float | None:
    """Return the seconds from `now` that the answer asks to wait before the first poll; None if there are none left.

    A file may be read long after the answer came; the answer's date shows when that was.
    """
    value, date = headers.get("retry-after"), headers.get("date")
    wait = parse_retry_after(value, date, now) if value is not None else None
    if wait is None:
        return None
    answered = parse_http_date(date) if date is not None else None
    left = wait.seconds - max(0.0, now - answered if answered is not None else 0.0)
    return left if left > 0 else None


def target_of_body(body: Mapping[str, object], registry: ProfileRegistry) -> Target:
    """Return the job that an accepted body names, with the request ID and trace ID in the body.

    A poll URL determines the job's profile. A bare ID belongs to the default profile if its definition finds the ID,
    else to the only API whose definition says how accepted bodies name their jobs. The target is `accepted`: a 404 soon
    after means that not every replica has the job yet. Raises `TargetError`; for an error body, with its message.
    """
    if body.get("success") is False:
        raise _error_response(body)
    target = _by_url(body, registry) or _by_id(body, registry)
    if target is None:
        raise _error_response(body) if _is_error(body) else TargetError(_no_job(body, registry))
    request_id, trace_id = _references(registry.profiles[target.key.profile], body)
    return replace(target, accepted_request_id=request_id, accepted_trace_id=trace_id, accepted=True)


def _by_url(body: Mapping[str, object], registry: ProfileRegistry) -> Target | None:
    """Return the job whose poll URL is in a body: where a definition says, else anywhere in its two top levels.

    None if there are URLs of several jobs, or the body names another job: then the URL is not that of its own job.
    """
    for profile in registry.in_order():
        url = _first_text(profile.spec.accepted.url, body)
        if url is not None:
            _check_refusals(profile, body)
            target = parse_poll_url(url, registry)
            job_id = _first_text(_id_paths(profile), body)
            if job_id is not None and job_id != target.key.id:
                message = f"{safe_excerpt(job_id)}: its poll URL is for another job, {safe_excerpt(target.key.id)}"
                raise TargetError(message)
            return target
    found: dict[JobKey, Target] = {}
    for url in _urls(body):
        with suppress(TargetError):
            named = parse_poll_url(url, registry)
            found[named.key] = named
    if len(found) != 1:
        return None
    (target,) = found.values()
    profile = registry.profiles[target.key.profile]
    name = _first_text(_id_paths(profile), body)
    return target if name is None or name.rpartition("/")[2] == target.key.id else None


def _urls(body: Mapping[str, object]) -> Iterator[str]:
    for value in islice(body.values(), _MAX_VALUES):
        inner = islice(value.values(), _MAX_VALUES) if isinstance(value, dict) else (value,)
        yield from (text for text in inner if isinstance(text, str) and is_absolute(text))


def _by_id(body: Mapping[str, object], registry: ProfileRegistry) -> Target | None:
    """Return the job that a body names by its ID; raises `TargetError` if it could belong to several APIs.

    The default profile may find the ID where the API's other answers have it; other definitions must say how accepted
    bodies name their jobs. An ID that matches only another API's pattern, not the default one's, belongs to the other.
    """
    default = registry.default_profile
    found: dict[str, tuple[Profile, str]] = {}
    for profile in registry.in_order():
        name = _job_name(profile, body) if profile is default or profile.spec.accepted.id else None
        if name is not None:
            found.setdefault(profile.provider, (profile, name))
    if not found:
        return None
    fitting = [pair for pair in found.values() if _fits(*pair)]
    if default is not None and default.provider in found:
        profile, name = found[default.provider]
        if not default.spec.default_resource.id_pattern or _fits(profile, name) or not fitting:
            return _target(profile, name, body)
    candidates = fitting if len(fitting) == 1 else list(found.values())
    if len(candidates) > 1:
        names = ", ".join(clean(profile.name) for profile, _ in candidates)
        raise TargetError(f"the ID in this response could belong to several profiles: write PROFILE:- ({names})")
    profile, name = candidates[0]
    return _target(registry.for_api(profile.spec, name), name, body)


def _fits(profile: Profile, name: str) -> bool:
    pattern = profile.spec.default_resource.id_pattern
    return bool(pattern) and re.fullmatch(pattern, name) is not None


def _job_name(profile: Profile, body: Mapping[str, object]) -> str | None:
    """Return the full name of a job of this profile's API in a body; None when it names none."""
    name = _first_text(_id_paths(profile), body)
    if name is None:
        return None
    full = name.removeprefix("/")
    after = profile.spec.default_resource.fields.id_after_last
    return full if "/" in full or not after else full.rpartition(after)[2] or None


def _target(profile: Profile, name: str, body: Mapping[str, object]) -> Target:
    _check_refusals(profile, body)
    resource = _resource(profile, body)
    if "/" in name:
        return target_named(profile, name, resource)
    account_group = _first_text(profile.spec.accepted.account_group, body)
    return make_target(profile, resource, name, account_group if resource.group_variables else None)


def _resource(profile: Profile, body: Mapping[str, object]) -> Resource:
    """Return the resource that accepted the job: the one whose `accepted_if` paths the body has, else the default."""
    inner = body.get("data")
    parts = [body, inner] if isinstance(inner, dict) else [body]
    for resource in profile.spec.resources.values():
        marks = resource.accepted_if
        if marks and any(all(compile_first(path)(part) is not None for path in marks) for part in parts):
            return resource
    return profile.spec.default_resource


def _check_refusals(profile: Profile, body: Mapping[str, object]) -> None:
    for path, reason in profile.spec.accepted.refuse:
        if compile_first(path)(body) is not None:
            raise TargetError(f"{safe_excerpt(_first_text(_id_paths(profile), body) or '')}: {reason}")


def _id_paths(profile: Profile) -> Paths:
    """Return the paths of the ID in an accepted body: as the definition says, else as in other answers."""
    spec = profile.spec
    resource = spec.default_resource
    if spec.accepted.id:
        return spec.accepted.id
    inner = [path.replace("$", item, 1) for item in resource.item for path in resource.fields.id]
    return (*resource.fields.id, *inner)


def _first_text(paths: Paths, body: object) -> str | None:
    for path in paths:
        if not path.startswith("header:"):
            found = coerce.text(compile_first(path)(body))
            if found is not None:
                return found
    return None


def _references(profile: Profile, body: Mapping[str, object]) -> tuple[str | None, str | None]:
    spec = profile.spec
    fields = spec.default_resource.fields
    inner = body.get("data")
    parts = [body, inner] if isinstance(inner, dict) else [body]
    request_paths = (*spec.envelope.request_id, *fields.request_id)
    trace_paths = (*spec.envelope.trace_id, *fields.trace_id)
    request_id = next((found for part in parts if (found := _reference(request_paths, part))), None)
    trace_id = next((found for part in parts if (found := _reference(trace_paths, part))), None)
    return request_id, trace_id


def _reference(paths: Paths, body: object) -> str | None:
    for path in paths:
        value = None if path.startswith("header:") else compile_first(path)(body)
        if isinstance(value, str) and value:
            return clean(value[:_MAX_REFERENCE])[:_MAX_REFERENCE]
    return None


def _header_reference(head: Head, names: tuple[str, ...]) -> str | None:
    found = next((head.headers[name] for name in names if head.headers.get(name)), None)
    return None if found is None else clean(found[:_MAX_REFERENCE])[:_MAX_REFERENCE]


def _is_error(body: Mapping[str, object]) -> bool:
    return "statusCode" in body or bool(body.get("error"))


def _error_response(body: Mapping[str, object]) -> TargetError:
    return TargetError(f"an error response: no job was started: {_error_text(body)}")


def _error_text(body: Mapping[str, object]) -> str:
    error = body.get("error")
    words: list[object] = [body.get("message"), error, body.get("detail"), body.get("title")]
    if isinstance(error, dict):
        words = [error.get("message"), error.get("reason"), error.get("code")]
    text = next((one_line(word)[:_MAX_REASON] for word in words if isinstance(word, str) and word), "without a message")
    reference = _reference(("$.meta.requestId", "$.meta.request_id", "$.requestId", "$.traceId"), body)
    return text + (f" ({reference})" if reference else "")


def _no_job(body: Mapping[str, object], registry: ProfileRegistry) -> str:
    if body.get("data") or body.get("results"):
        return "a response without a job ID: the request completed immediately, nothing to poll"
    profile = registry.default_profile
    where = " or ".join(_id_paths(profile)) if profile is not None else ""
    at = f" ({where})" if where else ""
    hint = "" if where else "; for a response with just an ID, write PROFILE:-"
    return f"a JSON object without a job ID{at} or a known poll URL{hint}"
