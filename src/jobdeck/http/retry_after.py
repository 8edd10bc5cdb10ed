"""The wait that a server requests: by ``Retry-After`` and similar headers, or by fields of error bodies."""

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import lru_cache

from jobdeck.scheduling.backoff import clamp_delay

NUMBER = re.compile(r"[0-9]{1,30}(?:\.[0-9]{1,30})?", re.ASCII)
"""`int()` and `float()` alone would accept ``1_000``, ``1e3``, ``nan`` and Arabic digits."""

DAY = 86_400.0
MONTH = 31 * DAY
_ANY_EPOCH = 1e9
EPOCH_SCALES = (1.0, 1e3, 1e6, 1e9)
"""A moment written as a number counts seconds, milliseconds, microseconds or nanoseconds since 1970."""

_PIECE = r"[0-9]{1,12}(?:\.[0-9]{1,12})?"
_GO_PART = re.compile(rf"({_PIECE})(ms|us|µs|ns|d|h|m|s)")
_GO = re.compile(rf"(?:{_PIECE}(?:ms|us|µs|ns|d|h|m|s)){{1,8}}", re.ASCII)
_GO_SECONDS = {"d": DAY, "h": 3_600.0, "m": 60.0, "s": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6, "ns": 1e-9}
_ISO_LENGTH = re.compile(
    rf"P(?!$)(?:({_PIECE})W)?(?:({_PIECE})D)?(?:T(?!$)(?:({_PIECE})H)?(?:({_PIECE})M)?(?:({_PIECE})S)?)?", re.ASCII
)
_HTTP_DATE = re.compile(r"[A-Za-z]{3,9},? [A-Za-z0-9 :-]{1,30}(?: GMT|:[0-9]{2} [0-9]{4})", re.ASCII)
"""The common pattern of the three forms: the mail parser alone would accept underscores, Arabic digits and any zone."""

_ISO_SECONDS = (7 * DAY, DAY, 3_600.0, 60.0, 1.0)
_ISO_MOMENT = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,9})?(?:[Zz]|[+-][0-9]{2}:?[0-9]{2})?",
    re.ASCII,
)


def parse_length(text: str) -> float | None:
    """Return the seconds of ``6m0s``, ``1m30.5s``, ``12ms`` (Go) or ``PT1M30S`` (ISO 8601); None for any other text."""
    if _GO.fullmatch(text):
        return sum(float(count) * _GO_SECONDS[unit] for count, unit in _GO_PART.findall(text))
    iso = _ISO_LENGTH.fullmatch(text)
    if iso is None:
        return None
    return sum(float(count) * seconds for count, seconds in zip(iso.groups(), _ISO_SECONDS, strict=True) if count)


def parse_http_date(text: str) -> float | None:
    """Return the seconds since the epoch of an HTTP date (RFC 9110, section 5.6.7: all three forms), else None."""
    text = text.strip(" \t")
    return _parse_date(text) if _HTTP_DATE.fullmatch(text) else None


@lru_cache(maxsize=16)
def _parse_date(text: str) -> float | None:
    """Return the same of a text that has the shape of one; an answer's own date is asked for by several."""
    try:
        # Second 60 is a leap second, which datetime rejects.
        moment = parsedate_to_datetime(text.replace(":60 ", ":59 "))
        return (moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return None


def parse_moment(text: str) -> float | None:
    """Return the seconds since the epoch of an HTTP date or an ISO 8601 date (UTC if it has no zone), else None."""
    if not _ISO_MOMENT.fullmatch(text):
        return parse_http_date(text)
    try:
        moment = datetime.fromisoformat(text.upper())
        return (moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return None


def seconds_to_epoch(value: float, moment: float) -> float | None:
    """Return the seconds from `moment` to `value` if that is a moment, in whatever unit; None if it is not.

    It is a moment if it lies between a day before and a month after `moment`: no length of time is such a number.
    """
    if moment < MONTH:
        return None
    for scale in EPOCH_SCALES:
        after = value / scale - moment
        if -DAY <= after <= MONTH:
            return after
    return None


def parse_delay(text: str, moment: float) -> float | None:
    """Return the delay that a text means, in seconds from `moment` (since the epoch), at least 0; None if it is none.

    The text may be a number of seconds, a length of time, a date of any form, or a moment as a number.
    """
    if NUMBER.fullmatch(text):
        value = float(text)
        after = seconds_to_epoch(value, moment)
        if after is None:
            # No server means such a length of time: it is a moment long past.
            return 0.0 if _ANY_EPOCH <= value < moment else value
        return max(0.0, after)
    length = parse_length(text)
    if length is not None:
        return length
    until = parse_moment(text)
    # A date in the past asks for no wait.
    return None if until is None else max(0.0, until - moment)


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
