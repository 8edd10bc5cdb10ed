"""``jobdeck doctor --provider NAME --body FILE``: how a response is parsed by an API's definition, field by field."""

import argparse
import json
import os
import sys
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from jobdeck.apis.damaged import Parse, is_damaged, parse_repaired, with_notes
from jobdeck.apis.extract import Extractor, ParsedBody, ResponseBody
from jobdeck.apis.fields import FieldMatch
from jobdeck.apis.spec import ApiSpec
from jobdeck.app.json_shapes import rfc3339
from jobdeck.cli.exit_codes import CommandError, ExitCode
from jobdeck.cli.output import print_json, print_table
from jobdeck.cli.targets import read_source
from jobdeck.config import load_settings
from jobdeck.config.apis import read_spec
from jobdeck.domain.job import Observation, Part
from jobdeck.domain.phase import Phase
from jobdeck.domain.problem import ProblemKind
from jobdeck.domain.text import one_line
from jobdeck.files import as_utf8
from jobdeck.http.charset import charset_of
from jobdeck.http.http_head import Head, read_head
from jobdeck.http.json_text import json_text
from jobdeck.http.problems import ProblemDraft, describe_redirect, kind_of_status, problem_of_status, read_error
from jobdeck.http.repair import repair
from jobdeck.http.throttling import is_throttled

_ORDER = (
    *("item", "id", "kind", "status", "outcome", "done", "failures", "progress", "progress_total"),
    *("stages", "stage name", "stage status", "stage outcome", "stage progress", "stage progress_total"),
    *("error", "error_code", "error_message", "result", "created", "updated", "ended", "request_id", "trace_id"),
)

_GOOD = frozenset({Phase.QUEUED, Phase.RUNNING, Phase.SUCCEEDED})
SHOWN = 100
"""Characters of a value in the table; ``--json`` prints all of it."""


def show_body(arguments: argparse.Namespace) -> ExitCode:
    """Show how a body is parsed; returns 1 if it is neither a job nor a list of jobs."""
    if arguments.provider is None or arguments.body is None:
        raise CommandError("--provider and --body must be used together")
    settings = load_settings(os.environ, Path(arguments.config) if arguments.config else None)
    spec = read_spec(settings.apis, arguments.provider, "--provider")
    head, body = _parted(as_utf8(read_source(arguments.body)))
    refusal = _refusal(spec, head, body)
    response = ResponseBody(body, 200 if head is None else head.status, {} if head is None else dict(head.headers))
    read = ParsedBody(problem=refusal) if refusal is not None else _read_job(spec, response)
    read = _throttled(spec, body, _with_ids_of(head, spec, read))
    rows = ParsedBody()
    if read.problem is not None and refusal is None and spec.lists:
        rows = _read_page(spec, response)
    part = None
    if read.problem is not None and refusal is None and not rows.observations:
        part = _read_part(spec, response)
    if arguments.json:
        print_json(_object(spec, read, rows, part))
    elif part is not None:
        _print_part(spec, *part)
    else:
        _print(spec, read, rows)
    return ExitCode.OK if read.observations or rows.observations or part is not None else ExitCode.FAILED


def _read_job(spec: ApiSpec, response: ResponseBody) -> ParsedBody:
    """Return the response parsed as a job of the first resource that matches, or else why the default one does not."""
    extractor = Extractor(spec, name_paths=True)
    read = [_read_leniently(partial(_parse_job, extractor, name), response, one=True) for name in spec.resources]
    return next((one for one in read if one.observations), read[0])


def _read_page(spec: ApiSpec, response: ResponseBody) -> ParsedBody:
    """Return the response parsed as a page of the first list that matches, or else why the first one does not."""
    extractor = Extractor(spec, name_paths=True)
    read = [_read_leniently(partial(extractor.page, listed), response, one=False) for listed in spec.lists]
    return next((one for one in read if one.observations), read[0])


def _read_part(spec: ApiSpec, response: ResponseBody) -> tuple[Part, ParsedBody] | None:
    """Return the response parsed as a part of a job with a URL of its own, and which part; None if it is none.

    A result that is a whole body could be anything, so it is not tried.
    """
    extractor = Extractor(spec, name_paths=True)
    for name, resource in spec.resources.items():
        for part in resource.parts:
            if part is Part.RESULT and resource.result is not None and "$" in resource.result.path:
                continue
            read = extractor.part(name, part, response, "", None, keep_matches=True)
            if any(one.stages or one.result is not None for one in read.observations):
                return part, read
    return None


