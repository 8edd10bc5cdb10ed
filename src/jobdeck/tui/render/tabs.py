"""The tabs of the selected job besides its stages: result, raw body, timeline, diff; and long texts."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

from jobdeck.domain import humanize
from jobdeck.domain.exchange import ExchangeContent
from jobdeck.domain.instant import Instant
from jobdeck.domain.job import DROPPED_RESULT, EVICTED_RESULT, Job
from jobdeck.domain.text import clean
from jobdeck.domain.timeline import TimelineEvent, TimelineEventKind, first_observation
from jobdeck.tui.cell_text import DETAIL_LIMIT, LINE_LIMIT, pad, truncate, wrap
from jobdeck.tui.jsontree import NONE, JsonTree, Node, readable, row_of
from jobdeck.tui.render.spans import EMPTY, Keys, Line, Role, Span, line_width, truncate_line

_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"?|[{}\[\],:]|[^\s"{}\[\],:]+')
_DEEPEST = 24


def layout(text: str) -> str:
    r"""Return at most `DETAIL_LIMIT` characters of JSON `text`, indented, wherever the text was cut.

    Escaped letters (``\u4e16``) are decoded, except unprintable ones.
    """
    out: list[str] = []
    depth = 0
    previous = ""
    for match in _TOKEN.finditer(text[:DETAIL_LIMIT]):
        piece = match[0]
        if piece in {"}", "]"}:
            depth = max(0, depth - 1)
            out.append(piece if previous in {"{", "["} else _newline(depth) + piece)
        else:
            if previous in {"{", "[", ","}:
                out.append(_newline(depth))
            if piece in {"{", "["}:
                depth += 1
            out.append(f"{piece} " if piece == ":" else readable(piece))
        previous = piece
    return "".join(out)


def _newline(depth: int) -> str:
    return "\n" + "  " * min(depth, _DEEPEST)


def document_lines(text: str, width: int, *, plain: bool = False) -> list[Line]:
    """Return a text as lines of at most `width` cells; Markdown is only colored, and not even that if `plain`."""
    if plain:
        return [((line, Role.TEXT),) for line in wrap(text, width)]
    lines: list[Line] = []
    fence = ""
    for raw in wrap(text.rstrip("\n"), width):
        mark = raw[: len(raw) - len(raw.lstrip("`"))]
        if fence:
            lines.append(((raw, Role.FAINT if raw == fence else Role.TEXT),) if raw else EMPTY)
            fence = "" if raw == fence else fence
        elif len(mark) >= 3:
            fence = mark
            lines.append(((raw, Role.FAINT),))
        elif raw.startswith("#"):
            lines.append(((raw, Role.STRONG),))
        else:
            lines.append(((raw, Role.DIM if raw.startswith("Made by ") else Role.TEXT),) if raw else EMPTY)
    return lines


def keys_line(keys: Keys) -> Line:
    """Return the line of keys below a dialog."""
    return tuple(span for key, label in keys for span in ((f" {key}", Role.KEY), (f" {label} ", Role.DIM)))


ALWAYS = 2
"""This many last keys of a dialog are always shown: the way out, and the help."""


def fitting_keys(keys: Keys, width: int) -> Line:
    """Return the line of a dialog's keys, most important first; `ALWAYS` last ones stay when others are dropped."""
    keys = list(keys)
    while len(keys) > ALWAYS and line_width(keys_line(keys)) > width:
        del keys[-ALWAYS - 1]
    return truncate_line(keys_line(keys), width)


Meanings = Mapping[str, Mapping[str, str]]
"""Meanings of the values of facts, by the name of the fact."""

NO_MEANINGS: Meanings = MappingProxyType({})


def meaning_of(meanings: Meanings, name: str, value: str) -> str | None:
    """Return the meaning of a fact's value, or None if it has none.

    Counted values are explained one by one: ``company_page 3`` becomes ``3 matched through …``.
    """
    known = meanings.get(name)
    if not known:
        return None
    if value in known:
        return known[value]
    counts = (part.strip().rpartition(" ") for part in value.split(","))
    found = [f"{count} {known[word]}" for word, _, count in counts if word in known and count.isdigit()]
    return "; ".join(found) or None


