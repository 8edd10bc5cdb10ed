"""The store in the shape that the engine asks for."""

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Coroutine, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from jobdeck.domain.instant import Clock, Instant
from jobdeck.domain.job import JobKey, Target
from jobdeck.engine.coordinator import Denied, ExternalUpdate, History, Permit, RateLimits, Request
from jobdeck.providers.base import Reply
from jobdeck.scheduling.actions import CancelJob, FetchPart, Poll
from jobdeck.store import LIST, POLL, Store, StoreError
from jobdeck.store.aio import AsyncStore
from jobdeck.store.records import Change, ChangeKind, Granted, Refused

LEASE_SECONDS = 45.0
"""A lease outlives the longest request (30 s), and a killed process's job is asked again within the minute."""

RETENTION_DAYS = 30
"""Requests and observations older than this are forgotten, and ended jobs with them; watched ones and notes stay."""

TIDY_AFTER_SECONDS = 20.0
"""Not at the start, which should be quick, and not at all in a run that only takes a look."""

TIDY_EVERY_SECONDS = 86_400.0
"""A screen may stay open for weeks."""

UNKNOWN_RETRY_SECONDS = 1.0

HISTORY = 100
"""Exchanges of earlier runs that are fetched for a job somebody looks at."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class StorePermit(Permit):
    """Leave that is on record; None when the store failed and the request goes unrecorded.

    Its place in the order of sending is that of its record, which was made before it is sent.
    """

    granted: Granted | None = None


class StoreCoordinator:
    """Keeps the engine's record in a store. With `listed`, what is watched goes on the watch list of next time.

    `newest` is the place in the order of sending of the newest request that was on record when the run began.
    """

    def __init__(self, store: AsyncStore, clock: Clock, *, listed: bool, newest: int) -> None:
        self._store = store
        self._clock = clock
        self._listed = listed
        self._apart: dict[str, bool] = {}
        self._targets: dict[JobKey, Target] = {}
        self._tidying: asyncio.Task[None] | None = None
        self._learnt: dict[str, str] = {}
        self._newest = newest
        self._tasks: set[asyncio.Task[None]] = set()

    def watch(self, targets: Iterable[Target], now: Instant) -> None:
        """Make targets known; the writer takes its orders in turn, so a later `acquire` finds them."""
        wanted = tuple(targets)
        self._targets.update((target.key, target) for target in wanted)
        if wanted:
            self._soon(self._store.watch(wanted, now.us, listed=self._listed))

    def unwatch(self, keys: Iterable[JobKey], now: Instant) -> None:
        """Take jobs off the watch list."""
        gone = tuple(keys)
        for key in gone:
            self._targets.pop(key, None)
        if gone and self._listed:
            self._soon(self._store.unwatch(gone, now.us))

    def acknowledge(self, key: JobKey, now: Instant, *, acknowledged: bool) -> None:
        """Annotate the job."""
        self._soon(self._store.annotate(key, now_us=now.us, acknowledged=acknowledged))

    def set_limit(self, profile: str, limits: RateLimits, now: Instant, *, assumed: bool) -> None:
        """Set the budgets that all processes share; lists are paid from that of polls unless they have their own."""
        self._apart[profile] = limits.lists is not None
        buckets = ((POLL, limits.polls), (LIST, limits.lists))

        def set_all(store: Store) -> None:
            for bucket, per_minute in buckets:
                if per_minute is not None and not (assumed and store.limit(profile, bucket) is not None):
                    store.set_limit(profile, bucket, max(1, int(per_minute)), now.us)

        self._soon(self._store.write(set_all))

    def save_estimates(self, profile: str, durations: Mapping[str, object], now: Instant) -> None:
        """Save the durations, if they are others than last time."""
        data = json.dumps(durations, sort_keys=True, allow_nan=False)
        if durations and self._learnt.get(profile) != data:
            self._learnt[profile] = data
            self._soon(self._store.save_estimates(profile, data, now.us))

    async def acquire(self, profile: str, request: Request | CancelJob, url: str, now: Instant) -> Permit | Denied:
        """Claim a job, or spend a request on anything else; without a working store the request goes unrecorded."""
        try:
            answer: Granted | Refused
            if isinstance(request, Poll | FetchPart):
                answer = await self._store.claim(request.key, now.us, LEASE_SECONDS, url=url)
            elif isinstance(request, CancelJob):
                about = request.key
                answer = await self._store.spend(profile, POLL, now.us, url, method=request.method, about=about)
            else:
                bucket = LIST if self._apart.get(profile) else POLL
                answer = await self._store.spend(profile, bucket, now.us, url)
        except StoreError:
            _log.exception("the database did not respond")
            # Sent as late as the newest that is on record, for all that anybody knows.
            return StorePermit(self._newest)
        if not isinstance(answer, Refused):
            self._newest = max(self._newest, answer.row)
            return StorePermit(answer.row, answer)
        wait = (answer.until_us - now.us) / 1e6 if answer.reason != "unknown" else UNKNOWN_RETRY_SECONDS
        silent = answer.reason == "silence"
        return Denied(
            now.later(max(0.0, wait)), budget_exhausted=silent or answer.reason == "budget", in_cooldown=silent
        )

    async def record(self, permit: Permit, reply: Reply, next_poll: Instant | None, now: Instant) -> None:
        """Complete what was granted."""
        granted = permit.granted if isinstance(permit, StorePermit) else None
        if granted is None:
            return
        next_us = None if next_poll is None else next_poll.us
        try:
            await self._store.complete(granted, reply.exchange, reply.observations, next_us, now.us)
        except StoreError:
            _log.exception("a request was not recorded")

    async def abandon(self, permit: Permit, now: Instant) -> None:
        """Abandon what was granted."""
        if isinstance(permit, StorePermit) and permit.granted is not None:
            try:
                await self._store.abandon(permit.granted, now.us)
            except StoreError:
                _log.exception("a lease was not released")

    async def external_updates(self) -> AsyncIterator[ExternalUpdate]:
        """Yield what other processes learn of any job; meanwhile what is too old is forgotten, once a day."""
        self._tidying = asyncio.get_running_loop().create_task(self._tidy())
        async for changes in self._store.watch_changes():
            for key in await self._changed(changes):
                heard = await self._heard(key)
                if heard is not None:
                    yield heard

    async def load_history(self, key: JobKey) -> History:
        """Return the answered exchanges and the timeline."""
        try:
            entries = await self._store.exchanges(key, HISTORY)
            lines = await self._store.timeline(key)
        except StoreError:
            return History()
        now = self._clock.now()
        answered = tuple(exchange for entry in entries if (exchange := entry.exchange(now)) is not None)
        return History(answered, tuple(line.moment for line in lines))

    async def close(self) -> None:
        """Carry out every order so far, then close the store."""
        if self._tidying is not None:
            self._tidying.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._store.close()

    async def _tidy(self) -> None:
        await asyncio.sleep(TIDY_AFTER_SECONDS)
        while True:
            try:
                await self._store.purge(self._clock.now().us - RETENTION_DAYS * 86_400 * 1_000_000)
            except StoreError:
                _log.exception("old data was not deleted")
            await asyncio.sleep(TIDY_EVERY_SECONDS)

    async def _changed(self, changes: tuple[Change, ...]) -> Iterable[JobKey]:
        if not changes:
            # The database is another one now, which knows none of this run's jobs, or changes were purged before they
            # were read: everything has to be looked at.
            self.watch(tuple(self._targets.values()), self._clock.now())
            return [stored.last.key for name in tuple(self._apart) for stored in await self._store.jobs(name)]
        answered = (change for change in changes if change.kind is ChangeKind.ANSWERED)
        return dict.fromkeys(key for change in answered for key in change.keys)

    async def _heard(self, key: JobKey) -> ExternalUpdate | None:
        try:
            stored = await self._store.load_job(key)
            newest = await self._store.exchanges(key, 1)
        except StoreError:
            return None
        if stored is None:
            return None
        now = self._clock.now()
        job = stored.at(now)
        self._newest = max(self._newest, job.sequence)
        exchange = newest[0].exchange(now) if newest else None
        return ExternalUpdate(job, exchange, result_missing=stored.result_bytes is not None and job.result is None)

    def _soon(self, order: Coroutine[Any, Any, Any]) -> None:
        async def carry_out() -> None:
            try:
                await order
            except StoreError:
                _log.exception("the database rejected a command")

        task = asyncio.get_running_loop().create_task(carry_out())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
