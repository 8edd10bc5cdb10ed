"""The wait that a server requests: by ``Retry-After`` and similar headers, or by fields of error bodies."""

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from jobdeck.http.delays import MONTH, NUMBER, parse_delay, parse_http_date, seconds_to_epoch
from jobdeck.scheduling.backoff import clamp_delay

_HEADER = re.compile(r"(?:[a-z0-9]{1,40}-){0,5}?retry-?(?:after|in)(?:-(.{1,64}))?", re.ASCII)
_MILLISECONDS = frozenset({"ms", "msec", "millis", "millisecond", "milliseconds"})
_BODY_SECONDS = re.compile(r"retry(?:after|delay|in)(?:(?:in)?(?:s|secs?|seconds?))?", re.ASCII)
_BODY_MILLISECONDS = re.compile(r"retry(?:after|delay|in)(?:in)?(?:ms|msecs?|millis(?:econds?)?)", re.ASCII)
_MAX_VALUE = 256
_MAX_NODES = 200
"""Most values of an error body that are searched for a wait: it is near the top."""


@dataclass(frozen=True, slots=True)
class RetryAfter:
    """A requested wait in seconds from the answer: as `requested`, and clamped to 0.2–900 (`seconds`)."""

    requested: float
    seconds: float

    @classmethod
    def of(cls, requested: float) -> "RetryAfter":
        """Return a requested wait, and clamp it."""
        return cls(requested, clamp_delay(requested))

    @property
    def note(self) -> str | None:
        """A note that the wait was clamped; None if it was not."""
        if self.requested == self.seconds:
            return None
        return f"asked to wait {_words(self.requested)}, waiting {_words(self.seconds)}"


def parse_retry_after(value: str, date: str | None, now: float) -> RetryAfter | None:
    """Return the wait in a ``Retry-After`` header: seconds, a length of time, or a date; None for any other text.

    A date is relative to `date`, the answer's own ``Date`` header, because clocks differ; without one, to `now`, in
    seconds since the epoch. Of several values, as proxies join them, the longest counts.
    """
    return _parse(value, answered_at([("date", date or "")], now))


def _parse(value: str, moment: float) -> RetryAfter | None:
    text = value.strip(" \t")
    if len(text) > _MAX_VALUE:
        return None
    found = parse_delay(text, moment)
    if found is None and "," in text:
        each = [parse_delay(part.strip(" \t"), moment) for part in text.split(",")]
        valid = [seconds for seconds in each if seconds is not None]
        found = max(valid) if len(valid) == len(each) else None
    return None if found is None else RetryAfter.of(found)


def find_retry_after(headers: Iterable[tuple[str, str]], now: float) -> RetryAfter | None:
    """Return the wait that headers (with lower-case names) request; None if none does.

    A header in milliseconds counts first, as the most exact, then ``Retry-After`` itself, then similar names:
    ``X-Retry-After``, or with the name of a throttler, ``Retry-After-poll`` (NestJS). Of equals the longest counts.
    """
    pairs = list(headers)
    asking = [(name, value, match) for name, value in pairs if "retry" in name and (match := _HEADER.fullmatch(name))]
    if not asking:
        return None
    moment = answered_at(pairs, now)
    ranks: tuple[list[RetryAfter], ...] = ([], [], [])
    for name, value, match in asking:
        exact = (match[1] or "").rpartition("-")[2] in _MILLISECONDS
        wait = _milliseconds(value) if exact else _parse(value, moment)
        if wait is not None:
            ranks[0 if exact else 1 if name == "retry-after" else 2].append(wait)
    best = next((waits for waits in ranks if waits), [])
    return max(best, key=lambda wait: wait.requested, default=None)


def answered_at(headers: Iterable[tuple[str, str]], now: float) -> float:
    """Return the answer's ``Date``, in seconds since the epoch by the server's clock; `now` if it has none."""
    dates = (parse_http_date(value) for name, value in headers if name == "date")
    return next((date for date in dates if date is not None), now)


def find_in_body(body: object, moment: float) -> RetryAfter | None:
    """Return the wait near the top of an error body: ``retry_after``, ``retryAfterMs``, RetryInfo's ``retryDelay``.

    A date in it is relative to `moment`, the time of the answer in seconds since the epoch.
    """
    nodes: list[object] = [body]
    for index in range(_MAX_NODES):
        if index == len(nodes):
            break
        node = nodes[index]
        if isinstance(node, list):
            nodes.extend(node[:20])
        if not isinstance(node, Mapping):
            continue
        for name, value in node.items():
            found = _field(name, value, moment)
            if found is not None:
                return RetryAfter.of(found)
        nodes.extend(value for value in node.values() if isinstance(value, dict | list))
    return None


def _field(name: object, value: object, moment: float) -> float | None:
    if not isinstance(name, str) or len(name) > _MAX_VALUE:
        return None
    plain = name.lower().replace("_", "").replace("-", "")
    if _BODY_MILLISECONDS.fullmatch(plain):
        number = _number(value)
        return None if number is None else number / 1e3
    return _seconds(value, moment) if _BODY_SECONDS.fullmatch(plain) else None


def _seconds(value: object, moment: float) -> float | None:
    if isinstance(value, Mapping):
        # google.protobuf.Duration as an object.
        whole, nanos = _number(value.get("seconds", 0)), _number(value.get("nanos", 0))
        return whole + nanos / 1e9 if whole is not None and nanos is not None else None
    if isinstance(value, str):
        return parse_delay(value.strip(), moment) if len(value) <= _MAX_VALUE else None
    number = _number(value)
    after = None if number is None else seconds_to_epoch(number, moment)
    return number if after is None else max(0.0, after)


def _number(value: object) -> float | None:
    if isinstance(value, str):
        return float(value) if NUMBER.fullmatch(value) else None
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) and number >= 0 else None


def _milliseconds(value: str) -> RetryAfter | None:
    text = value.strip(" \t")
    return RetryAfter.of(float(text) / 1e3) if NUMBER.fullmatch(text) else None


def _words(seconds: float) -> str:
    return "more than a month" if seconds > MONTH else f"{seconds:.1f}".removesuffix(".0") + " s"
