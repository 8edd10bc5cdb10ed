"""The stream of changes to one front end, merged while it is busy."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from dataclasses import dataclass, field

from jobdeck.domain.attention import Rank
from jobdeck.domain.events import Event
from jobdeck.domain.exchange import Exchange
from jobdeck.domain.job import Job, JobKey


@dataclass(frozen=True, slots=True)
class ChangeSet:
    """All that changed since the last one: each changed job once, in its newest state.

    A subscriber's first set holds every job that is watched. One that is `fresh` does so, too: nothing that came
    before it holds any more. `ranks` has where jobs stand in the order of need, for those of which that is known: what
    a set merges is not all that they went through.
    """

    jobs: tuple[Job, ...] = ()
    removed: tuple[JobKey, ...] = ()
    exchanges: tuple[Exchange, ...] = ()
    events: tuple[Event, ...] = ()
    fresh: bool = False
    ranks: Mapping[JobKey, Rank] = field(default_factory=dict)


class Subscription:
    """An asynchronous iterator of `ChangeSet`; ends when it or the engine is closed.

    Changes of one job between two sets are merged into its newest state; events and exchanges are all kept.
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
        """End the stream; a consumer that waits gets what is left, then the end."""
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
