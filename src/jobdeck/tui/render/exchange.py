"""One exchange as lines: request, outcome, IDs, rate limit, headers, body."""

from collections.abc import Iterable

from jobdeck.domain import humanize
from jobdeck.domain.exchange import Exchange, ExchangeContent
from jobdeck.domain.instant import Instant
from jobdeck.domain.ratelimit import RateWindow
from jobdeck.domain.text import clean
from jobdeck.tui.cell_text import LINE_LIMIT, width_of, wrap
from jobdeck.tui.render.spans import EMPTY, Line, Role, justify, truncate_line
from jobdeck.tui.render.trace import NOTHING, ExchangeNotes, advice, short_path

LABEL = 12
MESSAGE_LINES = 6
LARGEST_BODY = 8 * 1024 * 1024
PHRASES = {
    200: "OK", 201: "Created", 202: "Accepted", 204: "No Content", 302: "Found", 304: "Not Modified",
    400: "Bad Request", 401: "Unauthorized", 402: "Payment Required", 403: "Forbidden", 404: "Not Found",
    409: "Conflict", 410: "Gone", 413: "Content Too Large", 422: "Unprocessable", 429: "Too Many Requests",
    500: "Server Error", 502: "Bad Gateway", 503: "Unavailable", 504: "Gateway Timeout",
}  # fmt: skip


def exchange_title(exchange: Exchange, now: Instant, width: int) -> Line:
    """Return the request line, the status, the duration and the size, with the time at the right."""
    status, role = "no response", Role.UNREACHABLE
    if exchange.http_status is not None:
        status = f"{exchange.http_status} {PHRASES.get(exchange.http_status, '')}".rstrip()
        wrong = exchange.http_status >= 400 or exchange.problem is not None
        role = Role.FAILED if wrong else Role.STRONG
    size = f"  {humanize.format_size(exchange.size)}" if exchange.size else ""
    tail: Line = ((f"  {status}", role), (f"  {humanize.format_latency(exchange.duration)}{size}", Role.DIM))
    at: Line = ((humanize.format_recent(exchange.started.us, now), Role.DIM), (" ", Role.TEXT))
    room = width - sum(width_of(text) for text, _ in (*tail, *at)) - len(exchange.method[:7]) - 4
    path = short_path(exchange.url, max(10, room)) if exchange.url else "request not recorded"
    return justify(((f" {clean(exchange.method[:7])} ", Role.DIM), (path, Role.STRONG), *tail), at, width)


def exchange_lines(
    exchange: Exchange, content: ExchangeContent | None, now: Instant, width: int, notes: ExchangeNotes = NOTHING
) -> list[Line]:
    """Return the lines above the body: IDs, quota, the change or problem, and headers."""
    lines: list[Line] = []
    for label, value in (
        ("request ID", exchange.request_id),
        ("in the body", exchange.body_request_id if exchange.body_request_id != exchange.request_id else None),
        ("trace ID", exchange.trace_id),
    ):
        if value:
            lines.append(((label.ljust(LABEL), Role.DIM), (clean(value[:256]), Role.ID)))
    if exchange.support_id is None:
        reason = "none: no response" if exchange.http_status is None else "none in the response"
        lines.append((("request ID".ljust(LABEL), Role.DIM), (reason, Role.DIM)))
    windows = () if content is None else content.windows
    lines += [_labelled("quota", quota, width, Role.TEXT) for one in windows if (quota := describe_window(one))]
    problem = exchange.problem
    if problem is not None:
        text = f"{problem.kind.label}: {problem.message}"
        first, *rest = wrap(text, width - LABEL, most=MESSAGE_LINES)
        lines.append((("problem".ljust(LABEL), Role.DIM), (first, Role.FAILED)))
        lines += [((" " * LABEL + line, Role.FAILED),) for line in rest]
        lines.append(_labelled("", advice(problem, exchange, now), width, Role.TEXT))
    else:
        changed = notes.words.get(exchange.id, "")
        lines.append(_labelled("changed", changed or "nothing", width, Role.STRONG if changed else Role.DIM))
    if exchange.job is None:
        lines.append(_labelled("list", "a response about many jobs, including this one", width, Role.DIM))
    headers = () if content is None else content.headers
    label = "headers"
    for line in _flow([f"{name} {clean(value[:256])}" for name, value in headers if name != "date"], width - LABEL):
        lines.append(((label.ljust(LABEL), Role.DIM), (line, Role.DIM)))
        label = ""
    return [truncate_line(line, width) for line in (*lines, EMPTY)]


def missing_body(exchange: Exchange, content: ExchangeContent | None, *, past: bool = False) -> str:
    """Return why there is no body to show; empty if there is one."""
    if content is not None and content.body:
        return ""
    if exchange.http_status is None:
        return "no response, so no body"
    if content is not None and content.body is None and exchange.size > LARGEST_BODY:
        return f"body not kept: {humanize.format_size(exchange.size)} is too large"
    if content is not None:
        return "body not kept" if exchange.size else "the response had no body"
    if past:
        return "body not recorded"
    if exchange.job is None:
        return "body not in memory: a list's body is kept only if a job's state changed"
    return "body not in memory: evicted, or received in an earlier session or by another jobdeck"


def body_heading(exchange: Exchange, body: bytes, *, raw: bool) -> Line:
    """Return the line above the body: how it is shown, and whether it is complete."""
    shown = "as received" if raw else "body"
    cut = ""
    if exchange.problem is not None and len(body) < exchange.size:
        cut = f"  the first {humanize.format_size(len(body))} of {humanize.format_size(exchange.size)}"
    return ((f"{shown} ", Role.DIM), (humanize.format_size(len(body)), Role.TEXT), (cut, Role.WARN))


def received_lines(text: str, width: int) -> list[Line]:
    """Return a body as received, wrapped to the width."""
    return [((line, Role.TEXT),) for line in wrap(text, width, most=LINE_LIMIT)]


def is_json(text: str) -> bool:
    """Whether a body looks like a JSON object or array."""
    return text.lstrip()[:1] in {"{", "["}


def describe_window(window: RateWindow) -> str:
    """Return a response's rate limit in words: ``279 of 600 left, resets in 12s``; empty if it had none."""
    if window.remaining is None and window.limit is None:
        return ""
    limit = "" if window.limit is None else f"{window.limit:,}"
    left = f"{limit} allowed" if window.remaining is None else f"{window.remaining:,} left"
    if window.remaining is not None and limit:
        left = f"{window.remaining:,} of {limit} left"
    name = f"{clean(window.name[:40])}: " if window.name else ""
    per = f" per {humanize.format_duration(window.window)}" if window.window else ""
    reset = (
        f", resets in {humanize.format_duration(window.reset_after)}"
        if window.reset_after is not None and window.exact
        else ""
    )
    return f"{name}{left}{per}{reset}"


def _labelled(label: str, text: str, width: int, role: Role) -> Line:
    return truncate_line(((label.ljust(LABEL), Role.DIM), (clean(text[:1_024]), role)), width)


def _flow(parts: Iterable[str], width: int) -> list[str]:
    """Return parts in lines, as many per line as fit."""
    lines: list[str] = []
    for part in parts:
        joined = f"{lines[-1]} · {part}" if lines else part
        if lines and width_of(joined) <= width:
            lines[-1] = joined
        else:
            lines.append(part)
    return lines
