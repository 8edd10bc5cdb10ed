"""The jobs of a profile with their state in the scheduler, and how each answer changes it."""

import random
from collections.abc import Mapping, Sequence

from jobdeck.domain.job import JobKey
from jobdeck.domain.phase import Phase
from jobdeck.domain.problem import ProblemKind
from jobdeck.domain.transitions import KNOWN_SECONDS
from jobdeck.scheduling.actions import ActionResult, JobUpdate
from jobdeck.scheduling.backoff import MAX_BACKOFF, backoff, clamp_delay
from jobdeck.scheduling.estimates import Estimates
from jobdeck.scheduling.fair_queue import DueQueue, FairQueue
from jobdeck.scheduling.list_tracker import GRACE_GAPS, MAX_GRACE, MIN_GRACE, ListEndpoint, ListTracker, PageCandidate
from jobdeck.scheduling.scheduled_job import MIN_INTERVAL, TRANSIENT_FAILURES, PollInterval, ScheduledJob

NOT_FOUND_SECONDS = 60.0
"""Between two polls of a job that has not been found for as long as a known one must be to be believed gone."""

MAX_MISSING_WAIT = 5.0
"""Between two polls until then: a replica that lags catches up within seconds."""

FULL_RATE_TRIES = 10
RARE_SECONDS = 900.0
"""An ended job whose own answer failed so often is polled for it as rarely as this."""

FORBIDDEN_SECONDS = 60.0
STAGES_SECONDS = 10.0
"""Between two polls of a job on the screen whose list rows say nothing of its stages."""

MAX_PARKED_SECONDS = 30.0
"""The longest that a slow job waits for a place: no request takes longer."""

MAX_SECONDS_WITHOUT_STAGES = 25.0
"""The longest such a job is left without a poll, when pages are always worth more."""

_ENDS_WITH_REASON = frozenset({Phase.FAILED, Phase.PARTIAL})
"""Ends that have a reason, which somebody wants to know."""

_LASTING_REFUSALS = frozenset(
    {
        ProblemKind.NOT_FOUND,
        ProblemKind.PERMISSION,
        ProblemKind.PROTOCOL,
        ProblemKind.REDIRECT,
        ProblemKind.NOT_JSON,
        ProblemKind.TOO_BIG,
    }
)
"""Answers to a list request that will be the same tomorrow."""


