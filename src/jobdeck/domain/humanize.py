"""Numbers and times as text for people: short, of steady width, never more precise than what is known."""

import re

from jobdeck.domain.instant import Instant, date_of

_MINUTE, _HOUR, _DAY = 60, 3_600, 86_400
_UNITS = {"s": 1, "m": _MINUTE, "h": _HOUR, "d": _DAY}
_LENGTH = re.compile(r"(?:\d{1,9}(?:\.\d{1,3})?[smhd]){1,8}", re.ASCII)
_PART = re.compile(r"(\d+(?:\.\d+)?)([smhd])", re.ASCII)


def format_elapsed(seconds: float) -> str:
    """Return how long something took (``0m05s``, ``18m40s``, ``1h04m``, ``4d03h``): at most six cells."""
    whole = max(0, int(seconds))
    if whole < _HOUR:
        return f"{whole // _MINUTE}m{whole % _MINUTE:02d}s"
    if whole < 100 * _HOUR:
        return f"{whole // _HOUR}h{whole % _HOUR // _MINUTE:02d}m"
    days = whole // _DAY
    if days < 100:
        return f"{days}d{whole % _DAY // _HOUR:02d}h"
    return f"{days}d" if days < 1_000 else f"{days // 365}y"


def format_duration(seconds: float) -> str:
    """Return a length of time in running text or as an age (``4s``, ``1m36s``, ``1h04m``)."""
    whole = max(0, int(seconds))
    return f"{whole}s" if whole < _MINUTE else format_elapsed(whole)


def parse_duration(text: str) -> float | None:
    """Return the seconds of a length of time (``90``, ``45s``, ``1h30m``, ``2d``); None for any other text."""
    if re.fullmatch(r"\d{1,9}", text, re.ASCII):
        return float(text)
    if not _LENGTH.fullmatch(text):
        return None
    return sum(float(count) * _UNITS[unit] for count, unit in _PART.findall(text))


def format_latency(seconds: float) -> str:
    """Return the duration of one request (``84ms``, ``1.2s``, ``30s``)."""
    if seconds < 1:
        return f"{max(0, round(seconds * 1_000))}ms"
    return f"{seconds:.1f}s" if seconds < 10 else format_duration(seconds)


def format_eta(low: float, high: float) -> str:
    """Return the range of seconds in which an end is likely (``20–45s``, ``4–7m``, ``<20s``): at most six cells.

    The range is rounded outwards, to steps a reader would use, so that it never looks more precise than it is. Once
    all of it has passed, the text says by how much (``+35s``).
    """
    if high <= -1:
        return f"+{_format_roughly(-high)}"
    step = 1 if high < 10 else 5
    if high <= 90:
        first, last = int(max(low, 0) // step * step), max(1, -int(-high // step * step))
        return f"<{last}s" if first == 0 else f"{first}–{last}s" if first < last else f"~{last}s"
    for size, unit in ((_MINUTE, "m"), (_HOUR, "h"), (_DAY, "d")):
        last = -int(-high // size)
        if last < 90 or unit == "d":
            first = int(max(low, 0) // size)
            if last > 99:
                return ">99d"
            return f"<{last}{unit}" if first == 0 else f"{first}–{last}{unit}" if first < last else f"~{last}{unit}"
    return "?"


def _format_roughly(seconds: float) -> str:
    for size, unit in ((_DAY, "d"), (_HOUR, "h"), (_MINUTE, "m")):
        if seconds >= size:
            return f"{min(int(seconds // size), 999)}{unit}"
    return f"{int(seconds)}s"


def format_time(us: int) -> str:
    """Return the time of day of a moment in UTC (``14:02:00Z``)."""
    moment = date_of(us)
    return f"{moment:%H:%M:%S}Z" if moment else "–"


def format_datetime(us: int) -> str:
    """Return date and time of a moment in UTC (``2026-04-28 15:30:00Z``)."""
    moment = date_of(us)
    return f"{moment:%Y-%m-%d %H:%M:%S}Z" if moment else "–"


def format_recent(us: int, now: Instant) -> str:
    """Return the time of day of a moment, with its date unless it is today."""
    return format_time(us) if _same_day(us, now.us) else format_datetime(us)


def format_moment(us: int, now: Instant, cells: int) -> str:
    """Return a moment as `format_recent` does; if that is wider than `cells`, how long ago it was."""
    moment = format_recent(us, now)
    return moment if len(moment) <= cells else f"{format_duration((now.us - us) / 1e6)} ago"


def format_rate_unit(seconds: float) -> str:
    """Return the unit of a rate: ``s``, ``min``, ``h``, ``day``, or a length of time (``10s``)."""
    names = {1: "s", _MINUTE: "min", _HOUR: "h", _DAY: "day", 7 * _DAY: "week", 30 * _DAY: "month"}
    whole = round(seconds)
    return names.get(whole) or (f"{whole}s" if whole < _MINUTE else format_duration(whole))


def format_percent(fraction: float) -> str:
    """Return a fraction as a percentage: 100% only when it is complete, 0% only when it is zero."""
    if 0.0 < fraction < 0.01:
        return "<1%"
    return f"{int(fraction * 100 + 1e-9)}%"


def format_size(count: int) -> str:
    """Return a number of bytes (``812 B``, ``1.2 kB``, ``8.4 MB``)."""
    if count < 1_000:
        return f"{count} B"
    if count < 1_000_000:
        return f"{count / 1_000:.1f} kB"
    return f"{count / 1_000_000:.{0 if count >= 100_000_000 else 1}f} MB"


def describe_dropped_result(count: int | None) -> str:
    """Return a note on a result of `count` bytes that was too large to keep; empty for None."""
    return "" if count is None else f"result {format_size(count)}, too large to keep"


def describe_evicted_result(count: int | None) -> str:
    """Return a note on a result of size `count` that had to make room for others; empty for None."""
    return "" if count is None else f"result {format_size(count)}, no longer in memory"


def describe_missing_result(dropped: int | None, evicted: int | None) -> str:
    """Return a note on a result of either size that is not at hand; empty where none is missing."""
    return describe_dropped_result(dropped) or describe_evicted_result(evicted)


def pluralize(count: int, noun: str) -> str:
    """Return a count with its noun (``1 job``, ``3 jobs``)."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def _same_day(us: int, other: int) -> bool:
    return us // (_DAY * 1_000_000) == other // (_DAY * 1_000_000)
