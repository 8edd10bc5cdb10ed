"""The ticket: what a vendor's support needs to find a job, and nothing else.

Every piece of data in the Markdown stands in a code span or a fence that is longer than any run of backticks inside
it, so that it can make no link, image, heading or HTML. Nothing here is a secret: headers are never kept, and the
curl line names variables.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from jobdeck.domain import words
from jobdeck.domain.evidence import Piece, evidence
from jobdeck.domain.exchange import Exchange
from jobdeck.domain.instant import utc
from jobdeck.domain.job import Job
from jobdeck.domain.phase import Phase
from jobdeck.domain.text import clean, one_line
from jobdeck.domain.timeline import Moment, first_look

MAX_EXCHANGES = 40
MAX_MOMENTS = 60
MAX_OUTAGE = 12
"""Failed requests about other jobs: enough to find the outage by."""

_FIELD = 400


@dataclass(frozen=True, slots=True)
class TicketSource:
    """What a ticket is made of.

    `exchanges` are newest first, of which a ticket shows the `most` that tell something; `outage` are the profile's
    requests about other jobs and lists that failed since this job was watched, newest first. `ends` are the first and
    the last that showed the job's end, when they are known. `clock_offset` is the server's clock minus ours in
    seconds, if known.
    """

    job: Job
    timeline: tuple[Moment, ...]
    exchanges: tuple[Exchange, ...]
    version: str
    made_us: int
    curl: str
    ends: tuple[Exchange, ...] = ()
    outage: tuple[Exchange, ...] = ()
    most: int = MAX_EXCHANGES
    clock_offset: float | None = None
    note: str = ""
    include_result: bool = False

    @property
    def failing(self) -> tuple[Exchange, ...]:
        """The exchanges that showed the job's end, oldest first: the known ends, else what `exchanges` holds."""
        if self.ends:
            return self.ends
        ended = self.job.ended
        if ended is None or not self.job.terminal:
            return ()
        good = (item for item in self.exchanges if item.problem is None)
        shown = [item for item in good if item.started.us + round(item.duration * 1e6) >= ended.us - 1]
        return tuple(sorted(shown, key=lambda item: item.started.us))

    @property
    def support_ids(self) -> tuple[str | None, str | None]:
        """The request ID and the trace ID by which support finds the job: those that the screen shows."""
        if self.job.end_id is None and self.failing:
            return self.failing[0].request_id, self.failing[0].trace_id
        return self.job.support_ids

    @property
    def evidence(self) -> tuple[Piece, ...]:
        """The exchanges that a ticket shows, newest first, and how many are left out in their place."""
        told = {moment.request_id for moment in self.timeline} | {item.support_id for item in self.failing}
        return evidence(self.exchanges, {id_ for id_ in told if id_}, self.most)


def ticket_markdown(source: TicketSource) -> str:
    """Return the ticket as Markdown that data cannot break out of."""
    return "\n".join(_lines(source)) + "\n"


def ticket_object(source: TicketSource, job_object: Mapping[str, object]) -> dict[str, Any]:
    """Return the ticket as a JSON object; `job_object` is the job's own, its result left out unless asked for."""
    failing = source.failing
    job = dict(job_object)
    if not source.include_result:
        job.pop("result", None)
    return {
        "job": job,
        "accepted_request_id": source.job.target.accepted_request_id,
        "accepted_trace_id": source.job.target.accepted_trace_id,
        "first_failure_request_id": next(filter(None, source.support_ids), None) if failing else None,
        "last_failure_request_id": failing[-1].support_id if failing else None,
        "timeline": [_moment_object(moment) for moment in source.timeline[-MAX_MOMENTS:]],
        "exchanges": [exchange_object(item) for item in source.evidence if isinstance(item, Exchange)],
        "exchanges_left_out": sum(item for item in source.evidence if isinstance(item, int)),
        "outage": [exchange_object(item) for item in source.outage[:MAX_OUTAGE]],
        "anomalies": list(source.job.anomalies),
        "note": source.note,
        "curl": source.curl,
        "client": {
            "name": "jobdeck",
            "version": source.version,
            "clock_offset_seconds": source.clock_offset,
            "made_at": utc(source.made_us),
        },
    }


def exchange_object(item: Exchange) -> dict[str, Any]:
    """Return the JSON object of an exchange; its keys are always present, and a contract."""
    problem = item.problem
    return {
        "profile": item.profile,
        "job": str(item.job) if item.job is not None else None,
        "at": utc(item.started.us),
        "method": item.method,
        "url": item.url,
        "http_status": item.http_status,
        "request_id": item.request_id,
        "trace_id": item.trace_id,
        "duration_seconds": round(item.duration, 3),
        "problem": None if problem is None else {"kind": problem.kind.value, "message": problem.message},
    }


def code_span(data: str) -> str:
    """Return `data` as one line of inline code whose fence is longer than any run of backticks in it."""
    text = one_line(data, _FIELD) or "-"
    fence = "`" * (_longest_run(text) + 1)
    padding = " " if text.startswith("`") or text.endswith("`") else ""
    return f"{fence}{padding}{text}{padding}{fence}"


def code_block(data: str) -> str:
    """Return `data` as a fenced block whose fence is longer than any run of backticks in it."""
    text = clean(data, lines=True, limit=16_384)
    fence = "`" * max(3, _longest_run(text) + 1)
    return f"{fence}text\n{text}\n{fence}"


