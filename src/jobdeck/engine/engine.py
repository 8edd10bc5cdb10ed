"""The engine, which alone polls. Front ends add targets to it and render its stream of changes."""

import asyncio
from collections.abc import Callable, Collection, Coroutine, Iterable, Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Any

from jobdeck.domain.cancel import CancelResult
from jobdeck.domain.events import Event, SleepNoticed
from jobdeck.domain.exchange import Exchange, ExchangeContent
from jobdeck.domain.instant import Instant
from jobdeck.domain.job import Job, JobKey, Target
from jobdeck.domain.problem import Problem, ProblemKind
from jobdeck.domain.timeline import TimelineEvent
from jobdeck.engine.clock import Timer, detect_sleep
from jobdeck.engine.coordinator import (
    Coordinator,
    External,
    ExternalAcknowledgement,
    ExternalFocus,
    ExternalSighting,
    ExternalWatchers,
    NullCoordinator,
    RateLimits,
    Request,
)
from jobdeck.engine.registry import Registry, RegistryChange
from jobdeck.engine.subscription import Subscription
from jobdeck.engine.worker import ProfileWorker
from jobdeck.http.base import PollResult
from jobdeck.scheduling.actions import ActionResult, ListPage
from jobdeck.scheduling.outlook import NextPoll, QuotaSnapshot

TICK_SECONDS = 1.0
SAVE_SECONDS = 60.0
"""Seconds between saves of the measured durations; a kill loses those of one such period at most."""


