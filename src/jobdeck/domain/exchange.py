"""One HTTP request and what came of it: the unit of the request ledger."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

from jobdeck.domain.instant import Instant
from jobdeck.domain.job import JobKey, MissingPart
from jobdeck.domain.problem import Problem
from jobdeck.domain.ratelimit import RateWindow

ExchangeId: TypeAlias = tuple[int, int, JobKey | None]
"""Which exchange: its place in the order of sending, when it began, and the job it was about. In a recording all may
have one place, and some servers give every answer the same request ID."""


@dataclass(frozen=True, slots=True)
class Exchange:
    """A request that was sent. There are no headers here, so that no credential can be kept with it.

    `job` is None for a list request, `date_us` what the server's clock said (microseconds since the epoch, whole
    seconds). `request_id` is what the answer's header said, else its body;
    `duration` is in seconds from sending to the last byte, `size` in decoded bytes. `sequence` is its place in the
    order of sending, among all requests of all processes that share a store. `part` is what was asked for where it
    was a part of the job alone, which tells nothing of its state.
    """

    profile: str
    method: str
    url: str
    started: Instant
    duration: float
    job: JobKey | None = None
    http_status: int | None = None
    request_id: str | None = None
    body_request_id: str | None = None
    trace_id: str | None = None
    size: int = 0
    date_us: int | None = None
    problem: Problem | None = None
    sequence: int = 0
    part: MissingPart | None = None

    @property
    def clock_offset(self) -> float | None:
        """Seconds that the server's clock is ahead of ours, to about a second; None when it did not say.

        The server wrote its date at some moment of the exchange, cut to whole seconds: the middle is assumed.
        """
        if self.date_us is None:
            return None
        ours = self.started.us + self.duration * 5e5
        return (self.date_us + 5e5 - ours) / 1e6

    @property
    def support_id(self) -> str | None:
        """The one ID to give to support: the request ID, or the trace ID of an API that has only that."""
        return self.request_id or self.trace_id

    @property
    def id(self) -> ExchangeId:
        """What tells it from every other exchange."""
        return self.sequence, self.started.us, self.job


@dataclass(frozen=True, slots=True)
class ExchangeContent:
    """What is in memory of an answer, without any credential: headers, what they say of the rate limit, the body.

    Of the headers there are those that matter. The body is as it came, None when it was too large to keep; of an
    error's there may be the beginning alone.
    """

    exchange: Exchange
    headers: tuple[tuple[str, str], ...] = ()
    windows: tuple[RateWindow, ...] = ()
    body: bytes | None = None


def first_clock_offset(exchanges: Sequence[Exchange]) -> float | None:
    """Return the clock offset of the first that tells one, in tenths of a second."""
    offsets = (item.clock_offset for item in exchanges)
    return next((round(offset, 1) for offset in offsets if offset is not None), None)
