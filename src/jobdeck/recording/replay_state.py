"""The jobs that result from a recording's entries, at each time."""

from collections.abc import Iterable
from dataclasses import replace

from jobdeck.domain.attention import Rank, rank
from jobdeck.domain.events import Event, OutageBegan, OutageEnded, ProfileHalted, SleepNoticed
from jobdeck.domain.exchange import Exchange
from jobdeck.domain.instant import Instant
from jobdeck.domain.job import Job, JobKey, Observation
from jobdeck.domain.phase import Phase
from jobdeck.engine.registry import Registry, RegistryChange
from jobdeck.engine.subscription import ChangeSet
from jobdeck.http.base import PollResult
from jobdeck.recording import entries as e

STEP_SECONDS = 0.05
"""What follows a response within this time belongs to the same step."""


class RankTracker:
    """Tracks the rank of each job, change by change, so that it does not depend on the division into frames."""

    def __init__(self) -> None:
        self.ranks: dict[JobKey, Rank] = {}
        self._arrived = 0

    def copy(self) -> "RankTracker":
        """Return an independent copy."""
        other = RankTracker()
        other.ranks, other._arrived = dict(self.ranks), self._arrived
        return other

    def update(self, job: Job) -> None:
        """Update the rank of a changed job."""
        before = self.ranks.get(job.key)
        self._arrived += before is None
        self.ranks[job.key] = rank(job, before, self._arrived)

    def drop(self, key: JobKey) -> None:
        """Remove a job."""
        self.ranks.pop(key, None)


class FrameChanges:
    """The changes between two frames; also updates the ranks."""

    def __init__(self, ranks: RankTracker) -> None:
        self._ranks = ranks
        self.keys: dict[JobKey, None] = {}
        self.removed: dict[JobKey, None] = {}
        self.exchanges: list[Exchange] = []
        self.events: list[Event] = []

    def touch(self, *jobs: Job | None) -> None:
        """Add changed jobs."""
        for job in jobs:
            if job is not None:
                self.removed.pop(job.key, None)
                self.keys[job.key] = None
                self._ranks.update(job)

    def remove(self, key: JobKey) -> None:
        """Add a removed job."""
        self.removed[key] = None
        self._ranks.drop(key)

    def apply(self, applied: RegistryChange, exchange: Exchange | None) -> None:
        """Add the changes of a response."""
        self.touch(*applied.jobs)
        self.events.extend(applied.events)
        if exchange is not None:
            self.exchanges.append(exchange)

    def batch(self, registry: Registry) -> ChangeSet:
        """Return all changes, each job in its newest state."""
        jobs = tuple(registry.jobs[key] for key in self.keys if key in registry.jobs)
        ranks = {job.key: self._ranks.ranks[job.key] for job in jobs}
        return ChangeSet(jobs, tuple(self.removed), tuple(self.exchanges), tuple(self.events), ranks=ranks)


