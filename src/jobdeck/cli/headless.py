"""Runs the engine without a screen, until a condition is met."""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

from jobdeck.app.context import AppContext, ListPolicy
from jobdeck.app.end_notifier import make_end_notifier
from jobdeck.cli.log import log
from jobdeck.cli.rate_limit_notices import RateLimitNotices
from jobdeck.domain.instant import Clock, Instant
from jobdeck.domain.job import Job, JobKey, Target
from jobdeck.engine.engine import Engine
from jobdeck.engine.subscription import ChangeSet
from jobdeck.store import StoreError

if TYPE_CHECKING:
    from jobdeck.app.context import RunningEngine
    from jobdeck.recording.recorder import Recorder

UNCONFIRMED_SECONDS = 60.0
UNCONFIRMED_FAILURES = 3
"""How long to wait for a job's own response after a list reported its end."""


class TimedOutError(Exception):
    """The time limit expired; `jobs` are in their latest known state."""

    def __init__(self, jobs: Iterable[Job]) -> None:
        super().__init__("timed out")
        self.jobs = tuple(jobs)


async def run_headless(
    context: AppContext,
    targets: Sequence[Target],
    stop_when: Callable[[Engine, ChangeSet], bool],
    time_limit: float | None = None,
    lists: ListPolicy = ListPolicy.ALL,
    *,
    hooks: bool = False,
    recorder: "Recorder | None" = None,
) -> tuple[Job, ...]:
    """Watch targets and pass every batch of changes to `stop_when` until it returns True; returns the jobs in order.

    Saved data of the jobs is used if no response comes, but never counts as a response. With `hooks`, the user's hooks
    run for jobs that finish, and have ended when this returns. With a `recorder`, everything is recorded. Cooldowns
    requested by a server and failures of the disk are logged. Raises `TimedOutError` after `time_limit` seconds (None:
    never), and any error that stops the engine.
    """
    running = await context.open(lists=lists, recorder=recorder)
    engine = running.engine
    for notice in running.notices:
        log(notice)
    if recorder is not None:
        recorder.when_it_ends(log)
    notifier = make_end_notifier(context, running, log) if hooks and context.settings.hooks else None
    notices, incident = RateLimitNotices(context.clock), running.store.incident
    try:
        changes = engine.subscribe()
        engine.needs_own_answers = True
        keys = engine.add(targets, await _saved_jobs(context, running, targets))
        polling = asyncio.create_task(engine.run())
        try:
            async with asyncio.timeout(time_limit):
                async for batch in changes:
                    if notifier is not None:
                        notifier.on_change(batch, engine.jobs)
                    notices.notify_all(engine)
                    if (happened := running.store.incident) is not None and happened is not incident:
                        incident = happened
                        log(happened.message)
                    if stop_when(engine, batch):
                        break
                else:
                    await polling
        except TimeoutError:
            raise TimedOutError(engine.jobs[key] for key in keys) from None
        finally:
            polling.cancel()
            await asyncio.gather(polling, return_exceptions=True)
    finally:
        if notifier is not None:
            await notifier.close()
        if recorder is not None:
            await recorder.close()
        await engine.aclose()
    return tuple(engine.jobs[key] for key in keys)


async def _saved_jobs(context: AppContext, running: "RunningEngine", targets: Sequence[Target]) -> tuple[Job, ...]:
    """Return the saved state of the targets; empty if the store fails."""
    try:
        return await context.load_jobs(running.store, targets)
    except StoreError:
        return ()


class SettledCheck:
    """Decides whether a job is settled: its own response confirmed its outcome, or none is expected.

    With `appear`, jobs that were never seen are waited for during that many seconds, even if the server does not know
    them.
    """

    def __init__(self, clock: Clock, appear: float | None = None) -> None:
        self._clock = clock
        self._appear = appear
        self._started = clock.now()
        self._unconfirmed: dict[JobKey, Instant] = {}

    def __call__(self, engine: Engine, job: Job) -> bool:
        """Whether a job is settled; if only a list or another process reported its end, it is polled itself."""
        if job.confirmed and job.terminal and not job.awaits_part:
            return True
        if self._is_not_found(job) or job.key.profile in engine.halted():
            return True
        if not job.terminal:
            self._unconfirmed.pop(job.key, None)
            return False
        if job.confirmed:
            return False
        engine.poll_ended(job.key)
        now = self._clock.now()
        since = self._unconfirmed.setdefault(job.key, now)
        return job.failures >= UNCONFIRMED_FAILURES and now.mono - since.mono >= UNCONFIRMED_SECONDS

    def all_of(self, engine: Engine) -> bool:
        """Whether all jobs are settled; calls each, because that polls those that need it."""
        return sum(self(engine, job) for job in engine.jobs.values()) == len(engine.jobs)

    def _is_not_found(self, job: Job) -> bool:
        if not job.not_found or self._appear is None or job.observed is not None:
            return job.not_found
        return self._clock.now().mono - self._started.mono >= self._appear
