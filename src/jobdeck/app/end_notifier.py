"""Runs hooks and sends notifications when watched jobs finish, once among all of the user's processes."""

import asyncio
import logging
from collections.abc import Callable, Collection, Coroutine, Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any

from jobdeck.app.context import AppContext, RunningEngine
from jobdeck.app.hooks import HookRunner
from jobdeck.app.json_shapes import job_object
from jobdeck.domain.events import newly_ended
from jobdeck.domain.job import Job, JobKey
from jobdeck.engine.subscription import ChangeSet
from jobdeck.store import Store, StoreError

CLOSE_SECONDS = 1.5
"""How long closing the screen waits for hooks: quitting takes two seconds at most."""

GATHER_SECONDS = 5.0
"""A notification waits until no job finished for this long: 300 failures at once, seen page by page, are one message.
"""

GATHER_AT_MOST = 15.0
"""A notification is delayed at most this long, even if jobs keep finishing."""

_log = logging.getLogger(__name__)


class EndNotifier:
    """Detects finished jobs in the engine's batches. Needs a running loop."""

    def __init__(self, store: Store, hooks: HookRunner) -> None:
        self._store = store
        self._hooks = hooks
        self._tasks: set[asyncio.Task[None]] = set()
        self._send: Callable[[Sequence[Job]], object] | None = None
        self._waiting: list[Job] = []
        self._closing = asyncio.Event()
        self._listed: dict[JobKey, bool] = {}
        self._jobs: Mapping[JobKey, Job] = {}

    def set_notify(self, notify: Callable[[Sequence[Job]], object]) -> None:
        """Set the callback for notifications; jobs that finish shortly after each other are passed together."""
        self._send = notify

    def on_change(self, batch: ChangeSet, jobs: Mapping[JobKey, Job], wanted: Collection[JobKey] | None = ()) -> None:
        """Process a batch: hooks for every finished job, notifications for those `wanted` (None: all).

        If a list reported the end, both wait for the job's own response: lists run ahead of it, and it may contradict
        them. They also wait for a part of the response with its own URL.
        """
        self._jobs = jobs
        confirmed = [job for job in batch.jobs if not _is_incomplete(job) and job.key in self._listed]
        for job in confirmed:
            is_wanted = self._listed.pop(job.key)
            if job.terminal:
                self._notify(job, wanted=is_wanted)
        for job in newly_ended(batch.events, jobs):
            is_wanted = wanted is None or job.key in wanted
            if _is_incomplete(job):
                self._listed[job.key] = is_wanted
            elif job not in confirmed:
                self._notify(job, wanted=is_wanted)

    def _notify(self, job: Job, *, wanted: bool) -> None:
        for team in (False, True):
            if self._hooks.wants(job, team=team):
                self._begin(self._run_hooks(job, team=team))
        if self._send is not None and wanted:
            self._waiting.append(job)
            if len(self._waiting) == 1:
                self._begin(self._notify_soon(self._send))

    def run_program(self, run: Sequence[str], name: str, jobs: Iterable[Job]) -> None:
        """Run a program once for each job, like a hook. Needs a running loop."""
        for job in jobs:
            self._begin(self._hooks.run_program(run, name, job))

    async def close(self, wait_seconds: float | None = None) -> None:
        """Wait up to `wait_seconds` for running hooks (None: as long as they may run), then kill them.

        They are also killed if this is cancelled. Pending notifications are sent at once.
        """
        self._closing.set()
        try:
            if self._tasks:
                await asyncio.wait(self._tasks, timeout=wait_seconds)
        finally:
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _run_hooks(self, job: Job, *, team: bool) -> None:
        if await self._first("team hooks" if team else "hooks", job, team=team):
            await self._hooks.run(self._newest(job), team=team)

    def _newest(self, job: Job) -> Job:
        """Return the job's current state, or as it finished if it is unwatched or has finished differently since."""
        now = self._jobs.get(job.key)
        return now if now is not None and now.phase is job.phase else job

    async def _notify_soon(self, notify: Callable[[Sequence[Job]], object]) -> None:
        loop = asyncio.get_running_loop()
        latest = loop.time() + GATHER_AT_MOST
        count = 0
        while count != len(self._waiting) and loop.time() < latest and not self._closing.is_set():
            count = len(self._waiting)
            await _wait(self._closing, min(GATHER_SECONDS, latest - loop.time()))
        jobs, self._waiting = [self._newest(job) for job in self._waiting], []
        first = [job for job in jobs if await self._first("notice", job)]
        if first:
            notify(first)

    async def _first(self, what: str, job: Job, *, team: bool = False) -> bool:
        """Whether this process is the first of the user's (or the team's) to send this notification.

        True if the store cannot tell, so that none is lost. Each run of a reused ID has its own notifications; the
        store counts the runs for all processes.
        """
        try:
            stored = (await self._store.load([job.key])).get(job.key)
            run = f":{stored.last.run}" if stored is not None and stored.last.run > 1 else ""
            return await self._store.claim_event(job.key, f"{what}:{job.phase.value}{run}", team=team)
        except StoreError:
            _log.exception("cannot check whether a notification was already sent")
            return True

    def _begin(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


async def _wait(event: asyncio.Event, seconds: float) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()


def _is_incomplete(job: Job) -> bool:
    return job.summary_only or job.awaits_part


def make_end_notifier(context: AppContext, running: RunningEngine, on_error: Callable[[str], object]) -> EndNotifier:
    """Return the notifier for the configured hooks; `on_error` gets a line for each failed hook."""
    settings = context.settings
    hooks = HookRunner(
        settings.hooks,
        context.env,
        settings.secret_variables,
        lambda job: job_object(job, context.clock.now()),
        on_error,
    )
    return EndNotifier(running.store, hooks)
