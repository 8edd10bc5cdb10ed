"""What the facts of a recording amount to: jobs, as they were at each moment."""

from collections.abc import Iterable

from jobdeck.domain.attention import Rank, rank
from jobdeck.domain.events import Event
from jobdeck.domain.exchange import Exchange
from jobdeck.domain.instant import Instant
from jobdeck.domain.job import Job, JobKey, Observation
from jobdeck.engine.batch import Batch
from jobdeck.engine.registry import Applied, Registry
from jobdeck.providers.base import Reply
from jobdeck.recording import facts as f
from jobdeck.recording.reader import Placed

TOGETHER_SECONDS = 0.05
"""What follows an answer within this time belongs to it: one step goes over both."""


class Ranks:
    """Where each job stands in the order of need, taken in change by change: the same by whatever frames they come."""

    def __init__(self) -> None:
        self.of: dict[JobKey, Rank] = {}
        self._arrived = 0

    def copy(self) -> "Ranks":
        """Return others that go on from here by themselves."""
        other = Ranks()
        other.of, other._arrived = dict(self.of), self._arrived
        return other

    def take(self, job: Job) -> None:
        """Note a job that looks different."""
        before = self.of.get(job.key)
        self._arrived += before is None
        self.of[job.key] = rank(job, job.observed or job.added, before, self._arrived)

    def drop(self, key: JobKey) -> None:
        """Forget a job."""
        self.of.pop(key, None)


class Changes:
    """What changed between two frames; `ranks`, of all jobs so far, go on with it."""

    def __init__(self, ranks: Ranks) -> None:
        self._ranks = ranks
        self.keys: dict[JobKey, None] = {}
        self.removed: dict[JobKey, None] = {}
        self.exchanges: list[Exchange] = []
        self.events: list[Event] = []

    def touch(self, jobs: Iterable[Job]) -> None:
        """Note jobs that look different."""
        for job in jobs:
            self.removed.pop(job.key, None)
            self.keys[job.key] = None
            self._ranks.take(job)

    def remove(self, key: JobKey) -> None:
        """Note a job that is no longer there."""
        self.removed[key] = None
        self._ranks.drop(key)

    def apply(self, applied: Applied, exchange: Exchange | None) -> None:
        """Note what an answer changed."""
        self.touch(applied.jobs)
        self.events.extend(applied.events)
        self.exchanges.extend([exchange] if exchange is not None else [])

    def batch(self, registry: Registry) -> Batch:
        """Return all of it, each job in its newest state."""
        jobs = tuple(registry.jobs[key] for key in self.keys if key in registry.jobs)
        ranks = {job.key: self._ranks.of[job.key] for job in jobs}
        return Batch(jobs, tuple(self.removed), tuple(self.exchanges), tuple(self.events), ranks=ranks)