def _longest_run(text: str) -> int:
    return max((len(run) for run in re.findall("`+", text)), default=0)


def _lines(source: TicketSource) -> Iterator[str]:
    yield "## Support ticket"
    yield ""
    if source.note:
        yield code_block(source.note)
        yield ""
    yield from _identity(source)
    yield from _error(source.job)
    first, moments = first_look(source.timeline), source.timeline[-MAX_MOMENTS:]
    yield from _section("Timeline (UTC, as observed)", [_moment_line(item, first=item is first) for item in moments])
    yield from _section("Requests, newest first", [_piece_line(piece) for piece in source.evidence])
    yield from outage_lines(source.outage)
    yield from _section("Reproduce", [source.curl])
    if source.include_result:
        job = source.job
        missing = words.dropped_result(job.dropped_result) or words.evicted_result(job.evicted_result)
        yield from _section("Result", [job.result or missing])
    offset = "" if source.clock_offset is None else f", server clock offset {source.clock_offset:+.1f} s"
    yield f"Created by jobdeck {source.version} at {utc(source.made_us)}{offset}. Times are UTC."


def _identity(source: TicketSource) -> Iterator[str]:
    job = source.job
    failing = source.failing
    which = "latest response"
    if job.terminal and (job.end_id is not None or failing):
        which = f"first {'failed' if job.phase in {Phase.FAILED, Phase.PARTIAL} else 'final'} response"
    request_id, trace_id = source.support_ids
    last = failing[-1].request_id if failing else None
    pairs = (
        ("Job", job.key.id),
        (f"Request ID of the {which}", request_id),
        (f"Trace ID of the {which}", trace_id),
        (job.phase.value.capitalize(), utc(job.ended_us or job.ended.us) if job.terminal and job.ended else None),
        ("Account group", job.key.account_group),
        ("API", job.target.provider),
        ("Kind", job.kind),
        ("Status", job.status or "no data"),
        ("Source", "list only: not confirmed by the job's own response" if job.summary_only else None),
        ("Accepted with request ID", job.target.accepted_request_id),
        ("Accepted with trace ID", job.target.accepted_trace_id),
        ("Request ID of the last response that showed it", last if last != request_id else None),
        ("Latest request ID", job.request_id if job.request_id != request_id else None),
        ("Latest trace ID", job.trace_id if job.trace_id != trace_id else None),
        ("Created", None if job.created_us is None else utc(job.created_us)),
        ("Updated", None if job.updated_us is None else utc(job.updated_us)),
        ("Last successful response", None if job.observed is None else utc(job.observed.us)),
    )
    yield from (f"- {name}: {code_span(value)}" for name, value in pairs if value)
    yield from (f"- Anomaly: {code_span(text)}" for text in job.anomalies)
    yield ""


def _error(job: Job) -> Iterator[str]:
    if job.error is not None:
        error = job.error
        parts = [part for part in (error.code, error.message, error.details) if part]
        yield from _section("Error (verbatim)", ["\n".join(parts) or "empty error"])
    if job.problem is not None:
        yield from _section("Latest poll failed", [f"{job.problem.kind.words}: {job.problem.message}"])


def _section(title: str, lines: Iterable[str]) -> Iterator[str]:
    text = "\n".join(lines)
    if text:
        yield f"### {title}"
        yield ""
        yield code_block(text)
        yield ""


def _moment_line(moment: Moment, *, first: bool) -> str:
    what = moment.kind.value if moment.stage is None else f"{moment.kind.value} {moment.stage}"
    change = f"{moment.before} -> {moment.after}" if moment.before and moment.after else (moment.after or "")
    if first:
        change = f"first seen -> {moment.after}"
    text = moment.text if moment.text != moment.after else ""
    parts = (utc(moment.at_us), what, change, text, moment.request_id or "")
    return one_line("  ".join(part for part in parts if part), 1_000)


def outage_lines(outage: Sequence[Exchange]) -> Iterator[str]:
    """Yield the section of the profile's requests that failed, whatever they were about; nothing when none did."""
    more = [_left_out(len(outage) - MAX_OUTAGE)] if len(outage) > MAX_OUTAGE else []
    lines = [_exchange_line(item) for item in outage[:MAX_OUTAGE]]
    yield from _section("Failed requests for other jobs in the same period, newest first", [*lines, *more])


def _piece_line(piece: Piece) -> str:
    return _left_out(piece) if isinstance(piece, int) else _exchange_line(piece)


def _left_out(count: int) -> str:
    return f"({count} omitted)"


def _exchange_line(item: Exchange) -> str:
    outcome = "" if item.problem is None else f"{item.problem.kind.words}: {item.problem.message}"
    parts = (
        utc(item.started.us),
        f"{item.method} {item.url}",
        str(item.http_status or "-"),
        f"{item.duration:.2f}s",
        f"request {item.request_id}" if item.request_id else "",
        f"trace {item.trace_id}" if item.trace_id else "",
        outcome,
    )
    return one_line("  ".join(part for part in parts if part), 1_000)


def _moment_object(moment: Moment) -> dict[str, Any]:
    return {
        "at": utc(moment.at_us),
        "kind": moment.kind.value,
        "stage": moment.stage,
        "before": moment.before,
        "after": moment.after,
        "text": moment.text,
        "request_id": moment.request_id,
    }
