"""The scheduler of one profile: which request to send next, and when."""

import random
from collections.abc import Collection, Hashable, Mapping, Sequence
from dataclasses import replace

from jobdeck.domain.job import JobKey
from jobdeck.domain.problem import Problem, ProblemKind
from jobdeck.scheduling.actions import (
    Action,
    ActionResult,
    CancelJob,
    FetchPart,
    JobUpdate,
    ListPage,
    Poll,
    Wait,
)
from jobdeck.scheduling.backoff import MIN_DELAY, CircuitBreaker, clamp_until
from jobdeck.scheduling.bucket import Limit
from jobdeck.scheduling.budget import Budget
from jobdeck.scheduling.estimates import Estimates
from jobdeck.scheduling.list_tracker import ListEndpoint
from jobdeck.scheduling.outlook import Health, NextPoll, QuotaSnapshot
from jobdeck.scheduling.schedule_table import FORBIDDEN_SECONDS, ScheduleTable
from jobdeck.scheduling.scheduled_job import PollInterval
from jobdeck.scheduling.selection import Selection, Selector

CROWDED = 0.75
"""Share of the minute's budget above which jobs are considered to be waiting."""

MAX_SLOW = 4
"""Requests at once for jobs that are slow to be answered, or that have been under way for long: half of all.

Without it, ten jobs beside twelve that never answer are polled twice in 150 s; with it, as often as if they were alone.
"""

MAX_UNCERTAIN = 6
"""The same together with jobs that were never answered yet, once others were.

Without it, jobs that answer wait up to 32 s while others that never do are tried for the first time; 12 are allowed.
"""

SLOW_SECONDS = 5.0
"""An answer that takes so long is slow."""

MAX_PARKED = 16
"""Most jobs that one decision may skip for lack of a free connection: there may be thousands."""

LONG_WAIT = 15.0
"""Seconds that the last in the queue may wait before the selected job takes less."""


