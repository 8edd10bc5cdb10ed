"""The order of selection: requested, selected, vanished, new, a list page, the most valuable poll, a missing result.

Where list rows lack the result, each ended job is polled once more for it: when nothing else is due, and with one
request in three, first for the reason why one failed, then for rows on the screen. Where they carry it, nothing more is
asked. Parts of ended jobs that have a URL of their own are fetched likewise, and of the selected job while it goes on.
"""

from dataclasses import dataclass
from itertools import islice

from jobdeck.domain.job import JobKey, MissingPart
from jobdeck.scheduling.actions import ActionResult, FetchPart, ListPage, Poll
from jobdeck.scheduling.budget import Budget
from jobdeck.scheduling.fair_queue import DueQueue
from jobdeck.scheduling.list_tracker import PAGE_PERIOD, ListTracker, PageCandidate
from jobdeck.scheduling.schedule_table import ScheduleTable
from jobdeck.scheduling.scheduled_job import TRANSIENT_FAILURES

NEW_IN_A_ROW = 3
"""Of four requests at most this many go to new or vanished jobs, so that a long list of them starves nobody."""

DETAIL_EVERY = 2
"""After so many other requests one fetches what only a poll shows: why a job failed or what came of it, the stages of
the selected row and of others on the screen.

60 jobs with a cursor list at 30 a minute: full answers come 24 s after the end in the mean (243 s when one request in
eight fetches a result), and ends are known after 2.9 s (2.2 s).
"""

NEW_SECONDS = 5.0
"""New jobs go first while all of them can be polled within this time.

A flood of them is polled by value, like the rest.

A first poll of a job that has just begun shows little: at 60 jobs and 30 a minute ends are known after 10 s in
the mean instead of 18 s, at 2,000 and 300 after 46 s instead of 76 s.
"""

PROBED_AMONG = 8
"""How many ended jobs that wait for their own answer are considered as a probe."""

SELECTED_SECONDS = 2.0
SELECTED_SHARE = 1 / 3
CROWDED_SHARE = 1 / 6
"""When the others wait long: with a third, 60 jobs at 30 a minute are known after 24 s in the mean, with a sixth
after 15 s."""


PART_SECONDS = 10.0
"""Between two requests for a part of the selected job while it goes on."""

RETRY_SECONDS = 2.0


class PartQueue:
    """The parts that jobs miss. Those of ended jobs are due at once, others while their job is selected.

    Times are monotonic seconds.
    """

    def __init__(self) -> None:
        self._missing: dict[JobKey, tuple[MissingPart, ...]] = {}
        self._ended: DueQueue[JobKey] = DueQueue()
        self._fetched: dict[JobKey, float] = {}
        self._in_flight: set[JobKey] = set()

    def put(self, key: JobKey, missing: tuple[MissingPart, ...], now: float, *, ended: bool) -> None:
        """Queue the parts that a job misses after an answer; one that failed before is due a little later."""
        self._in_flight.discard(key)
        self._ended.drop(key)
        if not missing:
            self._missing.pop(key, None)
            return
        self._missing[key] = missing
        if ended:
            self._fetched.pop(key, None)
            self._ended.put(key, now + RETRY_SECONDS * missing[0].tries)

    def defer(self, key: JobKey, until: float) -> None:
        """Leave the parts of a job alone until then."""
        if key in self._ended:
            self._ended.put(key, until)
        else:
            self._fetched[key] = until - PART_SECONDS

    def drop(self, key: JobKey) -> None:
        """Forget a job."""
        self._in_flight.discard(key)
        self._ended.drop(key)
        self._missing.pop(key, None)
        self._fetched.pop(key, None)

    def first(self, key: JobKey) -> FetchPart:
        """Return the request for a job's first part."""
        return FetchPart(key, self._missing[key][0])

    def mark_sent(self, key: JobKey, now: float) -> None:
        """Note that a part of a job was requested."""
        self._ended.drop(key)
        self._fetched[key] = now
        self._in_flight.add(key)

    def due_selected(self, selected: JobKey | None) -> float | None:
        """Return when a part of the selected job is due; None when it misses none, or one is on its way."""
        if selected is None or selected not in self._missing or selected in self._in_flight:
            return None
        if selected in self._ended:
            return self._ended.due(selected)
        return self._fetched.get(selected, float("-inf")) + PART_SECONDS

    def due_ended(self) -> float | None:
        """Return when the first part of an ended job is due; None when there is none."""
        return self._ended.first_due()

    def first_ended(self) -> JobKey:
        """Return the ended job whose part is due first; raises IndexError when there is none."""
        return self._ended.earliest(1)[0]

    def has_ended(self, key: JobKey) -> bool:
        """Whether a part is awaited of a job that has ended."""
        return key in self._ended


