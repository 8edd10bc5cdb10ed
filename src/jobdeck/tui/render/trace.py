"""The exchanges of one job as lines: time, outcome, what to do about it, and the ID for support."""

import re
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import groupby

from jobdeck.domain import glyphs, humanize
from jobdeck.domain.exchange import Exchange, ExchangeId
from jobdeck.domain.instant import Instant
from jobdeck.domain.job import Job
from jobdeck.domain.phase import Phase
from jobdeck.domain.problem import Problem, ProblemKind
from jobdeck.domain.text import clean, one_line
from jobdeck.domain.timeline import TimelineEvent, TimelineEventKind
from jobdeck.tui.cell_text import elide_middle, pad, truncate, width_of, wrap
from jobdeck.tui.render.spans import Line, Role, Span, justify, line_width, truncate_line

BAD_ENDS = frozenset({Phase.FAILED.value, Phase.PARTIAL.value})


@dataclass(frozen=True, slots=True)
class ExchangeNotes:
    """What a job's exchanges showed."""

    words: Mapping[ExchangeId, str] = field(default_factory=dict)
    """The change that an exchange showed, in words."""
    bad: frozenset[ExchangeId] = frozenset()
    """Exchanges that showed the job or a stage to fail or to be partial."""
    good: frozenset[ExchangeId] = frozenset()
    """Exchanges that showed the job to succeed."""


def exchange_notes(job: Job, moments: Iterable[TimelineEvent], exchanges: Iterable[Exchange]) -> ExchangeNotes:
    """Return what a job's timeline says about its `exchanges`, which are newest first."""
    known: dict[str | None, list[ExchangeId]] = {}
    for exchange in exchanges:
        known.setdefault(exchange.support_id, []).append(exchange.id)
    notes: dict[ExchangeId, list[str]] = {}
    bad: list[ExchangeId] = []
    ends: list[ExchangeId] = []
    good: list[ExchangeId] = []
    for moment in moments:
        same = known.get(moment.request_id)
        if moment.request_id is None or not same:
            continue
        # If several exchanges have this ID, it was the newest one that had been sent by then.
        notifier = next((each for each in same if each[1] <= moment.at_us), same[-1])
        text = _words(moment)
        if text:
            notes.setdefault(notifier, []).append(text)
        if moment.kind in {TimelineEventKind.PHASE, TimelineEventKind.STAGE} and moment.after in BAD_ENDS:
            bad.append(notifier)
        if moment.kind is TimelineEventKind.PHASE:
            ends += [notifier] if moment.after in BAD_ENDS else []
            good += [notifier] if moment.after == Phase.SUCCEEDED.value else []
    joined = {notifier: ", ".join(parts) for notifier, parts in notes.items()}
    reason = " ".join(job.reason)
    for notifier in ends:
        joined[notifier] = f"{joined[notifier]}: {reason}" if reason else joined[notifier]
    return ExchangeNotes(joined, frozenset(bad), frozenset(good))


def _words(moment: TimelineEvent) -> str:
    match moment.kind:
        case TimelineEventKind.PHASE:
            began = moment.before in {None, Phase.UNKNOWN.value}
            return moment.text if began else f"{moment.before} → {moment.text}"
        case TimelineEventKind.STAGE:
            return f"{moment.stage} {moment.after}"
        case TimelineEventKind.ANOMALY | TimelineEventKind.RUN:
            return moment.text
        case TimelineEventKind.RECOVERED:
            return f"reachable again {moment.text}".rstrip()
        case TimelineEventKind.PROBLEM:
            return ""


LEAST_RUN = 3
"""Fewer exchanges with the same outcome are not folded: two would hide as much as they save."""


@dataclass(frozen=True, slots=True)
class TraceRow:
    """An exchange, or, if `folded`, a run of at least `LEAST_RUN` with the same outcome, newest first."""

    exchanges: tuple[Exchange, ...]
    folded: bool = False
    opened: bool = False
    """The exchanges of this run are shown below its line."""

    @property
    def newest(self) -> Exchange:
        """The exchange, or the newest of the run."""
        return self.exchanges[0]


def fold(exchanges: Sequence[Exchange], notes: ExchangeNotes, opened: Container[ExchangeId] = ()) -> list[TraceRow]:
    """Return the rows of a trace: runs with the same outcome are folded, but the newest exchange stands alone.

    A run that contains one of the `opened` exchanges is followed by its exchanges.
    """
    rows = [TraceRow((one,)) for one in exchanges[:1]]
    for answer, group in groupby(exchanges[1:], partial(_same_answer, notes)):
        run = tuple(group)
        if answer is None or len(run) < LEAST_RUN:
            rows += [TraceRow((one,)) for one in run]
            continue
        is_open = any(one.id in opened for one in run)
        rows.append(TraceRow(run, folded=True, opened=is_open))
        if is_open:
            rows += [TraceRow((one,)) for one in run]
    return rows


