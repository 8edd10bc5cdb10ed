"""The ticket about one job or several: the data that a vendor's support needs to find them, and nothing else.

Every piece of data in the Markdown is in a code span or a fence that is longer than any run of backticks inside it, so
that it can make no link, image, heading or HTML. Nothing here is a secret: headers are never kept, and the curl line
contains variables.
"""

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

from jobdeck.domain import humanize
from jobdeck.domain.exchange import Exchange
from jobdeck.domain.instant import utc
from jobdeck.domain.job import Job
from jobdeck.domain.phase import Phase
from jobdeck.domain.text import clean, one_line
from jobdeck.domain.timeline import TimelineEvent, first_observation
from jobdeck.report.failure_groups import Fingerprint, fingerprint_of

MAX_EXCHANGES = 40
MAX_TIMELINE_EVENTS = 60
MAX_OUTAGE = 12
"""Most failed requests for other jobs: enough for support to find the outage."""

MAX_BYTES = 60_000
"""Most bytes that fit into a terminal's clipboard and the text of a GitHub issue (65,536 characters)."""

_LAST_LINE = 100
"""Bytes reserved for the line about jobs that are only in the list."""

ALWAYS_SHOWN = 4
"""Newest exchanges that are always shown, since they show how the job is polled now."""

_FIELD = 400

ExchangeOrGap: TypeAlias = "Exchange | int"
"""An exchange, or the number of exchanges that are left out in its place."""


@dataclass(frozen=True, slots=True)
class TicketSource:
    """The data of a ticket."""

    job: Job
    timeline: tuple[TimelineEvent, ...]
    # Newest first; the ticket shows the most relevant ones, at most `max_exchanges`.
    exchanges: tuple[Exchange, ...]
    version: str
    # When the ticket was made, in microseconds since the epoch.
    created_us: int
    curl: str
    # The first and the last exchange that showed the job's end, if known.
    ends: tuple[Exchange, ...] = ()
    # The profile's failed requests for other jobs and lists since this job was added, newest first.
    outage: tuple[Exchange, ...] = ()
    max_exchanges: int = MAX_EXCHANGES
    # The server's clock minus ours, in seconds, if known.
    clock_offset: float | None = None
    note: str = ""
    include_result: bool = False

    @property
    def end_exchanges(self) -> tuple[Exchange, ...]:
        """The exchanges that showed the job's end, oldest first: `ends`, else those among `exchanges`."""
        if self.ends:
            return self.ends
        ended = self.job.ended
        if ended is None or not self.job.terminal:
            return ()
        good = (item for item in self.exchanges if item.problem is None)
        at_end = [item for item in good if item.started.us + round(item.duration * 1e6) >= ended.us - 1]
        return tuple(sorted(at_end, key=lambda item: item.started.us))

    @property
    def support_ids(self) -> tuple[str | None, str | None]:
        """The request ID and the trace ID by which support finds the job, the same as on the screen."""
        if self.job.end_id is None and self.end_exchanges:
            return self.end_exchanges[0].request_id, self.end_exchanges[0].trace_id
        return self.job.support_ids

    @property
    def selected_exchanges(self) -> tuple[ExchangeOrGap, ...]:
        """The exchanges in the ticket, newest first, and the numbers of those left out between them."""
        ids = {event.request_id for event in self.timeline} | {item.support_id for item in self.end_exchanges}
        return select_exchanges(self.exchanges, {id_ for id_ in ids if id_}, self.max_exchanges)


def ticket_markdown(source: TicketSource) -> str:
    """Return the ticket as Markdown that data cannot break out of."""
    return "\n".join(_lines(source)) + "\n"


