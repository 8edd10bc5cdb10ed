"""Parses times in a recording: clock times, offsets and percentages."""

import math
import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from datetime import date

from jobdeck.domain import humanize
from jobdeck.domain.instant import Instant

TIME_HINT = "14:02, 14:02:30, +5m, -30s, 50%"
"""Examples of what the user may type; also a date before the time, and an offset from the start (5m)."""

JITTER_US = 2_000
"""The two clocks are read one after the other: a difference up to this is not a change of either."""

_DAY = 86_400.0
_EPOCH = date(1970, 1, 1).toordinal()
_CLOCK = re.compile(r"(?:(\d{4}-\d\d-\d\d)[T ])?([01]?\d|2[0-3]):([0-5]\d)(?::([0-5]\d(?:\.\d{1,6})?))?Z?", re.ASCII)
_PERCENT = re.compile(r"(\d{1,3}(?:\.\d{1,6})?) ?%", re.ASCII)


class TimeParseError(ValueError):
    """The time is invalid; the message says why in one line, and does not repeat the input."""


class RecordingClock:
    """Converts a recording's seconds into dates, even if the machine slept or its clock was changed."""

    def __init__(self, started: Instant, moments: Iterable[tuple[float, Instant]], seconds: float) -> None:
        """Take the readings of both clocks, in order, with their positions, and the length in seconds."""
        self.seconds = seconds
        self._from: list[float] = [0.0]
        self._zeros: list[int] = [started.us]
        for place, at in moments:
            zero = at.us - round((at.mono - started.mono) * 1e6)
            if abs(zero - self._zeros[-1]) > JITTER_US:
                self._from.append(place)
                self._zeros.append(zero)

    def timestamp_at(self, place: float) -> int:
        """Return the date at a position, in microseconds since the epoch."""
        return self._zeros[max(0, bisect_right(self._from, place) - 1)] + round(place * 1e6)

    @property
    def spans_days(self) -> bool:
        """Whether a time of day is ambiguous."""
        return (
            humanize.format_datetime(self.timestamp_at(0.0))[:10]
            != humanize.format_datetime(self.timestamp_at(self.seconds))[:10]
        )

    def parse(self, text: str, shown: float | None = None) -> float:
        """Parse a time into a position, given the position `shown` on the screen, if any.

        Of a time of day that occurs more than once, the nearest is returned. A relative offset is limited to the
        recording; with nothing shown, ``-30s`` counts from its end. Raises `TimeParseError`.
        """
        text = text.strip()
        if len(text) <= 64:
            if match := _CLOCK.fullmatch(text):
                return self._by_clock(match, shown or 0.0)
            if match := _PERCENT.fullmatch(text):
                return self._within(float(match[1]) / 100 * self.seconds)
            sign = text[: text.startswith(("+", "-"))]
            seconds = _seconds(text.removeprefix(sign))
            if seconds is not None:
                return self._by_span(sign, seconds, shown)
        raise TimeParseError(f"not a time such as {TIME_HINT}")

    def _by_span(self, sign: str, seconds: float, shown: float | None) -> float:
        if not sign:
            return self._within(seconds)
        if sign == "-":
            return max(0.0, (self.seconds if shown is None else shown) - seconds)
        return min((shown or 0.0) + seconds, self.seconds)

    def _within(self, place: float) -> float:
        if place > self.seconds:
            raise self._outside()
        return place

    def _outside(self) -> TimeParseError:
        form = humanize.format_datetime if self.spans_days else humanize.format_time
        first, last = (form(self.timestamp_at(place)) for place in (0.0, self.seconds))
        return TimeParseError(f"the recording covers {first} to {last}")

    def _by_clock(self, match: re.Match[str], shown: float) -> float:
        day, hours, minutes, rest = match.groups()
        time_of_day = int(hours) * 3_600 + int(minutes) * 60 + float(rest or 0.0)
        # 14:02 is the whole minute: a recording that begins within it has the rest of it.
        unit = 60.0 if rest is None else 1.0
        try:
            found = list(self._places(time_of_day, unit, date.fromisoformat(day).toordinal() - _EPOCH if day else None))
        except ValueError:
            found = []  # for example 2026-02-31
        if not found:
            raise self._outside()
        return min(found, key=lambda place: abs(place - shown))

    def _places(self, time_of_day: float, unit: float, only: int | None) -> Iterator[float]:
        """Yield every position at which the clock showed a time, optionally only on day `only` since the epoch.

        A time that the clock skipped maps to the position after the jump.
        """
        for number, (place, zero) in enumerate(zip(self._from, self._zeros, strict=True)):
            end = self._from[number + 1] if number + 1 < len(self._from) else self.seconds
            begun, ended = zero / 1e6 + place, zero / 1e6 + end
            leapt = max(ended, self.timestamp_at(end) / 1e6)
            # One of the skipped days is enough, because all of them map to the same position.
            last = min(math.floor(leapt / _DAY), math.floor(ended / _DAY) + 1)
            for day in range(math.floor(begun / _DAY) - 1, last + 1) if only is None else (only,):
                at = day * _DAY + time_of_day
                if begun < at + unit and at <= leapt:
                    yield min(max(at - zero / 1e6, place), end)


def _seconds(text: str) -> float | None:
    """Parse a duration, in seconds if it has no unit."""
    return humanize.parse_duration(text if any(unit in text for unit in "dhms") else f"{text}s")
