"""Exports jobs as CSV, JSON lines or a Markdown table."""

import csv
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum
from typing import Any

from jobdeck.app.json_shapes import job_object
from jobdeck.domain import humanize
from jobdeck.domain.instant import Instant
from jobdeck.domain.job import Job
from jobdeck.domain.text import one_line
from jobdeck.report.ticket import code_span

CELL = 32_000
"""Characters of a cell; spreadsheets accept 32,767."""

_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\uff1d", "\uff0b", "\uff0d", "\uff20")
"""Characters that start a formula, including their full-width forms."""
_MARKDOWN_HEADER = ("State", "Job", "Kind", "Progress", "Last response", "Request ID", "Reason")


class ExportFormat(StrEnum):
    """The formats; each value is a name on the command line."""

    CSV = "csv"
    JSON = "json"
    MARKDOWN = "markdown"

    @property
    def suffix(self) -> str:
        """The file name extension."""
        return {ExportFormat.CSV: ".csv", ExportFormat.JSON: ".jsonl", ExportFormat.MARKDOWN: ".md"}[self]


def export_jobs(
    jobs: Sequence[Job],
    now: Instant,
    form: ExportFormat,
    more: Sequence[Mapping[str, Any]] | None = None,
    more_columns: Iterable[str] = (),
) -> str:
    """Return jobs in order, one line each.

    `more` adds keys to each job, named by `more_columns`; Markdown omits them. JSON lines are the objects of `status
    --json`, and CSV has the same values. Its `support_id`, and Markdown's request ID, is the ID that the screen shows:
    that of the first response that showed how the job finished, or else of the latest one.
    """
    extra = more if more is not None else [{} for _ in jobs]
    match form:
        case ExportFormat.CSV:
            return _csv(jobs, now, extra, tuple(more_columns))
        case ExportFormat.JSON:
            return "".join(_json({**job_object(job, now), **rest}) for job, rest in zip(jobs, extra, strict=True))
        case ExportFormat.MARKDOWN:
            return _markdown(jobs, now)


def _json(value: Mapping[str, Any]) -> str:
    return json.dumps(value, ensure_ascii=True, allow_nan=False, separators=(", ", ": ")) + "\n"


CSV_COLUMNS = (
    "profile", "provider", "id", "account_group", "batch", "kind", "phase", "status", "stage", "progress",
    "error_code", "error_message", "problem", "problem_message", "created_at", "updated_at", "observed_at",
    "request_id", "trace_id", "support_id", "accepted_request_id", "http_status",
)  # fmt: skip
"""The columns of CSV: the keys of a job's JSON object, flattened, without parts of unlimited length."""


def _csv(jobs: Sequence[Job], now: Instant, more: Sequence[Mapping[str, Any]], more_columns: tuple[str, ...]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    columns = (*CSV_COLUMNS, *more_columns)
    writer.writerow(columns)
    for job, rest in zip(jobs, more, strict=True):
        found = {**_flat(job, now), **rest}
        writer.writerow([csv_cell(found[name]) for name in columns])
    return text.getvalue()


def _flat(job: Job, now: Instant) -> dict[str, object]:
    found = job_object(job, now)
    error, problem, stage = found["error"], found["problem"], job.current_stage
    return {
        **found,
        "batch": job.target.batch,
        "stage": stage.stage.name if stage is not None else None,
        "progress": job.displayed_progress,
        "error_code": error["code"] if error is not None else None,
        "error_message": error["message"] if error is not None else None,
        "problem": problem["kind"] if problem is not None else None,
        "problem_message": problem["message"] if problem is not None else None,
        "support_id": job.support_id,
    }


def csv_cell(value: object) -> str:
    """Return a value as one line that no spreadsheet treats as a formula: a quote is put in front."""
    if value is None or isinstance(value, bool):
        return "" if value is None else str(value).lower()
    line = one_line(str(value), CELL)
    return f"'{line}" if line.startswith(_FORMULA) else line


def _markdown(jobs: Iterable[Job], now: Instant) -> str:
    lines = [_row(_MARKDOWN_HEADER), _row(["---"] * len(_MARKDOWN_HEADER))]
    for job in jobs:
        found = job_object(job, now)
        progress = job.displayed_progress
        lines.append(
            _row(
                (
                    found["phase"] if job.observed is not None else "no data",
                    _span(str(job.key)),
                    _span(job.kind),
                    "" if progress is None else humanize.format_percent(progress),
                    found["observed_at"] or "never",
                    _span(job.support_id),
                    _span(_reason(job)),
                )
            )
        )
    return "\n".join(lines) + "\n"


def _row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _span(text: str | None) -> str:
    """Return data as a code span that does not end a table cell: an unescaped pipe would, even within code."""
    # A backslash before a pipe would escape the added backslash instead.
    return code_span(text).replace("\\|", "\\ |").replace("|", "\\|") if text else ""


def _reason(job: Job) -> str:
    """Return why the job cannot be polled, or else why it did not plainly succeed, in one line."""
    parts = (f"{job.trouble.kind.label}: {job.trouble.message}",) if job.trouble is not None else job.reason
    return one_line(" ".join(parts))
