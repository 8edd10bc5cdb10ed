"""How long a server asks to be left alone: ``Retry-After``, its relatives, and the fields of error bodies."""

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
"""Values of an error body that are looked through for a wish: it stands near the top."""


@dataclass(frozen=True, slots=True)
class RetryAfter:
    """`asked` is what the server said, in seconds from its answer; `seconds` the same within 0.2–900."""

    asked: float
    seconds: float

    @classmethod
    def of(cls, asked: float) -> "RetryAfter":
        """Return a wish of so many seconds, clamped."""
        return cls(asked, clamp_delay(asked))

    @property
    def note(self) -> str | None:
        """What to say when the wait is not the one asked for."""
        if self.asked == self.seconds:
            return None
        return f"asked to wait {_words(self.asked)}, waiting {_words(self.seconds)}"


def parse_retry_after(value: str, date: str | None, now: float) -> RetryAfter | None:
    """Return what a ``Retry-After`` header asks for: seconds, a length of time, or a date; None for all else.

    A date is measured against `date`, the answer's own ``Date`` header, because clocks differ; against `now`
    (seconds since the epoch) only when there is none. Of several, as proxies join them, the longest counts.
    """
    return _parse(value, answered_at([("date", date or "")], now))


def _parse(value: str, moment: float) -> RetryAfter | None:
    text = value.strip(" \t")
    if len(text) > _MAX_VALUE:
        return None
    found = parse_delay(text, moment)
    if found is None and "," in text:
        each = [parse_delay(part.strip(" \t"), moment) for part in text.split(",")]
        known = [seconds for seconds in each if seconds is not None]
        found = max(known) if len(known) == len(each) else None
    return None if found is None else RetryAfter.of(found)


def find_retry_after(headers: Iterable[tuple[str, str]], now: float) -> RetryAfter | None:
    """Return what headers (of lower-case names) ask for; None when none does.

    One that names milliseconds is the more exact, then ``Retry-After`` itself counts, then what is called like it:
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
    return max(best, key=lambda wait: wait.asked, default=None)


def answered_at(headers: Iterable[tuple[str, str]], now: float) -> float:
    """Return when an answer was given by the server's own clock, in seconds since the epoch; `now` if it has none."""
    dates = (parse_http_date(value) for name, value in headers if name == "date")
    return next((date for date in dates if date is not None), now)


def find_in_body(body: object, moment: float) -> RetryAfter | None:
    """Return what an error body asks for near its top: ``retry_after``, ``retryAfterMs``, RetryInfo's ``retryDelay``.

    A date in it is measured against `moment`, when the answer was given.
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
        # google.protobuf.Duration, where it is not written as a text.
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
