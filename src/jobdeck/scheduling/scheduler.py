"""The scheduler of one profile: which request to send next, and when."""

import random
from collections.abc import Collection, Mapping, Sequence

from jobdeck.domain.job import JobKey
from jobdeck.domain.problem import ProblemKind
from jobdeck.scheduling.actions import Action, BudgetView, FetchPart, Plan, Poll, Result, Seen, Wait
from jobdeck.scheduling.backoff import Breaker
from jobdeck.scheduling.budget import Budget
from jobdeck.scheduling.choice import Choice, Chosen
from jobdeck.scheduling.delay import later
from jobdeck.scheduling.estimates import Estimates
from jobdeck.scheduling.limits import Limit
from jobdeck.scheduling.lists import ListSupport
from jobdeck.scheduling.tracked import PollInterval
from jobdeck.scheduling.watch import FORBIDDEN_SECONDS, Watch

CROWDED = 0.75
"""Part of a minute's requests that, once used, shows that somebody has to wait."""

MOST_SLOW = 4
"""Requests at once for jobs that are slow to be answered, or that have been under way for long: half of all.

With twelve jobs of 22 that never answer, the other ten were polled twice in 150 s, and now as though they were alone.
"""

MOST_UNSURE = 6
"""The same together with jobs that were never answered yet, once others were."""

SLOW_SECONDS = 5.0
"""An answer that takes so long is slow."""

LONG_WAIT = 15.0
"""Seconds that the last in the queue may wait before the selected job takes less."""


