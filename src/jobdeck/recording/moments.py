"""Which moment of a recording a person means: by the clocks of then, from where they are, or as a part of the whole."""

import math
import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime

from jobdeck.domain import words
from jobdeck.domain.instant import Instant

FORMS = "14:02, 14:02:30, +5m, -30s, 50%"
"""What a person may say, by example; beside it a date before the time, and so long after the beginning (5m)."""

_DAY = 86_400.0
_UNITS = {"d": 86_400.0, "h": 3_600.0, "m": 60.0, "s": 1.0}
_CLOCK = re.compile(r"(?:(\d{4}-\d\d-\d\d)[T ])?([01]?\d|2[0-3]):([0-5]\d)(?::([0-5]\d(?:\.\d{1,6})?))?Z?", re.ASCII)
_SPAN = re.compile(r"([+-]?)((?:\d{1,9}(?:\.\d{1,6})?[dhms])+|\d{1,9}(?:\.\d{1,6})?)", re.ASCII)
_PART = re.compile(r"(\d+(?:\.\d+)?)([dhms])", re.ASCII)
_PERCENT = re.compile(r"(\d{1,3}(?:\.\d{1,6})?) ?%", re.ASCII)


class MomentError(ValueError):
    """No such moment; the message says in one line why, and repeats nothing of what was typed."""


class Clocks:
    """How the dates of a recording go with its own clock, which goes on while a machine sleeps or its clock is set."""

    def __init__(self, started_us: int, told: Iterable[tuple[float, Instant]], seconds: float) -> None:
        """Take in, in order, at which place of the recording a clock showed which date, and how long it all took."""
        self.seconds = seconds
        self._from: list[float] = [0.0]
        self._zeros: list[int] = [started_us]
        for place, at in told:
            zero = at.us - round(at.mono * 1e6)
            if zero != self._zeros[-1]:
                self._from.append(place)
                self._zeros.append(zero)

    def us(self, place: float) -> int:
        """Return the date at a place, in microseconds since the epoch."""
        return self._zeros[max(0, bisect_right(self._from, place) - 1)] + round(place * 1e6)

    @property
    def several_days(self) -> bool:
        """Whether a time of day alone does not tell which moment is meant."""
        return words.stamp(self.us(0.0))[:10] != words.stamp(self.us(self.seconds))[:10]

    @property
    def extent(self) -> str:
        """From when to when the recording goes, in words."""
        form = words.stamp if self.several_days else words.clock
        return f"from {form(self.us(0.0))} to {form(self.us(self.seconds))}"

    def find(self, text: str, shown: float | None = None) -> float:
        """Return the place that a person means while `shown` is on the screen, None before anything is.

        A time of day that came more than once is the nearest one. What is counted from here ends at the ends of the
        recording; with nothing shown, ``-30s`` counts from its end. Raises `MomentError`.
        """
        text = text.strip()
        if len(text) <= 64:
            if match := _CLOCK.fullmatch(text):
                return self._by_clock(match, shown or 0.0)
            if match := _PERCENT.fullmatch(text):
                return self._within(float(match[1]) / 100 * self.seconds)
            if match := _SPAN.fullmatch(text):
                return self._by_span(match[1], _seconds(match[2]), shown)
        raise MomentError(f"no moment such as {FORMS}")

    def _by_span(self, sign: str, seconds: float, shown: float | None) -> float:
        if not sign:
            return self._within(seconds)
        if sign == "-":
            return max(0.0, (self.seconds if shown is None else shown) - seconds)
        return min((shown or 0.0) + seconds, self.seconds)

    def _within(self, place: float) -> float:
        if place > self.seconds:
            raise MomentError(f"the recording goes {self.extent}")
        return place

    def _by_clock(self, match: re.Match[str], shown: float) -> float:
        date, hours, minutes, rest = match.groups()
        time_of_day = int(hours) * 3_600 + int(minutes) * 60 + float(rest or 0.0)
        # Whoever says 14:02 means all of that minute: a recording that begins in the middle of it has its rest.
        unit = 60.0 if rest is None else 1.0
        found = list(self._places(time_of_day, unit, date))
        if not found:
            raise MomentError(f"the recording goes {self.extent}")
        return min(found, key=lambda place: abs(place - shown))

    def _places(self, time_of_day: float, unit: float, date: str | None) -> Iterator[float]:
        """Yield every place at which the clock showed a time; one that it leapt over is where it went on."""
        for number, (place, zero) in enumerate(zip(self._from, self._zeros, strict=True)):
            end = self._from[number + 1] if number + 1 < len(self._from) else self.seconds
            begun = zero / 1e6 + place
            ended = max(zero / 1e6 + end, self.us(end) / 1e6)
            for day in range(math.floor(begun / _DAY) - 1, math.floor(ended / _DAY) + 1):
                at = day * _DAY + time_of_day
                if (date is None or date == _date(day)) and begun < at + unit and at <= ended:
                    yield min(max(at - zero / 1e6, place), end)


def _seconds(text: str) -> float:
    parts = _PART.findall(text)
    return sum(float(number) * _UNITS[unit] for number, unit in parts) if parts else float(text)


def _date(day: int) -> str:
    try:
        return f"{datetime.fromtimestamp(day * _DAY, UTC):%Y-%m-%d}"
    except (OverflowError, ValueError, OSError):
        return ""