class ScheduleTable:
    """The watched jobs with their queues and lists. Times are monotonic seconds."""

    def __init__(
        self,
        lists: Sequence[ListEndpoint],
        estimates: Estimates,
        rng: random.Random,
        intervals: Mapping[str, PollInterval],
    ) -> None:
        self.jobs: dict[JobKey, ScheduledJob] = {}
        self.estimates = estimates
        self.fair_queue = FairQueue(self.jobs, estimates)
        self.lists: dict[tuple[str, str | None], ListTracker] = {}
        self.requested: dict[JobKey, None] = {}
        self.new: dict[JobKey, None] = {}
        self.suspects: dict[JobKey, None] = {}
        self.awaiting_result: dict[JobKey, None] = {}
        self._deferred: DueQueue[JobKey] = DueQueue()
        self.in_flight: set[JobKey] = set()
        self._parked_slow: dict[JobKey, float] = {}
        self._parked_untried: dict[JobKey, float] = {}
        self.interval_factor = 1.0
        self._endpoints = tuple(lists)
        self._rng = rng
        self._intervals = intervals
        self._visible: frozenset[JobKey] = frozenset()
        self._selected: JobKey | None = None

    def add(self, key: JobKey, kind: str, now: float, elapsed: float | None, wait: float | None = None) -> None:
        """Watch a job that began `elapsed` seconds ago (None: now, as far as we know).

        With `wait`, it is not polled on its own before so many seconds have passed.
        """
        job = self._add_job(key, kind, now, elapsed)
        self.fair_queue.mark_polled(job)
        if wait is None:
            self.fair_queue.defer(job, now)
            self.new[key] = None
        else:
            job.not_before = now + clamp_delay(wait)
            self.fair_queue.defer(job, job.not_before)
        if (tracker := self._any_list_of(job)) is not None:
            tracker.add(key)

    def add_ended(self, key: JobKey, kind: str, now: float) -> None:
        """Watch a job that is remembered to have ended: it is polled once, when there is room."""
        job = self._add_job(key, kind, now, None)
        job.terminal = True
        self.awaiting_result[key] = None

    def poll_ended(self, key: JobKey) -> None:
        """Have an ended job polled for its own answer, if that has not been done."""
        job = self.jobs.get(key)
        if job is not None and job.terminal and key not in self.in_flight and key not in self._deferred:
            job.complete = False
            self.awaiting_result.setdefault(key)

    def _add_job(self, key: JobKey, kind: str, now: float, elapsed: float | None) -> ScheduledJob:
        job = ScheduledJob(
            key,
            kind,
            kind,
            now,
            now - max(0.0, elapsed or 0.0),
            self._intervals.get(kind, PollInterval()),
            visible=key in self._visible or key == self._selected,
        )
        job.hazard = 1.0 / self.estimates.remaining(kind, now - job.started, None)
        self.jobs[key] = job
        for endpoint in self._endpoints:
            if kind in endpoint.kinds:
                name = (endpoint.resource, key.account_group if endpoint.grouped else None)
                if name not in self.lists:
                    self.lists[name] = ListTracker(endpoint, name[1], self.jobs)
                break
        return job

    def _reopen(self, job: ScheduledJob, now: float) -> None:
        """Go on with a job that was taken for ended: it is used again, or a list was ahead of it."""
        job.terminal = job.complete = job.needs_reason = job.start_exact = job.from_start = False
        job.end_confirmations = 0
        job.started, job.first_progress = now, None
        job.stage = job.stage_since = None
        self.awaiting_result.pop(job.key, None)
        self._deferred.drop(job.key)
        if (tracker := self._any_list_of(job)) is not None:
            tracker.add(job.key)

    def remove(self, key: JobKey) -> None:
        """Forget a job."""
        job = self.jobs.get(key)
        if job is not None:
            self._dequeue(job)
            self.requested.pop(key, None)
            del self.jobs[key]

    def set_visible(self, keys: frozenset[JobKey]) -> None:
        """Set the rows on the screen."""
        for key in self._visible ^ keys:
            if job := self.jobs.get(key):
                job.visible = key in keys or key == self._selected
        if keys != self._visible:
            self._value_pages_anew()
        self._visible = keys

    def set_selected(self, key: JobKey | None) -> None:
        """Set the selected row, which is on the screen whether or not `set_visible` named it."""
        for each in (self._selected, key):
            if each is not None and (job := self.jobs.get(each)):
                job.visible = each == key or each in self._visible
        if key != self._selected:
            self._value_pages_anew()
        self._selected = key

    def _value_pages_anew(self) -> None:
        for tracker in self.lists.values():
            tracker.value_anew()

    def list_of(self, job: ScheduledJob) -> ListTracker | None:
        """Return the list that can show a job; None when there is none or the server refused it."""
        tracker = self._any_list_of(job)
        return None if tracker is None or tracker.refused else tracker

    def coverage(self) -> tuple[int, int]:
        """Return how many unfinished jobs lists refresh, and how many others there are."""
        trackers = (tracker for tracker in self.lists.values() if not tracker.refused)
        covered = sum(len(tracker.keys) - len(tracker.unlisted) for tracker in trackers)
        live = len(self.fair_queue) + sum(not self.jobs[key].terminal for key in self.in_flight if key in self.jobs)
        return covered, max(0, live - covered)

    def apply_update(
        self, now: float, sent: float, update: JobUpdate, retry_after: float | None, *, listed: bool
    ) -> None:
        """Apply an observation of a job; which answer is the newest is not decided here."""
        job = self.jobs.get(update.key)
        if job is None:
            return
        if job.terminal and not update.terminal:
            self._reopen(job, now)
        job.learn_durations(now, update, self.estimates)
        job.last_success, job.last_sent = now, sent if job.last_sent is None else max(sent, job.last_sent)
        job.kind = update.kind or job.kind
        if update.full:
            job.last_full = now
            job.update_progress(now, update, self.estimates)
            job.last_polled = job.last_polled if listed else now
        job.failures = 0
        tracker = self._any_list_of(job)
        job.suspected_end = False
        job.was_running = update.phase is Phase.RUNNING or (update.phase is None and not update.terminal)
        self.new.pop(job.key, None)
        self.suspects.pop(job.key, None)
        self.fair_queue.mark_polled(job)
        if update.terminal:
            self._apply_end(job, now, update)
            return
        if tracker is not None:
            tracker.mark_alive(job.key)
        job.hazard = 1.0 / job.remaining(now, self.estimates)
        job.not_before = now + clamp_delay(retry_after) if retry_after is not None else float("-inf")
        wait = max(job.min_interval(now, self.estimates) * self.interval_factor, job.not_before - now)
        if listed:
            wait = self._list_grace(job, now, sent, wait, full=update.full)
            job.last_listed = sent
        if job.key not in self.in_flight:
            self.fair_queue.defer(job, now + wait)

    def _apply_end(self, job: ScheduledJob, now: float, update: JobUpdate) -> None:
        if update.full and job.terminal and not job.complete:
            job.end_confirmations += 1
        job.terminal = True
        job.complete = update.full or (job.complete and not update.changed)
        self._dequeue(job)
        if job.complete or job.key in self.in_flight:
            return
        job.needs_reason = job.needs_reason or update.phase in _ENDS_WITH_REASON
        # A list may be ahead of the job's own answer for some seconds, and show the end again and again.
        again = (
            now
            if job.last_polled is None
            else job.last_polled + min(MAX_BACKOFF, MIN_INTERVAL * 2.0**job.end_confirmations)
        )
        if again > now:
            self._deferred.put(job.key, again)
        else:
            self._queue_result_fetch(job)

    def reschedule_after(self, now: float, key: JobKey, result: ActionResult, quiet_until: float | None) -> None:
        """Queue a polled job again, unless its answer already did so."""
        job = self.jobs.get(key)
        if job is None:
            return
        self.new.pop(key, None)
        self.suspects.pop(key, None)
        job.suspected_end = False
        if result.problem is not None:
            job.failures += 1
            job.last_failure = now
            if job.failures > TRANSIENT_FAILURES:
                self.fair_queue.mark_polled(job)
        if job.complete or key in self.fair_queue or key in self.awaiting_result or key in self._deferred:
            return
        match result.kind:
            case None:
                wait = job.min_interval(now, self.estimates)
            case ProblemKind.RATE_LIMIT:
                wait = max(0.0, (quiet_until or now) - now)
            case ProblemKind.NOT_FOUND:
                wait = self._not_found_delay(job, result)
            case ProblemKind.PERMISSION:
                wait = FORBIDDEN_SECONDS
            case _:
                wait = backoff(job.failures, self._rng)
        if result.kind not in {None, ProblemKind.RATE_LIMIT} and result.retry_after is not None:
            # What it asks for about this job; about the profile, the budget knows.
            wait = max(wait, result.retry_after)
            job.not_before = now + wait
        if not job.terminal:
            self.fair_queue.defer(job, now + wait)
        else:
            self._deferred.put(key, now + (wait if job.failures <= FULL_RATE_TRIES else RARE_SECONDS))

    def _not_found_delay(self, job: ScheduledJob, result: ActionResult) -> float:
        """Return the seconds to leave a job alone that the server does not know."""
        if result.missing_seconds >= KNOWN_SECONDS:
            return NOT_FOUND_SECONDS
        return min(MAX_MISSING_WAIT, 2.0 ** (min(job.failures, 10) - 1)) * self._rng.uniform(0.5, 1.0)

    def promote_due(self, now: float) -> None:
        """Make ready whatever has waited long enough."""
        self.fair_queue.promote_due(now)
        while (due := self._deferred.first_due()) is not None and due <= now:
            self._queue_result_fetch(self.jobs[self._deferred.pop()])

    def next_due(self) -> float | None:
        """Return when `promote_due` will find something; None when nothing waits."""
        times = (self.fair_queue.next_due(), self._deferred.first_due())
        return min((at for at in times if at is not None), default=None)

    def park(self, key: JobKey, now: float) -> None:
        """Leave a slow or never answered job alone until a place is free, at most for as long as a request takes."""
        self.defer(key, now + MAX_PARKED_SECONDS)
        self.unpark(key)
        (self._parked_untried if self.jobs[key].never_answered else self._parked_slow)[key] = now

    def parked_since(self, key: JobKey) -> float | None:
        """Return when a job was parked that waits for a place; None of one that does not."""
        return self._parked_slow.get(key, self._parked_untried.get(key))

    def unpark(self, key: JobKey) -> None:
        """Forget that a job waits for a place."""
        self._parked_slow.pop(key, None)
        self._parked_untried.pop(key, None)

    def has_never_answered(self) -> bool:
        """Whether there is a job that nothing was answered about yet."""
        return bool(self.new or self._parked_untried)

    def unpark_next(self, now: float, *, slow: bool) -> None:
        """Queue the never answered job that has been parked for longest, now that a connection is free.

        If a slow job had it (`slow`), queue the slow job parked for longest as well. The one that finds no place left
        is parked again.
        """
        for queue in (self._parked_slow, self._parked_untried) if slow else (self._parked_untried,):
            key = next(iter(queue), None)
            if key is None:
                continue
            del queue[key]
            if key in self.fair_queue:
                self.fair_queue.defer(self.jobs[key], now)
            elif key in self._deferred:
                self._deferred.put(key, now)

    def mark_sent(self, key: JobKey) -> None:
        """Note that a request about a job is on its way."""
        self._dequeue_request(key)
        self.unpark(key)
        job = self.jobs.get(key)
        tracker = None if job is None else self.list_of(job)
        if tracker is not None and self.fair_queue.deferred_until(key) is None:
            tracker.mark_unlisted(key)
        self.fair_queue.drop(key)
        self._deferred.drop(key)
        self.in_flight.add(key)

    def defer(self, key: JobKey, until: float) -> None:
        """Leave a job alone until then, whose request is not on its way, or no more."""
        self._dequeue_request(key)
        self.in_flight.discard(key)
        job = self.jobs.get(key)
        if job is not None and not job.terminal:
            self.fair_queue.defer(job, until)
        elif job is not None and not job.complete:
            self._deferred.put(key, until)

    def _dequeue_request(self, key: JobKey) -> None:
        for queue in (self.requested, self.new, self.suspects, self.awaiting_result):
            queue.pop(key, None)

    def apply_page(self, now: float, sent: float, candidate: PageCandidate, result: ActionResult) -> None:
        """Apply a page of a list: what it shows, and what it should have shown and did not."""
        tracker = self.lists[candidate.page.resource, candidate.page.account_group]
        shown: list[JobKey] = []
        for update in result.updates:
            self.apply_update(now, sent, update, None, listed=True)
            if update.key in tracker.keys:
                shown.append(update.key)
        cut = (
            result.next_cursor is not None
            if tracker.endpoint.cursor
            else (result.rows or 0) >= tracker.endpoint.page_size
        )
        full = cut or result.rows is None
        tracker.retry_soon()
        if result.retry_after is not None:
            tracker.not_before = max(tracker.not_before, now + clamp_delay(result.retry_after))
        if candidate.query.ended_only:
            candidate.query.in_flight = False
            return
        for key in tracker.apply_page(
            candidate.query, candidate.depth, now, shown, full=full, cursor=result.next_cursor
        ):
            job = self.jobs[key]
            # A job gone from "queued" has most likely begun to run; gone from "running", it has ended.
            ended = candidate.query.status is None or candidate.query.status == tracker.endpoint.active_statuses[0]
            if ended and key not in self.in_flight and (job.last_sent is None or job.last_sent <= sent):
                job.suspected_end = True
                self.suspects[key] = None
                tracker.unlisted[key] = None

    def apply_page_failure(
        self, now: float, candidate: PageCandidate, problem: ProblemKind, retry_after: float | None = None
    ) -> None:
        """Note that a page was not answered; a refusal is remembered, and single polls go on."""
        tracker = self.lists[candidate.page.resource, candidate.page.account_group]
        tracker.mark_failed(candidate.query)
        if problem in _LASTING_REFUSALS:
            if candidate.query.status is None and candidate.depth == 0:
                tracker.refused = True
                for key in tracker.keys:
                    if key not in self.in_flight:
                        self.fair_queue.defer(self.jobs[key], now)
            elif candidate.depth == 0:
                candidate.query.refused = True
            return
        tracker.failures += 1
        if problem is not ProblemKind.RATE_LIMIT:
            tracker.retry_at = now + max(backoff(tracker.failures, self._rng), retry_after or 0.0)

    def needs_stages(self, now: float) -> JobKey | None:
        """Return the row on the screen whose stages were unknown for longest; None when all are known.

        They count as known for a while after each full answer.
        """
        found, longest = None, now
        for key in self._visible:
            job = self.jobs.get(key)
            if job is None or job.terminal or job.failures or key not in self.fair_queue:
                continue
            tracker = self.list_of(job)
            if tracker is None or tracker.endpoint.full_rows or now < job.not_before:
                continue
            last_full = job.added - MAX_SECONDS_WITHOUT_STAGES if job.last_full is None else job.last_full
            if last_full + MAX_SECONDS_WITHOUT_STAGES * self.interval_factor <= now and last_full < longest:
                found, longest = key, last_full
        return found

    def urgent_result(self) -> JobKey | None:
        """Return an ended job whose end only a list has shown, and whose reason or result somebody waits for."""
        key = next(iter(self.awaiting_result), None)
        if key is None:
            return None
        shown = next((each for each in self._visible if each in self.awaiting_result), None)
        return key if self.jobs[key].needs_reason else shown

    def _queue_result_fetch(self, job: ScheduledJob) -> None:
        """Queue an ended job whose end only a list has shown.

        Those that failed come before those that have a result.
        """
        self.awaiting_result[job.key] = None
        if job.needs_reason:
            others = dict(self.awaiting_result)
            del others[job.key]
            failed = dict.fromkeys(key for key in others if self.jobs[key].needs_reason)
            self.awaiting_result.clear()
            self.awaiting_result.update({**failed, job.key: None, **others})

    def retry_failed(self, now: float) -> None:
        """Poll all that failed, now that the profile works again."""
        self.fair_queue.make_due(now, failed_only=True)
        for tracker in self.lists.values():
            tracker.retry_soon()

    def _dequeue(self, job: ScheduledJob) -> None:
        self.fair_queue.drop(job.key)
        for queue in (self.new, self.suspects, self.awaiting_result):
            queue.pop(job.key, None)
        self._deferred.drop(job.key)
        self.unpark(job.key)
        if (tracker := self._any_list_of(job)) is not None:
            tracker.drop(job.key)

    def _any_list_of(self, job: ScheduledJob) -> ListTracker | None:
        for endpoint in self._endpoints:
            if job.list_kind in endpoint.kinds:
                return self.lists[endpoint.resource, job.key.account_group if endpoint.grouped else None]
        return None

    def _list_grace(self, job: ScheduledJob, now: float, sent: float, wait: float, *, full: bool) -> float:
        """Seconds to leave a job to its list before it is polled on its own."""
        if job.visible and not full:
            last_full = job.last_full if job.last_full is not None else job.added
            return max(0.0, last_full + STAGES_SECONDS * self.interval_factor - now)
        gap = sent - job.last_listed if job.last_listed is not None else 0.0
        return max(wait, min(MAX_GRACE, max(MIN_GRACE * self.interval_factor, GRACE_GAPS * gap)))
