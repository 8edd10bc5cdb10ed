"""The system's clocks, waits on them, and the detection of a sleep of the machine."""

import asyncio
import sys
import time
from typing import Protocol

from jobdeck.domain.instant import Clock, Instant

SLEEP_GAP_SECONDS = 15.0
"""A tick this late means that the machine slept or the process was stopped, not that the loop was busy."""

# On Linux the boot-time clock counts a laptop's sleep, and time.monotonic() does not.
if sys.platform == "linux":

    def _monotonic() -> float:
        return time.clock_gettime(time.CLOCK_BOOTTIME)
else:
    _monotonic = time.monotonic


class Timer(Clock, Protocol):
    """A clock with waits; injected, so that tests run hours in seconds."""

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
        """Return this moment; `mono` includes a sleep of the machine where the system counts it."""
        return Instant(time.time_ns() // 1_000, _monotonic())


def detect_sleep(before: Instant, now: Instant, expected: float) -> float | None:
    """Return the seconds slept between two ticks meant to be `expected` seconds apart; None if there was no sleep.

    A gap on either clock counts: on some systems the monotonic clock stops in a sleep, and the wall clock may be set
    by hand. A wall clock that is set forward therefore costs one needless round of polls, the cheaper mistake.
    """
    gap = now.since(before) - expected
    return gap if gap >= SLEEP_GAP_SECONDS else None
