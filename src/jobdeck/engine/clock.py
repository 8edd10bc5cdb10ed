"""The system's clocks, waiting by them, and the detection of gaps in them."""

import asyncio
import sys
import time
from typing import Protocol

from jobdeck.domain.instant import Clock, Instant

SLEEP_GAP_SECONDS = 15.0
"""A tick this late means that the machine slept or the process was stopped, not that the loop was busy."""

# Linux's boot-time clock goes on during a laptop's sleep, which time.monotonic() there does not.
if sys.platform == "linux":

    def _monotonic() -> float:
        return time.clock_gettime(time.CLOCK_BOOTTIME)
else:
    _monotonic = time.monotonic


class Timer(Clock, Protocol):
    """A clock that one can wait by; injected, so that tests run hours in seconds."""

    async def wait(self, wake: asyncio.Event, seconds: float | None) -> None:
        """Return when `wake` is set or `seconds` have passed on this clock (None: only when it is set)."""
        ...


class SystemClock:
    """The real time."""

    async def wait(self, wake: asyncio.Event, seconds: float | None) -> None:
        """Return when `wake` is set or `seconds` have passed."""
        try:
            async with asyncio.timeout(seconds):
                await wake.wait()
        except TimeoutError:
            pass

    def now(self) -> Instant:
        """Return this moment; `mono` counts a sleep of the machine where the system can tell."""
        return Instant(time.time_ns() // 1_000, _monotonic())


def detect_sleep(before: Instant, now: Instant, expected: float) -> float | None:
    """Return the seconds slept between two ticks meant to be `expected` seconds apart, None when awake.

    Either clock may tell: one stands still in a sleep on some systems, the other may be set by hand. A wall clock
    that is set forward therefore costs one needless round of polls, which is the cheaper mistake.
    """
    gap = now.since(before) - expected
    return gap if gap >= SLEEP_GAP_SECONDS else None
