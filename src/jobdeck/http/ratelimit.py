"""Parsing the rate limits in headers: ``X-RateLimit-*`` of any dialect, and the fields of the IETF drafts."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Literal, TypeAlias

from jobdeck.domain.ratelimit import RateWindow
from jobdeck.http.retry_after import DAY, MONTH, NUMBER, answered_at, parse_length, parse_moment, seconds_to_epoch

Kind: TypeAlias = Literal["limit", "remaining", "used", "reset", "window", "plain"]

_KINDS: dict[str, Kind] = {
    "limit": "limit",
    "quota": "limit",
    "max": "limit",
    "remaining": "remaining",
    "available": "remaining",
    "used": "used",
    "observed": "used",
    "count": "used",
    "reset": "reset",
    "resets": "reset",
    "resettime": "reset",
    "resetafter": "reset",
    "window": "window",
    "interval": "window",
    "period": "window",
}
_WINDOWS = {
    **dict.fromkeys(("s", "sec", "second", "seconds", "secondly"), 1.0),
    **dict.fromkeys(("m", "min", "mins", "minute", "minutes", "minutely"), 60.0),
    **dict.fromkeys(("h", "hr", "hour", "hours", "hourly"), 3_600.0),
    **dict.fromkeys(("d", "day", "days", "daily"), DAY),
    **dict.fromkeys(("w", "week", "weeks", "weekly"), 7 * DAY),
    **dict.fromkeys(("month", "months", "monthly"), 30 * DAY),
}
_COUNTED_WINDOW = re.compile(r"([0-9]{1,6})([a-z]{1,9})", re.ASCII)
_SCALES = {
    **dict.fromkeys(("s", "sec", "secs", "seconds"), 1.0),
    **dict.fromkeys(("ms", "msec", "millis", "milliseconds"), 1e-3),
    **dict.fromkeys(("us", "micros", "microseconds"), 1e-6),
    **dict.fromkeys(("ns", "nanos", "nanoseconds"), 1e-9),
}
_FILLERS = frozenset({"at", "time", "date", "timestamp", "epoch", "utc", "on"})
_RELATIVE = frozenset({"after", "in", "resetafter"})
_REQUESTS = frozenset({"requests", "request", "reqs", "req", "calls", "call", "api", "per", "x"})
_NOT_REQUESTS = frozenset(
    {
        *("token", "tokens", "input", "output", "prompt", "completion", "byte", "bytes", "kb", "mb", "gb"),
        *("bandwidth", "size", "cost", "costs", "complexity", "point", "points", "credit", "credits", "weight"),
        *("weights", "char", "chars", "character", "characters", "word", "words", "image", "images", "audio"),
        *("video", "cpu", "compute", "concurrency", "concurrent", "connection", "connections", "unit", "units"),
        *("usd", "spend", "row", "rows", "document", "documents"),
    }
)
_NAME = re.compile(r"[a-z0-9._-]{1,120}", re.ASCII)


@dataclass(frozen=True, slots=True)
class LimitName:
    """The meaning of a header's number."""

    kind: Kind
    # The limit that it belongs to.
    name: str
    # Seconds; None if the header's name does not say.
    window: float | None = None
    # Factor that converts a reset or a length to seconds; None if its unit is not named.
    scale: float | None = None
    # Whether a reset is a length of time, never a moment.
    relative: bool = False
    # Whether the number is a rate.
    per_second: bool = False


def parse_name(header: str) -> LimitName | None:
    """Return the meaning of a header (in lower case) about a limit of requests; None for other headers."""
    return _parse_known_form(header) if _NAME.fullmatch(header) else None


