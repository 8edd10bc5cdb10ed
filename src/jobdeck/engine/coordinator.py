"""The interface between engine and store: permits, the record of requests, updates from other processes."""

import asyncio
from collections.abc import AsyncIterator, Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from itertools import count
from typing import Protocol, TypeAlias

from jobdeck.domain.exchange import Exchange
from jobdeck.domain.instant import Instant
from jobdeck.domain.job import Acknowledger, Job, JobKey, Target
from jobdeck.domain.timeline import TimelineEvent
from jobdeck.http.base import PollResult
from jobdeck.scheduling.actions import CancelJob, FetchPart, ListPage, Poll

Request: TypeAlias = Poll | FetchPart | ListPage
"""A request that a scheduler wants to be sent."""


@dataclass(frozen=True, slots=True)
class Permit:
    """Permission to send one request; `sequence` is its place in the order of sending.

    Coordinators may return subclasses with details of their own.
    """

    sequence: int


@dataclass(frozen=True, slots=True)
class Denied:
    """A refused permit: the budget is exhausted, or another process is polling the same job."""

    # When to try again.
    until: Instant
    budget_exhausted: bool
    # The server asked some process to wait; `budget_exhausted` is True then.
    in_cooldown: bool = False


@dataclass(frozen=True, slots=True)
class ExternalUpdate:
    """Another process observed a change of a job."""

    # Its new state, with moments on this process's clocks.
    job: Job
    # The exchange that showed it.
    exchange: Exchange | None
    # The job has a result that is not in the store.
    result_missing: bool = False


@dataclass(frozen=True, slots=True)
class ExternalSighting:
    """Another process polled a job at `observed`, and nothing had changed."""

    key: JobKey
    exchange: Exchange
    observed: Instant


@dataclass(frozen=True, slots=True)
class ExternalAcknowledgement:
    """Another client acknowledged a job, or took that back; `by` is None if it belongs to the same person."""

    key: JobKey
    acknowledged: bool
    by: Acknowledger | None = None

    @property
    def exchange(self) -> None:
        """None: no request was sent for it."""


@dataclass(frozen=True, slots=True)
class ExternalFocus:
    """The jobs that are on the screens of other processes."""

    keys: frozenset[JobKey]

    @property
    def exchange(self) -> None:
        """None: no request was sent for it."""


@dataclass(frozen=True, slots=True)
class ExternalWatchers:
    """The members of a team who watch a job now; `job` is its saved state if another member began to watch it."""

    key: JobKey
    names: tuple[str, ...]
    job: Job | None = None

    @property
    def exchange(self) -> None:
        """None: no request was sent for it."""


External: TypeAlias = ExternalUpdate | ExternalSighting | ExternalAcknowledgement | ExternalWatchers | ExternalFocus
"""An update from another process."""


@dataclass(frozen=True, slots=True)
class History:
    """A job's past in the store: its exchanges, newest first, and its timeline, oldest first."""

    exchanges: tuple[Exchange, ...] = ()
    timeline: tuple[TimelineEvent, ...] = ()


@dataclass(frozen=True, slots=True)
class RateLimits:
    """Requests a minute: for polls, and for list pages if these have a bucket of their own (else None)."""

    polls: float
    lists: float | None = None


class Coordinator(Protocol):
    """Keeps the record of requests and shares the budget with other processes. Its methods never raise."""

    def watch(self, targets: Iterable[Target], now: Instant) -> None:
        """Add targets to the watch list; takes effect before any later `acquire`."""
        ...

    def unwatch(self, keys: Iterable[JobKey], now: Instant) -> None:
        """Remove jobs from the watch list."""
        ...

    def acknowledge(self, key: JobKey, now: Instant, *, acknowledged: bool) -> None:
        """Save whether a person has acknowledged a job."""
        ...

    def set_focus(self, keys: Collection[JobKey]) -> None:
        """Set the jobs that are on the screen here; other processes poll them sooner."""
        ...

    def set_limit(self, profile: str, limits: RateLimits, now: Instant, *, assumed: bool) -> None:
        """Set the requests a minute that all processes together may send through a profile.

        A limit `assumed` before any answer does not replace a saved one.
        """
        ...

    def set_cooldown(self, profile: str, until: Instant, now: Instant) -> None:
        """Have no process send anything through a profile before `until`, because the server asked this one to wait."""
        ...

    def save_estimates(self, profile: str, durations: Mapping[str, object], now: Instant) -> None:
        """Save the measured durations of jobs."""
        ...

    async def acquire(self, profile: str, request: Request | CancelJob, url: str, now: Instant) -> Permit | Denied:
        """Return a permit to send a request, which is then on record as sent to `url`, or when to try again."""
        ...

    async def record(self, permit: Permit, result: PollResult, now: Instant) -> None:
        """Record the result of a request; it is on disk when this returns, so before it is shown."""
        ...

    async def abandon(self, permit: Permit, now: Instant) -> None:
        """Record that a request was cancelled, or not sent after all."""
        ...

    async def load_history(self, key: JobKey) -> History:
        """Return what earlier runs and other processes recorded about a job."""
        ...

    def external_updates(self, is_watched: Callable[[JobKey], bool]) -> AsyncIterator[tuple[External, ...]]:
        """Yield updates from other processes about watched jobs, in batches, until the iteration ends."""
        ...

    async def close(self) -> None:
        """Write everything to disk and close the store."""
        ...


class NullCoordinator:
    """Stores nothing and permits every request: for an engine without a store."""

    def __init__(self) -> None:
        self._sequence = count(1)

    def watch(self, targets: Iterable[Target], now: Instant) -> None:
        """Do nothing."""

    def unwatch(self, keys: Iterable[JobKey], now: Instant) -> None:
        """Do nothing."""

    def acknowledge(self, key: JobKey, now: Instant, *, acknowledged: bool) -> None:
        """Do nothing."""

    def set_focus(self, keys: Collection[JobKey]) -> None:
        """Do nothing."""

    def set_limit(self, profile: str, limits: RateLimits, now: Instant, *, assumed: bool) -> None:
        """Do nothing."""

    def set_cooldown(self, profile: str, until: Instant, now: Instant) -> None:
        """Do nothing."""

    def save_estimates(self, profile: str, durations: Mapping[str, object], now: Instant) -> None:
        """Do nothing."""

    async def acquire(self, profile: str, request: Request | CancelJob, url: str, now: Instant) -> Permit | Denied:
        """Return a permit."""
        return Permit(next(self._sequence))

    async def record(self, permit: Permit, result: PollResult, now: Instant) -> None:
        """Do nothing."""

    async def abandon(self, permit: Permit, now: Instant) -> None:
        """Do nothing."""

    async def load_history(self, key: JobKey) -> History:
        """Return an empty history."""
        return History()

    async def close(self) -> None:
        """Do nothing."""

    async def external_updates(self, is_watched: Callable[[JobKey], bool]) -> AsyncIterator[tuple[External, ...]]:
        """Wait for ever: there are no other processes."""
        await asyncio.Event().wait()
        yield  # type: ignore[misc] # never reached: it makes this an iterator
