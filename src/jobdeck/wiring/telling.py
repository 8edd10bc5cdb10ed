"""Being told: when a watched job ends, hooks are run and notices given, once among all processes."""

import asyncio
import logging
from collections.abc import Callable, Collection, Coroutine, Mapping, Sequence
from typing import Any

from jobdeck.domain.ending import ended
from jobdeck.domain.instant import Clock
from jobdeck.domain.job import Job, JobKey
from jobdeck.engine.batch import Batch
from jobdeck.store import StoreError
from jobdeck.store.aio import AsyncStore
from jobdeck.wiring.hooks import HookRunner

CLOSE_SECONDS = 1.5
"""How long leaving the screen waits for hooks: quitting takes two seconds at most."""

GATHER_SECONDS = 1.0
"""Ends that come within this time are told in one notice: 300 failures at once are one message."""

_log = logging.getLogger(__name__)


class Teller:
    """Learns of ends from the engine's batches. Needs a running loop."""

    def __init__(self, store: AsyncStore, clock: Clock, hooks: HookRunner) -> None:
        self._store = store
        self._clock = clock
        self._hooks = hooks
        self._tasks: set[asyncio.Task[None]] = set()
        self._told: Callable[[Sequence[Job]], object] | None = None
        self._waiting: list[Job] = []

    def notice(self, told: Callable[[Sequence[Job]], object]) -> None:
        """Hand ended jobs that somebody wants to hear of to `told`, those of one second together."""
        self._told = told

    def take(self, batch: Batch, jobs: Mapping[JobKey, Job], wanted: Collection[JobKey] | None = ()) -> None:
        """Take in a batch: hooks for every job that ended, notices for those `wanted` (None: all)."""
        for job in ended(batch.events, jobs):
            if self._hooks.wants(job):
                self._begin(self._run_hooks(job))
            if self._told is not None and (wanted is None or job.key in wanted):
                self._waiting.append(job)
                if len(self._waiting) == 1:
                    self._begin(self._give_notice(self._told))

    async def close(self, patience: float | None = None) -> None:
        """Let hooks that run come to their end for `patience` seconds (None: for as long as they may run).

        Those that still run then are killed; so they are when this is cancelled.
        """
        try:
            if self._tasks:
                await asyncio.wait(self._tasks, timeout=patience)
        finally:
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _run_hooks(self, job: Job) -> None:
        if await self._first("hooks", job):
            await self._hooks.run(job)

    async def _give_notice(self, told: Callable[[Sequence[Job]], object]) -> None:
        await asyncio.sleep(GATHER_SECONDS)
        jobs, self._waiting = self._waiting, []
        first = [job for job in jobs if await self._first("notice", job)]
        if first:
            told(first)

    async def _first(self, what: str, job: Job) -> bool:
        """Whether no process has told this yet; without a working store it is told rather than lost."""
        try:
            return await self._store.once(job.key, f"{what}:{job.phase.value}", self._clock.now().us)
        except StoreError:
            _log.exception("the store does not know whether the end of a job has been told")
            return True

    def _begin(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
