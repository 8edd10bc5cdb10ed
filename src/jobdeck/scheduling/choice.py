"""The order of choice: asked for, selected, vanished, new, a list page, the most valuable poll, a missing result.

Where list rows lack the result, each ended job is polled once more for it: when nothing else is due, and with one
request in three, first for the reason why one failed, then for rows on the screen. Where they carry it, nothing more is
asked. Parts of ended jobs that have a URL of their own are fetched likewise, and of the selected job while it goes on.
"""

from collections.abc import Container
from dataclasses import dataclass
from itertools import islice

from jobdeck.domain.job import JobKey
from jobdeck.scheduling.actions import Action, FetchPart, Poll, Result
from jobdeck.scheduling.arms import PERIOD, Offer
from jobdeck.scheduling.budget import Budget
from jobdeck.scheduling.focus import Focus
from jobdeck.scheduling.lists import Book
from jobdeck.scheduling.parts import PartQueue
from jobdeck.scheduling.tracked import TRANSIENT
from jobdeck.scheduling.watch import Watch

NEW_IN_A_ROW = 3
"""Of four requests at most this many go to new or vanished jobs, so that a long list of them starves nobody."""

OWED_EVERY = 2
"""After so many other requests one fetches what only a poll tells: why a job failed or what came of it, the stages of
the selected row and of others on the screen.

60 jobs with a cursor list at 30 a minute: full answers come 24 s after the end in the mean (243 s when one request in
eight fetches a result), and ends are known after 2.9 s (2.2 s).
"""

LOOKED_THROUGH = 24
"""Jobs that have probably ended, of which so many are looked through for one that is better asked on its own."""

NEW_SECONDS = 5.0
"""New jobs go first while all of them can be asked within this time; a flood of them is asked by value, like the rest.

A first look at a job that has just begun tells little: at 60 jobs and 30 a minute ends are learnt of after 10 s in
the mean instead of 18 s, at 2,000 and 300 after 46 s instead of 76 s.
"""

SUSPECTS_FOR_A_LIST = 2

PROBED_AMONG = 8
"""Ended jobs that wait for their own answer, among which one is looked for to probe a profile with."""


@dataclass(frozen=True, slots=True)
class Chosen:
    """An action with the offer behind it, when it is a list page; else with the queue it came from, if from one.

    `focused` says that it was paid from what the selected job may take.
    """

    action: Action
    offer: Offer | None = None
    queue: dict[JobKey, None] | None = None
    focused: bool = False