def explained(facts: Iterable[tuple[str, str]], meanings: Meanings) -> list[tuple[str, str, str]]:
    """Return name, value and meaning of the facts that the API's definition explains."""
    return [(name, value, meaning_of(meanings, name, value) or "") for name, value in facts if name in meanings]


_PIECES = re.compile(r'("(?:[^"\\]|\\.)*")(\s*:)?|(-?\d[\d.eE+-]*|true|false|null)')


class Tab(StrEnum):
    """The tabs in order; each value is a title."""

    STAGES = "Stages"
    RESULT = "Result"
    RAW = "Raw"
    TIMELINE = "Timeline"
    DIFF = "Diff"


@dataclass(frozen=True, slots=True)
class JobHistory:
    """The history of a job, for the tabs."""

    samples: tuple[tuple[float, float], ...] = ()
    """(monotonic seconds, fraction) for each change of its progress."""
    moments: tuple[TimelineEvent, ...] = ()
    before: Job | None = None
    """The job before its newest change."""
    content: ExchangeContent | None = None
    """The exchange with its newest body."""


def explained_lines(job: Job, meanings: Meanings, width: int) -> list[Line]:
    """Return the facts that the API's definition explains, with their meanings."""
    lines: list[Line] = []
    for name, value, meaning in explained(job.facts, meanings):
        spans: list[Span] = [(f"{name} ", Role.DIM), (clean(value[:256]), Role.STRONG)]
        if line_width(spans) + len(meaning) + 2 <= width or not meaning:
            lines.append(truncate_line((*spans, (f"  {meaning}", Role.TEXT)), width))
        else:
            lines += [truncate_line(spans, width), truncate_line((("  ", Role.TEXT), (meaning, Role.TEXT)), width)]
    return [*lines, EMPTY] if lines else lines


