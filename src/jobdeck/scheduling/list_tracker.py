"""Lists: one request that refreshes up to a hundred jobs, and which jobs it is known to show."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from jobdeck.domain.job import JobKey
from jobdeck.scheduling.actions import ListPage
from jobdeck.scheduling.scheduled_job import ScheduledJob

PAGE_PERIOD = 2.0
"""Seconds between two requests for the same first page: the vendors allow no more."""

SUCCESS_SHARE = 0.8
"""Part of all ends that the first status is expected to show; the others share the rest."""

RECALL = 0.7
"""Part of the ends that pages of ended jobs are expected to show first."""

MIN_VALUE = 0.75
"""Seconds of delay that a page must be expected to save, or it is not worth a request."""

CURSOR_LIFE = 30.0
EMPTY_SECONDS = 60.0
"""Between two requests for a page that shows no watched job: one that lists never show must not cost one each 2 s."""

GRACE_GAPS = 3.0
"""Times the usual gap between two list pages after which a listed job is polled on its own."""

COUNT_SECONDS = 1.0
"""Seconds between recounts of the jobs that no unfiltered page shows."""

MIN_GRACE = 8.0
MAX_GRACE = 60.0


@dataclass(frozen=True, slots=True)
class ListEndpoint:
    """What a profile's API can list, as plain data.

    Rows come newest first, at most `page_size` of them. `kinds` are the kinds (as given to `Scheduler.add`) the list
    shows. `grouped` lists are requested per account group. `cursor` lists continue where a page ended.
    `active_statuses` are the filters that select unfinished jobs, the one that means "running" first, `ended_statuses`
    those that select ended ones, the one for success first. `full_rows` is False when rows say nothing of stages, error
    and result: then the end is known at once, and a poll for the rest follows when there is room (`Selector`).
    """

    resource: str
    kinds: frozenset[str]
    page_size: int = 100
    grouped: bool = False
    cursor: bool = False
    active_statuses: tuple[str, ...] = ()
    full_rows: bool = True
    ended_statuses: tuple[str, ...] = ()


@dataclass(slots=True)
class ListQuery:
    """One query of a list: without a filter (`status` None) or with one; `pages` are the live keys last shown.

    With `shows_ended` its pages have ended jobs as well as live ones, with `ended_only` ended jobs alone.
    """

    status: str | None
    shows_ended: bool
    ended_only: bool = False
    pages: list[list[JobKey]] = field(default_factory=list)
    values: list["AgingValue | None"] = field(default_factory=list)
    requested_at: float | None = None
    not_before: float = float("-inf")
    refused: bool = False
    cursor: str | None = None
    cursor_at: float = float("-inf")
    depth: int = 0
    in_flight: bool = False
    complete: bool = False


@dataclass(frozen=True, slots=True)
class PageCandidate:
    """A page that could be requested: what it is expected to save, in seconds of delay."""

    query: ListQuery
    depth: int
    page: ListPage
    value: float


@dataclass(frozen=True, slots=True)
class AgingValue:
    """Σh, Σh·t and Σh·t² with t counted from `base`: Σh(now − t)²/2 then costs the same for any number of jobs.

    `any_visible` says that one of them is on the screen.
    """

    base: float
    zero: float = 0.0
    one: float = 0.0
    two: float = 0.0
    any_visible: bool = False

    def at(self, now: float) -> float:
        """Seconds of delay that observing all these jobs `now` is expected to save."""
        since = now - self.base
        return max(0.0, self.zero * since * since - 2 * self.one * since + self.two) / 2

    def reaches(self, value: float) -> float:
        """Return when it will be `value`; infinite for never."""
        if self.zero <= 0.0:
            return math.inf
        root = math.sqrt(max(0.0, self.one * self.one - self.zero * (self.two - 2 * value)))
        return self.base + (self.one + root) / self.zero


class EndedPages:
    """The queries of one list that show ended jobs, newest first: one request may show a hundred ends.

    `statuses` are what they filter by, the one for success first. `hazards` is Σh of the jobs that no other page would
    show ended, watched since `since`. Times are monotonic seconds.
    """

    def __init__(self, statuses: Sequence[str]) -> None:
        self.queries = [ListQuery(status, shows_ended=True, ended_only=True) for status in statuses]
        self.hazards = 0.0
        self.since = 0.0

    def valuable_queries(self, now: float, interval_factor: float) -> Iterable[tuple[ListQuery, float]]:
        """Return the queries worth a request now, with the seconds of delay that each is expected to save."""
        for query, rate in self._rates():
            since = now - (self.since if query.requested_at is None else query.requested_at)
            value = rate * since * since / 2
            if value >= MIN_VALUE and (query.requested_at is None or since >= PAGE_PERIOD * interval_factor):
                yield query, value

    def next_worth_at(self, interval_factor: float) -> float | None:
        """Return when one of the queries will be worth a request, if nothing else changes; None for never."""
        times = [
            self.since + wait
            if query.requested_at is None
            else query.requested_at + max(wait, PAGE_PERIOD * interval_factor)
            for query, rate in self._rates()
            if rate > 0
            for wait in (math.sqrt(2 * MIN_VALUE / rate),)
        ]
        return min(times, default=None)

    def _rates(self) -> Iterable[tuple[ListQuery, float]]:
        """Return the queries that may be sent, with the ends a second that each is expected to show."""
        for number, query in enumerate(self.queries):
            if not query.refused and not query.in_flight:
                share = (1.0 - SUCCESS_SHARE) / (len(self.queries) - 1) if number else SUCCESS_SHARE
                yield query, share * self.hazards


class ListTracker:
    """One list (of one account group), with its queries and the watched jobs that it could show."""

    def __init__(self, endpoint: ListEndpoint, group: str | None, jobs: dict[JobKey, ScheduledJob]) -> None:
        self.endpoint = endpoint
        self.group = group
        self.keys: dict[JobKey, None] = {}
        self.unlisted: dict[JobKey, None] = {}
        self.new: dict[JobKey, None] = {}
        # While there is one, the list is read on: without, p95 of 300 at 30 with pages is 17 s, not 15.
        self.never_listed: dict[JobKey, None] = {}
        self.ended_pages = EndedPages(endpoint.ended_statuses)
        self.refused = False
        self.failures = 0
        self.retry_at = float("-inf")
        self.not_before = float("-inf")
        self._jobs = jobs
        self._counted_at = float("-inf")
        self._unlisted_value = AgingValue(0.0)
        self.queries = [ListQuery(None, shows_ended=True)]
        self.queries.extend(ListQuery(status, shows_ended=False) for status in endpoint.active_statuses)

    def add(self, key: JobKey) -> None:
        """Expect a new job, most likely on the first page without a filter."""
        self.keys[key] = self.unlisted[key] = self.new[key] = self.never_listed[key] = None

    def drop(self, key: JobKey) -> None:
        """Expect a job no more: it has ended, or is not watched."""
        self.keys.pop(key, None)
        self.unlisted.pop(key, None)
        self.new.pop(key, None)
        self.never_listed.pop(key, None)

    def mark_alive(self, key: JobKey) -> None:
        """Note that a job was observed that has not ended."""
        self.never_listed.pop(key, None)

    def mark_unlisted(self, key: JobKey) -> None:
        """Note that the lists have not shown a job for too long; it is polled on its own until they do again."""
        if key in self.keys:
            self.unlisted[key] = None

    def candidates(
        self, now: float, interval_factor: float, *, cheap: bool, probing: bool = False
    ) -> list[PageCandidate]:
        """Return the pages worth a request now; `interval_factor` stretches the period while the user is away.

        A page for a single job is worth a request only when pages are `cheap`, paid from their own bucket. A list
        that failed is left alone for a while, unless `probing`: then something else sets the interval_factor.
        """
        blocked_until = self.not_before if probing else max(self.not_before, self.retry_at)
        if self.refused or now < blocked_until or len(self.keys) < (1 if cheap else 2):
            return []
        found: list[PageCandidate] = []
        for query in self.queries:
            if query.refused or query.in_flight:
                continue
            if query.requested_at is None or now >= query.requested_at + PAGE_PERIOD * interval_factor:
                value = self._value(query, 0, now) + self._expected_new(query, now, 1 if cheap else 2)
                if value > 0:
                    found.append(self._candidate(query, 0, value))
            if query.cursor is not None and now < query.cursor_at + CURSOR_LIFE:
                value = self._value(query, query.depth, now) + self._expected_deeper(query)
                if value > 0:
                    found.append(self._candidate(query, query.depth, value))
        if self.queries[0].pages:
            found.extend(
                self._candidate(query, 0, value)
                for query, value in self.ended_pages.valuable_queries(now, interval_factor)
            )
        return found

    def next_candidate_at(self, now: float, interval_factor: float, *, cheap: bool) -> float | None:
        """Return when there may be a page worth a request, if there is none now."""
        if self.refused or len(self.keys) < (1 if cheap else 2):
            return None
        blocked_until = max(self.not_before, self.retry_at)
        soon = [
            max((query.requested_at or now) + PAGE_PERIOD * interval_factor, query.not_before, blocked_until)
            for query in self.queries
            if self.unlisted and not query.refused and not query.in_flight
        ]
        if self.queries[0].pages and (end := self.ended_pages.next_worth_at(interval_factor)) is not None:
            soon.append(max(end, blocked_until))
        return min([*soon, max(self._next_worth_at(now, interval_factor), blocked_until)])

    def next_refresh_at(self, now: float, interval_factor: float) -> float:
        """Return about when a page, or else a poll, will show again the jobs that pages have shown."""
        return min(max(self._next_worth_at(now, interval_factor), self.not_before, self.retry_at), now + MAX_GRACE)

    def _next_worth_at(self, now: float, interval_factor: float) -> float:
        """Return when a first page will be worth a request that shows the same jobs as last time."""
        times = [math.inf]
        for query in self.queries:
            if query.pages and not query.refused and not query.in_flight:
                sums = self._aging_value(query, 0, now)
                earliest = (query.requested_at or now) + PAGE_PERIOD * interval_factor
                times.append(earliest if sums.any_visible else max(earliest, sums.reaches(MIN_VALUE)))
        return min(times)

    def mark_sent(self, candidate: PageCandidate, now: float) -> None:
        """Note that a page was requested."""
        candidate.query.in_flight = True
        candidate.query.cursor = None
        if candidate.depth == 0:
            candidate.query.requested_at = now

    def apply_page(
        self, query: ListQuery, depth: int, now: float, shown: Sequence[JobKey], *, full: bool, cursor: str | None
    ) -> list[JobKey]:
        """Store which live jobs a page showed, in its order; return those that are no longer in the list.

        A job that was on this page is gone when an older one is still there, or when the list ends with this page.
        Else it was pushed off by newer jobs, and may be on the next page.
        """
        query.in_flight = False
        query.cursor, query.cursor_at, query.depth = cursor, now, depth + 1
        while len(query.pages) <= depth + 1:
            query.pages.append([])
        here = set(shown)
        numbers = {key: number for number, key in enumerate(query.pages[depth])}
        last = max((numbers[key] for key in shown if key in numbers), default=-1)
        earlier = set(query.pages[depth - 1]) if depth else set()
        vanished: list[JobKey] = []
        pushed: list[JobKey] = []
        for key, number in numbers.items():
            if key in here or key in earlier or key not in self.keys:
                continue
            (vanished if number < last or not full else pushed).append(key)
        query.pages[depth] = list(shown)
        query.pages[depth + 1] = [*pushed, *(key for key in query.pages[depth + 1] if key not in here)] if full else []
        query.complete = not full
        if not full or not self.endpoint.cursor:
            del query.pages[depth + 1 :]
            self.unlisted.update(dict.fromkeys(pushed))
        if not full and query.status is None:
            # The whole list was shown: what is not in it will not be seen by reading on.
            self.never_listed.clear()
        self.value_anew()
        for key in shown:
            self.unlisted.pop(key, None)
        if not full and query.status is not None and query.status == self.endpoint.active_statuses[0]:
            # The whole of what runs was shown: what ran when last seen, and is nowhere now, has ended.
            vanished.extend(key for key in self.unlisted if self._jobs[key].was_running)
        self.new.clear()
        self._count_unlisted(now)
        if depth == 0:
            query.not_before = now + EMPTY_SECONDS if not shown else query.not_before
        return vanished

    def value_anew(self) -> None:
        """Discard the cached values of pages: the jobs that they show, or that are on the screen, have changed."""
        for query in self.queries:
            query.values = [None] * len(query.pages)

    def mark_failed(self, query: ListQuery) -> None:
        """Note that a page was not answered."""
        query.in_flight = False
        query.cursor = None

    def retry_soon(self) -> None:
        """End the back-off: what made the list fail is over."""
        self.failures = 0
        self.retry_at = float("-inf")

    def _value(self, query: ListQuery, depth: int, now: float) -> float:
        sums = self._aging_value(query, depth, now)
        worth = sums.at(now)
        return worth if worth >= MIN_VALUE or sums.any_visible else 0.0

    def _aging_value(self, query: ListQuery, depth: int, now: float) -> AgingValue:
        """Return what a page is worth that shows the same jobs as last time."""
        if depth >= len(query.pages):
            return AgingValue(now)
        if len(query.values) != len(query.pages):
            query.values = [None] * len(query.pages)
        known = query.values[depth]
        if known is None:
            known = query.values[depth] = self._sum(query.pages[depth], now, ends_tell=query.shows_ended)
        return known

    def _sum(self, keys: Sequence[JobKey], now: float, *, ends_tell: bool) -> AgingValue:
        zero = one = two = 0.0
        looked_at = False
        for key in keys:
            job = self._jobs.get(key)
            if job is None or job.terminal or (job.suspected_end and not ends_tell):
                continue
            looked_at = looked_at or job.visible
            since = (job.last_success if job.last_success is not None else job.added) - now
            hazard = 1.0 if job.suspected_end else job.hazard
            zero += hazard
            one += hazard * since
            two += hazard * since * since
        # What pages of ended jobs will show anyway is worth little here, but for rows on the screen progress counts.
        rest = 1.0 if ends_tell or looked_at or not self.ended_pages.queries else 1.0 - RECALL
        return AgingValue(now, zero * rest, one * rest, two * rest, looked_at)

    def _count_unlisted(self, now: float) -> None:
        """Count the jobs that no page without a filter would show ended, and those that no page shows at all."""
        if now < self._counted_at + COUNT_SECONDS:
            return
        self._counted_at = now
        if not self.ended_pages.hazards:
            self.ended_pages.since = now
        listed = {key for page in self.queries[0].pages for key in page} if self.ended_pages.queries else self.keys
        hidden = (self._jobs[key] for key in self.keys if key not in listed)
        self.ended_pages.hazards = sum(job.hazard for job in hidden if not job.suspected_end)
        running = [key for key in self.unlisted if self._jobs[key].was_running]
        self._unlisted_value = self._sum(running, now, ends_tell=False)

    def _expected_new(self, query: ListQuery, now: float, least: int) -> float:
        """What a first page may bring beyond the jobs it showed last time."""
        if now < query.not_before or (query.status is not None and not self.queries[0].pages):
            return 0.0
        if query.status is not None and self.never_listed and self.endpoint.cursor and self.queries[0].in_flight:
            # The next page of all jobs is on its way, and reading on from there shows the rest.
            return 0.0
        if len(self.new) >= 2 and query.status is None:
            return float("inf")
        unlisted = len(self.unlisted)
        if unlisted < least:
            return 0.0
        if query.requested_at is None:
            return float("inf")
        if not query.complete or query.status is None or unlisted > self.endpoint.page_size:
            # Worth less than any poll, but not nothing: without it, ends of 60 at 30 are known after 1.22 s, not 1.06.
            return 1e-6 * unlisted
        # The last page had room to spare, so the next one will show them, unless they wait for their beginning.
        return self._unlisted_value.at(now)

    def _expected_deeper(self, query: ListQuery) -> float:
        explored = query.depth < len(query.pages) and bool(query.pages[query.depth])
        return float("inf") if self.never_listed or (not explored and len(self.unlisted) >= 2) else 0.0

    def _candidate(self, query: ListQuery, depth: int, value: float) -> PageCandidate:
        cursor = query.cursor if depth else None
        page = ListPage(self.endpoint.resource, self.group, query.status, cursor, self.endpoint.page_size)
        return PageCandidate(query, depth, page, value)