@lru_cache(maxsize=64)
def _parse_known_form(header: str) -> LimitName | None:
    """Return the meaning of a name of at most 120 characters; a server sends the same few with every answer."""
    words = re.split(r"[-_.]", header.replace("rate-limit", "ratelimit").replace("ratelimits", "ratelimit"))
    if "ratelimit" in words:
        at = words.index("ratelimit")
        before, after = words[:at], words[at + 1 :]
    elif words[-2:] == ["call", "limit"]:
        # Shopify's `X-Shopify-Shop-Api-Call-Limit: 32/40`.
        before, after = words[:-2], []
    else:
        return None
    if _NOT_REQUESTS & {*before, *after}:
        return None
    kind: Kind = "plain"
    for word in after:
        if word in _KINDS and (kind == "plain" or word != "limit"):
            kind = _KINDS[word]
    rest = [word for word in (*before, *after) if word not in _REQUESTS and (word in before or word not in _KINDS)]
    scale, window, names = None, None, []
    for word in rest:
        if kind in {"reset", "window"} and word in _SCALES:
            scale = _SCALES[word]
        elif kind == "reset" and word in _FILLERS | _RELATIVE:
            continue
        else:
            window = parse_unit(word) or window
            names.append(word)
    relative = kind == "reset" and bool(_RELATIVE.intersection(after))
    if relative and scale is None:
        scale = 1.0
    return LimitName(kind, "-".join(names)[:64], window, scale, relative, "amzn" in before)


def parse_unit(word: str) -> float | None:
    """Return the seconds of ``second``, ``hour``, ``daily``, ``1m``, ``15min``; None for any other word."""
    if word in _WINDOWS:
        return _WINDOWS[word]
    match = _COUNTED_WINDOW.fullmatch(word)
    unit = _WINDOWS.get(match[2]) if match else None
    return int(match[1]) * unit or None if match and unit else None


_ITEM = re.compile(r'(?:[^",;]|"(?:[^"\\]|\\.)*")+|[,;]')
_WORD = re.compile(r'"?([A-Za-z0-9_.:/-]{1,64})"?', re.ASCII)
_RATE = re.compile(
    r"([0-9]{1,15}(?:\.[0-9]{1,9})?)\s*(?:[a-z]{0,12}\s*)(?:/|:|\bper\b)\s*([0-9]{1,15}\s*[a-z]{0,12}|[a-z]{1,12})",
    re.ASCII | re.IGNORECASE,
)
"""``100/60``, ``100:60``, ``5/s``, ``100 requests per hour``."""

CERTAIN = 60.0
"""Largest bare number that counts as seconds of a reset: a larger one may be in milliseconds, and a smaller one does no
harm if it is."""

_ANY_EPOCH = 1e9
_MAX_COUNT = 10**9
_MAX_WINDOWS = 16
_MAX_VALUE = 1_024
_NAMES = frozenset({"x-ratelimit-resource", "ratelimit-name", "x-ratelimit-name", "x-ratelimit-bucket"})
_REQUEST_UNITS = frozenset({"requests", "request"})


@dataclass(frozen=True, slots=True)
class _Found:
    """The contents of one header: a window, and how many of its requests are `used` if it says so."""

    window: RateWindow
    used: int | None = None


def parse_windows(headers: Iterable[tuple[str, str]], now: float) -> tuple[RateWindow, ...]:
    """Return the announced limits of requests, of at most 16 names; never raises, whatever the headers contain.

    `now` is in seconds since the epoch. Resets may be lengths of time or moments in any form; a moment is relative to
    the answer's own ``Date`` header if it has one. Limits of tokens, bytes or cost are left out.
    """
    pairs = [(name.lower(), value.strip()) for name, value in headers if len(value) <= _MAX_VALUE]
    # In every name that is looked for; most answers have none of them.
    limits = [(name, value) for name, value in pairs if "limit" in name]
    if not limits:
        return ()
    moment = answered_at(pairs, now)
    default_name = next(
        (match[1] for name, value in limits if name in _NAMES and (match := _WORD.fullmatch(value))), ""
    )
    other = _not_requests(value for name, value in limits if name in {"ratelimit-policy", "x-ratelimit-policy"})
    by_name: dict[str, RateWindow] = {}
    used: dict[str, int] = {}
    for name, value in limits:
        for found in _found(name, value, moment):
            window = found.window
            if default_name and not window.name:
                window = replace(window, name=default_name)
            if window.name in other:
                continue
            if window.name in by_name:
                by_name[window.name] = _merged(by_name[window.name], window)
            elif len(by_name) < _MAX_WINDOWS:
                by_name[window.name] = window
            if found.used is not None:
                used[window.name] = max(found.used, used.get(window.name, 0))
    windows = _joined([_with_used(window, used.get(name)) for name, window in by_name.items()])
    # Without numbers, the length of a window limits nothing; used as our window, it spread a minute's requests over it.
    return tuple(one for one in windows if (one.limit, one.remaining, one.reset_after) != (None, None, None))