def _parse_job(extractor: Extractor, resource: str, body: ResponseBody) -> ParsedBody:
    return extractor.job(resource, body, None, keep_matches=True)


def _read_leniently(parse: Parse, response: ResponseBody, *, one: bool) -> ParsedBody:
    """Return a parsed response, repairing invalid JSON if necessary."""
    parsed = parse(response)
    repaired = repair(response.data, charset_of(response.headers.get("content-type"))) if is_damaged(parsed) else None
    if repaired is None:
        return parsed
    return with_notes(parse_repaired(parse, repaired, response, one=one), repaired.notes, one=one)


def _parted(data: bytes) -> tuple[Head | None, bytes]:
    """Return a response's head, if it was saved with one, and its body."""
    found = read_head(data)
    return (None, data) if found is None else (found[0], data[found[1] :])


def _refusal(spec: ApiSpec, head: Head | None, body: bytes) -> ProblemDraft | None:
    """Return the problem of an unsuccessful status, whatever the body says; None for a good one."""
    kind = kind_of_status(head.status) if head is not None else None
    if head is None or kind is None or head.status in spec.phases.by_http_status:
        return None
    destination = describe_redirect(head.headers.get("location"), "")
    return problem_of_status(head.status, kind, body, destination, read_error(body))


def _throttled(spec: ApiSpec, body: bytes, read: ParsedBody) -> ParsedBody:
    """Return the parsed response, with a rate limit as its problem if the error in the body means one."""
    problem = read.problem
    if problem is None or problem.kind is not ProblemKind.PROTOCOL:
        return read
    said = read_error(body)
    if not is_throttled(problem.kind, said.value, said.message, spec.rate_limit):
        return read
    return replace(read, problem=ProblemDraft(ProblemKind.RATE_LIMIT, said.message or problem.message))


def _with_ids_of(head: Head | None, spec: ApiSpec, read: ParsedBody) -> ParsedBody:
    """Return the parsed response with the IDs of the headers, if the body has none."""
    if head is None:
        return read
    names = (spec.request_id_headers, spec.trace_id_headers)
    there = (next((one_line(head.headers[name]) for name in each if name in head.headers), None) for each in names)
    request_id, trace_id = (known or found for known, found in zip(read.ids, there, strict=True))
    return replace(read, ids=(request_id, trace_id))


def _print(spec: ApiSpec, read: ParsedBody, rows: ParsedBody) -> None:
    sys.stdout.write(f"{spec.name}, defined in {spec.source}\n\n")
    if (found := rows.observations) != ():
        sys.stdout.write(f"a list of {len(found)} job{'s' if len(found) > 1 else ''}\n\n")
        print_table(("JOB", "STATUS", "PHASE"), [(row.id, row.status, row.phase.value) for row in found])
        sys.stdout.write(f"\n{one_line(rows.partial_error)}\n" if rows.partial_error is not None else "")
        if any(listed.cursor for listed in spec.lists):
            sys.stdout.write(f"\nnext page: {one_line(rows.next_cursor, SHOWN) if rows.next_cursor else 'none'}\n")
        return
    if read.matches:
        print_table(("FIELD", "PATH", "FOUND"), [_row(finding) for finding in _in_order(read)])
        sys.stdout.write("\n")
    if read.problem is not None:
        sys.stdout.write(f"not a job: {read.problem.kind.label}: {one_line(read.problem.message)}\n")
    for job in read.observations:
        print_table(("PARSED AS", ""), list(_summary(read, job)))
    if rows.problem is not None and rows.problem.kind is not ProblemKind.NOT_JSON:
        sys.stdout.write(f"not a list of jobs: {one_line(rows.problem.message)}\n")
    elif read.matches and read.problem is not None and rows.problem is None and spec.lists:
        sys.stdout.write(f"not a list of jobs: nothing at {one_line(' or '.join(spec.lists[0].items))}\n")


def _print_part(spec: ApiSpec, part: Part, read: ParsedBody) -> None:
    sys.stdout.write(f"{spec.name}, defined in {spec.source}\n\nthe {part} of a job\n\n")
    print_table(("FIELD", "PATH", "FOUND"), [_row(finding) for finding in _in_order(read)])
    for row in read.observations:
        if row.stages:
            sys.stdout.write("\n")
            print_table(("PARSED AS", ""), list(_stages(row)))


