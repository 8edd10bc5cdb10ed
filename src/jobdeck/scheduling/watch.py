"""All jobs of a profile: what is known of them, and what every answer makes of it."""

import random
from collections.abc import Mapping, Sequence

from jobdeck.domain.job import JobKey
from jobdeck.domain.phase import Phase
from jobdeck.domain.problem import ProblemKind
from jobdeck.scheduling.actions import Result, Seen
from jobdeck.scheduling.arms import Offer
from jobdeck.scheduling.backoff import LONGEST_BACKOFF, backoff
from jobdeck.scheduling.delay import delay
from jobdeck.scheduling.estimates import Estimates
from jobdeck.scheduling.lists import LONGEST_PATIENCE, PATIENCE, SHORTEST_PATIENCE, Book, ListSupport
from jobdeck.scheduling.queue import DueQueue
from jobdeck.scheduling.singles import Singles
from jobdeck.scheduling.tracked import SHORTEST_FLOOR, TRANSIENT, PollInterval, Tracked

NOT_FOUND_SECONDS = 60.0
MISSING_SECONDS = 30.0
"""After so long without anything but "not found" a job is polled rarely."""

LONGEST_MISSING_WAIT = 5.0
"""Between two polls until then: a replica that lags catches up within seconds."""

TRIES_IN_FULL = 10
RARE_SECONDS = 900.0
"""An ended job whose own answer failed so often is polled for it as rarely as this."""

FORBIDDEN_SECONDS = 60.0
STAGES_SECONDS = 10.0
"""Between two polls of a job on the screen whose list rows say nothing of its stages."""

ASIDE_SECONDS = 30.0
"""The longest that a slow job waits for a place: no request takes longer."""

BARE_SECONDS = 25.0
"""The longest such a job is left without one, when pages are always worth more than any poll."""

BEGINNING = 0.25
"""A job first seen with more progress than this was not watched from its start, and teaches no duration."""

EARLY = 0.05
"""A job first seen with less progress than this has just begun, as far as its end is concerned."""

MOVED = 0.1
"""So much progress since the first look tells how fast a job goes."""

_GRAVE = frozenset({Phase.FAILED, Phase.PARTIAL})
"""Ends that have a reason, which somebody wants to know."""