def _found(name: str, value: str, moment: float) -> Iterator[_Found]:
    if name in {"ratelimit", "ratelimit-policy", "x-ratelimit-policy"}:
        yield from map(_Found, _draft(value))
        return
    field = parse_name(name)
    if field is None:
        return
    items = list(_split(value)) if field.kind != "reset" or parse_moment(value) is None else [[value]]
    several = len(items) > 1 and not any(len(item) > 1 for item in items)
    for index, (head, *rest) in enumerate(items):
        suffix = f"{field.name}#{index}" if several else field.name
        if field.kind == "reset":
            after, exact = _reset(head, moment, field)
            if after is not None:
                yield _Found(RateWindow(reset_after=after, name=suffix, exact=exact))
        elif field.kind == "window":
            length = parse_unit(head.lower()) or parse_length(head) or (_seconds(head) or 0.0) * (field.scale or 1.0)
            if length:
                yield _Found(RateWindow(window=_capped(length), name=suffix))
        else:
            yield from _counted(field, head, dict(filter(None, map(_pair, rest))), suffix, first=index == 0)


def _counted(field: LimitName, head: str, params: dict[str, str], name: str, *, first: bool) -> Iterator[_Found]:
    """Yield the contents of one item of a header with counts: ``100``, ``100;w=60``, ``5/s``, ``32/40``."""
    window = _seconds(params.get("w")) or field.window
    count = _count(head)
    if count is None:
        yield from _rated(field, head, window, name)
    elif field.kind == "remaining":
        yield _Found(RateWindow(remaining=count, window=field.window, name=name))
    elif field.kind == "used":
        yield _Found(RateWindow(window=field.window, name=name), used=count)
    elif field.kind == "limit" and field.per_second:
        rate = float(head)
        if rate > 0:
            yield _Found(RateWindow(max(1, int(rate)), window=_capped(max(1, int(rate)) / rate), name=name))
    elif field.kind == "limit" or field.window is not None:
        # The first of several policies is the one that applies; the others get a name with their length.
        own = name if first or not params.get("w") else f"{name}{'-' if name else ''}{params['w']}s"
        yield _Found(RateWindow(count, window=window, name=own))


def _rated(field: LimitName, head: str, window: float | None, name: str) -> Iterator[_Found]:
    """Yield the meaning of two numbers: a limit and its window, or used or remaining requests and the limit."""
    match = _RATE.fullmatch(head)
    if match is None:
        return
    one, unit = float(match[1]), match[2].replace(" ", "")
    other = float(unit) if NUMBER.fullmatch(unit) else None
    count = min(int(one), _MAX_COUNT)
    if other is None:
        per = parse_unit(unit.lower())
        if per is not None and one > 0 and field.kind in {"limit", "plain"}:
            yield _Found(RateWindow(max(1, count), window=_capped(per * max(1, count) / one), name=name))
        return
    most = min(int(other), _MAX_COUNT)
    if ":" in head and other > 0:
        # Riot's `20:1,100:120` for limits, and `3:1,7:120` for used requests.
        own, length = f"{field.name}-{most}s", _capped(other)
        yield _Found(
            RateWindow(None if field.kind == "used" else max(1, count), window=length, name=own),
            used=count if field.kind == "used" else None,
        )
    elif field.kind == "remaining":
        yield _Found(RateWindow(most, min(count, most), window=window, name=name))
    elif field.kind == "used" or one <= other:
        yield _Found(RateWindow(most, window=window, name=name), used=count)
    elif one > 0 and other > 0:
        yield _Found(RateWindow(count, window=_capped(other), name=f"{name}{'-' if name else ''}{most}s"))


def _draft(value: str) -> Iterator[RateWindow]:
    """Yield the windows of ``"poll";q=300;w=60``, ``"poll";r=38;t=12`` and ``limit=300, remaining=38, reset=12``."""
    plain: dict[str, str] = {}
    items = list(_split(value))
    bare = sum(_count(head) is not None for head, *_ in items)
    for head, *rest in items:
        params = dict(filter(None, map(_pair, rest)))
        pair = _pair(head)
        if pair is not None:
            plain = {**dict([pair]), **params, **plain}
        elif _count(head) is not None:
            yield _of({"q": head, **params}, f"{params['w']}s" if bare > 1 and "w" in params else "")
        elif (word := _WORD.match(head)) is not None:
            yield _of(params, word[1])
    names = {"limit": "q", "remaining": "r", "reset": "t", "q": "q", "r": "r", "t": "t", "w": "w"}
    params = {names[name]: text for name, text in plain.items() if name in names}
    if params:
        yield _of(params, "")


