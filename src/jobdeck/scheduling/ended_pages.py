"""Pages of ended jobs: one request that may tell of a hundred ends, and an estimate of which it shows."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from jobdeck.domain.job import JobKey
from jobdeck.scheduling.list_query import PAGE_PERIOD, AgingValue, ListQuery, PageCandidate

SUCCESS_SHARE = 0.8
"""Part of all ends that the first status is expected to show, until it is measured; the others share the rest."""

PRIOR_WEIGHT = 2.0
"""Ends that what was expected before counts for, when it is weighed against what came."""

MEMORY = 30.0
MIN_SHARE = 0.01
MAX_SHARE = 5.0
MAX_RECALL = 0.9
RECALL_STEP = 0.05
MIN_VALUE = 1.0
"""Seconds of delay that a page of ended jobs must be expected to save, or it is not worth a request."""

MIN_EXPECTED_ENDS = 1.5
"""Ends that such a page must be expected to show, before jobs that have probably ended wait for it."""

MIN_CHANCE = 0.3
"""Chance that a page shows a job, below which the job is polled on its own."""

MAX_WAIT = 5.0
"""Seconds that a job which has probably ended is left to the pages of ended jobs."""


@dataclass(slots=True)
class SuspectedEnd:
    """A job that has probably ended: when it was last seen alive, when it was missing, and from what request (`sent`).

    `misses` are the queries whose newest rows did not show it since; `ruled_out` those of them that would have shown
    it, had it ended that way: their page was not full.
    """

    last_alive: float
    suspected_at: float
    sent: float
    misses: frozenset[int] = frozenset()
    ruled_out: frozenset[int] = frozenset()


@dataclass(slots=True)
class EndShare:
    """How many of the expected ends one query has shown."""

    prior: float
    observed: float = 0.0
    expected: float = 0.0

    @property
    def share(self) -> float:
        """Return the part of the expected ends that it shows; more than one when more end than expected."""
        share = (self.prior * PRIOR_WEIGHT + self.observed) / (PRIOR_WEIGHT + self.expected)
        return min(MAX_SHARE, max(MIN_SHARE, share))

    def learn(self, ended: int, expected: float) -> None:
        """Count the ends that one page showed."""
        self.observed += ended
        self.expected += expected
        if self.expected > MEMORY:
            self.observed *= 0.5
            self.expected *= 0.5


@dataclass(slots=True)
class UnlistedJobs:
    """Jobs that no other page would show ended: how many, Σh, and since when they are watched."""

    count: int = 0
    hazards: float = 0.0
    since: float = 0.0

    def expected_ends(self, seconds: float) -> float:
        """Return how many of them are expected to end within `seconds`."""
        return self.count * -math.expm1(-self.hazards * seconds / self.count) if self.count else 0.0


@dataclass(slots=True)
class EndedPages:
    """The queries of one list that show ended jobs, newest first, and the jobs that they are expected to show.

    `statuses` are what they filter by, the one for success first. Times are monotonic seconds.
    """

    statuses: Sequence[str]
    queries: list[ListQuery] = field(init=False)
    unlisted: UnlistedJobs = field(default_factory=UnlistedJobs)
    _shares: list[EndShare] = field(init=False)
    _suspects: dict[JobKey, SuspectedEnd] = field(default_factory=dict)
    _values: list[AgingValue] | None = None
    _recall: float = 0.5

    def __post_init__(self) -> None:
        others = (1.0 - SUCCESS_SHARE) / max(1, len(self.statuses) - 1)
        self.queries = [ListQuery(word, shows_ended=True, ended_only=True) for word in self.statuses]
        self._shares = [EndShare(others if number else SUCCESS_SHARE) for number in range(len(self.statuses))]

    def __contains__(self, key: object) -> bool:
        return key in self._suspects

    @property
    def recall_rate(self) -> float:
        """The part of the ends that these pages showed first lately, 0 where there are none."""
        return min(MAX_RECALL, self._recall) if self.queries else 0.0

    def record_end(self, *, here: bool) -> None:
        """Count an end that one of these pages showed first, or (not `here`) a poll."""
        self._recall += (float(here) - self._recall) * RECALL_STEP

    def suspect(self, key: JobKey, last_alive: float, now: float, sent: float) -> None:
        """Note that a job has probably ended, since it is missing from the page requested at `sent`."""
        if self.queries and key not in self._suspects:
            self._suspects[key] = SuspectedEnd(last_alive, now, sent)
            self._values = None

    def drop(self, key: JobKey) -> None:
        """Look for a job no more: it was observed, or is not watched."""
        if self._suspects.pop(key, None) is not None:
            self._values = None

    def valuable_queries(self, now: float, pace: float) -> Iterable[tuple[ListQuery, float]]:
        """Return the queries worth a request now, with the seconds of delay that each is expected to save."""
        for number, query in enumerate(self.queries):
            if (
                query.refused
                or query.in_flight
                or (query.requested_at is not None and now < query.requested_at + PAGE_PERIOD * pace)
            ):
                continue
            since = now - self._last_requested(query.requested_at)
            value = self._shares[number].share * self.unlisted.hazards * since * since / 2
            value += self._suspect_values()[number].at(now)
            if value >= MIN_VALUE:
                yield query, value

    def next_worth_at(self, now: float, pace: float) -> float | None:
        """Return when one of the queries will be worth a request, if nothing else changes; None for never."""
        times: list[float] = []
        for number, query in enumerate(self.queries):
            rate = self._shares[number].share * self.unlisted.hazards
            rate += self._suspect_values()[number].zero
            if query.refused or query.in_flight or rate <= 0:
                continue
            times.append(
                max(
                    (query.requested_at or now) + PAGE_PERIOD * pace,
                    self._last_requested(query.requested_at) + math.sqrt(2 * MIN_VALUE / rate),
                )
            )
        return min(times, default=None)

    def awaits(self, key: JobKey, now: float, pace: float) -> bool:
        """Whether a job that has probably ended is better left to a page, which will show others as well."""
        suspect = self._suspects.get(key)
        if suspect is None or now > suspect.suspected_at + MAX_WAIT * pace:
            return False
        return any(
            self._chance(suspect, number) >= MIN_CHANCE and self.expected_ends(query) >= MIN_EXPECTED_ENDS
            for number, query in enumerate(self.queries)
        )

    def expected_ends(self, query: ListQuery) -> float:
        """Return how many ends the next page of a query is expected to show."""
        number = self.queries.index(query)
        if query.refused:
            return 0.0
        return self._suspect_values()[number].zero + self._shares[number].share * self.unlisted.expected_ends(
            PAGE_PERIOD
        )

    def apply_page(self, candidate: PageCandidate, sent: float, ended: int, *, full: bool) -> None:
        """Learn from a page: how many ends it showed, and that it did not show the others that were looked for."""
        candidate.query.in_flight = False
        number = self.queries.index(candidate.query)
        self._shares[number].learn(
            ended, self.unlisted.expected_ends(max(0.0, sent - self._last_requested(candidate.requested_at)))
        )
        for suspect in self._suspects.values():
            if suspect.sent <= sent:
                suspect.misses |= {number}
                suspect.ruled_out |= frozenset() if full else {number}
        self._values = None

    def _last_requested(self, asked_at: float | None) -> float:
        return self.unlisted.since if asked_at is None else asked_at

    def _chance(self, suspect: SuspectedEnd, number: int) -> float:
        """Return the chance that a query shows a job: that it ended that way, and is among the newest."""
        if number in suspect.misses or self.queries[number].refused:
            return 0.0
        others = sum(tally.share for each, tally in enumerate(self._shares) if each not in suspect.ruled_out)
        return self._shares[number].share / others

    def _suspect_values(self) -> list[AgingValue]:
        if self._values is None:
            base = max((suspect.last_alive for suspect in self._suspects.values()), default=0.0)
            self._values = [AgingValue(base) for _ in self.queries]
            for suspect in self._suspects.values():
                for number in range(len(self.queries)):
                    if chance := self._chance(suspect, number):
                        self._values[number] = self._values[number].plus(chance, suspect.last_alive)
        return self._values