class ReplayState:
    """The result of the entries so far; `applied` is their number.

    Unchanged list rows only refresh the job's age. They are most of a recording (100,000 per hour), so only the newest
    is applied, when needed or by `settle`: applying each cost 1–2 s per seek.
    """

    def __init__(self) -> None:
        self.registry = Registry()
        self.ranks = RankTracker()
        self.status = e.PollingStatus(Instant(0, 0.0), paused=False, budgets={}, halted={})
        self.applied = 0
        self._rows: dict[JobKey, Observation] = {}
        self._repeated: dict[JobKey, e.Replied] = {}

    def copy(self) -> "ReplayState":
        """Return an independent copy."""
        other = ReplayState()
        other.registry, other.ranks, other.status = self.registry.copy(), self.ranks.copy(), self.status
        other.applied = self.applied
        other._rows, other._repeated = dict(self._rows), dict(self._repeated)
        return other

    def apply(self, entry: e.Entry, changes: FrameChanges) -> None:
        """Apply an entry, and add its changes."""
        match entry:
            case e.PollingStatus():
                self.status = entry
            case ProfileHalted() | OutageBegan() | OutageEnded() | SleepNoticed():
                changes.events.append(entry)
            case e.OutageChanged(_, profile, outage):
                self.settle(changes)
                changes.touch(*self.registry.mark_unreachable(profile, outage))
            case e.Replied():
                self._apply_reply(entry, changes)
            case e.PeerUpdate(_, job, exchange, missing):
                self._settle(job.key, changes)
                self._rows.pop(job.key, None)
                changes.apply(self.registry.merge_external(job, exchange, result_missing=missing), exchange)
            case _:
                self._apply_to_job(entry, changes)

    def settle(self, changes: FrameChanges) -> None:
        """Apply the pending unchanged rows, because a frame shows the age of each job's data."""
        for key in tuple(self._repeated):
            self._settle(key, changes)

    def _apply_reply(self, entry: e.Replied, changes: FrameChanges) -> None:
        asked, exchange = entry.asked, entry.exchange
        if asked is None:
            self._apply_list(entry, changes)
        # A poll without a problem has one observation, but a file may contain anything.
        elif exchange.problem is not None or entry.observations:
            self._settle(asked, changes)
            self._rows.pop(asked, None)
            body = entry.body.encode("utf-8", "replace") if entry.body is not None else None
            applied = self.registry.apply(asked, PollResult(exchange, entry.observations, body=body), entry.at)
            changes.apply(applied, exchange)

    def _apply_list(self, entry: e.Replied, changes: FrameChanges) -> None:
        registry, exchange = self.registry, entry.exchange
        changed: dict[JobKey, Observation] = {}
        for row in entry.observations:
            key = JobKey(exchange.profile, row.account_group, row.id)
            job = registry.jobs.get(key)
            if job is None:
                continue
            if self._rows.get(key) is row and not job.terminal and not job.failures and job.outage is None:
                registry.add_exchange(key, exchange)
                before = self._repeated.get(key)
                if before is None or before.exchange.sequence <= exchange.sequence:
                    self._repeated[key] = entry
            else:
                self._settle(key, changes)
                changed[key] = row
        changes.apply(registry.apply(None, PollResult(exchange, tuple(changed.values())), entry.at), exchange)
        for key, row in changed.items():
            # A row that was overtaken by the response to a later request is not the known state.
            if registry.jobs[key].sequence == exchange.sequence:
                self._rows[key] = row
            else:
                self._rows.pop(key, None)

    def _settle(self, key: JobKey, changes: FrameChanges) -> None:
        entry = self._repeated.pop(key, None)
        if entry is not None and key in self.registry.jobs:
            changes.touch(*self.registry.apply_observation(key, self._rows[key], entry.exchange, entry.at).jobs)

    def _apply_to_job(self, entry: e.JobEntry, changes: FrameChanges) -> None:
        registry = self.registry
        match entry:
            case e.Added(at, target):
                added = registry.add(target, at)
                if added is not None:
                    changes.touch(added[0])
                    changes.events.append(added[1])
            case e.Restored(at, job):
                changes.touch(registry.jobs[job.key] if registry.restore(job, at) else None)
            case e.Removed(at, key):
                self._settle(key, changes)
                self._rows.pop(key, None)
                event = registry.remove(key, at)
                if event is not None:
                    changes.remove(key)
                    changes.events.append(event)
            case e.BatchChanged(_, key, batch):
                self._settle(key, changes)
                if key in registry.jobs:
                    target = replace(registry.jobs[key].target, batch=batch, replaces_batch=True)
                    changes.touch(registry.move_to_batch(target))
            case e.Acknowledged(_, key, acknowledged):
                self._settle(key, changes)
                changes.touch(registry.acknowledge(key, acknowledged=acknowledged))
            case e.HistoryLoaded(_, key, exchanges, moments):
                self._settle(key, changes)
                changes.touch(registry.merge_history(key, exchanges, moments))
            case e.ForecastChanged(_, key, interval, eta, stall_after):
                if key in registry.jobs:
                    changes.touch(registry.set_forecast(key, interval, eta, stall_after))


def step_times(entries: Iterable[e.TimedEntry]) -> list[float]:
    """Return the times of responses and changes, each merged with what directly follows it."""
    times: list[float] = []
    begun = 0.0
    for timed in entries:
        follows = isinstance(timed.entry, e.PollingStatus | e.ForecastChanged)
        if follows and times and timed.at - begun <= STEP_SECONDS:
            times[-1] = timed.at
        elif not follows:
            begun = timed.at
            if not times or times[-1] < timed.at:
                times.append(timed.at)
    return times


def poll_times(entries: Iterable[e.TimedEntry]) -> dict[JobKey, list[float]]:
    """Return when each job was polled, individually or in a list."""
    times: dict[JobKey, list[float]] = {}
    for timed in entries:
        if isinstance(timed.entry, e.Replied):
            asked, profile = timed.entry.asked, timed.entry.exchange.profile
            rows = timed.entry.observations if asked is None else ()
            for key in [asked] if asked else [JobKey(profile, row.account_group, row.id) for row in rows]:
                times.setdefault(key, []).append(timed.at)
    return times


def failure_times(entries: Iterable[e.TimedEntry]) -> list[float]:
    """Return when jobs failed, except jobs that had failed when they were first seen."""
    times: list[float] = []
    unfinished: set[JobKey] = set()
    for timed in entries:
        if not isinstance(timed.entry, e.Replied):
            continue
        asked, profile = timed.entry.asked, timed.entry.exchange.profile
        for row in timed.entry.observations:
            key = asked or JobKey(profile, row.account_group, row.id)
            if not row.phase.terminal:
                unfinished.add(key)
            elif key in unfinished:
                unfinished.discard(key)
                if row.phase is Phase.FAILED:
                    times.append(timed.at)
    return times