def _in_order(read: ParsedBody) -> list[FieldMatch]:
    """Return the matches in the order of interest, facts last."""
    return sorted(read.matches, key=lambda found: _ORDER.index(found.field) if found.field in _ORDER else len(_ORDER))


def _row(finding: FieldMatch) -> tuple[str, str, str]:
    paths = one_line(" or ".join(finding.paths))
    if not finding.found:
        return finding.field, "–", f"nothing at {paths}"
    note = f"   ({one_line(finding.note)})" if finding.note else ""
    return finding.field, paths, one_line(json_text(finding.value), SHOWN) + note


def _summary(read: ParsedBody, job: Observation) -> Iterator[tuple[str, str]]:
    yield "id", job.id or "–"
    yield "kind", job.kind or "–"
    yield "status", job.status
    yield "phase", f"{job.phase.value} ({'finished' if job.phase.terminal else 'unfinished'})"
    yield "progress", "–" if job.progress is None else f"{job.progress:.1%}"
    yield from _stages(job)
    if job.error is not None:
        words = " ".join(part for part in (job.error.code, job.error.message) if part) or "unrecognized format"
        hint = "; see phases.done" if job.phase is Phase.SUCCEEDED else ""
        yield "error", f"{words}   (but {job.phase.value}{hint})" if job.phase in _GOOD else words
    for part in job.elsewhere:
        yield part.part, f"in a separate response{f', at {one_line(part.url, SHOWN)}' if part.url else ''}"
    for name, us in (("created", job.created_us), ("updated", job.updated_us), ("ended", job.ended_us)):
        yield name, rfc3339(us) or "–"
    request_id, trace_id = read.ids
    yield "request ID", request_id or "– (or in a header)"
    yield "trace ID", trace_id or "– (or in a header)"
    for fact, value in job.facts:
        yield fact, one_line(value, SHOWN)
    if job.note is not None:
        yield "note", job.note


def _stages(job: Observation) -> Iterator[tuple[str, str]]:
    for stage in job.stages:
        progress = "" if stage.progress is None else f" {stage.progress:.1%}"
        yield f"stage {stage.name}", f"{stage.phase.value} ({stage.status}){progress}"


def _object(spec: ApiSpec, read: ParsedBody, rows: ParsedBody, part: tuple[Part, ParsedBody] | None) -> dict[str, Any]:
    fault = None if part is not None else read.problem
    return {
        "provider": spec.name,
        "described_in": spec.source,
        "fields": [
            {
                "field": finding.field,
                "paths": list(finding.paths),
                "found": finding.found,
                "value": json.loads(json_text(finding.value)) if finding.found else None,
                "note": finding.note or None,
            }
            for finding in _in_order(read if part is None else part[1])
        ],
        "job": next((_job(read, job) for job in read.observations), None),
        "rows": [{"id": row.id, "status": row.status, "phase": row.phase.value} for row in rows.observations],
        "gap": rows.partial_error,
        "next_cursor": rows.next_cursor,
        "part": None if part is None else _part(*part),
        "problem": None if fault is None else {"kind": fault.kind.value, "message": one_line(fault.message)},
    }


def _part(part: Part, read: ParsedBody) -> dict[str, Any]:
    row = read.observations[0]
    return {"name": part.value, "stages": _stage_objects(row), "has_result": row.result is not None}


def _stage_objects(job: Observation) -> list[dict[str, Any]]:
    return [
        {"name": stage.name, "status": stage.status, "phase": stage.phase.value, "progress": stage.progress}
        for stage in job.stages
    ]


def _job(read: ParsedBody, job: Observation) -> dict[str, Any]:
    return {
        "id": job.id or None,
        "kind": job.kind,
        "status": job.status,
        "phase": job.phase.value,
        "progress": job.progress,
        "stages": _stage_objects(job),
        "error": None if job.error is None else {"code": job.error.code, "message": job.error.message},
        "has_result": job.result is not None,
        "created_at": rfc3339(job.created_us),
        "updated_at": rfc3339(job.updated_us),
        "ended_at": rfc3339(job.ended_us),
        "request_id": read.ids[0],
        "trace_id": read.ids[1],
        "facts": dict(job.facts),
    }