class Choice:
    """Chooses one request when there is a token for it; else says when to choose again. Times are monotonic."""

    def __init__(self, watch: Watch, budget: Budget) -> None:
        self.asked: dict[JobKey, None] = {}
        self.focus = Focus()
        self.parts = PartQueue()
        self._watch = watch
        self._budget = budget
        self._urgent_in_a_row = 0
        self._since_owed = 0
        self._owed_key: JobKey | None = None
        self._result_last = False

    def choose(self, now: float, in_flight: Container[Action], *, probe: int) -> Chosen | float | None:
        """Return a request, paid for and taken out of its queue; else when to ask again; None: when told something.

        `probe` is the how-manieth probe of a profile that fails this would be, 0 while it works.
        """
        poll_at = self._budget.ready(now)
        # First, since what follows asks how many are ready: new jobs would else hide for long that others wait.
        self._watch.wake(now)
        page_at = self._budget.ready(now, page=True)
        if probe and (chosen := self._probe(now, in_flight, poll_at, page_at, probe)) is not None:
            return chosen
        offer = self._best_offer(now) if min(poll_at, page_at) <= now else None
        if offer is not None and page_at <= now and self._budget.apart:
            return self._take_page(offer, now)
        if poll_at <= now:
            if not probe and (part := self._part_in_turn(now)) is not None:
                return self._take_part(part, now)
            key = self._urgent(now, in_flight) or self._sample(now) or self._owed(now)
            if key is None or (offer is not None and self._told_by(offer, key)):
                best = self._watch.singles.best(now)
                worth = best.simple_value(now) if best is not None else 0.0
                if offer is not None and page_at <= now and not self._budget.apart and offer.value >= worth:
                    if key is not None and key == self.focus.key:
                        self.focus.spend()
                    return self._take_page(offer, now)
                if key is None and best is not None:
                    key = best.key
            key = key or self._unfinished()
            if key is not None:
                return self._take_poll(key, now)
            if (at := self.parts.due_ended()) is not None and at <= now:
                return self._take_part(self.parts.first_ended(), now)
            return self._idle_until(now)
        return self._waits(now, poll_at, page_at)

    def page_period(self, now: float) -> float:
        """Return the seconds between two looks at a job that lists show."""
        if self._budget.apart:
            return PERIOD * self._watch.pace
        return max(PERIOD * self._watch.pace, 1.0 / max(self._budget.rate(now), 1e-3))

    def _best_offer(self, now: float, *, probing: bool = False) -> Offer | None:
        best: Offer | None = None
        for book in self._watch.books.values():
            for offer in book.offers(now, self._watch.pace, cheap=self._budget.apart, probing=probing):
                if best is None or offer.value > best.value:
                    best = offer
        return best

    def _told_by(self, offer: Offer, key: JobKey) -> bool:
        """Whether a page is the better way to learn about an urgent job, because it tells of others like it."""
        if key in self.asked or key == self._owed_key or self._budget.curious:
            return False
        if key == self.focus.key:
            # A page with the selected row on it is as good a look, and tells of the others as well.
            rows = offer.arm.pages[offer.place] if offer.place < len(offer.arm.pages) else ()
            return self._book(offer).support.whole and key in rows
        if not offer.arm.ends_tell:
            return False
        if key in self._watch.new:
            return offer.value == float("inf")
        on_page = set(offer.arm.pages[offer.place]) if offer.place < len(offer.arm.pages) else set()
        return sum(suspect in on_page for suspect in self._watch.suspects) >= SUSPECTS_FOR_A_LIST

    def _urgent(self, now: float, in_flight: Container[Action]) -> JobKey | None:
        if (asked := self._first_asked(in_flight)) is not None:
            return asked
        focus_due = self._focus_due(now)
        if focus_due is not None and focus_due <= now:
            return self.focus.key
        if self._urgent_in_a_row >= NEW_IN_A_ROW and self._watch.singles.ready:
            return None
        if (suspect := self._suspect(now)) is not None:
            return suspect
        new = self._watch.new
        while new and len(new) <= NEW_SECONDS * self._budget.rate(now):
            key = next(iter(new))
            if key in self._watch.singles:
                return key
            del new[key]
        return None

    def _suspect(self, now: float) -> JobKey | None:
        """Return a job that has probably ended, unless a page of ended jobs will tell of it and others like it."""
        watch = self._watch
        for key in list(islice(watch.suspects, LOOKED_THROUGH)):
            if key not in watch.singles:
                del watch.suspects[key]
                continue
            book = watch.book_of(watch.jobs[key])
            if book is None or not book.awaits(key, now, watch.pace):
                return key
        return None

    def _first_asked(self, in_flight: Container[Action]) -> JobKey | None:
        while self.asked:
            key = next(iter(self.asked))
            if key in self._watch.jobs and Poll(key) not in in_flight:
                return key
            del self.asked[key]
        return None

    def _focus_due(self, now: float) -> float | None:
        job = self._watch.jobs.get(self.focus.key) if self.focus.key else None
        watch = self._watch
        if (
            job is None
            or job.key not in watch.singles
            or watch.aside_since(job.key) is not None
            or job.failures > TRANSIENT
        ):
            return None
        book = self._watch.book_of(job)
        # Where list rows say all, they count; where they lack the stages, only a poll is a look at the selected job.
        looked = job.whole if book is not None and not book.support.whole else job.looked
        if book is not None and book.support.whole and self._budget.apart and job.key not in book.homeless and looked:
            looked += PERIOD / 2
        due = max(self.focus.due(now, looked, self._budget.rate(now), self._watch.pace), job.not_before)
        return max(due, self._watch.singles.until(job.key) or due) if job.failures else due

    def _probe(
        self, now: float, in_flight: Container[Action], poll_at: float, page_at: float, number: int
    ) -> Chosen | None:
        """Return a page and a poll in turn: a page refreshes all at once, but a list may be what fails."""
        asked = self._first_asked(in_flight)
        if asked is None and number % 2 and page_at <= now:
            offer = self._best_offer(now, probing=True)
            if offer is not None:
                return self._take_page(offer, now)
        if poll_at > now:
            return None
        # One whose end a list told waits for its own answer, and may be the one that works.
        tried = [self._watch.jobs[each] for each in islice(self._watch.unfinished, PROBED_AMONG)]
        if (single := self._watch.singles.least_tried(now)) is not None:
            tried.append(single)
        job = min(tried, key=lambda each: each.last_try, default=None)
        key = asked or (None if job is None else job.key)
        return None if key is None else self._take_poll(key, now)

    def _sample(self, now: float) -> JobKey | None:
        """Return any job while a poll is wanted for its headers alone, and none is on its way."""
        if not self._budget.curious or self._watch.asking:
            return None
        first = self._watch.singles.least_tried(now)
        return None if first is None or first.not_before > now else first.key

    def _unfinished(self) -> JobKey | None:
        """Return an ended job of which a list told the end alone: the selected one, one that failed, any."""
        unfinished = self._watch.unfinished
        return self.focus.key if self.focus.key in unfinished else next(iter(unfinished), None)

    def _owed(self, now: float) -> JobKey | None:
        """Return a job whose turn it is although pages may be worth more, so that none of them waits for ever."""
        unfinished = self._watch.unfinished
        self._owed_key = None
        if self._since_owed >= OWED_EVERY:
            selected = self.focus.key if self.focus.key in unfinished else None
            bare = self._watch.bare(now) if self._result_last or not unfinished else None
            self._owed_key = selected or self._watch.pressing() or bare or self._unfinished()
        return self._owed_key

    def _part_due(self, now: float) -> float | None:
        """Return when a part of the selected job may be fetched: while it goes on, from what such a job may take."""
        key = self.focus.key
        due = self.parts.due_selected(key)
        if due is None or key is None or self.parts.has_ended(key):
            return due
        return max(due, self.focus.due(now, None, self._budget.rate(now), self._watch.pace))

    def _part_in_turn(self, now: float) -> JobKey | None:
        """Return a job of which a part is fetched first: the selected one, else with one request in three."""
        selected, ended = self._part_due(now), self.parts.due_ended()
        if selected is not None and selected <= now:
            return self.focus.key
        if self._since_owed >= OWED_EVERY and ended is not None and ended <= now:
            return self.parts.first_ended()
        return None

    def _take_part(self, key: JobKey, now: float) -> Chosen:
        self._budget.take(now)
        self._since_owed = self._urgent_in_a_row = 0
        focused = not self.parts.has_ended(key)
        if focused:
            self.focus.spend()
        # No poll meanwhile: whichever is answered last would hide the other.
        self._watch.singles.drop(key)
        self._watch.asking.add(key)
        return Chosen(self.parts.take(key, now), focused=focused)

    def _take_page(self, offer: Offer, now: float) -> Chosen:
        self._budget.take(now, page=True)
        self._book(offer).send(offer, now)
        self._since_owed += 1
        self._urgent_in_a_row = 0
        return Chosen(offer.page, offer)

    def _book(self, offer: Offer) -> Book:
        return self._watch.books[offer.page.resource, offer.page.account_group]

    def _take_poll(self, key: JobKey, now: float) -> Chosen:
        watch = self._watch
        self._budget.take(now)
        self._urgent_in_a_row = self._urgent_in_a_row + 1 if key in watch.new or key in watch.suspects else 0
        self._since_owed = 0 if key in watch.unfinished or key == self._owed_key else self._since_owed + 1
        if self._since_owed == 0:
            self._result_last = key in watch.unfinished
        queues = (self.asked, watch.new, watch.suspects, watch.unfinished)
        origin = next((queue for queue in queues if key in queue), None)
        for queue in queues:
            queue.pop(key, None)
        focused = key == self.focus.key
        if focused:
            self.focus.spend()
        job = watch.jobs[key]
        if (book := watch.book_of(job)) is not None:
            book.ends.drop(key)
            if watch.singles.until(key) is None:
                book.lose(key)
        watch.singles.drop(key)
        watch.asking.add(key)
        return Chosen(Poll(key), queue=origin, focused=focused)

    def put_aside(self, chosen: Chosen, now: float) -> None:
        """Give back what a poll cost that must wait for a place; its job waits with it."""
        self._budget.give_back(now, page=False)
        if chosen.focused:
            self.focus.earn_back()
        if isinstance(chosen.action, Poll):
            self._watch.put_aside(chosen.action.key, now)

    def take_back(self, chosen: Chosen, now: float) -> None:
        """Put a request that was not sent back in the place it had."""
        if chosen.focused:
            self.focus.earn_back()
        if chosen.offer is not None:
            self._watch.page_unsent(chosen.offer, now)
        elif isinstance(chosen.action, FetchPart):
            self.part_unsent(chosen.action, now)
        elif isinstance(chosen.action, Poll):
            key = chosen.action.key
            self._watch.unsent(key, now)
            self._watch.wake(now)
            if chosen.queue is not None and key in self._watch.jobs:
                others = dict(chosen.queue)
                others.pop(key, None)
                chosen.queue.clear()
                chosen.queue.update({key: None, **others})

    def note_missing(self, now: float, key: JobKey, result: Result) -> None:
        """Take over which parts a job misses."""
        if (job := self._watch.jobs.get(key)) is not None:
            self.parts.put(key, result.missing, now, ended=job.terminal)

    def part_fetched(self, now: float, action: FetchPart, result: Result) -> None:
        """Take over what a job misses after a request for a part; one that goes on is polled again in its time."""
        watch = self._watch
        watch.asking.discard(action.key)
        self.note_missing(now, action.key, result)
        if (job := watch.jobs.get(action.key)) is not None:
            looked = now if job.looked is None else job.looked
            watch.unsent(action.key, max(now, looked + job.floor(now, watch.estimates)))

    def part_unsent(self, action: FetchPart, due: float) -> None:
        """Queue a part again that was cancelled or not sent."""
        job = self._watch.jobs.get(action.key)
        if job is not None:
            self._watch.unsent(action.key, due)
            self.parts.put_back(action, due, ended=job.terminal)

    def _idle_until(self, now: float) -> float | None:
        """Nothing is worth a request now: return when something may be."""
        times = [self._watch.next_due(), self._focus_due(now), self._part_due(now), self.parts.due_ended()]
        apart = self._budget.apart
        times.extend(book.next_offer_at(now, self._watch.pace, cheap=apart) for book in self._watch.books.values())
        return min((at for at in times if at is not None), default=None)

    def _waits(self, now: float, poll_at: float, page_at: float) -> float | None:
        """There is no token for a poll: return when there is one for something that is worth it."""
        watch = self._watch
        part = self.parts.due_ended()
        something = self.asked or watch.new or watch.suspects or watch.unfinished or watch.singles.ready
        something = something or (part is not None and part <= now)
        idle = self._idle_until(now)
        times = [poll_at] if something else []
        if idle is not None:
            times.append(max(idle, min(poll_at, page_at)))
        return min(times, default=None)
