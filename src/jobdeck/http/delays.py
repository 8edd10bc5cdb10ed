"""Lengths of time and moments as servers write them in headers and error bodies, as seconds after the answer."""

import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import lru_cache

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