def _not_requests(policies: Iterable[str]) -> frozenset[str]:
    """Return the names of policies that do not count requests, by their quota unit."""
    names: set[str] = set()
    for value in policies:
        for head, *rest in _split(value):
            unit = dict(filter(None, map(_quoted_pair, rest))).get("qu")
            if unit is not None and unit not in _REQUEST_UNITS and (word := _WORD.match(head)) is not None:
                names.add(word[1])
    return frozenset(names)


def _split(value: str) -> Iterator[list[str]]:
    item = [""]
    for piece in _ITEM.findall(value):
        if piece == ",":
            yield item
            item = [""]
        elif piece == ";":
            item.append("")
        else:
            item[-1] += piece.strip()
    yield item


def _pair(text: str) -> tuple[str, str] | None:
    name, equals, value = text.partition("=")
    return (name.strip().lower(), value.strip()) if equals and '"' not in text else None


def _quoted_pair(text: str) -> tuple[str, str] | None:
    name, equals, value = text.partition("=")
    return (name.strip().lower(), value.strip().strip('"').lower()) if equals else None


def _of(params: dict[str, str], name: str) -> RateWindow:
    limit, remaining = _count(params.get("q")), _count(params.get("r"))
    return RateWindow(limit, remaining, _seconds(params.get("t")), _seconds(params.get("w")), name)


def _count(text: str | None) -> int | None:
    return min(int(text.partition(".")[0]), _MAX_COUNT) if text is not None and NUMBER.fullmatch(text) else None


def _seconds(text: str | None) -> float | None:
    return _capped(float(text)) if text is not None and NUMBER.fullmatch(text) else None


def _reset(text: str, moment: float, field: LimitName) -> tuple[float | None, bool]:
    """Return the seconds to a reset (None: invalid) and True; or a bare number of an uncertain unit and False."""
    if not NUMBER.fullmatch(text):
        length = parse_length(text)
        if length is not None:
            return _capped(length), True
        date = parse_moment(text)
        return (None if date is None else _capped(date - moment)), True
    value = float(text)
    after = None if field.relative else seconds_to_epoch(value, moment)
    if after is not None:
        return _capped(after), True
    if field.scale is not None:
        return _capped(value * field.scale), True
    if _ANY_EPOCH <= value < moment:
        return 0.0, True
    return value, value <= CERTAIN


def _capped(seconds: float) -> float:
    return min(max(seconds, 0.0), MONTH)


def _with_used(window: RateWindow, used: int | None) -> RateWindow:
    if used is None or window.limit is None or window.remaining is not None:
        return window
    return replace(window, remaining=max(0, window.limit - used))


def _joined(windows: list[RateWindow]) -> list[RateWindow]:
    """Merge each window without a length into one with the same limit and a length: the server announced it twice."""
    joined = list(windows)
    for window in windows:
        if window.window is not None or window.limit is None:
            continue
        same = [
            other
            for other in joined
            if other.window
            and other.limit == window.limit
            and other.window >= (window.reset_after or 0.0) * window.exact
        ]
        best = min(same, key=lambda other: other.window or 0.0, default=None)
        if best is not None:
            joined[joined.index(best)] = replace(_merged(best, window), name=window.name)
            joined.remove(window)
    return joined


def _merged(first: RateWindow, second: RateWindow) -> RateWindow:
    """Return two windows as one, with the tighter limit and remainder of both."""
    return RateWindow(
        limit=_tighter(first.limit, second.limit),
        remaining=_tighter(first.remaining, second.remaining),
        reset_after=first.reset_after if first.reset_after is not None else second.reset_after,
        window=first.window if first.window is not None else second.window,
        name=first.name,
        exact=first.exact if first.reset_after is not None else second.exact,
    )


def _tighter(one: int | None, other: int | None) -> int | None:
    return min((value for value in (one, other) if value is not None), default=None)
