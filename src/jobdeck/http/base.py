"""The seam between the engine and an API: what a provider promises."""

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
    """All that one request gave: the exchange for the ledger, and observations unless there was a problem.

    `retry_after` is in seconds, parsed and clamped to 0.2–900: silence after a problem, and with a good answer how
    long the server wants not to be asked about that job again; `retry_asked` is the same before it was clamped.
    `next_cursor` continues a list, `gap` says what of it could not be read; `body` is the answer's, an error's too,
    decoded, and `headers` are those that matter, both without any credential.
    """

    exchange: Exchange
    observations: tuple[Observation, ...] = ()
    windows: tuple[RateWindow, ...] = ()
    retry_after: float | None = None
    next_cursor: str | None = None
    body: bytes | None = field(default=None, repr=False, compare=False)
    gap: str | None = None
    retry_asked: float | None = None
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False, compare=False)

    @property
    def problem(self) -> Problem | None:
        """Why there is no observation; None when the exchange was good."""
        return self.exchange.problem

    def sent_as(self, sequence: int) -> "PollResult":
        """Return the reply to the request that has this place in the order of sending."""
        return replace(self, exchange=replace(self.exchange, sequence=sequence))


@dataclass(frozen=True, slots=True)
class ValuePage:
    """One page of the values that a variable may have, or a problem; `next_cursor` continues it."""

    exchange: Exchange
    values: tuple[str, ...] = ()
    next_cursor: str | None = None

    @property
    def problem(self) -> Problem | None:
        """Why there are no values; None when the exchange was good."""
        return self.exchange.problem


@dataclass(frozen=True, slots=True)
class PartRequest:
    """A request for a part of a job that its own answer has not."""

    target: Target
    missing: MissingPart


@dataclass(frozen=True, slots=True)
class CancelRequest:
    """A request that cancels a job, and the phases in which it is meant to be sent."""

    method: str
    url: str
    phases: tuple[Phase, ...]


class Provider(Protocol):
    """One API, asked through one profile. No method raises but for cancellation: every fault is a problem."""

    @property
    def profile_name(self) -> str:
        """The profile this provider asks for."""
        ...

    def url_of(self, asked: Target | PartRequest | ListPage) -> str:
        """Return where the request for that goes; the base URL, where none would be sent."""
        ...

    async def poll(self, target: Target) -> PollResult:
        """Ask for one job; the reply has exactly one observation, of that job, or a problem."""
        ...

    def has_part(self, target: Target, part: Part) -> bool:
        """Whether such a job may have a part at a URL of its own."""
        ...

    async def fetch_part(self, request: PartRequest) -> PollResult:
        """Ask for a part of a job; the reply has one observation with that part alone, or a problem."""
        ...

    def cancel_request(self, target: Target) -> CancelRequest | str:
        """Return the request that cancels a job; or why there is none through this profile, in one line."""
        ...

    async def cancel(self, target: Target) -> PollResult:
        """Have a job cancelled, by one request. The reply has a problem, or none, and no observation."""
        ...

    async def list_page(self, page: ListPage) -> PollResult:
        """Ask for one page of recent jobs; the reply has any number of observations, or a problem."""
        ...

    async def list_values(self, variable: str, cursor: str | None = None) -> ValuePage:
        """Ask for one page of a variable's values, such as account groups; a problem where the API has no such list."""
        ...

    async def aclose(self) -> None:
        """Close the connections; calling it twice is harmless."""
        ...
