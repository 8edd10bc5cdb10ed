"""The clocks of tests: one that is moved by hand, one that goes faster than ours, and those of who is asked for it."""

import asyncio
import contextlib
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

from jobdeck.domain.instant import Instant
from jobdeck.simulator import server
from jobdeck.simulator.scenario import Scenario
from tests.builders import START


@dataclass(slots=True)
class ManualClock:
    """A clock that stands still until it is moved."""

    at: Instant = START

    def now(self) -> Instant:
        return self.at

    def advance(self, seconds: float) -> Instant:
        self.at = self.at.later(seconds)
        return self.at


class FastClock:
    """Time that passes `speed` times as fast as ours."""

    def __init__(self, speed: float) -> None:
        self._speed = speed
        self._begun = time.monotonic()
        self._us = time.time_ns() // 1000
        self.skipped = 0.0

    def now(self) -> Instant:
        passed = (time.monotonic() - self._begun) * self._speed + self.skipped
        return Instant(self._us + round(passed * 1e6), 1_000.0 + passed)

    async def wait(self, wake: asyncio.Event, seconds: float | None) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(None if seconds is None else seconds / self._speed):
                await wake.wait()


@dataclass
class SteppingClock:
    """Every look at the clock is a quarter of a second later."""

    begun: Instant
    steps: int = 0

    def now(self) -> Instant:
        moment = self.begun.later(self.steps * 0.25)
        self.steps += 1
        return moment


@dataclass
class EpochClock:
    """Epoch seconds, as the simulator reads them; `sleep` passes them and keeps what was asked."""

    now: float
    slept: list[float] = field(default_factory=list)

    def __call__(self) -> float:
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += seconds

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


class FirstRequestClock:
    """Epoch seconds for a simulator that stand still until its first request: a client may take its time to start."""

    def __init__(self) -> None:
        self._clock = server.steady_clock()
        self._stopped_at = self._clock()
        self._late: float | None = None
        self.simulator: server.ThreadedSimulator | None = None

    def __call__(self) -> float:
        if self._late is None:
            if self.simulator is None or not self.simulator.requests:
                return self._stopped_at
            self._late = self._clock() - self._stopped_at
        return self._clock() - self._late


@contextlib.contextmanager
def simulated_from_first_request(scenario: Scenario) -> Iterator[server.ThreadedSimulator]:
    """Serve a scenario whose time begins with the first request."""
    clock = FirstRequestClock()
    with server.ThreadedSimulator(scenario, clock=clock) as running:
        clock.simulator = running
        yield running
