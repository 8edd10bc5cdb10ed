"""The engine: the only poller. Every front end adds targets to it and renders from its stream of changes."""

import asyncio
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import replace

from jobdeck.domain.cancel import CancelResult
from jobdeck.domain.events import Event, SleepNoticed
from jobdeck.domain.exchange import Exchange, ExchangeContent
from jobdeck.domain.instant import Instant
from jobdeck.domain.job import Job, JobKey, Target
from jobdeck.domain.problem import Problem, ProblemKind
from jobdeck.domain.timeline import TimelineEvent
from jobdeck.engine.clock import Timer, slept
from jobdeck.engine.lane import Done, Lane
from jobdeck.engine.lazily import lazily
from jobdeck.engine.ledger import Ledger, Limits, NoLedger
from jobdeck.engine.registry import Registry
from jobdeck.engine.subscription import Subscription
from jobdeck.scheduling.actions import ActionResult, FetchPart, ListPage, NextPoll, QuotaSnapshot

TICK_SECONDS = 1.0
KEEP_SECONDS = 60.0
"""How often what was learnt of durations is written down; a kill loses at most so much of it."""


class Engine:
    """Polls many jobs of many profiles, each profile within its own budget, and survives every problem.

    Not thread-safe: it belongs to one event loop. `make_lane` opens a profile when its first target comes, so
    that a profile nobody asks for costs nothing; what it raises, `add` raises.
    """

    def __init__(
        self,
        make_lane: Callable[[str], Lane],
        clock: Timer,
        ledger: Ledger | None = None,
        registry: Registry | None = None,
    ) -> None:
        self._make_lane = make_lane
        self._ledger: Ledger = ledger or NoLedger()
        self._clock = clock
        self._registry = registry if registry is not None else Registry()
        self._lanes: dict[str, Lane] = {}
        self._subscriptions: list[Subscription] = []
        self._group: asyncio.TaskGroup | None = None
        self._focus: JobKey | None = None
        self._recalled: set[JobKey] = set()
        self._ticked = self._kept = clock.now()
        self._attended = True
        self.paused = False
        self.own_answers = False
        """Whether an end that another process learnt of is asked for again: an exit code relies on it."""

    @property
    def jobs(self) -> Mapping[JobKey, Job]:
        """A live, read-only view of the watched jobs."""
        return self._registry.jobs

    def exchanges(self, key: JobKey) -> tuple[Exchange, ...]:
        """Return the newest exchanges about a job, newest first."""
        return self._registry.trace(key).exchanges

    def timeline(self, key: JobKey) -> tuple[TimelineEvent, ...]:
        """Return what happened to a job, oldest first; what earlier runs saw joins it once it is in focus."""
        return self._registry.trace(key).moments

    def previous(self, key: JobKey) -> Job | None:
        """Return a job's state before its newest change, None when this run has seen none."""
        return self._registry.trace(key).previous

    def progress_history(self, key: JobKey) -> tuple[tuple[float, float], ...]:
        """Return (monotonic seconds, fraction) of a job's progress each time it moved, oldest first."""
        return self._registry.trace(key).samples

    def content(self, exchange: Exchange) -> ExchangeContent | None:
        """Return the headers and the body of an exchange, without any credential; None when they are not in memory."""
        return self._registry.content(exchange)

    def newest_content(self, key: JobKey) -> ExchangeContent | None:
        """Return what has a job's newest body: a poll's, or that of a list which changed its phase later."""
        return self._registry.newest_content(key)

    def budgets(self) -> Mapping[str, QuotaSnapshot]:
        """Return each open profile's budget as of now."""
        mono = self._clock.now().mono
        return {name: lane.scheduler.quota(mono) for name, lane in self._lanes.items()}

    def halted(self) -> Mapping[str, Problem]:
        """Return the profiles that ask nothing any more, with the problem that halted them."""
        return {name: lane.halt for name, lane in self._lanes.items() if lane.halt is not None}

    def next_try(self, profile: str) -> float | None:
        """Return when a profile that cannot be seen is tried next (monotonic seconds); None while it can be."""
        return self._lanes[profile].scheduler.probe_at if profile in self._lanes else None

    def plan(self, key: JobKey) -> NextPoll | None:
        """Return when a job is due next; None when it is not scheduled (ended, or not watched)."""
        lane = self._lanes.get(key.profile)
        return lane.scheduler.next_poll(key) if lane is not None else None

    def subscribe(self) -> Subscription:
        """Return a stream of changes whose first batch holds every job."""
        subscription = Subscription(self.jobs.values(), self._subscriptions.remove)
        self._subscriptions.append(subscription)
        return subscription

    def add(self, targets: Iterable[Target], remembered: Iterable[Job] = ()) -> tuple[JobKey, ...]:
        """Watch targets; returns the keys that are new. A new target is polled as soon as the budget allows.

        What is `remembered` of them counts from the moment at which an answer contradicts it, or there is none.
        Watches none of them when the lane of one cannot be made, and raises what that raises.
        """
        now = self._clock.now()
        jobs: list[Job] = []
        others: list[Job] = []
        events: list[Event] = []
        self._registry.remember(remembered)
        wanted = tuple(targets)
        lanes = {name: self._lane(name) for name in dict.fromkeys(target.key.profile for target in wanted)}
        for target in wanted:
            lane = lanes[target.key.profile]
            if (added := self._registry.add(target, now)) is not None:
                jobs.append(added[0])
                events.append(added[1])
                lane.scheduler.add(target.key, target.resource, now.mono, wait=target.retry_after)
                lane.wake()
            elif (moved := self._registry.move_to_batch(target)) is not None:
                others.append(moved)
        self._ledger.watch(wanted, now)
        self._publish(jobs=[*self._darkened(jobs), *others], events=events)
        return tuple(job.key for job in jobs)

    def restore(self, jobs: Iterable[Job], *, listed: bool = False) -> None:
        """Watch jobs in the state in which they are remembered, as old as that is; those watched already stay.

        Those that have ended are polled once, after all that is more pressing: their IDs may have been used again.
        Those that were removed in this run come back as they were, with their history.

        With `listed` they come from the ledger's own list, which then is not told of them again.
        """
        now = self._clock.now()
        restored: list[Job] = []
        for remembered in jobs:
            # Whether its profile can be seen is a matter of now.
            job = remembered if remembered.outage is None else replace(remembered, outage=None)
            lane = self._lane(job.key.profile)
            if self._registry.restore(job, now):
                restored.append(self.jobs[job.key])
                if job.terminal:
                    lane.scheduler.add_ended(job.key, job.target.resource, now.mono)
                else:
                    elapsed = job.elapsed(now) if job.elapsed_exact else None
                    lane.scheduler.add(job.key, job.target.resource, now.mono, elapsed)
                lane.wake()
        if not listed:
            self._ledger.watch([job.target for job in restored], now)
        self._publish(jobs=self._darkened(restored))

    def remove(self, keys: Iterable[JobKey]) -> None:
        """Stop watching jobs; nothing is sent to the API, and unknown keys are ignored."""
        now = self._clock.now()
        gone: list[JobKey] = []
        events: list[Event] = []
        for key in keys:
            event = self._registry.remove(key, now)
            if event is not None:
                gone.append(key)
                events.append(event)
                self._recalled.discard(key)
                self._lanes[key.profile].scheduler.remove(key)
                self._lanes[key.profile].cancel_download(key)
        self._ledger.unwatch(gone, now)
        if self._focus in gone:
            self._focus = None
        self._publish(removed=gone, events=events)

    def rest(self, key: JobKey) -> None:
        """Ask no more about a job of its own accord, but keep what is known of it."""
        lane = self._lanes.get(key.profile)
        if lane is not None:
            lane.scheduler.remove(key)

    def acknowledge(self, keys: Iterable[JobKey], *, acknowledged: bool = True) -> None:
        """Note that a person knows of the trouble of jobs (or does not after all); it is remembered."""
        now = self._clock.now()
        changed: list[Job] = []
        for key in keys:
            job = self._registry.acknowledge(key, acknowledged=acknowledged)
            if job is not None:
                changed.append(job)
                self._ledger.acknowledge(key, now, acknowledged=acknowledged)
        self._publish(jobs=changed)

    def focus(self, key: JobKey | None) -> None:
        """Say which job somebody looks at; it is asked more often, and its older exchanges are fetched."""
        if key == self._focus:
            return
        self._focus = key
        self._registry.view(key)
        self._recall_focus()
        mono = self._clock.now().mono
        for name, lane in self._lanes.items():
            lane.scheduler.set_selected(key if key is not None and key.profile == name else None, mono)
            lane.wake()

    def show(self, keys: Collection[JobKey]) -> None:
        """Say which rows are on the screen; they go before those that are not."""
        for name, lane in self._lanes.items():
            lane.scheduler.set_visible([key for key in keys if key.profile == name])
            lane.wake()

    def poll_now(self, key: JobKey) -> None:
        """Ask about one job as soon as the budget allows, even when it has ended."""
        lane = self._lanes.get(key.profile)
        if lane is not None and key in self.jobs:
            self._release(lane)
            lane.scheduler.poll_now(key, self._clock.now().mono)
            lane.wake()

    async def download(self, key: JobKey, write: Callable[[bytes], object]) -> Problem | None:
        """Ask for a job's result, and hand the body, decoded and without secrets, to `write` as it comes.

        Returns what went wrong; of a result with a URL of its own the body is that one's. Cancelled when the job is
        watched no more.
        """
        lane = self._lanes[key.profile]
        done = lane.download(key, write)
        self.poll_now(key)
        return await done

    def cancel_obstacle(self, key: JobKey) -> str:
        """Return why a job cannot be cancelled, in one line; empty where it can."""
        job, lane = self.jobs.get(key), self._lanes.get(key.profile)
        return "not watched" if job is None or lane is None else lane.cancel_obstacle(job)

    async def cancel(self, key: JobKey) -> CancelResult:
        """Have a job cancelled, by one request that is never sent again, and poll it: only that tells what it did."""
        if self.paused:
            return CancelResult.not_sent(Problem(ProblemKind.PERMISSION, "polling is paused"))
        if obstacle := self.cancel_obstacle(key):
            return CancelResult.not_sent(Problem(ProblemKind.PERMISSION, obstacle))
        lane = self._lanes[key.profile]
        reply = await lane.cancel(self.jobs[key].target)
        if isinstance(reply, Problem):
            return CancelResult.not_sent(reply)
        touched = self._registry.note_action(key, reply)
        self._share_limit(lane)
        self._publish(jobs=[touched] if touched is not None else [], exchanges=[reply.exchange])
        self.poll_now(key)
        return CancelResult.of(reply.exchange)

    def fetch(self, key: JobKey) -> None:
        """Poll an ended job for its own answer, where only a list, another process or memory has told of its end."""
        lane = self._lanes.get(key.profile)
        if lane is not None and key in self.jobs:
            lane.scheduler.poll_ended(key)
            lane.wake()

    def poll_all_now(self) -> None:
        """Ask about every job that has not ended, paced by the budget."""
        for lane in self._lanes.values():
            self._release(lane)
            lane.scheduler.poll_all_now(self._clock.now().mono)
            lane.wake()

    def pause(self) -> None:
        """Send nothing more until `resume`; what is in flight is still heard."""
        self.paused = True
        for lane in self._lanes.values():
            lane.scheduler.pause()

    def resume(self) -> None:
        """Go on after `pause`, paced."""
        self.paused = False
        for lane in self._lanes.values():
            lane.scheduler.resume(self._clock.now().mono)
            lane.wake()

    async def run(self) -> None:
        """Poll until cancelled. Call it once; when it ends, for whatever reason, every subscription ends with it."""
        self._ticked = self._clock.now()
        try:
            async with asyncio.TaskGroup() as group:
                self._group = group
                for lane in self._lanes.values():
                    self._start(lane)
                group.create_task(lazily(self._listen()), name="news of other processes")
                self._recall_focus()
                never = asyncio.Event()
                try:
                    while True:
                        await self._clock.wait(never, TICK_SECONDS)
                        self.tick()
                finally:
                    # From here on the group takes no task, and somebody may still move about on the screen.
                    self._group = None
        finally:
            self._close_subscriptions()

    def tick(self) -> None:
        """Look at the clock; after a sleep of the machine every job is asked once more, paced."""
        now = self._clock.now()
        seconds = slept(self._ticked, now, TICK_SECONDS)
        self._ticked = now
        if now.since(self._kept) >= KEEP_SECONDS:
            self._keep_learnt(now)
        if seconds is None:
            return
        for lane in self._lanes.values():
            lane.scheduler.after_sleep(now.mono)
            lane.wake()
        self._publish(events=[SleepNoticed(now, seconds)])

    def attend(self, *, present: bool) -> None:
        """Say whether somebody looks at the screen; without, everything is asked less often."""
        self._attended = present
        mono = self._clock.now().mono
        for lane in self._lanes.values():
            lane.scheduler.set_user_present(present, mono)
            lane.wake()

    async def aclose(self) -> None:
        """End every subscription, close every connection and the ledger."""
        self._close_subscriptions()
        self._keep_learnt(self._clock.now())
        for lane in self._lanes.values():
            await lane.aclose()
        await self._ledger.close()

    def _lane(self, profile: str) -> Lane:
        lane = self._lanes.get(profile)
        if lane is None:
            lane = self._lanes[profile] = self._make_lane(profile)
            self._share_limit(lane, assumed=lane.limit_assumed)
            lane.scheduler.set_user_present(self._attended, self._clock.now().mono)
            if self.paused:
                lane.scheduler.pause()
            if self._group is not None:
                self._start(lane)
        return lane

    def _keep_learnt(self, now: Instant) -> None:
        """Have the durations learnt so far remembered."""
        self._kept = now
        for lane in self._lanes.values():
            self._ledger.learnt(lane.name, lane.scheduler.export_estimates(), now)

    def _close_subscriptions(self) -> None:
        for subscription in tuple(self._subscriptions):
            subscription.close()

    def _share_limit(self, lane: Lane, *, assumed: bool = False) -> None:
        """Tell the other processes when the limit that holds has changed."""
        now = self._clock.now()
        budget = lane.scheduler.quota(now.mono)
        limits = Limits(budget.limit, budget.list_limit)
        if limits != lane.shared_limits:
            lane.shared_limits = limits
            self._ledger.limit(lane.name, limits, now, assumed=assumed)

    def _start(self, lane: Lane) -> None:
        if self._group is not None:
            self._group.create_task(lazily(lane.run(self)), name=f"lane {lane.name}")

    def _release(self, lane: Lane) -> None:
        if lane.halt is not None:
            lane.halt = None
            lane.scheduler.resume_after_auth(self._clock.now().mono)
            self._publish(jobs=self._registry.darken(lane.name, lane.unseen))

    def target_of(self, key: JobKey) -> Target | None:
        """Return the target of a job that is still watched; for lanes."""
        job = self.jobs.get(key)
        return job.target if job is not None else None

    def on_done(self, done: Done) -> None:
        """Join what a request gave; for lanes.

        First the registry, then the scheduler with what that changed, then everyone else.
        """
        lane, reply, mono = done.lane, done.reply, done.now.mono
        asked = None if isinstance(done.request, ListPage) else done.request.key
        applied = self._registry.apply(asked, reply, done.now)
        problem = reply.problem
        lane.scheduler.on_result(
            mono,
            done.request,
            ActionResult(
                problem=problem.kind if problem is not None else None,
                updates=applied.seen,
                retry_after=reply.retry_after,
                windows=reply.windows,
                next_cursor=reply.next_cursor,
                rows=len(reply.observations),
                retry_after_unclamped=reply.retry_asked,
                missing=lane.missing(asked, applied.jobs[0].missing) if asked is not None and applied.jobs else (),
            ),
        )
        self._share_limit(lane)
        events: list[Event] = list(applied.events)
        jobs = {job.key: self._expect(lane, job) for job in applied.jobs}
        # A part that cannot be had says nothing of whether jobs can be seen.
        is_part_problem = problem is not None and isinstance(done.request, FetchPart)
        told, other = ([], False) if is_part_problem else lane.judge(problem, done.now, done.request)
        events += told
        # One that was still on its way when the key was refused is seen, and then no more.
        if other or lane.halt is not None:
            jobs.update((job.key, job) for job in self._registry.darken(lane.name, lane.unseen))
        self._publish(jobs=jobs.values(), exchanges=[reply.exchange], events=events)

    def on_silence(self, profile: str) -> None:
        """Tell who waits for jobs of the profile that there is something new in its budget; for lanes."""
        self._publish(jobs=[job for job in self.jobs.values() if job.key.profile == profile])

    def _darkened(self, jobs: Iterable[Job]) -> list[Job]:
        """Return jobs that have just come, blind like all others where their profile is."""
        for lane in self._lanes.values():
            if lane.unseen is not None:
                self._registry.darken(lane.name, lane.unseen)
        return [self.jobs[job.key] for job in jobs]

    def _recall_focus(self) -> None:
        key = self._focus
        if key is not None and key in self.jobs and key not in self._recalled and self._group is not None:
            self._recalled.add(key)
            self._group.create_task(self._recall(key), name="recall")

    async def _recall(self, key: JobKey) -> None:
        """Join what earlier runs and other processes saw of a job to what this run has."""
        history = await self._ledger.history(key)
        job = self._registry.recall(key, history.exchanges, history.moments)
        if job is not None:
            self._publish(jobs=[job])

    async def _listen(self) -> None:
        """Take over what other processes learn of our jobs, so that none is asked for twice."""
        async for heard in self._ledger.news():
            applied = self._registry.adopt(heard.job, heard.exchange, result_missing=heard.result_missing)
            lane = self._lanes.get(heard.job.key.profile)
            if lane is None or not applied.jobs:
                continue
            for seen in applied.seen:
                told = replace(seen, full=not seen.terminal) if self.own_answers else seen
                lane.scheduler.apply_external(self._clock.now().mono, told)
            lane.wake()
            exchanges = [heard.exchange] if heard.exchange is not None else []
            jobs = [self._expect(lane, job) for job in applied.jobs]
            self._publish(jobs=jobs, exchanges=exchanges, events=applied.events)

    def _expect(self, lane: Lane, job: Job) -> Job:
        expected = lane.expected(job)
        return job if expected is None else self._registry.expect(job.key, *expected)

    def _publish(
        self,
        jobs: Iterable[Job] = (),
        removed: Iterable[JobKey] = (),
        exchanges: Iterable[Exchange] = (),
        events: Iterable[Event] = (),
    ) -> None:
        changed = (*jobs, *self._registry.take_evicted())
        for subscription in self._subscriptions:
            subscription.put(changed, removed, exchanges, events)
