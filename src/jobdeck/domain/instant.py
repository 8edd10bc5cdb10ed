"""A moment on both clocks: the wall clock for dates, the monotonic clock for durations."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Instant:
    """A moment: ``us`` microseconds since the epoch in UTC, ``mono`` seconds of the monotonic clock."""

    us: int
    mono: float

    def since(self, earlier: "Instant") -> float:
        """Return the seconds from `earlier` to this moment, never negative.

        The monotonic clock decides, unless the wall clock shows more: some monotonic clocks stop while a laptop
        sleeps, which must not make an old answer look young.
        """
        return max(self.mono - earlier.mono, (self.us - earlier.us) / 1e6, 0.0)

    def later(self, seconds: float) -> "Instant":
        """Return the moment `seconds` after this one (before it, when negative)."""
        return Instant(self.us + round(seconds * 1e6), self.mono + seconds)


class Clock(Protocol):
    """The source of every moment; injected, so that tests and replays control the time."""

    def now(self) -> Instant:
        """Return this moment."""
        ...


def date_of(us: int) -> datetime | None:
    """Return microseconds since the epoch as a date in UTC; None outside the years 1–9999."""
    try:
        return datetime.fromtimestamp(us // 1_000_000, UTC).replace(microsecond=us % 1_000_000)
    except (OverflowError, OSError, ValueError):
        return None


def utc(us: int) -> str:
    """Return microseconds since the epoch as RFC 3339 in UTC with milliseconds; ``?`` outside the years 1–9999."""
    moment = date_of(us)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z") if moment is not None else "?"
