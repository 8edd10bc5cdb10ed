"""One ticket about several jobs: what they have in common, a line for each, and as many whole ones as it may hold."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from jobdeck.domain.evidence import NEWEST
from jobdeck.domain.exchange import Exchange
from jobdeck.domain.fingerprint import Fingerprint, fingerprint
from jobdeck.domain.instant import utc
from jobdeck.domain.ticket import MAX_EXCHANGES, TicketSource, code_block, code_span, outage_lines, ticket_markdown

MAX_BYTES = 60_000
"""What a terminal takes for its clipboard, and a GitHub issue as its text (65,536 characters)."""

_LAST_LINE = 100
"""Bytes that are left for how many jobs are in the list alone."""


def tickets_markdown(sources: Sequence[TicketSource], note: str = "") -> str:
    """Return one ticket about several jobs: counts by fault, a line for each job, then whole tickets.

    A note that all of them share is said once. The more jobs, the fewer exchanges of each: support needs the first
    and the last ID of all of them rather than every look at some of them. Of more jobs than fit in `MAX_BYTES` those
    that failed each in a way of their own come first, and how many are left out is said. ValueError for no job at all.
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
    if faults := list(_faults(sources)):
        lines += [*faults, ""]
    lines += [f"- {_summary(source)}" for source in sources]
    if failed := list(outage_lines(_outage(sources))):
        lines += ["", *failed]
    text = "\n".join(lines) + "\n"
    most = max(NEWEST, MAX_EXCHANGES // len(sources))
    whole = 0
    for source in _most_telling_first(sources):
        own = "" if source.note == note else source.note
        one = ticket_markdown(replace(source, most=most, ends=source.failing, outage=(), note=own))
        if whole and len(text.encode()) + len(one.encode()) > MAX_BYTES - _LAST_LINE:
            break
        text += f"\n{one}"
        whole += 1
    if whole < len(sources):
        text += f"\nThe other {len(sources) - whole} jobs appear only in the list above, to keep this ticket short.\n"
    return text


def _faults(sources: Sequence[TicketSource]) -> Iterator[str]:
    """Yield how many jobs failed with which fault, and when the first and the last of them were seen to."""
    ended: dict[Fingerprint, list[int]] = {}
    for source in sources:
        fault, end = fingerprint(source.job), source.job.ended
        if fault is not None and end is not None:
            ended.setdefault(fault, []).append(source.job.ended_us or end.us)
    for fault, moments in sorted(ended.items(), key=lambda item: -len(item[1])):
        between = f"from {code_span(utc(min(moments)))} to {code_span(utc(max(moments)))}"
        at = between if min(moments) != max(moments) else f"at {code_span(utc(min(moments)))}"
        place = f" in {code_span(fault.stage)}" if fault.stage else ""
        many = "1 job" if len(moments) == 1 else f"{len(moments)} jobs"
        yield f"- {many} failed with {code_span(fault.fault)}{place}, {at}"


def _most_telling_first(sources: Sequence[TicketSource]) -> list[TicketSource]:
    """Return one of each fault, then the rest, each in the order given."""
    first: dict[Fingerprint | None, int] = {}
    for at, source in enumerate(sources):
        first.setdefault(fingerprint(source.job), at)
    return [sources[at] for at in dict.fromkeys((*first.values(), *range(len(sources))))]


def _outage(sources: Sequence[TicketSource]) -> tuple[Exchange, ...]:
    every = {(item.url, item.support_id or item.started.us): item for source in sources for item in source.outage}
    return tuple(sorted(every.values(), key=lambda item: -item.started.us))


def _summary(source: TicketSource) -> str:
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
