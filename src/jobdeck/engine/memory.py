"""Memory budgets for the large parts of jobs: one for the bodies of exchanges, one for results."""

from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import replace
from sys import getsizeof

from jobdeck.domain.exchange import ExchangeContent, ExchangeId
from jobdeck.domain.job import JobKey

BODIES_BYTES = 32 * 1024 * 1024

RESULTS_BYTES = 64 * 1024 * 1024
"""Without a budget, 300 results of 1 MB took 412 MB of memory, and 120 of 7.5 MB a gigabyte."""

ENTRY_BYTES = 600
"""Memory of an exchange without its body and headers."""

HEADER_BYTES = 160
"""Memory of a header without its value; names are shared."""


class BodyCache:
    """The contents of exchanges: headers and bodies, 32 MiB in all.

    Contents that are not the newest of a job are evicted first, the oldest of them first; then the newest of each job,
    the least recently used first.
    """

    def __init__(self, budget: int = BODIES_BYTES) -> None:
        self._budget = budget
        self._size = 0
        self._older: OrderedDict[ExchangeId, ExchangeContent] = OrderedDict()
        self._newest: OrderedDict[ExchangeId, ExchangeContent] = OrderedDict()
        self._newest_of: dict[JobKey, ExchangeId] = {}
        self._jobs_of: dict[ExchangeId, int] = {}

    def put(self, content: ExchangeContent, newest_of: Iterable[JobKey] = ()) -> None:
        """Keep the content of an exchange, as the newest of the jobs `newest_of`; a body over the budget is dropped.

        If the body is not kept, these jobs have no newest content: an older one would be mistaken for it.
        """
        if _size_of(content) > self._budget:
            content = replace(content, body=None)
        id_, jobs = content.exchange.id, tuple(newest_of)
        for key in jobs:
            self._release(key)
        jobs = jobs if content.body is not None else ()
        for replaced in (self._older.pop(id_, None), self._newest.pop(id_, None)):
            self._size -= 0 if replaced is None else _size_of(replaced)
        self._size += _size_of(content)
        (self._newest if jobs else self._older)[id_] = content
        if jobs:
            self._jobs_of[id_] = len(jobs)
        self._newest_of.update((key, id_) for key in jobs)
        while self._size > self._budget:
            self._evict()

    def get(self, id_: ExchangeId) -> ExchangeContent | None:
        """Return the content of an exchange by its `Exchange.id`; None if it is not in memory."""
        return self._newest.get(id_) or self._older.get(id_)

    def newest(self, key: JobKey) -> ExchangeContent | None:
        """Return the content with a job's newest body; None if there was none or it was evicted."""
        id_ = self._newest_of.get(key)
        if id_ is None or id_ not in self._newest:
            return None
        self._newest.move_to_end(id_)
        return self._newest[id_]

    def copy(self) -> "BodyCache":
        """Return an independent copy."""
        other = BodyCache(self._budget)
        other._size, other._older, other._newest = self._size, self._older.copy(), self._newest.copy()
        other._newest_of, other._jobs_of = dict(self._newest_of), dict(self._jobs_of)
        return other

    def drop(self, key: JobKey) -> None:
        """Forget which content is a job's newest; the content may stay in memory for its exchange."""
        self._release(key)

    def _release(self, key: JobKey) -> None:
        """Treat a job's newest content as an older one, once no job has it as its newest."""
        id_ = self._newest_of.pop(key, None)
        if id_ is None or id_ not in self._newest:
            return
        self._jobs_of[id_] -= 1
        if not self._jobs_of[id_]:
            del self._jobs_of[id_]
            self._older[id_] = self._newest.pop(id_)

    def _evict(self) -> None:
        id_, content = (self._older or self._newest).popitem(last=False)
        self._jobs_of.pop(id_, None)
        self._size -= _size_of(content)


def _size_of(content: ExchangeContent) -> int:
    headers = sum(HEADER_BYTES + len(value) for _, value in content.headers)
    return ENTRY_BYTES + headers + (getsizeof(content.body) if content.body is not None else 0)


class ResultBudget:
    """The memory that each job's result takes, and the choice of results to evict.

    The newest result is never evicted, nor is that of the job on view, `viewed`.
    """

    def __init__(self, budget: int = RESULTS_BYTES) -> None:
        self.viewed: JobKey | None = None
        self._budget = budget
        self._sizes: dict[JobKey, int] = {}
        self._total = 0

    def put(self, key: JobKey, result: str | None) -> None:
        """Count a job's result, as the newest of all; None: the job has none in memory."""
        self._total -= self._sizes.pop(key, 0)
        if result is not None:
            self._sizes[key] = getsizeof(result)
            self._total += self._sizes[key]

    def evict(self) -> list[JobKey]:
        """Return the jobs whose results must be evicted, the oldest and largest first, and stop counting them."""
        evicted: list[JobKey] = []
        while self._total > self._budget and (key := self._oldest_and_largest()) is not None:
            self.put(key, None)
            evicted.append(key)
        return evicted

    def copy(self) -> "ResultBudget":
        """Return an independent copy."""
        other = ResultBudget(self._budget)
        other.viewed, other._sizes, other._total = self.viewed, dict(self._sizes), self._total
        return other

    def _oldest_and_largest(self) -> JobKey | None:
        newest = len(self._sizes) - 1
        weights = {
            key: size * (newest - number)
            for number, (key, size) in enumerate(self._sizes.items())
            if number < newest and key != self.viewed
        }
        return max(weights, key=weights.__getitem__, default=None)