class Engine:
    """Polls many jobs of many profiles, each profile within its own budget, and survives every problem.

    It is not thread-safe: it belongs to one event loop. `make_worker` opens a profile when its first target is added,
    so that an unused profile costs nothing; `add` raises what `make_worker` raises.
    """

    def __init__(
        self,
        make_worker: Callable[[str], ProfileWorker],
        clock: Timer,
        coordinator: Coordinator | None = None,
        registry: Registry | None = None,
    ) -> None:
        self._make_worker = make_worker
        self._coordinator: Coordinator = coordinator or NullCoordinator()
        self._clock = clock
        self._registry = registry if registry is not None else Registry()
        self._workers: dict[str, ProfileWorker] = {}
        self._subscriptions: list[Subscription] = []
        self._group: asyncio.TaskGroup | None = None
        self._selected: JobKey | None = None
        self._visible: frozenset[JobKey] = frozenset()
        self._focus: frozenset[JobKey] = frozenset()
        self._history_loaded: set[JobKey] = set()
        self._last_tick = self._last_saved = clock.now()
        self._user_present = True
        self.paused = False
        self.needs_own_answers = False
        """Whether this process polls an end again that another process observed: its exit code relies on that."""

    @property
    def jobs(self) -> Mapping[JobKey, Job]:
        """A live, read-only view of the watched jobs."""
        return self._registry.jobs

    def exchanges(self, key: JobKey) -> tuple[Exchange, ...]:
        """Return the newest exchanges about a job, newest first."""
        return self._registry.log_of(key).exchanges

    def timeline(self, key: JobKey) -> tuple[TimelineEvent, ...]:
        """Return a job's timeline, oldest first; events of earlier runs are added once the job has been selected."""
        return self._registry.log_of(key).timeline

    def previous(self, key: JobKey) -> Job | None:
        """Return a job's state before its newest change; None if this run observed no change."""
        return self._registry.log_of(key).previous

    def progress_history(self, key: JobKey) -> tuple[tuple[float, float], ...]:
        """Return (monotonic seconds, fraction) for each change of a job's progress, oldest first."""
        return self._registry.log_of(key).progress_samples

    def content(self, exchange: Exchange) -> ExchangeContent | None:
        """Return the headers and the body of an exchange, without credentials; None when they are not in memory."""
        return self._registry.content(exchange)

    def newest_content(self, key: JobKey) -> ExchangeContent | None:
        """Return the content with a job's newest body: from a poll, or from a later list that changed its phase."""
        return self._registry.newest_content(key)

    def quotas(self) -> Mapping[str, QuotaSnapshot]:
        """Return each open profile's budget as of now."""
        mono = self._clock.now().mono
        return {name: worker.scheduler.quota(mono) for name, worker in self._workers.items()}

    def halted(self) -> Mapping[str, Problem]:
        """Return the halted profiles, which send no requests, with the problem that halted them."""
        return {name: halt for name, worker in self._workers.items() if (halt := worker.health.halt) is not None}

    def next_probe_at(self, profile: str) -> float | None:
        """Return when an unreachable profile is tried again (monotonic seconds); None while it can be reached."""
        return self._workers[profile].scheduler.probe_at if profile in self._workers else None

    def next_poll(self, key: JobKey) -> NextPoll | None:
        """Return when a job is polled next; None when it is not scheduled (ended, or not watched)."""
        worker = self._workers.get(key.profile)
        return worker.scheduler.next_poll(key) if worker is not None else None

    def subscribe(self) -> Subscription:
        """Return a stream of changes whose first batch holds every job."""
        subscription = Subscription(self.jobs.values(), self._subscriptions.remove)
        self._subscriptions.append(subscription)
        return subscription

    def add(self, targets: Iterable[Target], remembered: Iterable[Job] = ()) -> tuple[JobKey, ...]:
        """Watch targets; return the keys that are new. A new target is polled as soon as the budget allows.

        `remembered` states are used only if the first answer differs or fails. If a worker cannot be made, no target
        is watched, and the error of `make_worker` is raised.
        """
        now = self._clock.now()
        jobs: list[Job] = []
        others: list[Job] = []
        events: list[Event] = []
        states = tuple(remembered)
        self._registry.set_remembered(states)
        batches = {job.key: job.target.batch for job in states}
        wanted = tuple(targets)
        workers = {name: self._worker(name) for name in dict.fromkeys(target.key.profile for target in wanted)}
        for target in wanted:
            worker = workers[target.key.profile]
            if (added := self._registry.add(target.in_batch(batches.get(target.key, "")), now)) is not None:
                jobs.append(added[0])
                events.append(added[1])
                worker.scheduler.add(target.key, target.resource, now.mono, wait=target.retry_after)
                worker.wake()
            elif (moved := self._registry.move_to_batch(target)) is not None:
                others.append(moved)
        self._coordinator.watch(wanted, now)
        self._publish(jobs=[*self._mark_unreachable(jobs), *others], events=events)
        return tuple(job.key for job in jobs)

    def restore(self, jobs: Iterable[Job], *, listed: bool = False) -> None:
        """Watch jobs in their remembered states, whatever the age of these; jobs watched already stay as they are.

        Ended jobs are polled once, after everything more urgent: their IDs may have been used again. Jobs removed in
        this run get their history back. `listed` jobs are on the coordinator's watch list, and not added to it again.
        """
        now = self._clock.now()
        restored: list[Job] = []
        for remembered in jobs:
            # An outage of the past says nothing about the profile now.
            job = remembered if remembered.outage is None else replace(remembered, outage=None)
            worker = self._worker(job.key.profile)
            if self._registry.restore(job, now):
                restored.append(self.jobs[job.key])
                if job.terminal:
                    worker.scheduler.add_ended(job.key, job.target.resource, now.mono)
                else:
                    elapsed = job.elapsed(now) if job.elapsed_exact else None
                    worker.scheduler.add(job.key, job.target.resource, now.mono, elapsed)
                worker.wake()
        if not listed:
            self._coordinator.watch([job.target for job in restored], now)
        self._publish(jobs=self._mark_unreachable(restored))

    def remove(self, keys: Iterable[JobKey]) -> None:
        """Stop watching jobs; nothing is sent to the API, and unknown keys are ignored."""
        self._coordinator.unwatch(self._remove(keys), self._clock.now())

    def _remove(self, keys: Iterable[JobKey]) -> list[JobKey]:
        """Stop watching jobs, and return those that were watched."""
        now = self._clock.now()
        removed_keys: list[JobKey] = []
        events: list[Event] = []
        for key in keys:
            event = self._registry.remove(key, now)
            if event is not None:
                removed_keys.append(key)
                events.append(event)
                self._history_loaded.discard(key)
                self._workers[key.profile].scheduler.remove(key)
                self._workers[key.profile].cancel_download(key)
        if self._selected in removed_keys:
            self._selected = None
        self._publish(removed=removed_keys, events=events)
        return removed_keys

    def stop_polling(self, key: JobKey) -> None:
        """Stop polling a job, but keep its state."""
        worker = self._workers.get(key.profile)
        if worker is not None:
            worker.scheduler.remove(key)

    def acknowledge(self, keys: Iterable[JobKey], *, acknowledged: bool = True) -> None:
        """Acknowledge the trouble of jobs, or take that back; it is saved."""
        now = self._clock.now()
        changed: list[Job] = []
        for key in keys:
            job = self._registry.acknowledge(key, acknowledged=acknowledged)
            if job is not None:
                changed.append(job)
                self._coordinator.acknowledge(key, now, acknowledged=acknowledged)
        self._publish(jobs=changed)

    def set_selected(self, key: JobKey | None) -> None:
        """Set the selected job; it is polled more often, and its older exchanges are loaded."""
        if key == self._selected:
            return
        self._selected = key
        self._registry.set_selected(key)
        self._share_focus()
        self._load_selected_history()
        mono = self._clock.now().mono
        for name, worker in self._workers.items():
            worker.scheduler.set_selected(key if key is not None and key.profile == name else None, mono)
            worker.wake()

    def set_visible(self, keys: Collection[JobKey]) -> None:
        """Set the jobs on the screen; they are polled before those that are not."""
        self._visible = frozenset(keys)
        self._share_focus()
        self._show_to_schedulers()

    def _share_focus(self) -> None:
        selected = set() if self._selected is None else {self._selected}
        self._coordinator.set_focus(self._visible | selected)

    def _show_to_schedulers(self) -> None:
        """Tell each scheduler which of its jobs are on this screen or on another process's."""
        for name, worker in self._workers.items():
            worker.scheduler.set_visible([key for key in self._visible | self._focus if key.profile == name])
            worker.wake()

    def poll_now(self, key: JobKey) -> None:
        """Poll one job as soon as the budget allows, even when it has ended."""
        worker = self._workers.get(key.profile)
        if worker is not None and key in self.jobs:
            self._resume_after_auth(worker)
            worker.scheduler.poll_now(key, self._clock.now().mono)
            worker.wake()

    async def download(self, key: JobKey, write: Callable[[bytes], object]) -> Problem | None:
        """Request a job's result, and pass the body to `write` as it arrives, decoded and without secrets.

        The body comes from the result's own URL if it has one. Returns the problem, if any. Raises CancelledError when
        the job is removed.
        """
        worker = self._workers[key.profile]
        completion = worker.download(key, write)
        self.poll_now(key)
        return await completion

    def cancel_obstacle(self, key: JobKey) -> str:
        """Return why a job cannot be cancelled, in one line; empty where it can."""
        job, worker = self.jobs.get(key), self._workers.get(key.profile)
        return "not watched" if job is None or worker is None else worker.cancel_obstacle(job)

    async def cancel(self, key: JobKey) -> CancelResult:
        """Request that a job be cancelled, once, then poll the job: only its own answer shows the effect."""
        if obstacle := self.cancel_obstacle(key):
            return CancelResult.not_sent(Problem(ProblemKind.PERMISSION, obstacle))
        worker = self._workers[key.profile]
        result = await worker.cancel(self.jobs[key].target)
        if isinstance(result, Problem):
            return CancelResult.not_sent(result)
        touched = self._registry.note_action(key, result)
        self._share_budget(worker)
        self._publish(jobs=[touched] if touched is not None else [], exchanges=[result.exchange])
        self.poll_now(key)
        return CancelResult.of(result.exchange)

    def poll_ended(self, key: JobKey) -> None:
        """Poll an ended job for its own answer, if its end is known only from a list, another process or memory."""
        worker = self._workers.get(key.profile)
        if worker is not None and key in self.jobs:
            worker.scheduler.poll_ended(key)
            worker.wake()

    def poll_all_now(self) -> None:
        """Poll every job that has not ended, paced by the budget."""
        for worker in self._workers.values():
            self._resume_after_auth(worker)
            worker.scheduler.poll_all_now(self._clock.now().mono)
            worker.wake()

    def pause(self) -> None:
        """Send no more requests until `resume`; answers to requests in flight are still applied."""
        self.paused = True
        for worker in self._workers.values():
            worker.scheduler.pause()

    def resume(self) -> None:
        """Poll again after `pause`, within the rate limit."""
        self.paused = False
        for worker in self._workers.values():
            worker.scheduler.resume(self._clock.now().mono)
            worker.wake()

    async def run(self) -> None:
        """Poll until cancelled. Call it once; when it ends, for whatever reason, every subscription ends with it."""
        self._last_tick = self._clock.now()
        try:
            async with asyncio.TaskGroup() as group:
                self._group = group
                for worker in self._workers.values():
                    self._start(worker)
                group.create_task(deferred_start(self._apply_external_updates()), name="apply external updates")
                self._load_selected_history()
                never = asyncio.Event()
                try:
                    while True:
                        await self._clock.wait(never, TICK_SECONDS)
                        self.tick()
                finally:
                    # From here on the group accepts no task, but the user may still select rows.
                    self._group = None
        finally:
            self._close_subscriptions()

    def tick(self) -> None:
        """Check the clock; after a sleep of the machine, poll every job once, within the rate limit."""
        now = self._clock.now()
        seconds = detect_sleep(self._last_tick, now, TICK_SECONDS)
        self._last_tick = now
        if now.since(self._last_saved) >= SAVE_SECONDS:
            self._save_estimates(now)
        if seconds is None:
            return
        for worker in self._workers.values():
            worker.scheduler.after_sleep(now.mono)
            worker.wake()
        self._publish(events=[SleepNoticed(now, seconds)])

    def set_user_present(self, *, present: bool) -> None:
        """Set whether the user is present; if not, all jobs are polled less often."""
        self._user_present = present
        mono = self._clock.now().mono
        for worker in self._workers.values():
            worker.scheduler.set_user_present(present, mono)
            worker.wake()

    async def aclose(self) -> None:
        """End every subscription, close every connection and the coordinator."""
        self._close_subscriptions()
        self._save_estimates(self._clock.now())
        for worker in self._workers.values():
            await worker.aclose()
        await self._coordinator.close()

    def _worker(self, profile: str) -> ProfileWorker:
        worker = self._workers.get(profile)
        if worker is None:
            worker = self._workers[profile] = self._make_worker(profile)
            self._share_budget(worker, assumed=worker.limit_assumed)
            worker.scheduler.set_user_present(self._user_present, self._clock.now().mono)
            if self.paused:
                worker.scheduler.pause()
            if self._group is not None:
                self._start(worker)
        return worker

    def _save_estimates(self, now: Instant) -> None:
        """Save the durations measured so far."""
        self._last_saved = now
        for worker in self._workers.values():
            self._coordinator.save_estimates(worker.name, worker.scheduler.export_estimates(), now)

    def _close_subscriptions(self) -> None:
        for subscription in tuple(self._subscriptions):
            subscription.close()

    def _share_budget(self, worker: ProfileWorker, *, assumed: bool = False) -> None:
        """Share the rate limit and the cooldown with other processes if they have changed."""
        now = self._clock.now()
        limits, cooldown = RateLimits(*worker.scheduler.limits), worker.scheduler.cooldown_until(now.mono)
        if limits != worker.shared_limits:
            worker.shared_limits = limits
            self._coordinator.set_limit(worker.name, limits, now, assumed=assumed)
        if cooldown is not None and cooldown != worker.shared_cooldown:
            worker.shared_cooldown = cooldown
            self._coordinator.set_cooldown(worker.name, now.later(cooldown - now.mono), now)

    def _start(self, worker: ProfileWorker) -> None:
        self._create_task(deferred_start(worker.run(self)), f"poll {worker.name}")

    def _create_task(self, coroutine: Coroutine[Any, Any, None], name: str) -> None:
        """Run a task until the engine ends; do nothing if the engine is ending, as after a failed task."""
        with suppress(RuntimeError):
            if self._group is not None:
                self._group.create_task(coroutine, name=name)
                return
        coroutine.close()

    def _resume_after_auth(self, worker: ProfileWorker) -> None:
        if worker.health.halt is not None:
            worker.scheduler.resume_after_auth(self._clock.now().mono)
            self._publish(jobs=self._registry.mark_unreachable(worker.name, worker.health.reason))

    def target_of(self, key: JobKey) -> Target | None:
        """Return the target of a watched job, else None; for workers."""
        job = self.jobs.get(key)
        return job.target if job is not None else None

    def on_result(self, worker: ProfileWorker, request: Request, result: PollResult, now: Instant) -> None:
        """Apply the result of a request; for workers.

        First to the registry, then, with the changes, to the scheduler, then to the subscribers.
        """
        key = None if isinstance(request, ListPage) else request.key
        change = self._registry.apply(key, result, now)
        polled = change.jobs[0] if key is not None and change.jobs else None
        missing_since = polled.missing_since if polled is not None else None
        before = worker.health
        worker.scheduler.on_result(
            now.mono,
            request,
            ActionResult(
                problem=result.problem,
                updates=change.updates,
                retry_after=result.retry_after,
                windows=result.windows,
                next_cursor=result.next_cursor,
                # A page with rows that cannot be read is not as short as it seems.
                rows=len(result.observations) if result.partial_error is None else None,
                retry_after_unclamped=result.retry_after_unclamped,
                missing=() if polled is None else worker.missing_parts(polled.key, polled.missing),
                missing_seconds=0.0 if missing_since is None else now.mono - missing_since.mono,
            ),
        )
        self._share_budget(worker)
        events: list[Event] = list(change.events)
        jobs = {job.key: self._set_forecast(worker, job) for job in change.jobs}
        events += worker.health_events(before, now)
        health = worker.health
        # An answer that was in flight when the key was rejected is still applied; then its job is unreachable, too.
        if health.halt is not None or _sign(health.reason) != _sign(before.reason):
            jobs.update((job.key, job) for job in self._registry.mark_unreachable(worker.name, health.reason))
        self._publish(jobs=jobs.values(), exchanges=[result.exchange], events=events)

    def on_cooldown(self, profile: str) -> None:
        """Publish all jobs of a profile, because its quota has changed; for workers."""
        self._publish(jobs=[job for job in self.jobs.values() if job.key.profile == profile])

    def _mark_unreachable(self, jobs: Iterable[Job]) -> list[Job]:
        """Return jobs that were just added, marked unreachable if their profile is."""
        for worker in self._workers.values():
            if worker.health.reason is not None:
                self._registry.mark_unreachable(worker.name, worker.health.reason)
        return [self.jobs[job.key] for job in jobs]

    def _load_selected_history(self) -> None:
        key = self._selected
        if key is not None and key in self.jobs and key not in self._history_loaded and self._group is not None:
            self._history_loaded.add(key)
            self._create_task(self._load_history(key), "load history")

    async def _load_history(self, key: JobKey) -> None:
        """Merge the history of a job from the store into the registry."""
        history = await self._coordinator.load_history(key)
        job = self._registry.merge_history(key, history.exchanges, history.timeline)
        if job is not None:
            self._publish(jobs=[job])

    async def _apply_external_updates(self) -> None:
        """Apply the observations of other processes, so that no job is polled twice."""
        async for updates in self._coordinator.external_updates(self.jobs.__contains__):
            watchers = [one for one in updates if isinstance(one, ExternalWatchers)]
            # They are on the coordinator's list already, like the jobs at the start.
            self.restore([one.job for one in watchers if one.job is not None], listed=True)
            touched: dict[JobKey, None] = {}
            events: list[Event] = []
            for external in updates:
                change = self._merge_external(external)
                events += change.events
                touched.update((job.key, None) for job in change.jobs)
            self._remove([one.key for one in watchers if not one.names and not self._has_ended(one.key)])
            jobs = {key: self.jobs[key] for key in touched if key in self.jobs}
            exchanges = {one.exchange.id: one.exchange for one in updates if one.exchange is not None}
            self._publish(jobs=jobs.values(), exchanges=exchanges.values(), events=events)

    def _merge_external(self, external: External) -> RegistryChange:
        """Merge an update from another process into the registry and the schedule."""
        if isinstance(external, ExternalAcknowledgement):
            touched = self._registry.acknowledge(external.key, acknowledged=external.acknowledged, by=external.by)
            return RegistryChange((touched,) if touched is not None else (), (), ())
        if isinstance(external, ExternalFocus):
            self._focus = external.keys
            self._show_to_schedulers()
            return RegistryChange((), (), ())
        if isinstance(external, ExternalWatchers):
            touched = self._registry.set_watchers(external.key, external.names)
            return RegistryChange((touched,) if touched is not None else (), (), ())
        if isinstance(external, ExternalSighting):
            key, change = (
                external.key,
                self._registry.merge_sighting(external.key, external.exchange, external.observed),
            )
        else:
            key = external.job.key
            change = self._registry.merge_external(
                external.job, external.exchange, result_missing=external.result_missing
            )
        worker = self._workers.get(key.profile)
        if worker is None or not change.jobs:
            return change
        for update in change.updates:
            scheduled = replace(update, full=not update.terminal) if self.needs_own_answers else update
            worker.scheduler.apply_external(self._clock.now().mono, scheduled)
        worker.wake()
        for job in change.jobs:
            self._set_forecast(worker, job)
        return change

    def _has_ended(self, key: JobKey) -> bool:
        job = self.jobs.get(key)
        return job is not None and job.terminal

    def _set_forecast(self, worker: ProfileWorker, job: Job) -> Job:
        forecast = worker.forecast(job)
        return job if forecast is None else self._registry.set_forecast(job.key, *forecast)

    def _publish(
        self,
        jobs: Iterable[Job] = (),
        removed: Iterable[JobKey] = (),
        exchanges: Iterable[Exchange] = (),
        events: Iterable[Event] = (),
    ) -> None:
        changed = (*jobs, *self._registry.pop_evicted())
        for subscription in self._subscriptions:
            subscription.put(changed, removed, exchanges, events)


def _sign(problem: Problem | None) -> tuple[ProblemKind, int | None] | None:
    """Return what a person sees of the reason why no job can be reached."""
    return None if problem is None else (problem.kind, problem.http_status)


async def deferred_start(work: Coroutine[Any, Any, None]) -> None:
    """Do `work`, from the loop's next round on.

    Textual runs tasks eagerly (Python 3.12+). A task that fails before its first wait then makes its group refuse the
    next task, and leaves a cancellation behind that ends some later wait.
    """
    try:
        await asyncio.sleep(0)
    except asyncio.CancelledError:
        work.close()
        raise
    await work