def _same_answer(notes: ExchangeNotes, exchange: Exchange) -> tuple[object, ...] | None:
    """Return what the exchanges of a run have in common; None for an exchange that showed something new."""
    this = exchange.id
    if this in notes.words or this in notes.bad or this in notes.good:
        return None
    problem = exchange.problem
    # The method is part of it: a cancel request separates the polls before and after it.
    return (exchange.method, exchange.http_status, exchange.part, None if problem is None else problem.kind)


def fold_line(row: TraceRow, now: Instant, width: int) -> Line:
    """Return the line of a run: time range, count, outcome, and the ID of the newest."""
    newest, oldest = row.newest, row.exchanges[-1]
    since, until = (humanize.format_recent(one.started.us, now) for one in (oldest, newest))
    problem = newest.problem
    said = "unchanged" if problem is None else problem.kind.label
    glyph = _glyph(newest, NOTHING)
    line: Line = (
        ("▾ " if row.opened else "▸ ", Role.DIM),
        (f"{since}–{until} ", Role.DIM),
        (f" ×{len(row.exchanges)} ", Role.STRONG),
        (said, Role.DIM if problem is None else glyph[1]),
    )
    if newest.support_id is None:
        return truncate_line(line, width)
    ids: Line = ((f"{id_label(newest)} ", Role.DIM), (clean(newest.support_id[:256]), Role.ID), (" ", Role.TEXT))
    return justify(line, ids, width)


PROFILE_CELLS = 24


def advice(problem: Problem, exchange: Exchange, now: Instant) -> str:
    """Return what the user should do about a problem, or why nothing."""
    profile = truncate(exchange.profile, PROFILE_CELLS)
    match problem.kind:
        case ProblemKind.RATE_LIMIT:
            return _wait(problem, exchange, now)
        case ProblemKind.AUTH:
            return f"profile {profile}: API key rejected: run `jobdeck doctor`"
        case ProblemKind.PERMISSION:
            return f"profile {profile}: this API key cannot access the job: run `jobdeck doctor`"
        case ProblemKind.PAYMENT:
            return "the account is out of credits: top it up"
        case ProblemKind.NOT_FOUND:
            return f"profile {profile}: job not found, check the ID"
        case ProblemKind.REDIRECT:
            return f"redirect not followed, to protect your keys: check base_url of profile {profile}"
        case ProblemKind.NETWORK:
            return "cannot reach the server: check network, proxy and base_url"
        case ProblemKind.TIMEOUT:
            return "timed out; retrying less often"
        case ProblemKind.SERVER_ERROR:
            return _wait(problem, exchange, now, "server error; ")
        case ProblemKind.TOO_BIG:
            return "response too large to read in full (the job may be fine)"
        case ProblemKind.NOT_JSON:
            return "the response is not from the API: check proxy and base_url"
        case ProblemKind.PROTOCOL:
            refused = exchange.method != "GET" and exchange.http_status in {409, 422}
            return (
                "the server refused the request"
                if refused
                else "doesn't match the API's documentation: press Y for a support ticket"
            )


def _wait(problem: Problem, exchange: Exchange, now: Instant, why: str = "") -> str:
    if problem.retry_at_us is None:
        return f"{why or 'too many requests (no retry time given); '}retrying less often"
    answered = exchange.started.us + round(exchange.duration * 1e6)
    asked = humanize.format_duration(round((problem.retry_at_us - answered) / 1e6))
    until = humanize.format_recent(problem.retry_at_us, now)
    if problem.retry_at_us > now.us:
        return f"{why}the server asked to wait {asked}; waiting until {until}"
    return f"{why}the server asked to wait {asked}, until {until}"


_PATH = re.compile(r"^[A-Za-z][A-Za-z0-9+.-]*://[^/?#]*|[?#].*", re.DOTALL)
NOTHING = ExchangeNotes()
LEAST_PATH = 10
INDENT = "  "
MOST_LINES = 3
"""Lines that the rest of an outcome may take."""

ONE_LINE_FROM = 176
"""Minimum width for an exchange with its full request ID and an outcome on one line."""


