"""The exchanges of one job as lines: when, what was asked, what came of it, and the ID that support asks for."""

import re
from collections.abc import Mapping

from jobdeck.domain import words
from jobdeck.domain.exchange import Exchange
from jobdeck.domain.instant import Instant
from jobdeck.domain.text import clean, one_line
from jobdeck.tui.cells import clip, fit, middle, width_of, wrap
from jobdeck.tui.draw.advice import advice
from jobdeck.tui.draw.spans import Line, Role, Span, clip_line, justify, line_width
from jobdeck.tui.draw.told import Told, Which, which

_PATH = re.compile(r"^[A-Za-z][A-Za-z0-9+.-]*://[^/?#]*|[?#].*", re.DOTALL)
NOTHING = Told()
LEAST_PATH = 10
INDENT = "  "
MOST_LINES = 3
"""Lines that the rest of what came of a request may take."""

ONE_LINE_FROM = 176
"""Cells from which an exchange and its whole request ID fit on one line with room for what to do about it."""


def trace_lines(
    exchange: Exchange, now: Instant, width: int, told: Told = NOTHING, *, whole: bool = False
) -> tuple[Line, ...]:
    """Return one line about an exchange, or two when the ID needs its own.

    `told` knows what an exchange changed (``queued → running``). What came of a request is cut to its line unless the
    `whole` of it is wanted, which may take up to `MOST_LINES` more.
    """
    head: Line = (
        _glyph(exchange, bad=which(exchange) in told.bad),
        (f"{words.near(exchange.started.us, now)} ", Role.DIM),
        (f"{clip(exchange.method, 6)} ", Role.DIM),
    )
    tail: Line = (_status(exchange), (fit(words.took(exchange.duration), 6, right=True) + "  ", Role.DIM))
    text, role = _outcome(exchange, now, told.words)
    # The path is that of the same job on nearly every line: what came of the request has the better right to room.
    if width >= ONE_LINE_FROM:
        path_width = min(31, max(10, (width - 146) // 2))
        path = fit(short_path(exchange.url, path_width), path_width) + " "
        ids = _id_spans(exchange, "")
        room = width - line_width(ids) - 2
        line = (*head, (path, Role.TEXT), *tail)
        first, rest = _broken(text, room - line_width(line), width) if whole else (text, [])
        line = clip_line((*line, (first, role)), room)
        return (justify(line, (*ids, (" ", Role.TEXT)), width), *(((INDENT + more, role),) for more in rest))
    under: Line = ((INDENT, Role.TEXT), *_id_spans(exchange, INDENT))
    room = min(31, width - line_width(under) - 2)
    if room >= LEAST_PATH:
        under = (*under, (f"  {short_path(exchange.url, room)}", Role.DIM))
    line = (*head, *tail)
    first, rest = _broken(text, width - line_width(line), width) if whole else (text, [])
    lines = [clip_line((*line, (first, role)), width), *(((INDENT + more, role),) for more in rest)]
    return (*lines, clip_line(under, width))


def lines_per_exchange(width: int) -> int:
    """Return how many lines an exchange takes at a width."""
    return 1 if width >= ONE_LINE_FROM else 2


def short_path(url: str, width: int) -> str:
    """Return the path of a URL in at most `width` cells: its last part is what tells requests apart."""
    path = clean(_PATH.sub("", url[:2_048]) or "/")
    if width_of(path) <= width:
        return path
    last = path.rsplit("/", 1)[-1]
    return f"…/{middle(last, width - 2)}" if last and width > 8 else middle(path, width)


def id_label(exchange: Exchange) -> str:
    """Return what kind of ID an exchange has for support."""
    return "request" if exchange.request_id else "trace"


def _glyph(exchange: Exchange, *, bad: bool) -> Span:
    if exchange.problem is None:
        return ("✗ ", Role.FAILED) if bad else ("✓ ", Role.DONE)
    return ("✗ ", Role.FAILED) if exchange.problem.kind.reached_server else ("? ", Role.BLIND)


def _status(exchange: Exchange) -> Span:
    if exchange.http_status is None:
        return "  –", Role.DIM
    good = 200 <= exchange.http_status < 300
    return fit(str(exchange.http_status), 3), Role.TEXT if good else Role.FAILED


def _outcome(exchange: Exchange, now: Instant, notes: Mapping[Which, str]) -> Span:
    problem = exchange.problem
    if problem is not None:
        # What to do comes first: the server's own words are in the job's pane, whole.
        return f"{advice(problem, exchange, now)} · {one_line(problem.message[:1_024])}", Role.TEXT
    note = notes.get(which(exchange))
    if note:
        return one_line(note[:512]), Role.STRONG
    return words.size(exchange.size), Role.DIM


def _broken(text: str, room: int, width: int) -> tuple[str, list[str]]:
    """Return what of a text fits into `room` cells of one line, and the rest as indented lines of `width` cells."""
    if width_of(text) <= room or room < LEAST_PATH:
        return text, []
    first = wrap(text, room)[0]
    return first, wrap(text[len(first) :].lstrip(), width - len(INDENT), most=MOST_LINES)


def _id_spans(exchange: Exchange, indent: str) -> Line:
    if exchange.support_id is None:
        reason = "no answer, so no request ID" if exchange.http_status is None else "the answer named no request ID"
        return ((reason, Role.DIM),)
    ids: list[Span] = [(f"{id_label(exchange)} ", Role.DIM), (clean(exchange.support_id[:256]), Role.ID)]
    if indent and exchange.body_request_id and exchange.body_request_id != exchange.request_id:
        ids += [("  in the body ", Role.DIM), (clean(exchange.body_request_id[:256]), Role.ID)]
    return tuple(ids)
