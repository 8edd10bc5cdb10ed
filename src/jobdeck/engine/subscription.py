"""The stream of changes to one front end; changes are merged while it is busy."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from dataclasses import dataclass, field

from jobdeck.domain.attention import Rank
from jobdeck.domain.events import Event
from jobdeck.domain.exchange import Exchange
from jobdeck.domain.job import Job, JobKey


@dataclass(frozen=True, slots=True)
class ChangeSet:
    """All changes since the last set. A subscriber's first set has every watched job."""

    # Each changed job once, in its newest state.
    jobs: tuple[Job, ...] = ()
    removed: tuple[JobKey, ...] = ()
    exchanges: tuple[Exchange, ...] = ()
    events: tuple[Event, ...] = ()
    # Whether `jobs` are all watched jobs, and replace everything in earlier sets.
    fresh: bool = False
    # Ranks in the order of need, where they are known: they depend on states that the merged set no longer shows.
    ranks: Mapping[JobKey, Rank] = field(default_factory=dict)


class Subscription:
    """An asynchronous iterator of `ChangeSet`; ends when it or the engine is closed.

    A set has only the newest state of each changed job, but all events and exchanges.
    """

    def __init__(self, jobs: Iterable[Job], on_close: Callable[["Subscription"], None]) -> None:
        self._jobs: dict[JobKey, Job] = {job.key: job for job in jobs}
        self._removed: dict[JobKey, None] = {}
        self._exchanges: list[Exchange] = []
        self._events: list[Event] = []
        self._ready = asyncio.Event()
        self._ready.set()
        self._closed = False
        self._on_close = on_close

    def put(
        self,
        jobs: Iterable[Job] = (),
        removed: Iterable[JobKey] = (),
        exchanges: Iterable[Exchange] = (),
        events: Iterable[Event] = (),
    ) -> None:
        """Merge changes into the next set."""
        for key in removed:
            self._jobs.pop(key, None)
            self._removed[key] = None
        for job in jobs:
            self._removed.pop(job.key, None)
            self._jobs[job.key] = job
        self._exchanges.extend(exchanges)
        self._events.extend(events)
        self._ready.set()

    def close(self) -> None:
        """End the stream; a waiting consumer receives the last changes, then the end."""
        if not self._closed:
            self._closed = True
            self._ready.set()
            self._on_close(self)

    async def __aiter__(self) -> AsyncIterator[ChangeSet]:
        """Yield change sets until closed; the first comes at once and holds every job."""
        first = True
        while True:
            await self._ready.wait()
            self._ready.clear()
            batch = ChangeSet(
                tuple(self._jobs.values()), tuple(self._removed), tuple(self._exchanges), tuple(self._events)
            )
            self._jobs, self._removed, self._exchanges, self._events = {}, {}, [], []
            if first or batch != _NOTHING:
                first = False
                yield batch
            if self._closed and not self._ready.is_set():
                return


_NOTHING = ChangeSet()
