"""The scheduler of one profile: which request to send next, and when."""

import random
from collections.abc import Collection

from jobdeck.domain.job import JobKey
from jobdeck.domain.problem import ProblemKind
from jobdeck.scheduling.actions import Action, BudgetView, Plan, Poll, Result, Seen, Wait
from jobdeck.scheduling.backoff import Breaker, backoff
from jobdeck.scheduling.budget import QUIET_AFTER_REFUSAL, Bucket
from jobdeck.scheduling.delay import delay, later
from jobdeck.scheduling.limits import Limit
from jobdeck.scheduling.queue import DueQueue
from jobdeck.scheduling.tracked import Tracked, floor_of

CANDIDATES = 8
FOCUS_SECONDS = 2.0
FOCUS_SHARE = 1 / 3
NOT_FOUND_SECONDS = 60.0
YOUNG_SECONDS = 30.0
FORBIDDEN_SECONDS = 60.0


class Scheduler:
    """Decides what one profile asks next, within its budget; every time is monotonic seconds and an argument.

    Deterministic: the same calls with the same `rng` seed give the same actions. No method raises for a key it
    does not know. Time that runs backwards counts as standing still.
    """

    def __init__(self, limit: Limit, rng: random.Random) -> None:
        self._rng = rng
        self._bucket = Bucket(limit)
        self._breaker = Breaker()
        self._jobs: dict[JobKey, Tracked] = {}
        self._queue: DueQueue[JobKey] = DueQueue()
        self._asked: dict[JobKey, None] = {}
        self._new: dict[JobKey, None] = {}
        self._in_flight: dict[Action, tuple[float, bool]] = {}
        self._shown: frozenset[JobKey] = frozenset()
        self._focus: JobKey | None = None
        self._focus_credit = 1.0
        self._new_in_a_row = 0
        self._now = float("-inf")
        self._begun: float | None = None
        self._succeeded: float | None = None
        self._quiet_until: float | None = None
        self._paused = False
        self._halted = False

    def add(self, key: JobKey, kind: str, now: float) -> None:
        """Watch a job, due at once; adding it again changes nothing."""
        if key in self._jobs:
            return
        now = self._tick(now)
        self._jobs[key] = Tracked(key, kind, now, shown=key in self._shown)
        self._queue.put(key, now)
        self._new[key] = None

    def remove(self, key: JobKey) -> None:
        """Stop watching a job; the answer to a request on its way is ignored."""
        self._jobs.pop(key, None)
        self._queue.drop(key)

    def focus(self, key: JobKey | None, now: float) -> None:
        """Set the selected job: looked at about every two seconds, for at most a third of the budget."""
        self._tick(now)
        self._focus = key

    def show(self, keys: Collection[JobKey]) -> None:
        """Set the rows on the screen, which go before those that are not."""
        shown = frozenset(keys)
        for key in self._shown ^ shown:
            if job := self._jobs.get(key):
                job.shown = key in shown
        self._shown = shown

    def ask(self, key: JobKey, now: float) -> None:
        """Look at a job as soon as the budget allows, whatever its back-off, and even when it has ended."""
        self._tick(now)
        if key in self._jobs:
            self._asked[key] = None

    def ask_all(self, now: float) -> None:
        """Make every job that has not ended due now; the budget still paces them."""
        now = self._tick(now)
        for key in list(self._queue):
            self._queue.put(key, min(now, self._queue.due(key) or now))

    def pause(self) -> None:
        """Send nothing until `resume`."""
        self._paused = True

    def resume(self, now: float) -> None:
        """Go on after `pause`, paced from the first request."""
        now = self._tick(now)
        self._paused = False
        self._bucket.drain(now)

    def release(self, now: float) -> None:
        """Go on after a refused key (401, 403) halted the profile."""
        now = self._tick(now)
        self._halted = False
        self._begun = None
        self._succeeded = None
        self._breaker.close()
        self.ask_all(now)

    def wake(self, now: float) -> None:
        """Refresh everything once after the machine slept: paced from the first request, without a burst."""
        now = self._tick(now)
        self._bucket.drain(now)
        self._breaker.close()
        self.ask_all(now)

    def next_action(self, now: float) -> Action:
        """Return what to do now. A request is thereby in flight and paid for; report it or abandon it.

        A `Wait` is until a moment 0.2–900 s from now, or None: until something is told to the scheduler.
        """
        now = self._tick(now)
        if self._paused or self._halted:
            return Wait(None)
        if self._quiet_until is not None and self._quiet_until > now:
            return Wait(later(now, self._quiet_until))
        ready = self._bucket.ready(now)
        probe_at = self._breaker.probe_at
        if probe_at is not None:
            if any(probe for _, probe in self._in_flight.values()):
                return Wait(None)
            ready = max(ready, probe_at)
        key, due = self._pick(now, probing=probe_at is not None)
        if key is None:
            return Wait(None if due is None else later(now, max(due, ready)))
        if ready > now:
            return Wait(later(now, ready))
        return self._send(Poll(key), now, probe=probe_at is not None)

    def on_result(self, now: float, action: Action, result: Result) -> None:
        """Take in what came of an action; one that is not in flight (any more) changes nothing."""
        now = self._tick(now)
        if action not in self._in_flight:
            return
        if isinstance(action, Poll) and result.problem is None and not result.seen:
            # Nobody was asked: the job had been removed before its turn came.
            self.abandon(action, now)
            return
        sent, probe = self._in_flight.pop(action)
        self._bucket.announce(now, result.windows, len(self._in_flight))
        if result.retry_after is not None and result.problem is not None:
            self._be_quiet(now + delay(result.retry_after))
        if result.problem is None:
            self._works(now)
            self._succeeded = now
            for seen in result.seen:
                self._see(now, sent, seen, result.retry_after)
        else:
            self._fail(now, sent, result.problem, probe=probe, named=result.retry_after is not None)
        if isinstance(action, Poll) and (job := self._jobs.get(action.key)):
            self._settle(now, job, result)

    def abandon(self, action: Action, now: float) -> None:
        """Note that an action was cancelled: its job is due again, its token stays spent."""
        now = self._tick(now)
        if self._in_flight.pop(action, None) is None:
            return
        if isinstance(action, Poll) and (job := self._jobs.get(action.key)) and not job.terminal:
            self._queue.put(action.key, now)

    def defer(self, action: Action, now: float, until: float) -> None:
        """Note that an action was not sent after all: its token comes back, its job is due at `until`."""
        now = self._tick(now)
        if self._in_flight.pop(action, None) is None:
            return
        self._bucket.give_back(now)
        if isinstance(action, Poll) and (job := self._jobs.get(action.key)) and not job.terminal:
            self._queue.put(action.key, max(now, until))

    def hear(self, now: float, seen: Seen) -> None:
        """Take in what somebody else observed of a job just now, as though it had been asked here."""
        now = self._tick(now)
        self._see(now, now, seen, None)

    def plan(self, key: JobKey) -> Plan | None:
        """Return when a job is due next (now, while it is being asked); None for one unknown or ended."""
        job = self._jobs.get(key)
        if job is None or job.terminal:
            return None
        due = self._queue.due(key)
        return Plan(self._now if due is None else due, self._interval(job), job.failures)

    def budget(self, now: float) -> BudgetView:
        """Return the budget for the screen."""
        now = self._tick(now)
        quiet = self._quiet_until if self._quiet_until is not None and self._quiet_until > now else None
        return BudgetView(self._bucket.limit, self._bucket.used(now), quiet, self._paused, self._halted)

    def _tick(self, now: float) -> float:
        elapsed = now - self._now
        if elapsed > 0:
            if elapsed < float("inf"):
                credit = elapsed * self._bucket.rate(now) * FOCUS_SHARE
                self._focus_credit = min(1.0, self._focus_credit + credit)
            self._now = now
        return self._now

    def _pick(self, now: float, *, probing: bool) -> tuple[JobKey | None, float | None]:
        """Return the job to ask, or None and when one is due."""
        if (asked := self._first_asked()) is not None:
            return asked, now
        focus_due = self._focus_due(now)
        if focus_due is not None and focus_due <= now:
            return self._focus, now
        if (new := self._first_new()) is not None:
            return new, now
        candidates = self._queue.earliest(CANDIDATES)
        due = [key for key in candidates if (self._queue.due(key) or 0.0) <= now]
        if due:
            return next((key for key in due if self._jobs[key].shown), due[0]), now
        if probing and candidates:
            return candidates[0], now
        dues = [at for at in (focus_due, *map(self._queue.due, candidates)) if at is not None]
        return None, min(dues, default=None)

    def _first_asked(self) -> JobKey | None:
        while self._asked:
            key = next(iter(self._asked))
            if key in self._jobs and Poll(key) not in self._in_flight:
                return key
            del self._asked[key]
        return None

    def _first_new(self) -> JobKey | None:
        # Every fourth request goes to a known job, so that a long list of new ones starves nobody.
        while self._new and self._new_in_a_row < 3:
            key = next(iter(self._new))
            if key in self._queue and self._jobs[key].looked is None and not self._jobs[key].failures:
                return key
            del self._new[key]
        return None

    def _focus_due(self, now: float) -> float | None:
        job = self._jobs.get(self._focus) if self._focus else None
        if job is None or job.key not in self._queue or job.failures:
            return None
        rate = self._bucket.rate(now) * FOCUS_SHARE
        if self._focus_credit < 1.0 and rate <= 0:
            return None
        paid = now + (1.0 - self._focus_credit) / rate if self._focus_credit < 1.0 else now
        return max(paid, now if job.looked is None else (job.asked or job.looked) + FOCUS_SECONDS)

    def _send(self, action: Poll, now: float, *, probe: bool) -> Action:
        key = action.key
        self._bucket.take(now)
        self._in_flight[action] = (now, probe)
        self._begun = now if self._begun is None else self._begun
        self._asked.pop(key, None)
        self._new_in_a_row = self._new_in_a_row + 1 if key in self._new else 0
        self._new.pop(key, None)
        if key == self._focus:
            self._focus_credit = max(0.0, self._focus_credit - 1.0)
        self._queue.drop(key)
        return action

    def _see(self, now: float, sent: float, seen: Seen, retry_after: float | None) -> None:
        job = self._jobs.get(seen.key)
        if job is None or (job.asked is not None and job.asked > sent):
            return
        job.looked, job.asked = now, sent
        job.kind = seen.kind or job.kind
        job.progress = seen.progress
        job.failures = job.misses = 0
        job.terminal = job.terminal or seen.terminal
        if job.terminal:
            self._queue.drop(job.key)
        else:
            self._queue.put(job.key, now + max(self._interval(job), retry_after or 0.0))

    def _settle(self, now: float, job: Tracked, result: Result) -> None:
        """Queue the job that was polled again, unless its answer already did."""
        if job.terminal:
            return
        match result.problem:
            case None:
                wait = self._interval(job)
            case ProblemKind.RATE_LIMIT:
                job.failures += 1
                wait = max(0.0, (self._quiet_until or now) - now)
            case ProblemKind.NOT_FOUND:
                job.failures += 1
                job.misses += 1
                gone = job.misses >= 2 and now - job.added >= YOUNG_SECONDS
                wait = NOT_FOUND_SECONDS if gone else backoff(job.misses, self._rng)
            case ProblemKind.PERMISSION:
                job.failures += 1
                wait = FORBIDDEN_SECONDS
            case _:
                job.failures += 1
                wait = backoff(job.failures, self._rng)
        if result.problem is not None or job.key not in self._queue:
            self._queue.put(job.key, now + wait)

    def _works(self, now: float) -> None:
        if self._breaker.close():
            for key in list(self._queue):
                if self._jobs[key].failures:
                    self._queue.put(key, now)

    def _fail(self, now: float, sent: float, problem: ProblemKind, *, probe: bool, named: bool) -> None:
        if problem is ProblemKind.AUTH:
            self._halted = True
        if problem is ProblemKind.PERMISSION:
            since = self._succeeded if self._succeeded is not None else self._begun
            self._halted = self._halted or (since is not None and now - since >= FORBIDDEN_SECONDS)
        if problem is ProblemKind.RATE_LIMIT:
            self._bucket.refuse(now, sent)
            if not named:
                self._be_quiet(now + QUIET_AFTER_REFUSAL)
        if self._breaker.reached(problem):
            self._works(now)
        else:
            self._breaker.fail(problem, now, self._rng, probe=probe)

    def _be_quiet(self, until: float) -> None:
        self._quiet_until = max(until, self._quiet_until or until)

    def _interval(self, job: Tracked) -> float:
        """Seconds between two looks when all is well: the floor, or a fair share of the budget."""
        fair = len(self._queue) / max(self._bucket.rate(self._now), 1e-3)
        return delay(max(floor_of(job.kind), fair))