def tree_line(tree: JsonTree, node: Node, width: int) -> Line:
    """Return one node of a result's tree."""
    indent = "  " * min(node.depth, max(1, width // 6))
    if node.next_page != NONE:
        return truncate_line(((f"{indent}… ", Role.FAINT), (node.label, Role.KEY)), width)
    mark = "  " if node.container == NONE else "▾ " if tree.is_open(node) else "▸ "
    value = tree.index.preview(node)
    spans: list[Span] = [(indent + mark, Role.DIM)]
    if node.label:
        spans.append((clean(readable(node.label[:256])) + ": ", Role.NAME))
    spans.append((clean(readable(value)), Role.DIM if node.container != NONE else _value_role(value)))
    return truncate_line(spans, width)


def raw_lines(content: ExchangeContent | None, job_id: str, width: int, missing: str = "") -> list[Line]:
    """Return the latest body, indented and colored; of a list response only the job's row.

    `missing` is shown if there is no body.
    """
    body = content.body if content is not None else None
    if content is None or body is None:
        return [truncate_line(((missing, Role.DIM),), width)]
    at = humanize.format_time(content.exchange.started.us)
    head: list[Span] = [("body ", Role.DIM), (humanize.format_size(len(body)), Role.TEXT), (f"  {at}", Role.DIM)]
    text = body.decode("utf-8", "replace")
    if content.exchange.job is None:
        row = row_of(text, job_id)
        what = "the row of this job in a list response" if row is not None else "a list response"
        head = [(what, Role.WARN), (f"  {humanize.format_size(len(body))}  {at}", Role.DIM)]
        text = text if row is None else row
    laid = layout(text[:DETAIL_LIMIT])
    lines = [_highlighted(line) for line in wrap(laid, width, most=LINE_LIMIT)]
    if len(text) > DETAIL_LIMIT or len(lines) > LINE_LIMIT - 1:
        head.append((f"  truncated, {len(body)} bytes", Role.WARN))
    head += [("  o", Role.KEY), (" saves the whole", Role.DIM)]
    return [truncate_line(line, width) for line in (head, EMPTY, *lines)]


def timeline_lines(moments: Sequence[TimelineEvent], now: Instant, width: int, id_name: str = "request") -> list[Line]:
    """Return every change of phase and stage with its time and the ID for support, newest first."""
    if not moments:
        return [(("no changes yet", Role.DIM),)]
    first = first_observation(moments)
    return [
        line for moment in reversed(moments) for line in _moment(moment, now, width, id_name, first=moment is first)
    ]


def diff_lines(before: Job | None, job: Job, now: Instant, width: int) -> list[Line]:
    """Return the differences between a job before its newest change and now."""
    if before is None or before.observed is None or job.observed is None:
        return [(("no changes in this session", Role.DIM),)]
    old, new = dict(_fields(before)), dict(_fields(job))
    moments = (before.observed.us, (job.changed or job.observed).us)
    seen = " → ".join(humanize.format_recent(us, now) for us in moments)
    lines: list[Line] = [((seen, Role.DIM),), EMPTY]
    for name in [*new, *(name for name in old if name not in new)]:
        if old.get(name) == new.get(name):
            continue
        lines.append(((truncate(name, width), Role.DIM),))
        for sign, value, role in (("- ", old.get(name), Role.DIM), ("+ ", new.get(name), Role.STRONG)):
            if value is not None:
                first, *rest = wrap(value, width - 2, limit=4_096, most=12)
                lines += [((sign + first, role),), *((("  " + text, role),) for text in rest)]
    if len(lines) == 2:
        lines.append((("no visible differences", Role.DIM),))
    return [truncate_line(line, width) for line in lines]


def _moment(moment: TimelineEvent, now: Instant, width: int, id_name: str, *, first: bool) -> Iterator[Line]:
    before = "first seen" if first else moment.before
    change = " → ".join(part for part in (before, moment.after) if part)
    kind = moment.kind.value if moment.stage is None else truncate(moment.stage, 20)
    role = Role.TEXT
    if moment.after == "failed":
        role = Role.FAILED
    elif moment.kind in {TimelineEventKind.PROBLEM, TimelineEventKind.ANOMALY}:
        role = Role.UNREACHABLE if moment.kind is TimelineEventKind.PROBLEM else Role.WARN
    word = "" if moment.text in {moment.after, ""} else f"  {clean(moment.text[:512])}"
    spans: list[Span] = [
        (f"{humanize.format_recent(moment.at_us, now)} ", Role.DIM),
        (pad(kind, 11) + " ", Role.DIM),
        (change, role),
        (word if change else word.lstrip(), Role.TEXT if change else role),
    ]
    ids: list[Span] = []
    if moment.request_id:
        ids = [(f"{id_name} ", Role.DIM), (clean(moment.request_id[:256]), Role.ID)]
    gap = width - line_width(spans) - line_width(ids)
    if not ids or gap >= 2:
        yield truncate_line((*spans, (" " * gap if ids else "", Role.TEXT), *ids), width)
    else:
        yield truncate_line(spans, width)
        yield truncate_line((("          ", Role.TEXT), *ids), width)


def _fields(job: Job) -> Iterator[tuple[str, str]]:
    pairs: list[tuple[str, object]] = [("status", job.status), ("phase", job.phase.value), ("kind", job.kind)]
    if job.progress is not None:
        pairs.append(("progress", humanize.format_percent(job.progress)))
    for record in job.stages:
        stage = record.stage
        done = "" if stage.progress is None else f" {humanize.format_percent(stage.progress)}"
        pairs.append((f"stage {stage.name}", f"{stage.status}{done}"))
    if job.error is not None:
        error = job.error
        pairs.append(("error", "  ".join(part for part in (error.code, error.message, error.details) if part)))
    pairs += (fact for fact in job.facts if fact[0] not in {DROPPED_RESULT, EVICTED_RESULT})
    size = job.dropped_result if job.evicted_result is None else job.evicted_result
    if size is not None:
        pairs.append(("result", humanize.format_size(size)))
    if job.result is not None:
        pairs.append(("result", f"{humanize.format_size(len(job.result))}  {readable(job.result[:512])}"))
    return ((name, str(value)) for name, value in pairs if value is not None)


def _value_role(value: str) -> Role:
    return Role.TEXT if value.startswith('"') else Role.QUEUED if value in {"null", ""} else Role.RUNNING


def _highlighted(text: str) -> Line:
    spans: list[Span] = []
    at = 0
    for match in _PIECES.finditer(text):
        if match.start() > at:
            spans.append((text[at : match.start()], Role.DIM))
        string, colon, other = match.groups()
        if string is not None:
            spans.append((string, Role.NAME if colon else Role.TEXT))
            if colon:
                spans.append((colon, Role.DIM))
        else:
            spans.append((other, Role.RUNNING))
        at = match.end()
    if at < len(text):
        spans.append((text[at:], Role.DIM))
    return tuple(spans)
