"""One HTTP request and its outcome: the unit of the record of requests."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

from jobdeck.domain.instant import Instant
from jobdeck.domain.job import JobKey, MissingPart
from jobdeck.domain.problem import Problem
from jobdeck.domain.ratelimit import RateWindow

ExchangeId: TypeAlias = tuple[int, int, JobKey | None]
"""Sequence, start and job: recordings may lack sequences, and some servers give every answer the same request ID."""


@dataclass(frozen=True, slots=True)
class Exchange:
    """A request that was sent, and its outcome. It has no headers, so that no credential can be kept with it."""

    profile: str
    method: str
    url: str
    started: Instant
    # Seconds from sending to the last byte.
    duration: float
    # None for a list request.
    job: JobKey | None = None
    http_status: int | None = None
    # From the answer's header, else from its body.
    request_id: str | None = None
    body_request_id: str | None = None
    trace_id: str | None = None
    # Decoded bytes.
    size: int = 0
    # The server's clock: microseconds since the epoch, whole seconds.
    date_us: int | None = None
    problem: Problem | None = None
    # The order of sending, among the requests of all processes that share a store.
    sequence: int = 0
    # Set when only this part of the job was requested; such an answer does not show the job's state.
    part: MissingPart | None = None

    @property
    def clock_offset(self) -> float | None:
        """Seconds that the server's clock is ahead of ours, to about a second; None without a date.

        The server wrote its date at some moment of the exchange, cut to whole seconds: we assume the middle.
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
        """The identity of this exchange among all others."""
        return self.sequence, self.started.us, self.job


@dataclass(frozen=True, slots=True)
class ExchangeContent:
    """The part of an answer that is kept in memory, without credentials."""

    exchange: Exchange
    # Only the headers worth showing.
    headers: tuple[tuple[str, str], ...] = ()
    windows: tuple[RateWindow, ...] = ()
    # As received; None when it was too large to keep. An error's body may be cut.
    body: bytes | None = None


def first_clock_offset(exchanges: Sequence[Exchange]) -> float | None:
    """Return the clock offset of the first exchange that has one, in seconds, rounded to tenths."""
    offsets = (item.clock_offset for item in exchanges)
    return next((round(offset, 1) for offset in offsets if offset is not None), None)
