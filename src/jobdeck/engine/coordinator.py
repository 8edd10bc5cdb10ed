"""The seam between the engine and the store: permits, a record of every request, updates of other processes."""

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
"""What a scheduler asks for."""


@dataclass(frozen=True, slots=True)
class Permit:
    """Permission to send one request; `sequence` is its place in the order of sending.

    What else is behind it is the coordinator's own business.
    """

    sequence: int


@dataclass(frozen=True, slots=True)
class Denied:
    """No permit before `until`: `budget_exhausted`, or another process polls the same job now.

    `in_cooldown` says that the server asked some process to wait, for which the budget counts as exhausted.
    """

    until: Instant
    budget_exhausted: bool
    in_cooldown: bool = False


@dataclass(frozen=True, slots=True)
class ExternalUpdate:
    """What another process observed of a job: its state, on this run's clocks, and the exchange that showed it.

    `result_missing` says that there is a result which was not shared.
    """

    job: Job
    exchange: Exchange | None
    result_missing: bool = False


@dataclass(frozen=True, slots=True)
class ExternalSighting:
    """That another process saw a job as it was known already, by an exchange that it took in at `observed`."""

    key: JobKey
    exchange: Exchange
    observed: Instant


@dataclass(frozen=True, slots=True)
class ExternalAcknowledgement:
    """That somebody else said whether the trouble of a job is known; `by` whom, where that is another person."""

    key: JobKey
    acknowledged: bool
    by: Acknowledger | None = None

    @property
    def exchange(self) -> None:
        """None: no request was sent for it."""


@dataclass(frozen=True, slots=True)
class ExternalFocus:
    """Which jobs are on the screens of others."""

    keys: frozenset[JobKey]

    @property
    def exchange(self) -> None:
        """None: no request was sent for it."""


@dataclass(frozen=True, slots=True)
class ExternalWatchers:
    """Who of a team watches a job by now; `job` is what is known of it where somebody else began to watch it."""

    key: JobKey
    names: tuple[str, ...]
    job: Job | None = None

    @property
    def exchange(self) -> None:
        """None: no request was sent for it."""


External: TypeAlias = ExternalUpdate | ExternalSighting | ExternalAcknowledgement | ExternalWatchers | ExternalFocus
"""What comes from other processes."""


@dataclass(frozen=True, slots=True)
class History:
    """What is remembered of a job: its exchanges, newest first, and its timeline, oldest first."""

    exchanges: tuple[Exchange, ...] = ()
    timeline: tuple[TimelineEvent, ...] = ()


@dataclass(frozen=True, slots=True)
class RateLimits:
    """Requests a minute: polls, and list pages where they have a bucket of their own (else None)."""

    polls: float
    lists: float | None = None


class Coordinator(Protocol):
    """Keeps the record of requests and shares the budget with other processes. Its methods never raise."""

    def watch(self, targets: Iterable[Target], now: Instant) -> None:
        """Note that targets are watched; takes effect before any later `acquire`."""
        ...

    def unwatch(self, keys: Iterable[JobKey], now: Instant) -> None:
        """Note that jobs are no longer watched."""
        ...

    def acknowledge(self, key: JobKey, now: Instant, *, acknowledged: bool) -> None:
        """Save whether a person has acknowledged a job."""
        ...

    def set_focus(self, keys: Collection[JobKey]) -> None:
        """Note which jobs are on the screen here: others poll them sooner."""
        ...

    def set_limit(self, profile: str, limits: RateLimits, now: Instant, *, assumed: bool) -> None:
        """Set the requests a minute that all processes together may send through a profile.

        One that is only `assumed`, before any answer, gives way to what is remembered.
        """
        ...

    def set_cooldown(self, profile: str, until: Instant, now: Instant) -> None:
        """Have no process send anything through a profile before `until`, because the server asked this one to wait."""
        ...

    def save_estimates(self, profile: str, durations: Mapping[str, object], now: Instant) -> None:
        """Save the measured durations of jobs."""
        ...

    async def acquire(self, profile: str, request: Request | CancelJob, url: str, now: Instant) -> Permit | Denied:
        """Acquire a permit to send a request; with it the request is on record as sent to `url`."""
        ...

    async def record(self, permit: Permit, reply: PollResult, now: Instant) -> None:
        """Record the reply to a request; it is on disk when this returns, and before anybody is shown it."""
        ...

    async def abandon(self, permit: Permit, now: Instant) -> None:
        """Record that a request was cancelled, or not sent after all."""
        ...

    async def load_history(self, key: JobKey) -> History:
        """Return what earlier runs and other processes observed of a job."""
        ...

    def external_updates(self, is_watched: Callable[[JobKey], bool]) -> AsyncIterator[tuple[External, ...]]:
        """Yield what other processes observe of watched jobs, while it is read; what comes together is one batch."""
        ...

    async def close(self) -> None:
        """Put everything so far on disk and let go of it."""
        ...


class NullCoordinator:
    """Stores nothing and permits everything: an engine alone in the world."""

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
        """Permit."""
        return Permit(next(self._sequence))

    async def record(self, permit: Permit, reply: PollResult, now: Instant) -> None:
        """Do nothing."""

    async def abandon(self, permit: Permit, now: Instant) -> None:
        """Do nothing."""

    async def load_history(self, key: JobKey) -> History:
        """Return nothing."""
        return History()

    async def close(self) -> None:
        """Do nothing."""

    async def external_updates(self, is_watched: Callable[[JobKey], bool]) -> AsyncIterator[tuple[External, ...]]:
        """Wait for ever: nobody else is there."""
        await asyncio.Event().wait()
        yield  # type: ignore[misc] # never reached: it makes this an iterator
