"""The seam between the engine and what is remembered: leave to ask, a record of every request, news of others."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping
from dataclasses import dataclass
from itertools import count
from typing import Protocol, TypeAlias

from jobdeck.domain.exchange import Exchange
from jobdeck.domain.instant import Instant
from jobdeck.domain.job import Job, JobKey, Target
from jobdeck.domain.timeline import TimelineEvent
from jobdeck.providers.base import Reply
from jobdeck.scheduling.actions import CancelJob, FetchPart, ListPage, Poll

Request: TypeAlias = Poll | FetchPart | ListPage
"""What a scheduler asks for."""


@dataclass(frozen=True, slots=True)
class Permit:
    """Leave to send one request; `sequence` is its place in the order of sending.

    What else is behind it is the ledger's own business.
    """

    sequence: int


@dataclass(frozen=True, slots=True)
class Denied:
    """No leave before `until`: the shared budget is `spent`, or another process asks for the same job now.

    With `silent` it is spent because the server asked for silence, whichever process it said so to.
    """

    until: Instant
    spent: bool
    silent: bool = False


@dataclass(frozen=True, slots=True)
class Heard:
    """What another process learnt of a job: its state, on this run's clocks, and the exchange that told.

    `result_missing` says that there is a result which was not shared.
    """

    job: Job
    exchange: Exchange | None
    result_missing: bool = False


@dataclass(frozen=True, slots=True)
class History:
    """What is remembered of a job: its exchanges, newest first, and its timeline, oldest first."""

    exchanges: tuple[Exchange, ...] = ()
    moments: tuple[TimelineEvent, ...] = ()


@dataclass(frozen=True, slots=True)
class Limits:
    """Requests a minute: polls, and list pages where they have a bucket of their own (else None)."""

    polls: float
    lists: float | None = None


class Ledger(Protocol):
    """Keeps the record of requests and shares the budget with other processes. Its methods never raise."""

    def watch(self, targets: Iterable[Target], now: Instant) -> None:
        """Note that targets are watched; takes effect before any later `permit`."""
        ...

    def unwatch(self, keys: Iterable[JobKey], now: Instant) -> None:
        """Note that jobs are no longer watched."""
        ...

    def acknowledge(self, key: JobKey, now: Instant, *, acknowledged: bool) -> None:
        """Keep what a person said about a job."""
        ...

    def limit(self, profile: str, limits: Limits, now: Instant, *, assumed: bool) -> None:
        """Set the requests a minute that all processes together may send through a profile.

        One that is only `assumed`, before any answer, gives way to what is remembered.
        """
        ...

    def learnt(self, profile: str, durations: Mapping[str, object], now: Instant) -> None:
        """Keep what was learnt of how long jobs take."""
        ...

    async def permit(self, profile: str, request: Request | CancelJob, url: str, now: Instant) -> Permit | Denied:
        """Ask for leave to send a request; with it the request is on record as sent to `url`."""
        ...

    async def record(self, permit: Permit, reply: Reply, next_poll: Instant | None, now: Instant) -> None:
        """Put on record what a request gave; on disk when it returns, and before anybody is shown it."""
        ...

    async def give_up(self, permit: Permit, now: Instant) -> None:
        """Put on record that a request was cancelled, or not sent after all."""
        ...

    async def history(self, key: JobKey) -> History:
        """Return what earlier runs and other processes saw of a job."""
        ...

    def news(self) -> AsyncIterator[Heard]:
        """Yield what other processes learn, for as long as it is read."""
        ...

    async def close(self) -> None:
        """Put everything so far on disk and let go of it."""
        ...


class NoLedger:
    """Remembers nothing and permits everything: an engine alone in the world."""

    def __init__(self) -> None:
        self._sent = count(1)

    def watch(self, targets: Iterable[Target], now: Instant) -> None:
        """Do nothing."""

    def unwatch(self, keys: Iterable[JobKey], now: Instant) -> None:
        """Do nothing."""

    def acknowledge(self, key: JobKey, now: Instant, *, acknowledged: bool) -> None:
        """Do nothing."""

    def limit(self, profile: str, limits: Limits, now: Instant, *, assumed: bool) -> None:
        """Do nothing."""

    def learnt(self, profile: str, durations: Mapping[str, object], now: Instant) -> None:
        """Do nothing."""

    async def permit(self, profile: str, request: Request | CancelJob, url: str, now: Instant) -> Permit | Denied:
        """Permit."""
        return Permit(next(self._sent))

    async def record(self, permit: Permit, reply: Reply, next_poll: Instant | None, now: Instant) -> None:
        """Do nothing."""

    async def give_up(self, permit: Permit, now: Instant) -> None:
        """Do nothing."""

    async def history(self, key: JobKey) -> History:
        """Remember nothing."""
        return History()

    async def close(self) -> None:
        """Do nothing."""

    async def news(self) -> AsyncIterator[Heard]:
        """Wait for ever: nobody else is there."""
        await asyncio.Event().wait()
        yield  # type: ignore[misc] # never reached: it makes this an iterator
