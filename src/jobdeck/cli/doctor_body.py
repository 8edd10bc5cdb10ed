"""``jobdeck doctor --provider NAME --body FILE``: how a described API's answer is read, field by field."""

import argparse
import json
import os
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from jobdeck.cli.errors import CommandError
from jobdeck.cli.exit_codes import ExitCode
from jobdeck.cli.inputs import read_source
from jobdeck.cli.output import print_json, print_table, rfc3339
from jobdeck.config import load_settings
from jobdeck.domain.job import Observation
from jobdeck.domain.phase import Phase
from jobdeck.domain.problem import ProblemKind
from jobdeck.domain.text import one_line
from jobdeck.files import as_utf8
from jobdeck.providers.charset import charset_of
from jobdeck.providers.described.look import Finding
from jobdeck.providers.described.reading import Read, read_job, read_jobs
from jobdeck.providers.description import Description
from jobdeck.providers.fault import Fault
from jobdeck.providers.http_head import Head, read_head
from jobdeck.providers.json_text import json_text
from jobdeck.providers.problems import fault_of_status, kind_of_status, read_error
from jobdeck.providers.reading import Reading, noted, read_repaired
from jobdeck.providers.redirects import describe_redirect
from jobdeck.providers.repair import Repaired, repair

_ORDER = (
    *("item", "id", "kind", "status", "outcome", "done", "failures", "progress", "progress_total"),
    *("stages", "stage name", "stage status", "stage outcome", "stage progress", "stage progress_total"),
    *("error", "error_code", "error_message", "result", "created", "updated", "ended", "request_id", "trace_id"),
)

_GOOD = frozenset({Phase.QUEUED, Phase.RUNNING, Phase.SUCCEEDED})
SHOWN = 100
"""Characters of a value in the table; ``--json`` has the whole."""


def show_body(arguments: argparse.Namespace) -> ExitCode:
    """Show how a body is read; exits with 1 when it cannot be read as a job (or as a list of some)."""
    if arguments.provider is None or arguments.body is None:
        raise CommandError("--provider NAME and --body FILE need each other")
    settings = load_settings(os.environ, Path(arguments.config) if arguments.config else None)
    described = settings.apis.named(arguments.provider, "--provider")
    if not isinstance(described, Description):
        raise CommandError(f"{described} has code of its own: only a described API's reading can be shown")
    head, body = _parted(as_utf8(read_source(arguments.body)))
    refusal = _refusal(head, body)
    read = Read(Reading(fault=refusal)) if refusal is not None else _read(head, body, described)
    read = _with_ids_of(head, described, read)
    rows = Reading()
    if read.reading.fault is not None and refusal is None and described.list is not None:
        rows = _rows(head, body, described)
    if arguments.json:
        print_json(_object(described, read, rows))
    else:
        _tell(described, read, rows)
    return ExitCode.OK if read.reading.observations or rows.observations else ExitCode.FAILED


def _parted(data: bytes) -> tuple[Head | None, bytes]:
    """Return an answer's head, where it was saved with one, and its body."""
    found = read_head(data)
    return (None, data) if found is None else (found[0], data[found[1] :])


def _refusal(head: Head | None, body: bytes) -> Fault | None:
    """Return what a status that is no success is taken for, whatever the body says; None for a good one."""
    kind = kind_of_status(head.status) if head is not None else None
    if head is None or kind is None:
        return None
    destination = describe_redirect(head.headers.get("location"), "")
    return fault_of_status(head.status, kind, body, destination, read_error(body))


def _read(head: Head | None, body: bytes, described: Description) -> Read:
    """Return how a job's answer is read, leniently where it is no strict JSON."""
    read = read_job(described, body, 200, None, None)
    repaired = _repaired(head, body, read.reading)
    if repaired is None:
        return read
    read = read_job(described, repaired.body, 200, None, None)
    reading = read_repaired(lambda *_: read.reading, repaired, 200, one=True)
    return replace(read, reading=noted(reading, repaired.notes, one=True))


def _rows(head: Head | None, body: bytes, described: Description) -> Reading:
    rows = read_jobs(described, body, 200, None)
    repaired = _repaired(head, body, rows)
    if repaired is None:
        return rows
    reading = read_repaired(lambda document, _: read_jobs(described, document, 200, None), repaired, 200, one=False)
    return noted(reading, repaired.notes, one=False)


def _repaired(head: Head | None, body: bytes, reading: Reading) -> Repaired | None:
    if reading.fault is None or reading.fault.kind is not ProblemKind.NOT_JSON:
        return None
    return repair(body, None if head is None else charset_of(head.headers.get("content-type")))


def _with_ids_of(head: Head | None, described: Description, read: Read) -> Read:
    """Return the reading with the IDs of the headers, where the body has none."""
    if head is None:
        return read
    names = (described.request_id_headers, described.trace_id_headers)
    there = (next((one_line(head.headers[name]) for name in each if name in head.headers), None) for each in names)
    request_id, trace_id = (known or found for known, found in zip(read.reading.ids, there, strict=True))
    return replace(read, reading=replace(read.reading, ids=(request_id, trace_id)))


