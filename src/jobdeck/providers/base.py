"""The seam between the engine and an API: what a provider promises."""

from dataclasses import dataclass, field, replace
from typing import Protocol

from jobdeck.domain.exchange import Exchange
from jobdeck.domain.job import Observation, Target
from jobdeck.domain.problem import Problem
from jobdeck.domain.ratelimit import RateWindow
from jobdeck.scheduling.actions import ListPage


@dataclass(frozen=True, slots=True)
class Reply:
    """All that one request gave: the exchange for the ledger, and observations unless there was a problem.

    `retry_after` is in seconds, parsed and clamped to 0.2–900: silence after a problem, and with a good answer how
    long the server wants not to be asked about that job again; `retry_asked` is the same before it was clamped.
    `next_cursor` continues a list, `gap` says what of it could not be read; `body` is a good answer's, decoded, without
    any credential.
    """

    exchange: Exchange
    observations: tuple[Observation, ...] = ()
    windows: tuple[RateWindow, ...] = ()
    retry_after: float | None = None
    next_cursor: str | None = None
    body: bytes | None = field(default=None, repr=False, compare=False)
    gap: str | None = None
    retry_asked: float | None = None

    @property
    def problem(self) -> Problem | None:
        """Why there is no observation; None when the exchange was good."""
        return self.exchange.problem

    def sent_as(self, sequence: int) -> "Reply":
        """Return the reply to the request that has this place in the order of sending."""
        return replace(self, exchange=replace(self.exchange, sequence=sequence))


@dataclass(frozen=True, slots=True)
class GroupPage:
    """One page of the IDs of the account groups that a key can see, or a problem; `next_cursor` continues it."""

    exchange: Exchange
    groups: tuple[str, ...] = ()
    next_cursor: str | None = None

    @property
    def problem(self) -> Problem | None:
        """Why there are no groups; None when the exchange was good."""
        return self.exchange.problem


class Provider(Protocol):
    """One API, asked through one profile. No method raises but for cancellation: every fault is a problem."""

    @property
    def profile_name(self) -> str:
        """The profile this provider asks for."""
        ...

    def url_of(self, asked: Target | ListPage) -> str:
        """Return where `poll` or `list_page` sends its request; the base URL, where it would send none."""
        ...

    async def poll(self, target: Target) -> Reply:
        """Ask for one job; the reply has exactly one observation, of that job, or a problem."""
        ...

    async def list_page(self, page: ListPage) -> Reply:
        """Ask for one page of recent jobs; the reply has any number of observations, or a problem."""
        ...

    async def list_groups(self, cursor: str | None = None) -> GroupPage:
        """Ask for one page of the account groups the key can see; a problem from an API that has none."""
        ...

    async def aclose(self) -> None:
        """Close the connections; calling it twice is harmless."""
        ...
