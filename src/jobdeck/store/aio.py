"""The store as an event loop sees it: nothing blocks, and what is written at the same time is committed together."""

import asyncio
import time
from collections.abc import AsyncGenerator, Callable, Iterable, Mapping, Sequence
from typing import Any, TypeVar

from jobdeck.domain.exchange import Exchange
from jobdeck.domain.job import JobKey, Observation, Target
from jobdeck.store.base import POLL, Store
from jobdeck.store.errors import CursorLostError, StoreClosedError
from jobdeck.store.records import (
    Annotation,
    Change,
    Claim,
    Completed,
    Cursor,
    Granted,
    LedgerEntry,
    Notice,
    Purged,
    Refused,
    Spent,
    TimelineEntry,
)
from jobdeck.store.stored import StoredJob
from jobdeck.store.writer import Request, Worker, one_by_one

T = TypeVar("T")

CHANGES_A_PAGE = 500

RESTING_SECONDS = 0.25
"""How often it is looked for changes of others when there have been none for `AWAKE_SECONDS`."""

AWAKE_SECONDS = 10.0
CLOSE_SECONDS = 2.0
"""How long `close` waits for what is queued: quitting takes no longer than this."""


class AsyncStore:
    """A `Store` whose methods are awaited; see there for what they promise. Owns the store it is given.

    What has no twin here goes through `read` or `write`.

    An awaited write is committed when it returns, and one whose waiter was cancelled is still made; but a cancelled
    `claim` or `spend` is not made, or abandoned when it was granted already. Raises `StoreClosedError` after `close`.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._writer = Worker("store-writer", store.batch)
        self._reader = Worker("store-reader", one_by_one(store))
        self._closed = False
        self.on_incident: Callable[[Notice], object] = lambda _: None
        """Called while `watch_changes` runs, in its loop, when something happened to the file."""

    @property
    def actor(self) -> str:
        return self._store.actor

    @property
    def degraded(self) -> Notice | None:
        return self._store.degraded

    @property
    def incident(self) -> Notice | None:
        return self._store.incident

    async def write(self, operation: Callable[[Store], T]) -> T:
        """Run an operation in the writer's next transaction; it succeeds or fails alone, and may run twice."""
        return await self._ask(self._writer, operation)

    async def read(self, operation: Callable[[Store], T]) -> T:
        """Run queries beside the writer: what was awaited before is seen."""
        return await self._ask(self._reader, operation)

    async def watch(self, targets: Iterable[Target], now_us: int, *, listed: bool = True) -> tuple[JobKey, ...]:
        wanted = tuple(targets)
        return await self.write(lambda store: store.watch(wanted, now_us, listed=listed))

    async def unwatch(self, keys: Iterable[JobKey], now_us: int) -> tuple[JobKey, ...]:
        listed = tuple(keys)
        return await self.write(lambda store: store.unwatch(listed, now_us))

    async def annotate(
        self, key: JobKey, *, now_us: int, acknowledged: bool | None = None, note: str | None = None
    ) -> Annotation:
        return await self.write(lambda store: store.annotate(key, now_us=now_us, acknowledged=acknowledged, note=note))

    async def annotations(self, keys: Iterable[JobKey]) -> Mapping[JobKey, Annotation]:
        listed = tuple(keys)
        return await self.read(lambda store: store.annotations(listed))

    async def claim(
        self, key: JobKey, now_us: int, lease_seconds: float, bucket: str = POLL, url: str = ""
    ) -> Claim | Refused:
        return await self._ask(
            self._writer, lambda store: store.claim(key, now_us, lease_seconds, bucket, url), _abandoning(now_us)
        )

    async def spend(
        self, profile: str, bucket: str, now_us: int, url: str = "", *, method: str = "GET", about: JobKey | None = None
    ) -> Spent | Refused:
        return await self._ask(
            self._writer,
            lambda store: store.spend(profile, bucket, now_us, url, method=method, about=about),
            _abandoning(now_us),
        )

    async def complete(
        self,
        granted: Granted,
        exchange: Exchange,
        observations: Sequence[Observation],
        next_poll_us: int | None,
        now_us: int,
    ) -> Completed:
        return await self.write(lambda store: store.complete(granted, exchange, observations, next_poll_us, now_us))

    async def abandon(self, granted: Granted, now_us: int) -> None:
        await self.write(lambda store: store.abandon(granted, now_us))

    async def load_job(self, key: JobKey) -> StoredJob | None:
        return await self.read(lambda store: store.load_job(key))

    async def jobs(self, profile: str | None = None, limit: int = 10_000) -> tuple[StoredJob, ...]:
        return await self.read(lambda store: store.jobs(profile, limit))

    async def timeline(self, key: JobKey) -> tuple[TimelineEntry, ...]:
        return await self.read(lambda store: store.timeline(key))

    async def exchanges(self, key: JobKey, limit: int = 100) -> tuple[LedgerEntry, ...]:
        return await self.read(lambda store: store.exchanges(key, limit))

    async def save_estimates(self, profile: str, data: str, now_us: int) -> None:
        await self.write(lambda store: store.save_estimates(profile, data, now_us))

    async def save_choice(self, name: str, value: str, now_us: int) -> None:
        await self.write(lambda store: store.save_choice(name, value, now_us))

    async def load_choice(self, name: str) -> str | None:
        return await self.read(lambda store: store.load_choice(name))

    async def once(self, key: JobKey, event: str, now_us: int) -> bool:
        return await self.write(lambda store: store.once(key, event, now_us))

    async def purge(self, before_us: int, chunk: int = 2_000) -> Purged:
        """Forget all that is older than `before_us`, chunk by chunk with other writes between; returns the sum."""
        total = Purged(more=True)
        while total.more:
            part = await self.write(lambda store: store.purge(before_us, chunk))
            total = Purged(
                total.exchanges + part.exchanges,
                total.observations + part.observations,
                total.jobs + part.jobs,
                total.changes + part.changes,
                part.more,
            )
        return total

    async def head(self) -> Cursor:
        return await self.read(lambda store: store.head())

    async def changes(self, since: Cursor | None, limit: int = 500) -> tuple[tuple[Change, ...], Cursor]:
        return await self.read(lambda store: store.changes(since, limit))

    async def watch_changes(
        self, since: Cursor | None = None, interval: float = 0.1
    ) -> AsyncGenerator[tuple[Change, ...], None]:
        """Yield what other actors change after `since`, within about `interval` seconds; ends when the store closes.

        While they change nothing, within `RESTING_SECONDS`: a process that is alone need not ask as often.

        Take `since` from `head` before the state is read that the changes are applied to; None is the moment when
        the first change is asked for. After an empty tuple changes were missed (purged before they were read):
        whatever is shown has to be read anew. In an idle loop that costs 0.3 % of a CPU at 0.1 s, two thirds of it for
        waking up at all, and half as much at 0.2 s.
        """
        try:
            cursor = await self.head() if since is None else since
            version: int | None = None
            quiet = 0.0
            incident = self._store.incident
            while True:
                # Asked on the loop itself: 5 µs, where the way through a thread and back would take 500.
                newest = self._store.data_version()
                more = newest != version
                version = newest
                while more:
                    changes, cursor = await self._changes(cursor)
                    others = tuple(change for change in changes or () if change.actor != self.actor)
                    if others or changes is None:
                        quiet = 0.0
                        yield others
                    more = changes is not None and len(changes) == CHANGES_A_PAGE
                if (latest := self._store.incident) is not None and latest is not incident:
                    incident = latest
                    self.on_incident(latest)
                pause = interval if quiet < AWAKE_SECONDS else max(interval, RESTING_SECONDS)
                quiet += pause
                await asyncio.sleep(pause)
        except StoreClosedError:
            return

    async def close(self, within: float = CLOSE_SECONDS) -> bool:
        """Commit what is queued and close the database, in at most `within` seconds.

        Returns False when that time was not enough, because another process holds the lock; the threads end with
        the process then. Calling it twice is harmless.
        """
        if self._closed:
            return True
        self._closed = True
        self._writer.stop()
        self._reader.stop()
        ended = await asyncio.to_thread(self._join, within)
        if ended:
            # By now this loop has heard of every answer, and what nobody waited for is queued to be taken back.
            await asyncio.to_thread(self._writer.finish)
            self._store.close()
        return ended

    def _join(self, within: float) -> bool:
        deadline = time.monotonic() + within
        return all(worker.join(max(0.0, deadline - time.monotonic())) for worker in (self._writer, self._reader))

    async def _changes(self, since: Cursor) -> tuple[tuple[Change, ...] | None, Cursor]:
        """Return a page of changes, or None and the newest cursor when those after `since` are gone."""
        try:
            return await self.changes(since, CHANGES_A_PAGE)
        except CursorLostError:
            return None, await self.head()

    async def _ask(
        self,
        worker: Worker,
        operation: Callable[[Store], T],
        undo: Callable[[Any], Callable[[Store], Any] | None] | None = None,
    ) -> T:
        if self._closed:
            raise StoreClosedError("the store is closed")
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()
        worker.put(Request(operation, future, loop, undo))
        return await future


def _abandoning(now_us: int) -> Callable[[Claim | Spent | Refused], Callable[[Store], None] | None]:
    def undo(granted: Claim | Spent | Refused) -> Callable[[Store], None] | None:
        return None if isinstance(granted, Refused) else lambda store: store.abandon(granted, now_us)

    return undo
