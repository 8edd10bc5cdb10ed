"""The database server's clock: what is saved counts by it, and what is shown by ours."""

from collections.abc import Callable
from dataclasses import replace

from jobdeck.domain.instant import Instant
from jobdeck.store.models import Answer
from jobdeck.store.postgres.connect import Server

STEADY_US = 100_000
"""Differences below that are the network's, and leave the offset as it is."""


class ServerClock:
    """How far the server's clock is ahead of ours, in microseconds."""

    def __init__(self, now_us: Callable[[], int]) -> None:
        self.offset_us = 0
        self._now_us = now_us

    async def read(self, server: Server) -> int:
        """Return the server's time, and take the offset from it: half of the round trip is assumed each way."""
        before = self._now_us()
        there = int(await server.value("SELECT jobdeck.now_us()"))
        offset = there - (before + self._now_us()) // 2
        if abs(offset - self.offset_us) > STEADY_US:
            self.offset_us = offset
        return there

    def there(self, us: int) -> int:
        """Return a moment of ours on the server's clock."""
        return us + self.offset_us

    def here(self, us: int) -> int:
        """Return a moment of the server's on our clock."""
        return us - self.offset_us

    def answer_there(self, answer: Answer) -> Answer:
        """Return an answer whose moments are on the server's clock."""
        if not self.offset_us:
            return answer
        exchange = answer.exchange
        started = Instant(self.there(exchange.started.us), exchange.started.mono)
        problem = exchange.problem
        if problem is not None and problem.retry_at_us is not None:
            problem = replace(problem, retry_at_us=self.there(problem.retry_at_us))
        return replace(answer, exchange=replace(exchange, started=started, problem=problem))