class Scheduler:
    """Decides what one profile asks next, within its budget; every time is monotonic seconds and an argument.

    What counts is how late we learn that a job ended. A job with remaining time r has hazard h = 1/r; the sum of
    delays is smallest when it is polled at a rate proportional to √h (Cho & Garcia-Molina, "Effective page refresh
    policies", TODS 2003; Azar et al., "Tractable near-optimal policies for crawling", PNAS 2018), here by fair
    queueing with weights √h, the most valuable of the eight earliest going first, but none later than after six
    rounds. One list page that refreshes many jobs is weighed against the best single poll by the same value. Tokens
    come at 80 % of the limit.

    Deterministic: the same calls with the same `rng` seed give the same actions. A decision is O(log n). No method
    raises for a key it does not know; time that runs backwards counts as standing still. `lists` says what the
    API can list; `learnt` is what `learnt()` gave in an earlier run; `typical` is how many seconds the API's page says
    that jobs of a kind take (`*` for any other), without which nothing of a kind is unusual until it is learnt;
    `intervals` is how often it advises to poll jobs of a resource.
    """

    def __init__(
        self,
        limit: Limit,
        rng: random.Random,
        lists: Sequence[ListSupport] = (),
        learnt: Mapping[str, object] | None = None,
        *,
        typical: Mapping[str, float] | None = None,
        intervals: Mapping[str, PollInterval] | None = None,
    ) -> None:
        self._rng = rng
        self._budget = Budget(limit)
        self._breaker = Breaker()
        self._estimates = Estimates(learnt, typical)
        self._watch = Watch(lists, self._estimates, rng, intervals or {})
        self._choice = Choice(self._watch, self._budget)
        self._in_flight: dict[Action, tuple[float, bool, Chosen]] = {}
        self._now = float("-inf")
        self._begun: float | None = None
        self._succeeded: float | None = None
        self._paused = False
        self._halted = False

    def add(self, key: JobKey, kind: str, now: float, elapsed: float | None = None, wait: float | None = None) -> None:
        """Watch a job, due at once, or in `wait` seconds; adding it again changes nothing.

        It began `elapsed` seconds ago, if known.
        """
        now = self._tick(now)
        if key not in self._watch.jobs:
            self._watch.add(key, kind, now, elapsed, wait)

    def add_ended(self, key: JobKey, kind: str, now: float) -> None:
        """Watch a job that is remembered to have ended: it is polled once, after all that is more pressing."""
        now = self._tick(now)
        if key not in self._watch.jobs:
            self._watch.add_ended(key, kind, now)

    def fetch(self, key: JobKey) -> None:
        """Have an ended job polled for its own answer, if only a list, another process or memory told of its end."""
        self._watch.fetch(key)

    def remove(self, key: JobKey) -> None:
        """Stop watching a job; the answer to a request on its way is ignored."""
        self._watch.remove(key)
        self._choice.parts.drop(key)

    def focus(self, key: JobKey | None, now: float) -> None:
        """Set the selected job: looked at about every two seconds, for at most a third of the budget."""
        self._tick(now)
        self._choice.focus.key = key
        self._watch.select(key)

    def show(self, keys: Collection[JobKey]) -> None:
        """Set the rows on the screen, which go before those that are not."""
        self._watch.show(frozenset(keys))

    def attend(self, present: bool, now: float) -> None:
        """Say whether somebody looks at the terminal: without, everything is asked three times less often."""
        self._tick(now)
        self._watch.pace = 1.0 if present else 3.0

    def poll_now(self, key: JobKey, now: float) -> None:
        """Look at a job as soon as the budget allows, whatever its back-off, and even when it has ended.

        While the profile cannot be seen, the next probe goes now, but not within two seconds of the newest.
        """
        self._breaker.hurry(self._tick(now))
        if key in self._watch.jobs:
            self._choice.asked[key] = None

    def poll_all_now(self, now: float) -> None:
        """Make every job that has not ended due now, and a probe where none can be seen, paced by the budget."""
        now = self._tick(now)
        self._breaker.hurry(now)
        self._watch.singles.hurry(now)

    def pause(self) -> None:
        """Send nothing until `resume`."""
        self._paused = True

    def resume(self, now: float) -> None:
        """Go on after `pause`, paced from the first request."""
        self._paused = False
        self._budget.drain(self._tick(now))

    def release(self, now: float) -> None:
        """Go on after a refused key (401, 403) halted the profile."""
        self._halted = False
        self._begun = None
        self._succeeded = None
        self._breaker.close()
        self.poll_all_now(now)

    def wake(self, now: float) -> None:
        """Refresh everything once after the machine slept: paced from the first request, without a burst."""
        self._budget.drain(self._tick(now))
        self._breaker.close()
        self.poll_all_now(now)

    def next_action(self, now: float) -> Action:
        """Return what to do now. A request is thereby in flight and paid for; report it or abandon it.

        A `Wait` is until a moment 0.2–900 s from now, or None: until something is told to the scheduler.
        """
        now = self._tick(now)
        if self._paused or self._halted:
            return Wait(None)
        if (quiet := self._budget.quiet_until(now)) is not None:
            return Wait(later(now, quiet))
        probing = self._breaker.probe_at is not None
        if self._breaker.probe_at is not None:
            if any(probe for _, probe, _ in self._in_flight.values()):
                return Wait(None)
            if self._breaker.probe_at > now:
                return Wait(later(now, self._breaker.probe_at)) if self._watch.jobs else Wait(None)
        chosen = self._choice.choose(now, self._in_flight, probe=self._breaker.opened)
        while isinstance(chosen, Chosen) and not probing and self._must_wait(now, chosen):
            self._choice.put_aside(chosen, now)
            chosen = self._choice.choose(now, self._in_flight, probe=self._breaker.opened)
        if not isinstance(chosen, Chosen):
            return Wait(None if chosen is None else later(now, chosen))
        if isinstance(chosen.action, Poll):
            self._watch.no_longer_aside(chosen.action.key)
        self._in_flight[chosen.action] = (now, probing, chosen)
        self._begun = now if self._begun is None else self._begun
        return chosen.action

    def on_result(self, now: float, action: Action, result: Result) -> None:
        """Take in what came of an action; one that is not in flight (any more) changes nothing.

        A poll without a problem and without a row means that nobody was asked: as if it had been abandoned.
        """
        now = self._tick(now)
        if action not in self._in_flight:
            return
        if isinstance(action, Poll) and result.problem is None and not result.seen:
            self.abandon(action, now)
            return
        sent, probe, chosen = self._in_flight.pop(action)
        if isinstance(action, Poll):
            self._note_latency(action.key, now, sent, result)
        page = chosen.offer is not None
        # One that has been under way for long was counted when it came; it keeps no other waiting for its news.
        fresh = sum(now - sent < SLOW_SECONDS for sent, _, _ in self._in_flight.values())
        self._budget.announce(now, result.windows, fresh, page=page)
        if result.problem is None:
            self._budget.let_through(now, page=page)
            self._works(now)
            self._succeeded = now
        elif not isinstance(action, FetchPart):
            own = not probe and self._is_own_fault(action, chosen)
            self._fail(now, sent, result, probe=probe, page=page, own=own)
        elif result.problem is ProblemKind.RATE_LIMIT:
            # All else that keeps a part from being fetched is no reason to ask less, or nothing, of jobs.
            self._budget.refuse(now, sent, result.retry_after, page=False, asked=result.retry_asked)
        self._apply(now, sent, action, chosen, result)

    def _note_latency(self, key: JobKey, now: float, sent: float, result: Result) -> None:
        self._watch.asking.discard(key)
        slow = result.problem is ProblemKind.TIMEOUT or now - sent >= SLOW_SECONDS
        untried = self._watch.is_untried(key)
        slow |= self._watch.note_latency(key, slow=slow)
        if slow or untried:
            self._watch.take_up(now, slow=slow)

    def _apply(self, now: float, sent: float, action: Action, chosen: Chosen, result: Result) -> None:
        """Take over what an action told of jobs."""
        if chosen.offer is not None:
            if result.problem is None:
                self._watch.page(now, sent, chosen.offer, result)
            else:
                self._watch.page_failed(now, chosen.offer, result.problem, result.retry_after)
        elif isinstance(action, FetchPart):
            self._choice.part_fetched(now, action, result)
        elif isinstance(action, Poll):
            for seen in result.seen:
                self._watch.see(now, sent, seen, result.retry_after, listed=False)
            self._watch.settle(now, action.key, result, self._budget.quiet_until(now))
            self._choice.note_missing(now, action.key, result)

    def acquire(self, now: float) -> float | None:
        """Pay for a request that a person asks for; None when it is paid for, else when to ask again."""
        now = self._tick(now)
        ready = self._budget.ready(now)
        if ready > now:
            return ready
        self._budget.take(now)
        return None

    def refund(self, now: float, until: float) -> None:
        """Take back what was paid for a request that the shared budget had no room for before `until`."""
        now = self._tick(now)
        self._budget.hold(now, max(now, until), page=False)

    def on_acquired_result(self, now: float, sent: float, result: Result) -> None:
        """Take in what the answer to a request by `acquire` says of the budget; of jobs it says nothing."""
        now = self._tick(now)
        self._budget.announce(now, result.windows, len(self._in_flight), page=False)
        if result.problem is ProblemKind.RATE_LIMIT:
            self._budget.refuse(now, sent, result.retry_after, page=False, asked=result.retry_asked)
        elif result.problem is None:
            self._budget.let_through(now, page=False)

    def abandon(self, action: Action, now: float) -> None:
        """Note that an action was cancelled: its job is due again, its token stays spent."""
        now = self._tick(now)
        flight = self._in_flight.pop(action, None)
        if flight is None:
            return
        self._free(action, flight[2], now)
        self._watch.take_up(now, slow=True)

    def defer(self, action: Action, now: float, until: float) -> None:
        """Note that an action was not sent after all: its token comes back, and it is due again at `until`."""
        now = self._tick(now)
        flight = self._in_flight.pop(action, None)
        if flight is None:
            return
        self._budget.give_back(now, page=flight[2].offer is not None)
        self._free(action, flight[2], max(now, until))

    def hold(self, action: Action, now: float, until: float) -> None:
        """Note that the shared budget had no room for an action: nothing that is paid from it is sent before `until`.

        The action has its old place then. Only that keeps the order: were it due again at `until` alone, whatever is
        next would be tried at once and refused as well, down to the last job, and the first to wake would win.
        """
        now = self._tick(now)
        flight = self._in_flight.pop(action, None)
        if flight is None:
            return
        self._budget.hold(now, max(now, until), page=flight[2].offer is not None)
        self._choice.take_back(flight[2], now)

    def be_quiet(self, now: float, until: float) -> None:
        """Send nothing before `until`: the server asked somebody else for it who shares the budget."""
        now = self._tick(now)
        self._budget.be_quiet(now, until - now)

    def hear(self, now: float, seen: Seen) -> None:
        """Take in what somebody else observed of a job just now, as though it had been asked here."""
        now = self._tick(now)
        self._watch.see(now, now, seen, None, listed=False)

    def plan(self, key: JobKey) -> Plan | None:
        """Return when a job is due next (now, while it is being asked); None for one unknown or ended."""
        job = self._watch.jobs.get(key)
        if job is None or job.terminal:
            return None
        singles, rate = self._watch.singles, self._budget.rate(self._now)
        interval = singles.interval(job, self._now, rate)
        if job.looked is not None:
            interval = max(interval, job.not_before - job.looked)
        due = max(self._now, job.not_before)
        if key in singles and job.looked is not None:
            due = max(self._now, job.looked + interval, singles.until(key) or 0.0)
        if (book := self._watch.book_of(job)) is not None and key not in book.homeless:
            interval = self._choice.page_period(now=self._now)
            due = (job.looked or self._now) + interval
        silence = (self._breaker.probe_at, self._budget.quiet_until(self._now))
        due = max(due, self._now, *(until for until in silence if until is not None))
        return Plan(due, interval, job.failures)

    @property
    def probing(self) -> bool:
        """Whether everything failed lately, so that only single probes are sent."""
        return self._breaker.probe_at is not None

    @property
    def probe_at(self) -> float | None:
        """When a profile that cannot be seen is tried next; None while it can be, or nobody will."""
        if self._paused or self._halted or self._breaker.probe_at is None:
            return None
        return max(self._breaker.probe_at, self._budget.quiet_until(self._now) or self._now)

    def eta(self, key: JobKey, now: float) -> tuple[float, float] | None:
        """Return a likely range of seconds until a job ends, below zero past it.

        None while fewer than five of its kind have ended, or nothing tells how fast it goes.
        """
        job = self._watch.jobs.get(key)
        if job is None or job.terminal or job.looked is None or not job.dated:
            return None
        told = self._estimates.eta(job.kind, max(0.0, job.looked - job.begun), job.told, exact=job.exact)
        since = max(0.0, now - job.looked)
        return None if told is None else (max(0.0, told[0] - since), told[1] - since)

    def stalled(self, key: JobKey, now: float) -> bool:
        """Whether nothing has changed about a job for longer than 99 % of its kind (or stage) take."""
        job = self._watch.jobs.get(key)
        return job is not None and job.stalled(now, self._estimates)

    def stall_after(self, key: JobKey) -> float | None:
        """Return the seconds without a change after which a job is a stall; None where nothing tells that."""
        job = self._watch.jobs.get(key)
        return None if job is None or job.terminal else job.stall_after(self._estimates)

    def learnt(self) -> dict[str, dict[str, float]]:
        """Return the durations learnt, as plain data for the next run's constructor."""
        return self._estimates.export()

    def budget(self, now: float) -> BudgetView:
        """Return the budget for the screen."""
        now = self._tick(now)
        quiet, (kind, asked) = self._budget.quiet_until(now), self._budget.quiet_cause(now)
        covered, alone = self._watch.coverage()
        window = self._budget.window(now)
        return BudgetView(
            limit=self._budget.limit,
            used=self._budget.used(now),
            blocked_until=quiet,
            resets=self._budget.resets(now),
            paused=self._paused,
            halted=self._halted,
            list_limit=self._budget.list_limit,
            pages=self._budget.pages(now),
            covered=covered,
            alone=alone,
            window=window[1] if window is not None else None,
            window_limit=window[0] if window is not None else 0,
            window_used=window[2] if window is not None else 0,
            blocked_by=kind,
            blocked_asked=asked,
        )

    def _tick(self, now: float) -> float:
        elapsed = now - self._now
        if elapsed > 0:
            if elapsed < float("inf"):
                rate = self._budget.rate(now)
                self._watch.singles.pass_time(elapsed, rate)
                self._choice.focus.pass_time(elapsed, rate, crowded=self._crowded(now, rate))
            self._now = now
        return self._now

    def _crowded(self, now: float, rate: float) -> bool:
        if self._budget.used(now) <= CROWDED * rate * 60.0:
            return False
        return bool(self._watch.books) or self._watch.singles.ready > LONG_WAIT * rate

    def _free(self, action: Action, chosen: Chosen, due: float) -> None:
        if chosen.offer is not None:
            self._watch.page_unsent(chosen.offer, due)
        elif isinstance(action, FetchPart):
            self._choice.part_unsent(action, due)
        elif isinstance(action, Poll):
            self._watch.unsent(action.key, due)

    def _works(self, now: float) -> None:
        if self._breaker.close():
            self._watch.recover(now)

    def _must_wait(self, now: float, chosen: Chosen) -> bool:
        """Whether a request must not take a place at once with others like it.

        Slow jobs take half of all; two places stay free for jobs that answer while others are tried for the first time.
        """
        job = self._watch.jobs.get(chosen.action.key) if isinstance(chosen.action, Poll) else None
        if job is None or self._watch.aside_since(job.key) == now:
            # One that comes up again at once is wanted for something that no other job can give.
            return False
        first = job.untried and self._succeeded is not None
        if not job.slow and not first:
            return False
        slow = untried = 0
        for action, (sent, _, _) in self._in_flight.items():
            other = self._watch.jobs.get(action.key) if isinstance(action, Poll) else None
            if now - sent >= SLOW_SECONDS or (other is not None and other.slow):
                slow += 1
            elif other is not None and other.untried:
                untried += 1
        return slow + untried >= MOST_UNSURE if first else slow >= MOST_SLOW

    def _is_own_fault(self, action: Action, chosen: Chosen) -> bool:
        """Whether what was asked for failed before as well, and something else did not in between.

        Its failures then tell nothing of the profile.
        """
        if chosen.offer is not None:
            failed = self._watch.page_failed_at(chosen.offer)
        else:
            job = self._watch.jobs.get(action.key) if isinstance(action, Poll) else None
            failed = job.failed if job is not None and job.failures else None
        return failed is not None and self._succeeded is not None and self._succeeded > failed

    def _fail(self, now: float, sent: float, result: Result, *, probe: bool, page: bool, own: bool) -> None:
        match result.problem:
            case ProblemKind.AUTH:
                self._halted = True
            case ProblemKind.RATE_LIMIT:
                self._budget.refuse(now, sent, result.retry_after, page=page, asked=result.retry_asked)
            case ProblemKind.SERVER_ERROR if result.retry_after is not None and not own:
                asked = result.retry_after if result.retry_asked is None else result.retry_asked
                self._budget.be_quiet(now, result.retry_after, result.problem, asked)
            case ProblemKind.PERMISSION if not page:
                since = self._succeeded if self._succeeded is not None else self._begun
                self._halted = self._halted or (since is not None and now - since >= FORBIDDEN_SECONDS)
        if result.problem is None or self._breaker.reached(result.problem):
            self._works(now)
        elif result.problem is ProblemKind.TIMEOUT and not probe and self._watch.has_untried():
            # Jobs that never answer take their time: what was not tried meanwhile may be well.
            return
        elif not own and not (page and result.problem is ProblemKind.PERMISSION):
            self._breaker.fail(result.problem, now, self._rng, probe=probe)
