"""Dates as HTTP writes them, read without trust."""

import re
from datetime import UTC, datetime

_MONTHS = {
    name: number
    for number, name in enumerate(
        ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"), start=1
    )
}
_TIME = r"(?P<hour>\d{2}):(?P<minute>\d{2}):(?P<second>\d{2})"
_FORMS = tuple(
    re.compile(form, re.ASCII)
    for form in (
        rf"[A-Za-z]{{3}}, (?P<day>\d{{2}}) (?P<month>[A-Za-z]{{3}}) (?P<year>\d{{4}}) {_TIME} GMT",
        rf"[A-Za-z]{{6,9}}, (?P<day>\d{{2}})-(?P<month>[A-Za-z]{{3}})-(?P<year>\d{{2}}) {_TIME} GMT",
        rf"[A-Za-z]{{3}} (?P<month>[A-Za-z]{{3}}) (?P<day>[ \d]\d) {_TIME} (?P<year>\d{{4}})",
    )
)


def parse_http_date(text: str) -> float | None:
    """Return the seconds since the epoch of an HTTP date (RFC 9110, section 5.6.7: all three forms), else None."""
    for form in _FORMS:
        match = form.fullmatch(text.strip(" \t"))
        if match is None:
            continue
        month = _MONTHS.get(match["month"].lower())
        year = int(match["year"])
        if month is None:
            return None
        if len(match["year"]) == 2:
            year += 1900 if year >= 70 else 2000
        try:
            # 60 is a leap second, which datetime does not know.
            second = min(int(match["second"]), 59)
            moment = datetime(
                year, month, int(match["day"]), int(match["hour"]), int(match["minute"]), second, tzinfo=UTC
            )
        except ValueError:
            return None
        return moment.timestamp()
    return None