class SelectedJob:
    """Which job is selected, and what may be spent on it. Times are monotonic seconds, rates requests a second."""

    def __init__(self) -> None:
        self.key: JobKey | None = None
        self._credit = 1.0
        self._share = SELECTED_SHARE

    def advance(self, seconds: float, rate: float, *, crowded: bool) -> None:
        """Earn a share of what `rate` gives in `seconds`, less when the budget is `crowded`.

        No more than one request is saved up.
        """
        self._share = CROWDED_SHARE if crowded else SELECTED_SHARE
        self._credit = min(1.0, self._credit + seconds * rate * self._share)

    def due_at(self, now: float, last_success: float | None, rate: float, interval_factor: float) -> float:
        """Return when the selected job may be polled next, given its last success."""
        missing = 1.0 - self._credit
        paid = now if missing <= 1e-9 else now + missing / max(rate * self._share, 1e-6)
        return paid if last_success is None else max(paid, last_success + SELECTED_SECONDS * interval_factor)

    def spend(self) -> None:
        """Pay for one request."""
        self._credit = max(0.0, self._credit - 1.0)


@dataclass(frozen=True, slots=True)
class Selection:
    """An action that is worth a request now, with the candidate behind it when it is a list page.

    `for_selected` says that it is paid from the share of the selected job, `detail` that it fetches what only a
    request about one job shows.
    """

    action: Poll | FetchPart | ListPage
    candidate: PageCandidate | None = None
    for_selected: bool = False
    detail: bool = False


