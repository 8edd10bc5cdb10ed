"""Numbers, moments and cursors as APIs write them: numbers as texts, several to be added up, a cursor in a URL."""

import math
import re
from urllib.parse import parse_qs

from jobdeck.providers.description import ProgressUnit, TimeUnit
from jobdeck.providers.lenient import epoch, fraction, moment, percent
from jobdeck.providers.reading import cursor_of

_NUMBER = re.compile(r"[+-]?[0-9]{1,20}(?:\.[0-9]{1,20})?")
_RATIO = re.compile(r"([0-9]{1,20}) ?/ ?([0-9]{1,20})")
_PAGE_URL = re.compile(r"(?:https?://|/)[^?#]*\?")
_LONG_INTEGER = 64
_NO_FRACTION = 1.5
"""Beyond it, a number is no fraction that overshot but one in another unit: it would be shown as the whole."""


def number(value: object) -> int | float | None:
    """Return a finite number, or a text that is one such as ``"41.5"``; None for all else, booleans included."""
    if isinstance(value, str) and _NUMBER.fullmatch(value.strip()):
        text = value.strip()
        return float(text) if "." in text else int(text)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return value if isinstance(value, int) or math.isfinite(value) else None


def amount(values: list[object]) -> int | float | None:
    """Return the sum of numbers, each list among them counted by its members; None where one is neither, or none is."""
    counted = [len(value) if isinstance(value, list) else number(value) for value in values]
    known = [value for value in counted if value is not None]
    if not known or len(known) < len(counted):
        return None
    try:
        total = sum(known)
    except OverflowError:
        return None
    return total if isinstance(total, int) or math.isfinite(total) else None


def progress_in(unit: ProgressUnit, value: object) -> float | None:
    """Return one value as a fraction of 1; None where it is none in that unit, and for a count, which has a total."""
    match unit:
        case ProgressUnit.FRACTION:
            found = number(value)
            return None if found is None or found > _NO_FRACTION else fraction(found)
        case ProgressUnit.PERCENT:
            return percent(number(value.strip().removesuffix("%") if isinstance(value, str) else value))
        case ProgressUnit.RATIO:
            match = _RATIO.fullmatch(value.strip()) if isinstance(value, str) else None
            return share(int(match[1]), int(match[2])) if match else None
        case ProgressUnit.COUNT:
            return None


def share(value: float | None, total: float | None) -> float | None:
    """Return a count of a total as a fraction; None where either is none, or there is nothing to count."""
    if value is None or total is None or not total > 0:
        return None
    try:
        return fraction(value / total)
    except OverflowError:
        return None


def moment_in(unit: TimeUnit, value: object) -> int | None:
    """Return a moment as microseconds since the epoch; None where it is none in that unit."""
    match unit:
        case TimeUnit.RFC3339:
            return moment(value)
        case TimeUnit.SECONDS:
            return epoch(number(value), 1_000_000)
        case TimeUnit.MILLISECONDS:
            return epoch(number(value), 1_000)


def page_cursor(value: object, parameter: str | None) -> str | None:
    """Return the cursor of a list's next page; None when there is none, or none that could be sent back.

    A number counts as its digits; of a URL, or a path with a query, the value of `parameter` is the cursor.
    """
    if type(value) is int and 0 < value.bit_length() <= _LONG_INTEGER:
        return str(value)
    if parameter is None or not isinstance(value, str) or not _PAGE_URL.match(value):
        return cursor_of(value)
    query = value.partition("?")[2].partition("#")[0]
    try:
        return cursor_of(parse_qs(query, max_num_fields=100).get(parameter, [None])[0])
    except ValueError:
        return None
