"""The interface between the engine and an API: the `Provider` protocol and the results of its requests."""

from dataclasses import dataclass, field, replace
from typing import Protocol

from jobdeck.domain.exchange import Exchange
from jobdeck.domain.job import MissingPart, Observation, Part, Target
from jobdeck.domain.phase import Phase
from jobdeck.domain.problem import Problem
from jobdeck.domain.ratelimit import RateWindow
from jobdeck.scheduling.actions import ListPage


@dataclass(frozen=True, slots=True)
class PollResult:
    """The result of one request: its exchange, for the record of requests, and what its answer said."""

    exchange: Exchange
    # Empty when there was a problem.
    observations: tuple[Observation, ...] = ()
    windows: tuple[RateWindow, ...] = ()
    # Seconds to wait, clamped to 0.2–900: before any request after a problem, before the next poll of this job after a
    # good answer.
    retry_after: float | None = None
    # The cursor of a list's next page.
    next_cursor: str | None = None
    # Decoded, without credentials; an error's, too.
    body: bytes | None = field(default=None, repr=False, compare=False)
    # Which rows of a list could not be read, and why.
    partial_error: str | None = None
    # `retry_after` as the server requested it, before it was clamped.
    retry_after_unclamped: float | None = None
    # Only headers worth showing, without credentials.
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False, compare=False)

    @property
    def problem(self) -> Problem | None:
        """Why there is no observation; None when the exchange was good."""
        return self.exchange.problem

    def sent_as(self, sequence: int) -> "PollResult":
        """Return this result with the sequence of its request."""
        return replace(self, exchange=replace(self.exchange, sequence=sequence))


@dataclass(frozen=True, slots=True)
class ValuePage:
    """One page of the values that a variable may have, or a problem; `next_cursor` is that of the next page."""

    exchange: Exchange
    values: tuple[str, ...] = ()
    next_cursor: str | None = None

    @property
    def problem(self) -> Problem | None:
        """Why there are no values; None when the exchange was good."""
        return self.exchange.problem


@dataclass(frozen=True, slots=True)
class PartRequest:
    """A request for a part of a job that the job's own answer lacks."""

    target: Target
    missing: MissingPart


@dataclass(frozen=True, slots=True)
class CancelRequest:
    """A request that cancels a job, and the phases in which the job can be cancelled."""

    method: str
    url: str
    phases: tuple[Phase, ...]


class Provider(Protocol):
    """A connection to one API through one profile. Methods raise only CancelledError: every failure is a problem."""

    @property
    def profile_name(self) -> str:
        """The name of the profile."""
        ...

    def url_of(self, subject: Target | PartRequest | ListPage) -> str:
        """Return the URL of the request for `subject`; the base URL if no request would be sent."""
        ...

    async def poll(self, target: Target) -> PollResult:
        """Request one job; the result has exactly one observation, of that job, or a problem."""
        ...

    def has_part(self, target: Target, part: Part) -> bool:
        """Whether the target's API may give this part a URL of its own."""
        ...

    async def fetch_part(self, request: PartRequest) -> PollResult:
        """Request a part of a job; the result has one observation with only that part, or a problem."""
        ...

    def cancel_request(self, target: Target) -> CancelRequest | str:
        """Return the request that cancels a job, or in one line why this profile cannot cancel it."""
        ...

    async def cancel(self, target: Target) -> PollResult:
        """Send the request that cancels a job, once. The result has no observation, and a problem if it failed."""
        ...

    async def list_page(self, page: ListPage) -> PollResult:
        """Request one page of recent jobs; the result has any number of observations, or a problem."""
        ...

    async def list_values(self, variable: str, cursor: str | None = None) -> ValuePage:
        """Request one page of a variable's values, such as account groups; a problem if the API has no such list."""
        ...

    async def aclose(self) -> None:
        """Close the connections; calling it twice is harmless."""
        ...