class Selector:
    """Selects one request when there is a token for it, else when to select again. Times are monotonic."""

    def __init__(self, table: ScheduleTable, budget: Budget) -> None:
        self.selected = SelectedJob()
        self.parts = PartQueue()
        self._table = table
        self._budget = budget
        self._urgent_in_a_row = 0
        self._since_detail = 0
        self._result_last = False

    def select(self, now: float, *, probe: int) -> Selection | float | None:
        """Return the request to send now, or the time to ask again (None: after the next event).

        `probe` is the number of this probe, counted from 1; 0 while the profile works.
        """
        poll_at = self._budget.ready(now)
        # First: the count of ready jobs below must include those that have just become due.
        self._table.promote_due(now)
        page_at = self._budget.ready(now, page=True)
        if probe and (selection := self._probe(now, poll_at, page_at, probe)) is not None:
            return selection
        candidate = self._best_candidate(now) if min(poll_at, page_at) <= now else None
        if candidate is not None and page_at <= now and self._budget.has_list_bucket:
            return Selection(candidate.page, candidate)
        if poll_at > now:
            return self._wait_until(now, poll_at, page_at)
        if not probe and (part := self._part_in_turn(now)) is not None:
            return self._select_part(part)
        if (selection := self._poll_or_page(now, candidate, page_at)) is not None:
            return selection
        if (at := self.parts.due_ended()) is not None and at <= now:
            return self._select_part(self.parts.first_ended())
        return self._idle_until(now)

    def _poll_or_page(self, now: float, candidate: PageCandidate | None, page_at: float) -> Selection | None:
        """Return an urgent poll, unless the best page shows that job as well; else that page or the best poll."""
        urgent = self._urgent(now)
        if urgent is None and (detail := self._detail_in_turn(now)) is not None:
            return self._select_poll(detail, detail=True)
        if urgent is not None and (candidate is None or not self._covered_by(candidate, urgent)):
            return self._select_poll(urgent)
        best = self._table.fair_queue.best(now)
        worth = best.simple_value(now) if best is not None else 0.0
        # One that is paid apart has been returned already.
        if candidate is not None and page_at <= now and candidate.value >= worth:
            for_selected = urgent is not None and urgent == self.selected.key
            return Selection(candidate.page, candidate, for_selected=for_selected)
        key = urgent or (best.key if best is not None else self._next_awaiting_result())
        return None if key is None else self._select_poll(key)

    def page_period(self, now: float) -> float:
        """Return the seconds between two observations of a job that lists show."""
        if self._budget.has_list_bucket:
            return PAGE_PERIOD * self._table.interval_factor
        return max(PAGE_PERIOD * self._table.interval_factor, 1.0 / max(self._budget.rate(now), 1e-3))

    def _best_candidate(self, now: float, *, probing: bool = False) -> PageCandidate | None:
        best: PageCandidate | None = None
        for tracker in self._table.lists.values():
            for candidate in tracker.candidates(
                now, self._table.interval_factor, cheap=self._budget.has_list_bucket, probing=probing
            ):
                if best is None or candidate.value > best.value:
                    best = candidate
        return best

    def _covered_by(self, candidate: PageCandidate, key: JobKey) -> bool:
        """Whether a page is the better way to learn about an urgent job, because it shows others like it."""
        if key in self._table.requested:
            return False
        rows = candidate.query.pages[candidate.depth] if candidate.depth < len(candidate.query.pages) else ()
        if key == self.selected.key:
            # A page with the selected row on it is as good, and shows the others as well.
            return self._list(candidate).endpoint.full_rows and key in rows
        if not candidate.query.shows_ended:
            return False
        return candidate.value == float("inf") if key in self._table.new else key in rows

    def _urgent(self, now: float) -> JobKey | None:
        if (requested := self._first_requested()) is not None:
            return requested
        selected_due = self._selected_due(now)
        if selected_due is not None and selected_due <= now:
            return self.selected.key
        if self._urgent_in_a_row >= NEW_IN_A_ROW and self._table.fair_queue.ready_count:
            return None
        if (suspect := self._next_queued(self._table.suspects)) is not None:
            return suspect
        new = self._table.new
        return self._next_queued(new) if len(new) <= NEW_SECONDS * self._budget.rate(now) else None

    def _next_queued(self, queue: dict[JobKey, None]) -> JobKey | None:
        """Return the first of a queue that may be polled."""
        while queue:
            key = next(iter(queue))
            if key in self._table.fair_queue:
                return key
            del queue[key]
        return None

    def _first_requested(self) -> JobKey | None:
        """Return the first requested job about which no request is on its way; the others stay requested."""
        table = self._table
        return next((key for key in table.requested if key not in table.in_flight), None)

    def _selected_due(self, now: float) -> float | None:
        job = self._table.jobs.get(self.selected.key) if self.selected.key else None
        table = self._table
        if (
            job is None
            or job.key not in table.fair_queue
            or table.parked_since(job.key) is not None
            or job.failures > TRANSIENT_FAILURES
        ):
            return None
        tracker = self._table.list_of(job)
        # Where list rows say all, they count; where they lack the stages, only a poll shows the selected job.
        last = job.last_full if tracker is not None and not tracker.endpoint.full_rows else job.last_success
        if (
            tracker is not None
            and tracker.endpoint.full_rows
            and self._budget.has_list_bucket
            and job.key not in tracker.unlisted
            and last
        ):
            last += PAGE_PERIOD / 2
        due = max(self.selected.due_at(now, last, self._budget.rate(now), self._table.interval_factor), job.not_before)
        return max(due, self._table.fair_queue.deferred_until(job.key) or due) if job.failures else due

    def _probe(self, now: float, poll_at: float, page_at: float, number: int) -> Selection | None:
        """Return a page for odd probes and else a poll: a page refreshes all at once, but a list may be what fails."""
        requested = self._first_requested()
        if requested is None and number % 2 and page_at <= now:
            candidate = self._best_candidate(now, probing=True)
            if candidate is not None:
                return Selection(candidate.page, candidate)
        if poll_at > now:
            return None
        # One whose end a list showed waits for its own answer, and may be the one that works.
        tried = [self._table.jobs[each] for each in islice(self._table.awaiting_result, PROBED_AMONG)]
        if (single := self._table.fair_queue.oldest_attempt(now)) is not None:
            tried.append(single)
        tried = [job for job in tried if job.not_before <= now]
        job = min(tried, key=lambda each: each.last_attempt, default=None)
        key = requested or (None if job is None else job.key)
        return None if key is None else self._select_poll(key)

    def _next_awaiting_result(self) -> JobKey | None:
        """Return an ended job whose end only a list has shown: the selected one, one that failed, any."""
        awaiting = self._table.awaiting_result
        return self.selected.key if self.selected.key in awaiting else next(iter(awaiting), None)

    def _detail_in_turn(self, now: float) -> JobKey | None:
        """Return a job whose turn it is although pages may be worth more, so that none of them waits for ever."""
        awaiting = self._table.awaiting_result
        if self._since_detail < DETAIL_EVERY:
            return None
        selected = self.selected.key if self.selected.key in awaiting else None
        needs_stages = self._table.needs_stages(now) if self._result_last or not awaiting else None
        return selected or self._table.urgent_result() or needs_stages or self._next_awaiting_result()

    def _part_due(self, now: float) -> float | None:
        """Return when a part of the selected job may be fetched: while it goes on, from what such a job may take."""
        key = self.selected.key
        due = self.parts.due_selected(key)
        if due is None or key is None or self.parts.has_ended(key):
            return due
        return max(due, self.selected.due_at(now, None, self._budget.rate(now), self._table.interval_factor))

    def _part_in_turn(self, now: float) -> JobKey | None:
        """Return a job of which a part is fetched first: the selected one, else with one request in three."""
        selected, ended = self._part_due(now), self.parts.due_ended()
        if selected is not None and selected <= now:
            return self.selected.key
        if self._since_detail >= DETAIL_EVERY and ended is not None and ended <= now:
            return self.parts.first_ended()
        return None

    def _select_part(self, key: JobKey) -> Selection:
        return Selection(self.parts.first(key), for_selected=not self.parts.has_ended(key), detail=True)

    def _select_poll(self, key: JobKey, *, detail: bool = False) -> Selection:
        detail = detail or key in self._table.awaiting_result
        return Selection(Poll(key), for_selected=key == self.selected.key, detail=detail)

    def _list(self, candidate: PageCandidate) -> ListTracker:
        return self._table.lists[candidate.page.resource, candidate.page.account_group]

    def mark_sent(self, selection: Selection, now: float) -> None:
        """Pay for a request that is sent, and take it out of its queue."""
        table, action = self._table, selection.action
        self._budget.acquire(now, page=selection.candidate is not None)
        if selection.for_selected:
            self.selected.spend()
        self._since_detail = 0 if selection.detail else self._since_detail + 1
        if selection.candidate is not None:
            self._list(selection.candidate).mark_sent(selection.candidate, now)
            self._urgent_in_a_row = 0
        elif isinstance(action, FetchPart):
            self._urgent_in_a_row = 0
            self.parts.mark_sent(action.key, now)
            # No poll meanwhile: whichever is answered last would hide the other.
            table.fair_queue.drop(action.key)
            table.in_flight.add(action.key)
        elif isinstance(action, Poll):
            urgent = action.key in table.new or action.key in table.suspects
            self._urgent_in_a_row = self._urgent_in_a_row + 1 if urgent else 0
            if selection.detail:
                self._result_last = action.key in table.awaiting_result
            table.mark_sent(action.key)

    def defer(self, action: Poll | FetchPart | ListPage, until: float) -> None:
        """Leave what an action is about alone until then."""
        if isinstance(action, ListPage):
            tracker = self._table.lists[action.resource, action.account_group]
            tracker.not_before = max(tracker.not_before, until)
            return
        if (job := self._table.jobs.get(action.key)) is not None:
            job.not_before = max(job.not_before, until)
        self._table.defer(action.key, until)
        if isinstance(action, FetchPart):
            self.parts.defer(action.key, until)

    def apply_missing_parts(self, now: float, key: JobKey, result: ActionResult) -> None:
        """Apply which parts a job misses."""
        if (job := self._table.jobs.get(key)) is not None:
            self.parts.put(key, result.missing, now, ended=job.terminal)

    def apply_part(self, now: float, action: FetchPart, result: ActionResult) -> None:
        """Apply what a job misses after a request for a part; one that goes on is polled again in its time."""
        table = self._table
        table.in_flight.discard(action.key)
        self.apply_missing_parts(now, action.key, result)
        if (job := table.jobs.get(action.key)) is not None:
            last = now if job.last_success is None else job.last_success
            requested = action.key in table.requested
            table.defer(action.key, max(now, last + job.min_interval(now, table.estimates)))
            if requested:
                # Meanwhile a person asked for the job itself.
                table.requested[action.key] = None

    def _idle_until(self, now: float) -> float | None:
        """Nothing is worth a request now: return when something may be."""
        times = [self._table.next_due(), self._selected_due(now), self._part_due(now), self.parts.due_ended()]
        cheap = self._budget.has_list_bucket
        times.extend(
            tracker.next_candidate_at(now, self._table.interval_factor, cheap=cheap)
            for tracker in self._table.lists.values()
        )
        return min((at for at in times if at is not None), default=None)

    def _wait_until(self, now: float, poll_at: float, page_at: float) -> float | None:
        """There is no token for a poll: return when there is one for something that is worth it."""
        table = self._table
        part = self.parts.due_ended()
        something = (
            self._table.requested
            or table.new
            or table.suspects
            or table.awaiting_result
            or table.fair_queue.ready_count
        )
        something = something or (part is not None and part <= now)
        idle = self._idle_until(now)
        times = [poll_at] if something else []
        if idle is not None:
            times.append(max(idle, min(poll_at, page_at)))
        return min(times, default=None)