def tickets_markdown(sources: Sequence[TicketSource], note: str = "") -> str:
    """Return one ticket about several jobs: counts by error, a line for each job, then whole tickets.

    A note that all jobs share appears once. The more jobs, the fewer exchanges of each: support needs the first and the
    last ID of every job rather than every poll of some. If the tickets do not all fit in `MAX_BYTES`, one of each error
    comes first, and the last line has the number of those left out. Raises ValueError without a job.
    """
    if not sources:
        raise ValueError("a ticket needs at least one job")
    if len(sources) == 1:
        return ticket_markdown(replace(sources[0], note=note or sources[0].note))
    if not note and len({source.note for source in sources}) == 1:
        note = sources[0].note
    lines = [f"## Support ticket for {len(sources)} jobs", ""]
    if note:
        lines += [code_block(note), ""]
    if failures := list(_failure_lines(sources)):
        lines += [*failures, ""]
    lines += [f"- {_summary_line(source)}" for source in sources]
    if failed := list(outage_lines(_merge_outages(sources))):
        lines += ["", *failed]
    text = "\n".join(lines) + "\n"
    limit = max(ALWAYS_SHOWN, MAX_EXCHANGES // len(sources))
    tickets = 0
    for source in _one_of_each_failure_first(sources):
        own = "" if source.note == note else source.note
        one = ticket_markdown(replace(source, max_exchanges=limit, ends=source.end_exchanges, outage=(), note=own))
        if tickets and len(text.encode()) + len(one.encode()) > MAX_BYTES - _LAST_LINE:
            break
        text += f"\n{one}"
        tickets += 1
    if tickets < len(sources):
        text += f"\nThe other {len(sources) - tickets} jobs appear only in the list above, to keep this ticket short.\n"
    return text


def ticket_object(source: TicketSource, job_object: Mapping[str, object]) -> dict[str, Any]:
    """Return the ticket as a JSON object; `job_object` is the job's own, without its result unless that is included."""
    failing = source.end_exchanges
    job = dict(job_object)
    if not source.include_result:
        job.pop("result", None)
    return {
        "job": job,
        "accepted_request_id": source.job.target.accepted_request_id,
        "accepted_trace_id": source.job.target.accepted_trace_id,
        "first_failure_request_id": next(filter(None, source.support_ids), None) if failing else None,
        "last_failure_request_id": failing[-1].support_id if failing else None,
        "timeline": [_timeline_object(event) for event in source.timeline[-MAX_TIMELINE_EVENTS:]],
        "exchanges": [exchange_object(item) for item in source.selected_exchanges if isinstance(item, Exchange)],
        "exchanges_left_out": sum(item for item in source.selected_exchanges if isinstance(item, int)),
        "outage": [exchange_object(item) for item in source.outage[:MAX_OUTAGE]],
        "anomalies": list(source.job.anomalies),
        "note": source.note,
        "curl": source.curl,
        "client": {
            "name": "jobdeck",
            "version": source.version,
            "clock_offset_seconds": source.clock_offset,
            "made_at": utc(source.created_us),
        },
    }


def select_exchanges(
    exchanges: Sequence[Exchange], relevant_ids: Collection[str], limit: int
) -> tuple[ExchangeOrGap, ...]:
    """Return at most `limit` exchanges, newest first, with the number of those left out in each gap.

    The newest few are chosen first, then those with a problem or one of `relevant_ids`: after an hour of lists that all
    say "running", support looks for the one request that failed.
    """
    if len(exchanges) <= limit:
        return tuple(exchanges)
    relevant = [at for at, item in enumerate(exchanges) if item.problem is not None or item.support_id in relevant_ids]
    order = dict.fromkeys((*range(min(ALWAYS_SHOWN, limit)), *relevant, *range(len(exchanges))))
    selected = sorted(list(order)[:limit])
    pieces: list[ExchangeOrGap] = []
    before = -1
    for at in (*selected, len(exchanges)):
        if at - before > 1:
            pieces.append(at - before - 1)
        if at < len(exchanges):
            pieces.append(exchanges[at])
        before = at
    return tuple(pieces)


def exchange_object(item: Exchange) -> dict[str, Any]:
    """Return the JSON object of an exchange; its keys are a contract, and always present."""
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
    yield from _identity_lines(source)
    yield from _error_lines(source.job)
    first, moments = first_observation(source.timeline), source.timeline[-MAX_TIMELINE_EVENTS:]
    yield from _section("Timeline (UTC, as observed)", [_timeline_line(item, first=item is first) for item in moments])
    yield from _section("Requests, newest first", [_exchange_or_gap_line(piece) for piece in source.selected_exchanges])
    yield from outage_lines(source.outage)
    yield from _section("Reproduce", [source.curl])
    if source.include_result:
        job = source.job
        missing = humanize.describe_missing_result(job.dropped_result, job.evicted_result)
        yield from _section("Result", [job.result or missing])
    offset = "" if source.clock_offset is None else f", server clock offset {source.clock_offset:+.1f} s"
    yield f"Created by jobdeck {source.version} at {utc(source.created_us)}{offset}. Times are UTC."


def _identity_lines(source: TicketSource) -> Iterator[str]:
    job = source.job
    failing = source.end_exchanges
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


def _error_lines(job: Job) -> Iterator[str]:
    if job.error is not None:
        error = job.error
        parts = [part for part in (error.code, error.message, error.details) if part]
        yield from _section("Error (verbatim)", ["\n".join(parts) or "empty error"])
    if job.problem is not None:
        yield from _section("Latest poll failed", [f"{job.problem.kind.label}: {job.problem.message}"])


def _section(title: str, lines: Iterable[str]) -> Iterator[str]:
    text = "\n".join(lines)
    if text:
        yield f"### {title}"
        yield ""
        yield code_block(text)
        yield ""


def _timeline_line(event: TimelineEvent, *, first: bool) -> str:
    what = event.kind.value if event.stage is None else f"{event.kind.value} {event.stage}"
    change = f"{event.before} -> {event.after}" if event.before and event.after else (event.after or "")
    if first:
        change = f"first seen -> {event.after}"
    text = event.text if event.text != event.after else ""
    parts = (utc(event.at_us), what, change, text, event.request_id or "")
    return one_line("  ".join(part for part in parts if part), 1_000)


def outage_lines(outage: Sequence[Exchange]) -> Iterator[str]:
    """Yield the section with the profile's failed requests for other jobs and lists; nothing if none failed."""
    more = [_gap_line(len(outage) - MAX_OUTAGE)] if len(outage) > MAX_OUTAGE else []
    lines = [_exchange_line(item) for item in outage[:MAX_OUTAGE]]
    yield from _section("Failed requests for other jobs in the same period, newest first", [*lines, *more])


def _exchange_or_gap_line(piece: ExchangeOrGap) -> str:
    return _gap_line(piece) if isinstance(piece, int) else _exchange_line(piece)


def _gap_line(count: int) -> str:
    return f"({count} omitted)"


def _exchange_line(item: Exchange) -> str:
    outcome = "" if item.problem is None else f"{item.problem.kind.label}: {item.problem.message}"
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


def _timeline_object(event: TimelineEvent) -> dict[str, Any]:
    return {
        "at": utc(event.at_us),
        "kind": event.kind.value,
        "stage": event.stage,
        "before": event.before,
        "after": event.after,
        "text": event.text,
        "request_id": event.request_id,
    }


def _failure_lines(sources: Sequence[TicketSource]) -> Iterator[str]:
    """Yield a line for each error: how many jobs failed with it, and when the first and the last of them ended."""
    ended: dict[Fingerprint, list[int]] = {}
    for source in sources:
        fingerprint, end = fingerprint_of(source.job), source.job.ended
        if fingerprint is not None and end is not None:
            ended.setdefault(fingerprint, []).append(source.job.ended_us or end.us)
    for fingerprint, moments in sorted(ended.items(), key=lambda item: -len(item[1])):
        between = f"from {code_span(utc(min(moments)))} to {code_span(utc(max(moments)))}"
        at = between if min(moments) != max(moments) else f"at {code_span(utc(min(moments)))}"
        place = f" in {code_span(fingerprint.place)}" if fingerprint.place else ""
        yield f"- {humanize.pluralize(len(moments), 'job')} failed with {code_span(fingerprint.error)}{place}, {at}"


def _one_of_each_failure_first(sources: Sequence[TicketSource]) -> list[TicketSource]:
    """Return one job of each error, then the others, each in the given order."""
    first: dict[Fingerprint | None, int] = {}
    for at, source in enumerate(sources):
        first.setdefault(fingerprint_of(source.job), at)
    return [sources[at] for at in dict.fromkeys((*first.values(), *range(len(sources))))]


def _merge_outages(sources: Sequence[TicketSource]) -> tuple[Exchange, ...]:
    every = {(item.url, item.support_id or item.started.us): item for source in sources for item in source.outage}
    return tuple(sorted(every.values(), key=lambda item: -item.started.us))


def _summary_line(source: TicketSource) -> str:
    job = source.job
    request_id, trace_id = source.support_ids
    parts = [code_span(job.key.id), code_span(job.status or "no data")]
    if job.error is not None and job.error.code:
        parts.append(code_span(job.error.code))
    if job.ended is not None:
        parts.append(code_span(utc(job.ended_us or job.ended.us)))
    if support_id := request_id or trace_id:
        parts += ["request" if request_id else "trace", code_span(support_id)]
    return " ".join(parts)