def _tell(described: Description, read: Read, rows: Reading) -> None:
    sys.stdout.write(f"{described.name}, described in {described.source}\n\n")
    if (found := rows.observations) != ():
        sys.stdout.write(f"a list of {len(found)} job{'s' if len(found) > 1 else ''}\n\n")
        print_table(("JOB", "STATUS", "PHASE"), [(row.id, row.status, row.phase.value) for row in found])
        sys.stdout.write(f"\n{one_line(rows.gap)}\n" if rows.gap is not None else "")
        if described.list is not None and described.list.cursor:
            sys.stdout.write(f"\nnext page: {one_line(rows.next_cursor, SHOWN) if rows.next_cursor else 'none'}\n")
        return
    if read.findings:
        print_table(("FIELD", "PATH", "FOUND"), [_row(finding) for finding in _in_order(read)])
        sys.stdout.write("\n")
    for fault in _faults(read):
        sys.stdout.write(f"not read as a job: {fault.kind.words}: {one_line(fault.message)}\n")
    for job in read.reading.observations:
        print_table(("READ AS", ""), list(_summary(read, job)))
    if rows.fault is not None and rows.fault.kind is not ProblemKind.NOT_JSON:
        sys.stdout.write(f"not read as a list of jobs: {one_line(rows.fault.message)}\n")
    elif read.findings and read.reading.fault is not None and rows.fault is None and described.list is not None:
        sys.stdout.write(f"not read as a list of jobs: nothing at {one_line(' or '.join(described.list.items))}\n")


def _in_order(read: Read) -> list[Finding]:
    """Return the findings as a person looks for them, facts last."""
    return sorted(read.findings, key=lambda found: _ORDER.index(found.field) if found.field in _ORDER else len(_ORDER))


def _row(finding: Finding) -> tuple[str, str, str]:
    paths = one_line(" or ".join(finding.paths))
    if not finding.found:
        return finding.field, "–", f"nothing at {paths}"
    note = f"   ({one_line(finding.note)})" if finding.note else ""
    return finding.field, paths, one_line(json_text(finding.value), SHOWN) + note


def _summary(read: Read, job: Observation) -> Iterator[tuple[str, str]]:
    yield "id", job.id or "not told"
    yield "kind", job.kind or "–"
    yield "status", job.status
    yield "phase", f"{job.phase.value} ({'ended' if job.phase.terminal else 'not ended'})"
    yield "progress", "–" if job.progress is None else f"{job.progress:.1%}"
    for stage in job.stages:
        progress = "" if stage.progress is None else f" {stage.progress:.1%}"
        yield f"stage {stage.name}", f"{stage.phase.value} ({stage.status}){progress}"
    if job.error is not None:
        words = " ".join(part for part in (job.error.code, job.error.message) if part) or "of no known shape"
        hint = ": see phases.done" if job.phase is Phase.SUCCEEDED else ""
        yield "error", f"{words}   (and yet {job.phase.value}{hint})" if job.phase in _GOOD else words
    for name, us in (("created", job.created_us), ("updated", job.updated_us), ("ended", job.ended_us)):
        yield name, rfc3339(us) or "–"
    request_id, trace_id = read.reading.ids
    yield "request ID", request_id or "– (or in a header)"
    yield "trace ID", trace_id or "– (or in a header)"
    for fact, value in job.facts:
        yield fact, one_line(value, SHOWN)
    if job.note is not None:
        yield "note", job.note


def _object(described: Description, read: Read, rows: Reading) -> dict[str, Any]:
    fault = next(_faults(read), None)
    return {
        "provider": described.name,
        "described_in": described.source,
        "fields": [
            {
                "field": finding.field,
                "paths": list(finding.paths),
                "found": finding.found,
                "value": json.loads(json_text(finding.value)) if finding.found else None,
                "note": finding.note or None,
            }
            for finding in _in_order(read)
        ],
        "job": next((_job(read, job) for job in read.reading.observations), None),
        "rows": [{"id": row.id, "status": row.status, "phase": row.phase.value} for row in rows.observations],
        "gap": rows.gap,
        "next_cursor": rows.next_cursor,
        "problem": None if fault is None else {"kind": fault.kind.value, "message": one_line(fault.message)},
    }


def _job(read: Read, job: Observation) -> dict[str, Any]:
    return {
        "id": job.id or None,
        "kind": job.kind,
        "status": job.status,
        "phase": job.phase.value,
        "progress": job.progress,
        "stages": [
            {"name": stage.name, "status": stage.status, "phase": stage.phase.value, "progress": stage.progress}
            for stage in job.stages
        ],
        "error": None if job.error is None else {"code": job.error.code, "message": job.error.message},
        "has_result": job.result is not None,
        "created_at": rfc3339(job.created_us),
        "updated_at": rfc3339(job.updated_us),
        "ended_at": rfc3339(job.ended_us),
        "request_id": read.reading.ids[0],
        "trace_id": read.reading.ids[1],
        "facts": dict(job.facts),
    }


def _faults(read: Read) -> Iterator[Fault]:
    if read.reading.fault is not None:
        yield read.reading.fault