class Scheduler:
    """Decides which request one profile sends next, within its budget; every time is monotonic seconds and an argument.

    What counts is how late we learn that a job ended. A job with remaining time r has hazard h = 1/r; the sum of
    delays is smallest when it is polled at a rate proportional to √h (Cho & Garcia-Molina, "Effective page refresh
    policies", TODS 2003; Azar et al., "Tractable near-optimal policies for crawling", PNAS 2018), here by fair
    queueing with weights √h, the most valuable of the eight earliest going first, but none later than after six
    rounds. One list page that refreshes many jobs is weighed against the best single poll by the same value. Tokens
    come at 80 % of the limit.

    Deterministic: the same calls with the same `rng` seed give the same actions. A decision is O(log n). No method
    raises for a key it does not know; time that runs backwards counts as standing still. `lists` are what the API can
    list; `estimates` is what `export_estimates` gave in an earlier run; `typical` is how many seconds the API's page
    says that jobs of a kind take (`*` for any other), without which nothing of a kind is unusual until it is measured;
    `intervals` is how often it advises to poll jobs of a resource.
    """

    def __init__(
        self,
        limit: Limit,
        rng: random.Random,
        lists: Sequence[ListEndpoint] = (),
        estimates: Mapping[str, object] | None = None,
        *,
        typical: Mapping[str, float] | None = None,
        intervals: Mapping[str, PollInterval] | None = None,
    ) -> None:
        self._rng = rng
        self._budget = Budget(limit)
        self._breaker = CircuitBreaker()
        self._estimates = Estimates(estimates, typical)
        self._table = ScheduleTable(lists, self._estimates, rng, intervals or {})
        self._selector = Selector(self._table, self._budget)
        self._in_flight: dict[Action, tuple[float, bool, Selection]] = {}
        self._proposed: tuple[bool, Selection] | None = None
        self._now = float("-inf")
        self._started_at: float | None = None
        self._last_success: float | None = None
        self._paused = False

    def add(self, key: JobKey, kind: str, now: float, elapsed: float | None = None, wait: float | None = None) -> None:
        """Watch a job, due at once, or in `wait` seconds; adding it again changes nothing.

        It began `elapsed` seconds ago, if known.
        """
        now = self._tick(now)
        if key not in self._table.jobs:
            self._table.add(key, kind, now, elapsed, wait)

    def add_ended(self, key: JobKey, kind: str, now: float) -> None:
        """Watch a job that is remembered to have ended: it is polled once, after all that is more pressing."""
        now = self._tick(now)
        if key not in self._table.jobs:
            self._table.add_ended(key, kind, now)

    def poll_ended(self, key: JobKey) -> None:
        """Poll an ended job for its own answer, if its end is known only from a list, another process or memory."""
        self._table.poll_ended(key)

    def remove(self, key: JobKey) -> None:
        """Stop watching a job; the answer to a request on its way is ignored."""
        self._table.remove(key)
        self._selector.parts.drop(key)
        self._breaker.forget(key)

    def set_selected(self, key: JobKey | None, now: float) -> None:
        """Set the selected job, which is polled about every two seconds, for at most a third of the budget."""
        self._tick(now)
        self._selector.selected.key = key
        self._table.set_selected(key)

    def set_visible(self, keys: Collection[JobKey]) -> None:
        """Set the rows on the screen, which go before those that are not."""
        self._table.set_visible(frozenset(keys))

    def set_user_present(self, present: bool, now: float) -> None:
        """Set whether somebody is at the terminal; without, everything is polled three times less often."""
        self._tick(now)
        self._table.interval_factor = 1.0 if present else 3.0

    def poll_now(self, key: JobKey, now: float) -> None:
        """Poll a job as soon as the budget allows, whatever its back-off, and even when it has ended.

        While the profile cannot be seen, the next probe goes now, but not within two seconds of the newest.
        """
        self._breaker.probe_soon(self._tick(now))
        if key in self._table.jobs:
            self._table.requested[key] = None

    def poll_all_now(self, now: float) -> None:
        """Make every job that has not ended due now, and a probe where none can be seen, paced by the budget."""
        now = self._tick(now)
        self._breaker.probe_soon(now)
        self._table.fair_queue.make_due(now)

    def pause(self) -> None:
        """Send nothing until `resume`."""
        self._paused = True

    def resume(self, now: float) -> None:
        """Go on after `pause`, paced from the first request."""
        self._paused = False
        self._budget.drop_burst(self._tick(now))

    def resume_after_auth(self, now: float) -> None:
        """Go on after a refused key (401, 403) halted the profile."""
        self._started_at = None
        self._last_success = None
        self._breaker.halt = None
        self._breaker.close()
        self.poll_all_now(now)

    def after_sleep(self, now: float) -> None:
        """Refresh everything once after the machine slept: paced from the first request, without a burst."""
        self._budget.drop_burst(self._tick(now))
        self._breaker.close()
        self.poll_all_now(now)

    def next_action(self, now: float) -> Action:
        """Return what is worth a request now: nothing is paid, and nothing changes, before it is `mark_sent`.

        A `Wait` is until a moment 0.2–900 s from now, or None: until the scheduler is called.
        """
        now = self._tick(now)
        if self._paused or self._breaker.halt:
            return Wait(None)
        if (cooldown := self._budget.cooldown_until(now)) is not None:
            return Wait(clamp_until(now, cooldown))
        probing = self._breaker.probe_at is not None
        if self._breaker.probe_at is not None:
            if any(probe for _, probe, _ in self._in_flight.values()):
                return Wait(None)
            if self._breaker.probe_at > now:
                return Wait(clamp_until(now, self._breaker.probe_at)) if self._table.jobs else Wait(None)
        selection = self._selector.select(now, probe=self._breaker.opened)
        parked = 0
        while not probing and isinstance(selection, Selection) and isinstance(selection.action, Poll):
            if not self._must_wait(now, selection.action.key):
                break
            if (parked := parked + 1) > MAX_PARKED:
                return Wait(now + MIN_DELAY)
            self._table.park(selection.action.key, now)
            selection = self._selector.select(now, probe=self._breaker.opened)
        if not isinstance(selection, Selection):
            return Wait(None if selection is None else clamp_until(now, selection))
        self._proposed = probing, selection
        return selection.action

    def mark_sent(self, action: Action, now: float) -> None:
        """Note that the action that `next_action` returned last is sent: it is paid for and in flight."""
        now = self._tick(now)
        if self._proposed is None or self._proposed[1].action != action:
            return
        probing, selection = self._proposed
        self._proposed = None
        self._selector.mark_sent(selection, now)
        self._in_flight[action] = now, probing, selection
        self._started_at = now if self._started_at is None else self._started_at

    def block(self, action: Action | CancelJob, now: float, until: float) -> None:
        """Send nothing that is paid from the same budget as `action` before `until`: others who share it took it."""
        now = self._tick(now)
        self._budget.block(now, max(now, until), page=isinstance(action, ListPage))

    def defer(self, action: Action, now: float, until: float) -> None:
        """Leave what an action is about alone until then: another process requests it."""
        if not isinstance(action, Wait):
            self._selector.defer(action, max(self._tick(now), until))

    def on_result(self, now: float, action: Action, result: ActionResult) -> None:
        """Apply the result of an action; one that is not in flight (any more) changes nothing.

        A poll with neither a problem nor a row shows nothing: its job was not watched when the answer came.
        """
        now = self._tick(now)
        if action not in self._in_flight:
            return
        if isinstance(action, Poll) and result.problem is None and not result.updates:
            del self._in_flight[action]
            self._table.defer(action.key, now)
            self._table.unpark_next(now, slow=True)
            return
        sent, probe, selection = self._in_flight.pop(action)
        if isinstance(action, Poll):
            self._track_latency(action.key, now, sent, result)
        # A request in flight for more than SLOW_SECONDS is in the server's count already.
        fresh = sum(now - sent < SLOW_SECONDS for sent, _, _ in self._in_flight.values())
        self._budget.on_result(now, sent, result, fresh, page=isinstance(action, ListPage))
        if result.problem is None:
            self._on_works(self._breaker.record_success(now, _subject_of(action)), now)
            self._last_success = now
        elif not isinstance(action, FetchPart):
            # A failed part (unless rate limited) says nothing about the profile.
            self._on_failure(now, action, result.problem, result, probe=probe)
        self._apply(now, sent, action, selection, result)

    def _track_latency(self, key: JobKey, now: float, sent: float, result: ActionResult) -> None:
        """Note whether the answer took long, or never came; one that did gives its place to another such job."""
        self._table.in_flight.discard(key)
        slow = result.kind is ProblemKind.TIMEOUT or now - sent >= SLOW_SECONDS
        job = self._table.jobs.get(key)
        was_slow, untried = (job.slow, job.never_answered) if job is not None else (False, False)
        if job is not None:
            job.slow = slow
        if slow or was_slow or untried:
            self._table.unpark_next(now, slow=slow or was_slow)

    def _apply(self, now: float, sent: float, action: Action, selection: Selection, result: ActionResult) -> None:
        """Apply what an action observed of jobs."""
        if selection.candidate is not None:
            if result.problem is None:
                self._table.apply_page(now, sent, selection.candidate, result)
            else:
                self._table.apply_page_failure(now, selection.candidate, result.problem.kind, result.retry_after)
        elif isinstance(action, FetchPart):
            self._selector.apply_part(now, action, result)
        elif isinstance(action, Poll):
            for update in result.updates:
                self._table.apply_update(now, sent, update, result.retry_after, listed=False)
            self._table.reschedule_after(now, action.key, result, self._budget.cooldown_until(now))
            self._selector.apply_missing_parts(now, action.key, result)

    def ready(self, now: float) -> float:
        """Return when a request that a person asks for may be sent: `now` or later."""
        now = self._tick(now)
        return self._budget.ready(now)

    def mark_cancel_sent(self, now: float) -> None:
        """Note that a request to cancel a job is sent: it is paid for."""
        self._budget.acquire(self._tick(now))

    def on_cancel_result(self, now: float, sent: float, result: ActionResult) -> None:
        """Take in what the answer to a request to cancel says of the budget; of jobs it says nothing."""
        now = self._tick(now)
        self._budget.on_result(now, sent, result, len(self._in_flight), page=False)

    def set_cooldown(self, now: float, until: float) -> None:
        """Send nothing before `until`: the server asked another process for it that shares the budget."""
        now = self._tick(now)
        self._budget.set_cooldown(now, until - now)

    def apply_external(self, now: float, update: JobUpdate) -> None:
        """Apply what another process observed of a job just now, as though it had been polled here."""
        now = self._tick(now)
        self._table.apply_update(now, now, update, None, listed=False)

    def next_poll(self, key: JobKey) -> NextPoll | None:
        """Return when a job is due next (now, while it is being polled); None for one unknown or ended."""
        job = self._table.jobs.get(key)
        if job is None or job.terminal:
            return None
        queue, rate = self._table.fair_queue, self._budget.rate(self._now)
        interval = queue.interval(job, self._now, rate)
        if job.last_success is not None:
            interval = max(interval, job.not_before - job.last_success)
        due = max(self._now, job.not_before)
        if key in queue and job.last_success is not None:
            due = max(self._now, job.last_success + interval, queue.deferred_until(key) or 0.0)
        if (tracker := self._table.list_of(job)) is not None and key not in tracker.unlisted:
            last = self._now if job.last_success is None else job.last_success
            interval = self._selector.page_period(now=self._now)
            if not job.visible:
                interval = max(interval, tracker.next_refresh_at(self._now, self._table.interval_factor) - last)
            due = last + interval
        blocked = (self._breaker.probe_at, self._budget.cooldown_until(self._now))
        due = max(due, self._now, *(until for until in blocked if until is not None))
        return NextPoll(due, interval, job.failures)

    @property
    def health(self) -> Health:
        """Whether the profile's jobs can be reached, and why not."""
        return self._breaker.health

    @property
    def probe_at(self) -> float | None:
        """When a profile that cannot be seen is tried next; None while it can be, or nobody will."""
        if self._paused or self._breaker.halt or self._breaker.probe_at is None:
            return None
        return max(self._breaker.probe_at, self._budget.cooldown_until(self._now) or self._now)

    def eta(self, key: JobKey, now: float) -> tuple[float, float] | None:
        """Return a likely range of seconds until a job ends, below zero past it.

        None while fewer than five of its kind have ended, or nothing shows how fast it goes.
        """
        job = self._table.jobs.get(key)
        if job is None or job.terminal or job.last_success is None or not job.start_known:
            return None
        range_ = self._estimates.eta(
            job.kind, max(0.0, job.last_success - job.started), job.known_progress, exact=job.start_exact
        )
        since = max(0.0, now - job.last_success)
        return None if range_ is None else (max(0.0, range_[0] - since), range_[1] - since)

    def stall_after(self, key: JobKey) -> float | None:
        """Return the seconds without a change after which a job is a stall; None where that is not known."""
        job = self._table.jobs.get(key)
        return None if job is None or job.terminal else job.stall_after(self._estimates)

    def export_estimates(self) -> dict[str, list[float]]:
        """Return the measured durations, as plain data for the next run's constructor."""
        return self._estimates.export()

    @property
    def limits(self) -> tuple[float, float | None]:
        """Polls a minute that hold now, and list pages where those are paid apart."""
        return self._budget.limit, self._budget.list_limit

    def cooldown_until(self, now: float) -> float | None:
        """Return until when the server wants no requests; None when requests are allowed."""
        return self._budget.cooldown_until(now)

    def quota(self, now: float) -> QuotaSnapshot:
        """Return the budget for the screen."""
        now = self._tick(now)
        covered, alone = self._table.coverage()
        snapshot = self._budget.snapshot(now)
        return replace(
            snapshot, paused=self._paused, halted=self._breaker.halt is not None, covered=covered, alone=alone
        )

    def _tick(self, now: float) -> float:
        elapsed = now - self._now
        if elapsed > 0:
            if elapsed < float("inf"):
                rate = self._budget.rate(now)
                self._table.fair_queue.advance(elapsed, rate)
                self._selector.selected.advance(elapsed, rate, crowded=self._is_crowded(now, rate))
            self._now = now
        return self._now

    def _is_crowded(self, now: float, rate: float) -> bool:
        if self._budget.used(now) <= CROWDED * rate * 60.0:
            return False
        return bool(self._table.lists) or self._table.fair_queue.ready_count > LONG_WAIT * rate

    def _on_works(self, was_open: bool, now: float) -> None:
        if was_open:
            self._table.retry_failed(now)

    def _must_wait(self, now: float, key: JobKey) -> bool:
        """Whether a request about a job must not take a place at once with others like it.

        Slow jobs take half of all; two places stay free for jobs that answer while others are tried for the first time.
        """
        job = self._table.jobs.get(key)
        if job is None or self._table.parked_since(key) == now:
            # Selected again in the same decision: nothing else can be sent instead.
            return False
        first = job.never_answered and self._last_success is not None
        if not job.slow and not first:
            return False
        slow = untried = 0
        for action, (sent, _, _) in self._in_flight.items():
            other = self._table.jobs.get(action.key) if isinstance(action, Poll) else None
            if now - sent >= SLOW_SECONDS or (other is not None and other.slow):
                slow += 1
            elif other is not None and other.never_answered:
                untried += 1
        return slow + untried >= MAX_UNCERTAIN if first else slow >= MAX_SLOW

    def _on_failure(self, now: float, action: Action, problem: Problem, result: ActionResult, *, probe: bool) -> None:
        subject, page = _subject_of(action), isinstance(action, ListPage)
        alone = not probe and self._breaker.fails_alone(subject)
        counts = not alone
        match problem.kind:
            case ProblemKind.AUTH:
                self._breaker.halt = self._breaker.halt or problem
            case ProblemKind.SERVER_ERROR if result.retry_after is not None and not alone:
                self._budget.set_cooldown(now, result.retry_after, problem.kind, result.retry_asked)
            case ProblemKind.PERMISSION if page:
                counts = False
            case ProblemKind.PERMISSION:
                since = self._last_success if self._last_success is not None else self._started_at
                if since is not None and now - since >= FORBIDDEN_SECONDS:
                    self._breaker.halt = self._breaker.halt or problem
            case ProblemKind.TIMEOUT:
                # Jobs that never answer take their time: what was not tried meanwhile may be well.
                counts = probe or not (alone or self._table.has_never_answered())
        works = self._breaker.record_failure(problem, now, self._rng, subject, probe=probe, counts=counts)
        self._on_works(works, now)


def _subject_of(action: Action) -> Hashable:
    """Return what a request is about, so that its failures can be told from those of others."""
    match action:
        case Poll(key) | FetchPart(key):
            return key
        case ListPage(resource, group):
            return resource, group
        case Wait():
            return None
