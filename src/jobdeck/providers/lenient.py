"""Field types that never lose an answer: an optional field of an odd type is as if it were not there."""

import math
import re
from datetime import UTC, datetime, timedelta
from typing import Annotated, TypeAlias

from pydantic import BeforeValidator

from jobdeck.domain.job import JobError
from jobdeck.domain.text import CELL_LIMIT, clean, one_line
from jobdeck.providers.json_text import json_text

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_DATE_TIME = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d(?::\d\d(?:\.\d{1,9})?)?(?:[Zz]|[+-]\d\d:?\d\d)?", re.ASCII)
_LONG_INTEGER = 64
_LAST_US = 253_402_300_800 * 1_000_000 - 1


def text(value: object) -> str | None:
    """Return a string or a number as a clean string of at most 256 characters; None for all else and for blanks."""
    match value:
        case str():
            return clean(value, limit=CELL_LIMIT) if value.strip() else None
        case bool():
            return None
        case int():
            return str(value) if value.bit_length() <= _LONG_INTEGER else None
        case float():
            return str(value) if math.isfinite(value) else None
        case _:
            return None


def fraction(value: object) -> float | None:
    """Return a number as a fraction clamped to 0–1; None for all else, NaN, the infinities and booleans included."""
    return _scaled(value, 1)


def percent(value: object) -> float | None:
    """Return a number of per cent as a fraction clamped to 0–1; None for all else, as `fraction`."""
    return _scaled(value, 100)


def moment(value: object) -> int | None:
    """Return an RFC 3339 time as microseconds since the epoch, UTC when it names no zone; None for all else."""
    if not isinstance(value, str) or not _DATE_TIME.fullmatch(value):
        return None
    try:
        parsed = datetime.fromisoformat(value.upper())
    except ValueError:
        return None
    us = ((parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)) - _EPOCH) // _MICROSECOND
    # Some servers write the year 1 for "not yet", and a zone can lead out of the year 9999.
    return us if 0 <= us <= _LAST_US else None


def epoch(value: object, microseconds: int) -> int | None:
    """Return a number of units of so many `microseconds` since the epoch as microseconds; None for all else.

    Negative numbers, and those beyond the year 9999, are no moments.
    """
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    if not 0 <= value <= _LAST_US / microseconds:
        return None
    return round(value * microseconds)


def job_error(value: object) -> JobError | None:
    """Return a job's failure, of whatever shape: code and message where they are, all the rest kept as details."""
    match value:
        case None | False | "":
            return None
        case str():
            return JobError(message=one_line(value) or None)
        case dict():
            code, message = text(value.get("code")), value.get("message")
            said = one_line(message) or None if isinstance(message, str) else None
            taken = {name for name, found in (("code", code), ("message", said)) if found is not None}
            rest = {name: part for name, part in value.items() if name not in taken and part is not None}
            if not (taken or rest):
                return None
            # What a server calls its details are the details, and not an object with them in it.
            details = rest["details"] if rest.keys() == {"details"} else rest
            return JobError(code, said, json_text(details) if rest else None)
        case list():
            words = [one_line(item, CELL_LIMIT) for item in value[:20] if isinstance(item, str)]
            return JobError(message="; ".join(words) or None, details=json_text(value)) if value else None
        case _:
            return JobError(details=json_text(value))


def _scaled(value: object, whole: int) -> float | None:
    if (
        isinstance(value, bool)
        or not isinstance(value, int | float)
        or (isinstance(value, float) and not math.isfinite(value))
    ):
        return None
    # A server's -0.0 is no other zero.
    return min(max(value, 0), whole) / whole + 0.0


Text: TypeAlias = Annotated[str | None, BeforeValidator(text)]
Fraction: TypeAlias = Annotated[float | None, BeforeValidator(fraction)]
Percent: TypeAlias = Annotated[float | None, BeforeValidator(percent)]
Moment: TypeAlias = Annotated[int | None, BeforeValidator(moment)]