class State:
    """What the facts so far amount to."""

    def __init__(self, zero_us: int) -> None:
        """Begin with no job; `zero_us` is the date at which the recording's own clock stands at zero."""
        self.zero_us = zero_us
        self.registry = Registry()
        self.ranks = Ranks()
        self.standing = f.Standing(Instant(0, 0.0), paused=False, budgets={}, halted={})
        self.told = 0
        self._waiting: dict[JobKey, f.Replied] = {}
        self._applied: dict[JobKey, Observation] = {}
        self._keys: dict[int, JobKey] = {}

    def copy(self) -> "State":
        """Return another that goes on from here by itself."""
        other = State(self.zero_us)
        other.registry, other.ranks, other.standing = self.registry.copy(), self.ranks.copy(), self.standing
        other.told = self.told
        other._waiting, other._applied = dict(self._waiting), dict(self._applied)
        other._keys = self._keys
        return other

    def take(self, fact: f.Fact, changes: Changes) -> None:
        """Take in a fact, and note what it changed."""
        match fact:
            case f.Standing():
                self.standing = fact
            case f.Happened(_, event):
                changes.events.append(event)
            case f.Darkened(_, profile, outage):
                self.settle(changes)
                changes.touch(self.registry.darken(profile, outage))
            case f.Replied(asked=asked, exchange=exchange, observations=observations):
                # A poll without a problem has one observation; who wrote the file may not have known.
                if asked is None or exchange.problem is not None or observations:
                    self._replied(fact, changes)
            case f.Adopted(_, job, exchange, missing):
                self._settle_one(job.key, changes)
                self._applied.pop(job.key, None)
                changes.apply(self.registry.adopt(job, exchange, result_missing=missing), exchange)
            case _:
                self._of_job(fact, changes)
        self.zero_us = fact.at.us - round(fact.at.mono * 1e6)

    def _replied(self, fact: f.Replied, changes: Changes) -> None:
        if fact.asked is None:
            self._listed(fact, changes)
            return
        self._settle_one(fact.asked, changes)
        self._applied.pop(fact.asked, None)
        body = fact.body.encode("utf-8", "replace") if fact.body is not None else None
        reply = Reply(fact.exchange, fact.observations, body=body)
        changes.apply(self.registry.apply(fact.asked, reply, fact.at), fact.exchange)

    def _listed(self, fact: f.Replied, changes: Changes) -> None:
        """Take in a list: rows that say again what they said wait until something else is said of their job."""
        jobs, waiting, applied = self.registry.jobs, self._waiting, self._applied
        news: dict[JobKey, Observation] = {}
        for row in fact.observations:
            key = self._key_of(fact.exchange.profile, row)
            job = jobs.get(key)
            if job is None:
                continue
            if applied.get(key) is row and not job.terminal and not job.failures and job.outage is None:
                self.registry.note(key, fact.exchange)
                before = waiting.get(key)
                if before is None or before.exchange.sequence <= fact.exchange.sequence:
                    waiting[key] = fact
                continue
            self._settle_one(key, changes)
            news[key] = row
        changes.apply(self.registry.apply(None, Reply(fact.exchange, tuple(news.values())), fact.at), fact.exchange)
        for key, row in news.items():
            # An answer that came after that to a later request was no news, and is not what holds.
            if jobs[key].sequence == fact.exchange.sequence:
                applied[key] = row
            else:
                applied.pop(key, None)

    def settle(self, changes: Changes) -> None:
        """Apply the rows that wait: there is nothing after them."""
        for key in tuple(self._waiting):
            self._settle_one(key, changes)

    def _settle_one(self, key: JobKey, changes: Changes) -> None:
        fact = self._waiting.pop(key, None)
        if fact is not None and key in self.registry.jobs:
            applied = self.registry.apply_observation(key, self._applied[key], fact.exchange, fact.at)
            changes.touch(applied.jobs)

    def _key_of(self, profile: str, row: Observation) -> JobKey:
        # By identity: a recording holds every row for as long as it is played, and there are 100,000 an hour.
        key = self._keys.get(id(row))
        if key is None or key.profile != profile:
            key = self._keys[id(row)] = JobKey(profile, row.account_group, row.id)
        return key

    def _of_job(
        self, fact: f.Added | f.Restored | f.Removed | f.Acknowledged | f.Recalled | f.Expected, changes: Changes
    ) -> None:
        registry = self.registry
        if not isinstance(fact, f.Added | f.Restored | f.Expected):
            self._settle_one(fact.key, changes)
        match fact:
            case f.Added(at, target):
                added = registry.add(target, at)
                if added is not None:
                    changes.touch([added[0]])
                    changes.events.append(added[1])
            case f.Restored(at, job):
                changes.touch([registry.jobs[job.key]] if registry.restore(job, at) else [])
            case f.Removed(at, key):
                self._applied.pop(key, None)
                event = registry.remove(key, at)
                if event is not None:
                    changes.remove(key)
                    changes.events.append(event)
            case f.Acknowledged(_, key, acknowledged):
                self._touched(changes, registry.acknowledge(key, acknowledged=acknowledged))
            case f.Recalled(_, key, exchanges, moments):
                self._touched(changes, registry.recall(key, exchanges, moments))
            case f.Expected(_, key, interval, eta, stall_after):
                if key in registry.jobs:
                    changes.touch([registry.expect(key, interval, eta, stall_after)])

    @staticmethod
    def _touched(changes: Changes, job: Job | None) -> None:
        if job is not None:
            changes.touch([job])


def stops_of(facts: Iterable[Placed]) -> list[float]:
    """Return the moments at which something happened, each with what followed of it."""
    stops: list[float] = []
    begun = 0.0
    for placed in facts:
        aside = isinstance(placed.fact, f.Standing | f.Expected)
        if aside and stops and placed.at - begun <= TOGETHER_SECONDS:
            stops[-1] = placed.at
        elif not aside:
            begun = placed.at
            if stops and stops[-1] >= placed.at:
                continue
            stops.append(placed.at)
    return stops


def looks_of(facts: Iterable[Placed]) -> dict[JobKey, list[float]]:
    """Return when each job was looked at, alone or in a list."""
    looks: dict[JobKey, list[float]] = {}
    by_row: dict[int, list[float]] = {}
    for placed in facts:
        match placed.fact:
            case f.Replied(_, None, exchange, observations):
                for row in observations:
                    known = by_row.get(id(row))
                    if known is None:
                        key = JobKey(exchange.profile, row.account_group, row.id)
                        known = by_row[id(row)] = looks.setdefault(key, [])
                    known.append(placed.at)
            case f.Replied(asked=JobKey() as asked):
                looks.setdefault(asked, []).append(placed.at)
            case _:
                pass
    return looks
