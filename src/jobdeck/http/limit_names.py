"""The meaning of the names of rate limit headers: which number a header has, and of which window."""

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal, TypeAlias

from jobdeck.http.delays import DAY

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
