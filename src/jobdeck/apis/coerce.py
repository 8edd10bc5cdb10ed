"""Converting values of foreign JSON to the types of fields; a value of a wrong type counts as missing. Never raises."""

import math
import re
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from urllib.parse import parse_qs

from jobdeck.apis.spec import ProgressUnit, TimeUnit
from jobdeck.domain.text import CELL_LIMIT, clean
from jobdeck.http.marker import is_partial

MAX_CURSOR = 2_048
MAX_TIME = 40
"""Most characters of a time; one with nanoseconds and a zone has 35."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_DATE_TIME = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d(?::\d\d(?:\.\d{1,9})?)?(?:[Zz]|[+-]\d\d:?\d\d)?", re.ASCII)
_LONG_INTEGER = 64
_SHORT = 64
_LAST_US = 253_402_300_800 * 1_000_000 - 1
_NUMBER = re.compile(r"[+-]?[0-9]{1,20}(?:\.[0-9]{1,20})?")
_RATIO = re.compile(r"([0-9]{1,20}) ?/ ?([0-9]{1,20})")
_PAGE_URL = re.compile(r"(?:https?://|/)[^?#]*\?")
_LINK = re.compile(r"<([^<>]*)>([^<]*)")
_FIRST_SECOND = 1e8
_NO_FRACTION = 1.5
"""A larger number is no fraction that overshot, but in another unit; it would be shown as 100 %."""


def text(value: object) -> str | None:
    """Return a string or a number as a clean string of at most 256 characters; None for other values and for blanks."""
    if type(value) is str:
        if len(value) <= _SHORT and value.isascii() and value.isprintable() and value.strip():
            return value
        return clean(value, limit=CELL_LIMIT) if value.strip() else None
    if type(value) is int:
        return str(value) if value.bit_length() <= _LONG_INTEGER else None
    if type(value) is float:
        return str(value) if math.isfinite(value) else None
    return None


def number(value: object) -> int | float | None:
    """Return a finite number, or the number in a text such as ``"41.5"``; None for other values, even booleans."""
    if type(value) is int:
        return value
    if type(value) is float:
        return value if math.isfinite(value) else None
    if type(value) is str and _NUMBER.fullmatch(found := value.strip()):
        return float(found) if "." in found else int(found)
    return None


def total(values: list[object]) -> int | float | None:
    """Return the sum of numbers and lengths of lists; None if a value is neither, or there are no values.

    A list of which a part was dropped cannot be counted.
    """
    counted = [_length(value) if isinstance(value, list) else number(value) for value in values]
    valid = [value for value in counted if value is not None]
    if not valid or len(valid) < len(counted):
        return None
    try:
        found = sum(valid)
    except OverflowError:
        return None
    return found if isinstance(found, int) or math.isfinite(found) else None


def _length(value: list[object]) -> int | None:
    return None if is_partial(value) else len(value)


def share(value: float | None, total: float | None) -> float | None:
    """Return a count and its total as a fraction within 0–1; None if either is None, or the total is not positive."""
    if value is None or total is None or not total > 0:
        return None
    try:
        return _clamp(value / total)
    except OverflowError:
        return None


def progress(unit: ProgressUnit, value: object) -> float | None:
    """Return one value as a fraction within 0–1; None if it is none in that unit, and for a count."""
    # By identity: comparing these enum members as texts takes longer than all the rest.
    if unit is ProgressUnit.FRACTION:
        found = number(value)
        return None if found is None or found > _NO_FRACTION else _clamp(found)
    if unit is ProgressUnit.PERCENT:
        found = number(value.strip().removesuffix("%") if type(value) is str else value)
        return None if found is None else _clamp(min(max(found, 0), 100) / 100)
    if unit is ProgressUnit.RATIO:
        match = _RATIO.fullmatch(value.strip()) if type(value) is str else None
        return share(int(match[1]), int(match[2])) if match else None
    return None


def moment(unit: TimeUnit, value: object) -> int | None:
    """Return a time as microseconds since the epoch; None if it is none in that unit.

    `TimeUnit.AUTO` reads a number as seconds, milliseconds, microseconds or nanoseconds by its size: each unit covers
    only the years 1973 to 5138.
    """
    if unit is TimeUnit.AUTO or unit is TimeUnit.RFC3339:
        found = rfc3339(value)
        if found is not None or unit is TimeUnit.RFC3339:
            return found
    count = number(value)
    if count is None or not (_FIRST_SECOND if unit is TimeUnit.AUTO else 0) <= count:
        return None
    if unit is TimeUnit.SECONDS:
        microseconds = 1e6
    elif unit is TimeUnit.MILLISECONDS:
        microseconds = 1e3
    else:
        microseconds = 1e6 if count < 1e11 else 1e3 if count < 1e14 else 1 if count < 1e17 else 1e-3
    return round(count * microseconds) if count <= _LAST_US / microseconds else None


def rfc3339(value: object) -> int | None:
    """Return an RFC 3339 time as microseconds since the epoch, in UTC if it has no zone; None for other values."""
    return _parse_time(value) if isinstance(value, str) and len(value) <= MAX_TIME else None


@lru_cache(maxsize=4_096)
def _parse_time(value: str) -> int | None:
    """Parse a time; cached, since each poll repeats most times: without the cache, a third of the time to read it."""
    if not _DATE_TIME.fullmatch(value):
        return None
    try:
        parsed = datetime.fromisoformat(value.upper())
    except ValueError:
        return None
    us = ((parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)) - _EPOCH) // _MICROSECOND
    # Some servers write the year 1 for "not yet", and a zone can move a time past the year 9999.
    return us if 0 <= us <= _LAST_US else None


def cursor(value: object, parameter: str) -> str | None:
    """Return the cursor of a list's next page; None if there is none, or none that can be sent back.

    A number counts as its digits; in a URL, or a path with a query, the cursor is the value of `parameter`.
    """
    if type(value) is int and 0 < value.bit_length() <= _LONG_INTEGER:
        return str(value)
    if not isinstance(value, str):
        return None
    if parameter and _PAGE_URL.match(value):
        query = value.partition("?")[2].partition("#")[0]
        try:
            value = parse_qs(query, max_num_fields=100).get(parameter, [""])[0]
        except ValueError:
            return None
    return value if 0 < len(value) <= MAX_CURSOR else None


def next_link(header: str) -> str | None:
    """Return the target of ``rel="next"`` in a Link header (RFC 8288); None without one."""
    for target, parameters in _LINK.findall(header[:16_384]):
        names = parameters.replace(" ", "").replace('"', "").lower().rstrip(",").split(";")
        if "rel=next" in names:
            return str(target)
    return None


def _clamp(value: float) -> float:
    # Adding 0.0 makes a server's -0.0 positive.
    return min(max(value, 0.0), 1.0) + 0.0