def trace_lines(
    exchange: Exchange, now: Instant, width: int, notes: ExchangeNotes = NOTHING, *, whole: bool = False
) -> tuple[Line, ...]:
    """Return one line about an exchange, or two if the ID needs its own.

    `notes` contains what an exchange changed (``queued → running``). The outcome is cut to its line, or, if `whole`,
    continued on up to `MOST_LINES` more.
    """
    head: Line = (
        _glyph(exchange, notes),
        (f"{humanize.format_recent(exchange.started.us, now)} ", Role.DIM),
        (f"{truncate(exchange.method, 6)} ", Role.DIM),
    )
    tail: Line = (_status(exchange), (pad(humanize.format_latency(exchange.duration), 6, right=True) + "  ", Role.DIM))
    text, role = _outcome(exchange, now, notes.words)
    # The path is the same on nearly every line, so that the outcome gets the room.
    if width >= ONE_LINE_FROM:
        path_width = min(31, max(10, (width - 146) // 2))
        path = pad(short_path(exchange.url, path_width), path_width) + " "
        ids = _id_spans(exchange, "")
        room = width - line_width(ids) - 2
        line = (*head, (path, Role.TEXT), *tail)
        first, rest = _broken(text, room - line_width(line), width) if whole else (text, [])
        line = truncate_line((*line, (first, role)), room)
        return (justify(line, (*ids, (" ", Role.TEXT)), width), *(((INDENT + more, role),) for more in rest))
    under: Line = ((INDENT, Role.TEXT), *_id_spans(exchange, INDENT))
    room = min(31, width - line_width(under) - 2)
    if room >= LEAST_PATH:
        under = (*under, (f"  {short_path(exchange.url, room)}", Role.DIM))
    line = (*head, *tail)
    first, rest = _broken(text, width - line_width(line), width) if whole else (text, [])
    lines = [truncate_line((*line, (first, role)), width), *(((INDENT + more, role),) for more in rest)]
    return (*lines, truncate_line(under, width))


def lines_per_exchange(width: int) -> int:
    """Return the number of lines of an exchange at a width."""
    return 1 if width >= ONE_LINE_FROM else 2


def short_path(url: str, width: int) -> str:
    """Return the path of a URL in at most `width` cells, keeping its last part, which differs most."""
    path = clean(_PATH.sub("", url[:2_048]) or "/")
    if width_of(path) <= width:
        return path
    last = path.rsplit("/", 1)[-1]
    return f"…/{elide_middle(last, width - 2)}" if last and width > 8 else elide_middle(path, width)


def id_label(exchange: Exchange) -> str:
    """Return which kind of ID an exchange has for support."""
    return "request" if exchange.request_id else "trace"


def _glyph(exchange: Exchange, notes: ExchangeNotes) -> Span:
    """Return the glyph for what a response showed about the job; its status shows how HTTP went."""
    this = exchange.id
    if exchange.problem is None:
        if this in notes.bad:
            return f"{glyphs.FAILED} ", Role.FAILED
        if this in notes.good:
            return f"{glyphs.DONE} ", Role.DONE
        return (f"{glyphs.RUNNING} ", Role.RUNNING) if this in notes.words else (f"{glyphs.NEW} ", Role.DIM)
    reached = exchange.problem.kind.reached_server
    return (f"{glyphs.FAILED} ", Role.FAILED) if reached else (f"{glyphs.UNREACHABLE} ", Role.UNREACHABLE)


def _status(exchange: Exchange) -> Span:
    if exchange.http_status is None:
        return "  –", Role.DIM
    good = 200 <= exchange.http_status < 300
    return pad(str(exchange.http_status), 3), Role.TEXT if good else Role.FAILED


def _outcome(exchange: Exchange, now: Instant, notes: Mapping[ExchangeId, str]) -> Span:
    problem = exchange.problem
    if problem is not None:
        # The advice comes first: the job's pane has the server's message in full.
        return f"{advice(problem, exchange, now)} · {one_line(problem.message[:1_024])}", Role.TEXT
    note = notes.get(exchange.id)
    if note:
        return one_line(note[:512]), Role.STRONG
    return humanize.format_size(exchange.size), Role.DIM


def _broken(text: str, room: int, width: int) -> tuple[str, list[str]]:
    """Return the start of a text that fits into `room` cells, and the rest as lines for `width` cells with indent."""
    if width_of(text) <= room or room < LEAST_PATH:
        return text, []
    first = wrap(text, room)[0]
    return first, wrap(text[len(first) :].lstrip(), width - len(INDENT), most=MOST_LINES)


def _id_spans(exchange: Exchange, indent: str) -> Line:
    if exchange.support_id is None:
        reason = "no request ID: no response" if exchange.http_status is None else "no request ID in the response"
        return ((reason, Role.DIM),)
    ids: list[Span] = [(f"{id_label(exchange)} ", Role.DIM), (clean(exchange.support_id[:256]), Role.ID)]
    if indent and exchange.body_request_id and exchange.body_request_id != exchange.request_id:
        ids += [("  in the body ", Role.DIM), (clean(exchange.body_request_id[:256]), Role.ID)]
    return tuple(ids)