_REFUSALS = frozenset(
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


class Watch:
    """The watched jobs with their queues and lists. Times are monotonic seconds."""

    def __init__(
        self,
        lists: Sequence[ListSupport],
        estimates: Estimates,
        rng: random.Random,
        intervals: Mapping[str, PollInterval],
    ) -> None:
        self.jobs: dict[JobKey, Tracked] = {}
        self.estimates = estimates
        self.singles = Singles(self.jobs, estimates)
        self.books: dict[tuple[str, str | None], Book] = {}
        self.new: dict[JobKey, None] = {}
        self.suspects: dict[JobKey, None] = {}
        self.unfinished: dict[JobKey, None] = {}
        self._put_off: DueQueue[JobKey] = DueQueue()
        self.asking: set[JobKey] = set()
        self._aside_slow: dict[JobKey, float] = {}
        self._aside_untried: dict[JobKey, float] = {}
        self.pace = 1.0
        self._lists = tuple(lists)
        self._rng = rng
        self._intervals = intervals
        self._shown: frozenset[JobKey] = frozenset()
        self._selected: JobKey | None = None

    def add(self, key: JobKey, kind: str, now: float, elapsed: float | None, wait: float | None = None) -> None:
        """Watch a job that began `elapsed` seconds ago (None: now, as far as we know).

        With `wait`, it is not polled on its own before so many seconds have passed.
        """
        job = self._track(key, kind, now, elapsed)
        self.singles.looked(job)
        if wait is None:
            self.singles.hold(job, now)
            self.new[key] = None
        else:
            job.not_before = now + delay(wait)
            self.singles.hold(job, job.not_before)
        if (book := self._any_book_of(job)) is not None:
            book.add(key)

    def add_ended(self, key: JobKey, kind: str, now: float) -> None:
        """Watch a job that is remembered to have ended: it is polled once, when there is room."""
        job = self._track(key, kind, now, None)
        job.terminal = True
        self.unfinished[key] = None

    def fetch(self, key: JobKey) -> None:
        """Have an ended job polled for its own answer, if that has not been done."""
        job = self.jobs.get(key)
        if job is not None and job.terminal and key not in self.asking and key not in self._put_off:
            job.finished = False
            self.unfinished.setdefault(key)

    def _track(self, key: JobKey, kind: str, now: float, elapsed: float | None) -> Tracked:
        job = Tracked(
            key,
            kind,
            kind,
            now,
            now - max(0.0, elapsed or 0.0),
            self._intervals.get(kind, PollInterval()),
            shown=key in self._shown or key == self._selected,
        )
        job.hazard = 1.0 / self.estimates.remaining(kind, now - job.begun, None)
        self.jobs[key] = job
        for support in self._lists:
            if kind in support.kinds:
                name = (support.resource, key.account_group if support.grouped else None)
                if name not in self.books:
                    self.books[name] = Book(support, name[1], self.jobs)
                break
        return job

    def _resume(self, job: Tracked, now: float) -> None:
        """Go on with a job that was taken for ended: it is used again, or a list was ahead of it."""
        job.terminal = job.finished = job.grave = job.exact = job.from_start = False
        job.affirmed = 0
        job.begun, job.gauged = now, None
        job.stage = job.stage_since = job.changed = None
        self.unfinished.pop(job.key, None)
        self._put_off.drop(job.key)
        if (book := self._any_book_of(job)) is not None:
            book.add(job.key)

    def remove(self, key: JobKey) -> None:
        """Forget a job."""
        job = self.jobs.get(key)
        if job is not None:
            self._leave(job)
            del self.jobs[key]

    def show(self, keys: frozenset[JobKey]) -> None:
        """Set the rows on the screen."""
        for key in self._shown ^ keys:
            if job := self.jobs.get(key):
                job.shown = key in keys or key == self._selected
        self._shown = keys

    def select(self, key: JobKey | None) -> None:
        """Set the selected row, which is on the screen whether or not it was said to be."""
        for each in (self._selected, key):
            if each is not None and (job := self.jobs.get(each)):
                job.shown = each == key or each in self._shown
        self._selected = key

    def book_of(self, job: Tracked) -> Book | None:
        """Return the list that can show a job; None when there is none or the server refused it."""
        book = self._any_book_of(job)
        return None if book is None or book.refused else book

    def coverage(self) -> tuple[int, int]:
        """Return how many unfinished jobs lists refresh, and how many others there are."""
        books = (book for book in self.books.values() if not book.refused)
        covered = sum(len(book.keys) - len(book.homeless) for book in books)
        live = len(self.singles) + sum(not self.jobs[key].terminal for key in self.asking if key in self.jobs)
        return covered, max(0, live - covered)

    def see(self, now: float, sent: float, seen: Seen, hint: float | None, *, listed: bool) -> None:
        """Take over what is known of a job after an answer; which answer is the newest is not decided here."""
        job = self.jobs.get(seen.key)
        if job is None:
            return
        if job.terminal and not seen.terminal:
            self._resume(job, now)
        self._learn(job, now, seen)
        job.looked, job.asked = now, sent if job.asked is None else max(sent, job.asked)
        job.kind = seen.kind or job.kind
        if seen.whole:
            job.whole = now
            self._gauge(job, now, seen)
            job.polled = job.polled if listed else now
        if seen.changed or job.changed is None:
            job.changed = now
        job.failures = job.misses = 0
        job.missing_since = None
        book = self._any_book_of(job)
        if book is not None and seen.terminal and not listed and not job.terminal:
            book.ends.heard(here=False)
        job.suspect = False
        job.runs = seen.phase is Phase.RUNNING or (seen.phase is None and not seen.terminal)
        self.new.pop(job.key, None)
        self.suspects.pop(job.key, None)
        self.singles.looked(job)
        if seen.terminal:
            self._see_ended(job, now, seen)
            return
        if book is not None:
            book.see(job.key)
        job.hazard = 1.0 / job.remaining(now, self.estimates)
        job.not_before = now + delay(hint) if hint is not None else float("-inf")
        wait = max(job.floor(now, self.estimates) * self.pace, job.not_before - now)
        if listed:
            wait = self._patience(job, now, sent, wait, whole=seen.whole)
            job.listed = sent
        if job.key not in self.asking:
            self.singles.hold(job, now + wait)

    def _see_ended(self, job: Tracked, now: float, seen: Seen) -> None:
        if seen.whole and job.terminal and not job.finished:
            job.affirmed += 1
        job.terminal = True
        job.finished = seen.whole or (job.finished and not seen.changed)
        self._leave(job)
        if job.finished or job.key in self.asking:
            return
        job.grave = job.grave or seen.phase in _GRAVE
        # A list may be ahead of the job's own answer for some seconds, and tell of the end again and again.
        again = now if job.polled is None else job.polled + min(LONGEST_BACKOFF, SHORTEST_FLOOR * 2.0**job.affirmed)
        if again > now:
            self._put_off.put(job.key, again)
        else:
            self._want_rest(job)

    def settle(self, now: float, key: JobKey, result: Result, quiet_until: float | None) -> None:
        """Queue a polled job again, unless its answer already did so."""
        job = self.jobs.get(key)
        if job is None:
            return
        self.new.pop(key, None)
        self.suspects.pop(key, None)
        job.suspect = False
        if result.problem is not None:
            job.failures += 1
            job.failed = now
            if job.failures > TRANSIENT:
                self.singles.looked(job)
        if job.finished or key in self.singles or key in self.unfinished or key in self._put_off:
            return
        match result.problem:
            case None:
                wait = job.floor(now, self.estimates)
            case ProblemKind.RATE_LIMIT:
                wait = max(0.0, (quiet_until or now) - now)
            case ProblemKind.NOT_FOUND:
                wait = self._after_miss(job, now)
            case ProblemKind.PERMISSION:
                wait = FORBIDDEN_SECONDS
            case _:
                wait = backoff(job.failures, self._rng)
        if result.problem not in {None, ProblemKind.RATE_LIMIT} and result.retry_after is not None:
            # What it asks for about this job; about the profile, the budget knows.
            wait = max(wait, result.retry_after)
            job.not_before = now + wait
        if not job.terminal:
            self.singles.hold(job, now + wait)
        else:
            self._put_off.put(key, now + (wait if job.failures <= TRIES_IN_FULL else RARE_SECONDS))

    def _after_miss(self, job: Tracked, now: float) -> float:
        """Return the seconds to leave a job alone that the server says it does not know."""
        job.misses += 1
        if job.missing_since is None:
            job.missing_since = now
        if job.misses > 1 and now - job.missing_since >= MISSING_SECONDS:
            return NOT_FOUND_SECONDS
        return delay(min(LONGEST_MISSING_WAIT, 2.0 ** (job.misses - 1)) * self._rng.uniform(0.5, 1.0))

    def wake(self, now: float) -> None:
        """Make ready whatever has waited long enough."""
        self.singles.wake(now)
        while (due := self._put_off.first_due()) is not None and due <= now:
            self._want_rest(self.jobs[self._put_off.pop()])

    def next_due(self) -> float | None:
        """Return when `wake` will find something; None when nothing waits."""
        times = (self.singles.next_due(), self._put_off.first_due())
        return min((at for at in times if at is not None), default=None)

    def put_aside(self, key: JobKey, now: float) -> None:
        """Leave a slow or untried job alone until a place is free, at the latest when a request must have ended."""
        self.unsent(key, now + ASIDE_SECONDS)
        self.no_longer_aside(key)
        (self._aside_untried if self.jobs[key].untried else self._aside_slow)[key] = now

    def aside_since(self, key: JobKey) -> float | None:
        """Return when a job was put aside that waits for a place; None of one that does not."""
        return self._aside_slow.get(key, self._aside_untried.get(key))

    def no_longer_aside(self, key: JobKey) -> None:
        """Forget that a job waits for a place."""
        self._aside_slow.pop(key, None)
        self._aside_untried.pop(key, None)

    def has_untried(self) -> bool:
        """Whether there is a job that was never asked for."""
        return bool(self.new or self._aside_untried)

    def take_up(self, now: float, *, slow: bool) -> None:
        """Queue the untried job that has been aside for longest, now that a request has ended.

        With `slow` it was one for a slow job, whose place another slow one may take as well.
        """
        for queue in (self._aside_slow, self._aside_untried) if slow else (self._aside_untried,):
            key = next(iter(queue), None)
            if key is None:
                continue
            del queue[key]
            if key in self.singles:
                self.singles.hold(self.jobs[key], now)
            elif key in self._put_off:
                self._put_off.put(key, now)

    def note_latency(self, key: JobKey, *, slow: bool) -> bool:
        """Note whether a job's newest answer took long, or never came; return whether it did the time before."""
        job = self.jobs.get(key)
        if job is None:
            return False
        before, job.slow = job.slow, slow
        return before

    def is_untried(self, key: JobKey) -> bool:
        """Whether there is such a job, and it was never answered."""
        job = self.jobs.get(key)
        return job is not None and job.untried

    def unsent(self, key: JobKey, due: float) -> None:
        """Queue a job again whose poll was cancelled or not sent."""
        self.asking.discard(key)
        job = self.jobs.get(key)
        if job is not None and not job.terminal:
            self.singles.hold(job, due)
        elif job is not None and not job.finished:
            self._put_off.put(key, due)

    def page_unsent(self, offer: Offer, due: float) -> None:
        """Leave a list alone until `due`, whose page was cancelled or not sent."""
        book = self.books[offer.page.resource, offer.page.account_group]
        book.unsend(offer)
        book.not_before = max(book.not_before, due)

    def page(self, now: float, sent: float, offer: Offer, result: Result) -> None:
        """Take over a page of a list: what it shows, and what it should have shown and did not."""
        book = self.books[offer.page.resource, offer.page.account_group]
        shown: list[JobKey] = []
        told = 0
        for seen in result.seen:
            if offer.arm.over and seen.terminal and seen.key in book.keys:
                told += 1
                book.ends.heard(here=True)
            self.see(now, sent, seen, None, listed=True)
            if seen.key in book.keys:
                shown.append(seen.key)
        cut = result.next_cursor is not None if book.support.cursor else (result.rows or 0) >= book.support.page
        full = cut or result.rows is None
        book.hurry()
        if result.retry_after is not None:
            book.not_before = max(book.not_before, now + delay(result.retry_after))
        if offer.arm.over:
            book.ends.take(offer, sent, told, full=full)
            return
        for key in book.take(offer.arm, offer.place, now, shown, full=full, cursor=result.next_cursor):
            job = self.jobs[key]
            # A job gone from "queued" has most likely begun to run; gone from "running", it has ended.
            ended = offer.arm.status is None or offer.arm.status == book.support.active[0]
            if ended and key not in self.asking and (job.asked is None or job.asked <= sent):
                job.suspect = True
                self.suspects[key] = None
                book.homeless[key] = None
                book.ends.gone(key, job.looked if job.looked is not None else job.added, now, sent)

    def page_failed_at(self, offer: Offer) -> float | None:
        """Return when the newest page of a list failed; None when it was answered."""
        book = self.books[offer.page.resource, offer.page.account_group]
        return book.failed_at if book.failures else None

    def page_failed(self, now: float, offer: Offer, problem: ProblemKind, retry_after: float | None = None) -> None:
        """Note that a page was not answered; a refusal is remembered, and single polls go on."""
        book = self.books[offer.page.resource, offer.page.account_group]
        book.fail(offer.arm)
        book.failed_at = now
        if problem in _REFUSALS:
            if offer.arm.status is None and offer.place == 0:
                book.refused = True
                for key in book.keys:
                    if key not in self.asking:
                        self.singles.hold(self.jobs[key], now)
            elif offer.place == 0:
                offer.arm.refused = True
            return
        book.failures += 1
        if problem is not ProblemKind.RATE_LIMIT:
            book.retry_at = now + max(backoff(book.failures, self._rng), retry_after or 0.0)

    def bare(self, now: float) -> JobKey | None:
        """Return the row on the screen of whose stages nothing was told for longest; None when all are known.

        Of one that was told of once, they are known for a while.
        """
        found, longest = None, now
        for key in self._shown:
            job = self.jobs.get(key)
            if job is None or job.terminal or job.failures or key not in self.singles:
                continue
            book = self.book_of(job)
            if book is None or book.support.whole or now < job.not_before:
                continue
            told = job.added - BARE_SECONDS if job.whole is None else job.whole
            if told + BARE_SECONDS * self.pace <= now and told < longest:
                found, longest = key, told
        return found

    def pressing(self) -> JobKey | None:
        """Return an ended job of which only a list told, and whose reason or result somebody waits for."""
        key = next(iter(self.unfinished), None)
        if key is None:
            return None
        shown = next((each for each in self._shown if each in self.unfinished), None)
        return key if self.jobs[key].grave else shown

    def _want_rest(self, job: Tracked) -> None:
        """Queue an ended job of which a list told the end alone; why one failed is asked before what one gave."""
        self.unfinished[job.key] = None
        if job.grave:
            others = dict(self.unfinished)
            del others[job.key]
            graves = dict.fromkeys(key for key in others if self.jobs[key].grave)
            self.unfinished.clear()
            self.unfinished.update({**graves, job.key: None, **others})

    def recover(self, now: float) -> None:
        """Ask all that failed, now that the profile works again."""
        self.singles.hurry(now, failed_only=True)
        for book in self.books.values():
            book.hurry()

    def _leave(self, job: Tracked) -> None:
        self.singles.drop(job.key)
        for queue in (self.new, self.suspects, self.unfinished):
            queue.pop(job.key, None)
        self._put_off.drop(job.key)
        self.no_longer_aside(job.key)
        if (book := self._any_book_of(job)) is not None:
            book.drop(job.key)

    def _any_book_of(self, job: Tracked) -> Book | None:
        for support in self._lists:
            if job.listed_as in support.kinds:
                return self.books[support.resource, job.key.account_group if support.grouped else None]
        return None

    def _patience(self, job: Tracked, now: float, sent: float, wait: float, *, whole: bool) -> float:
        """Seconds to leave a job to its list before it is polled on its own."""
        if job.shown and not whole:
            told = job.whole if job.whole is not None else job.added
            return max(0.0, told + STAGES_SECONDS * self.pace - now)
        gap = sent - job.listed if job.listed is not None else 0.0
        return max(wait, min(LONGEST_PATIENCE, max(SHORTEST_PATIENCE * self.pace, PATIENCE * gap)))

    def _gauge(self, job: Tracked, now: float, seen: Seen) -> None:
        """Take over how far a job has come; where nobody says when it began, how it moves since the first look does."""
        job.progress = job.told = seen.progress
        if seen.progress is None and seen.stages:
            job.progress = self.estimates.done(job.kind, seen.stages, guess=True)
            job.told = self.estimates.done(job.kind, seen.stages, guess=False)
        if job.exact or job.progress is None:
            job.dated = True
            return
        if job.gauged is None:
            job.gauged = now, job.progress
            job.dated = job.progress <= EARLY
        at, first = job.gauged
        moved = job.progress - first
        if first > EARLY and moved >= MOVED:
            job.begun, job.dated = now - job.progress * (now - at) / moved, True

    def _learn(self, job: Tracked, now: float, seen: Seen) -> None:
        job.exact = seen.elapsed is not None
        if seen.elapsed is not None:
            job.begun = now - max(0.0, seen.elapsed)
            job.from_start = True
            job.guessed = False
        elif job.looked is None:
            job.from_start = not ((seen.progress or 0.0) > BEGINNING or seen.terminal)
            job.guessed = seen.progress is None and seen.phase is not Phase.QUEUED and job.begun >= job.added
        if seen.stage != job.stage:
            if job.stage is not None and job.stage_since is not None and seen.phase in {None, Phase.RUNNING}:
                self.estimates.learn(job.kind, now - job.stage_since, job.stage)
            # A stage that was already going on when first seen has no beginning that we could know.
            job.stage_since = now if job.looked is not None else None
            job.stage = seen.stage
        if (
            seen.terminal
            and not job.terminal
            and job.from_start
            and seen.phase in {None, Phase.SUCCEEDED, Phase.PARTIAL}
        ):
            seen_before = job.looked if job.looked is not None else now
            ended = now if seen.elapsed is not None else (seen_before + now) / 2
            self.estimates.learn(seen.kind or job.kind, max(0.0, ended - job.begun), guessed=job.guessed)
