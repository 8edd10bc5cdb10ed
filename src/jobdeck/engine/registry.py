"""The watched jobs, their newest states and their newest exchanges."""

from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType

from jobdeck.domain.events import Event, JobAdded, JobEvent, JobRemoved
from jobdeck.domain.exchange import Exchange, ExchangeContent
from jobdeck.domain.instant import Instant
from jobdeck.domain.job import (
    DROPPED_RESULT,
    Acknowledger,
    Job,
    JobKey,
    MissingPart,
    Observation,
    Part,
    Source,
    Stage,
    Target,
)
from jobdeck.domain.phase import Phase
from jobdeck.domain.problem import Problem
from jobdeck.domain.timeline import TimelineEvent
from jobdeck.domain.transitions import apply_failure, apply_observation, is_new_run
from jobdeck.engine.job_log import JobLog
from jobdeck.engine.memory import BodyCache, ResultBudget
from jobdeck.http.base import PollResult
from jobdeck.scheduling.actions import JobUpdate

_EPOCH = Instant(0, 0.0)

MAX_REMOVED = 100
"""Removed jobs whose history is kept in case they come back: the key may have been pressed by mistake."""


@dataclass(frozen=True, slots=True)
class _Removed:
    """The log and the batch of a removed job."""

    log: JobLog
    batch: str


@dataclass(frozen=True, slots=True)
class RegistryChange:
    """The effect of a result: the affected jobs in their new states, the events, and updates for the scheduler."""

    jobs: tuple[Job, ...]
    events: tuple[JobEvent, ...]
    updates: tuple[JobUpdate, ...]


class Registry:
    """Holds the jobs and applies results to them. No I/O, no clock: time is an argument."""

    def __init__(self) -> None:
        self._jobs: dict[JobKey, Job] = {}
        self._logs: dict[JobKey, JobLog] = {}
        self._bodies = BodyCache()
        self._results = ResultBudget()
        self._evicted: set[JobKey] = set()
        self._remembered: dict[JobKey, Job] = {}
        self._removed: OrderedDict[JobKey, _Removed] = OrderedDict()

    def copy(self) -> "Registry":
        """Return an independent copy."""
        other = Registry()
        other._jobs = dict(self._jobs)
        other._logs = {key: log.copy() for key, log in self._logs.items()}
        other._bodies = self._bodies.copy()
        other._results = self._results.copy()
        other._removed = OrderedDict((key, _Removed(one.log.copy(), one.batch)) for key, one in self._removed.items())
        return other

    @property
    def jobs(self) -> Mapping[JobKey, Job]:
        """A live, read-only view of the jobs by key."""
        return MappingProxyType(self._jobs)

    def log_of(self, key: JobKey) -> JobLog:
        """Return the log of a job; an empty one if the job is not watched."""
        return self._logs.get(key) or JobLog(_EPOCH)

    def content(self, exchange: Exchange) -> ExchangeContent | None:
        """Return the content of an exchange; None if it is not in memory."""
        return self._bodies.get(exchange.id)

    def newest_content(self, key: JobKey) -> ExchangeContent | None:
        """Return the content with a job's newest body: from a poll, or from a later list that changed its phase."""
        return self._bodies.newest(key)

    def set_selected(self, key: JobKey | None) -> None:
        """Set the selected job, whose result stays in memory."""
        self._results.viewed = key

    def pop_evicted(self) -> tuple[Job, ...]:
        """Return the jobs whose results were evicted from memory since the last call."""
        keys, self._evicted = self._evicted, set()
        return tuple(self._jobs[key] for key in keys if key in self._jobs)

    def add(self, target: Target, now: Instant) -> tuple[Job, Event] | None:
        """Begin to watch a target; None when it is watched already."""
        if target.key in self._jobs:
            return None
        # A target that is added again starts without its history, unlike a job in `restore`, but keeps its batch.
        removed = self._removed.pop(target.key, None)
        target = target.in_batch(removed.batch if removed is not None else "")
        job = Job(target=target, added=now, kind=target.resource)
        self._jobs[target.key] = job
        self._logs[target.key] = JobLog(now)
        self._bodies.drop(target.key)
        return job, JobAdded(now, target.key)

    def move_to_batch(self, target: Target) -> Job | None:
        """Move a watched job to the batch with which it was added again; None when its batch stays the same."""
        job = self._jobs[target.key]
        batch = target.in_batch(job.target.batch).batch
        if not batch or batch == job.target.batch:
            return None
        moved = replace(job, target=replace(job.target, batch=batch), version=job.version + 1)
        self._jobs[target.key] = moved
        return moved

    def restore(self, job: Job, now: Instant) -> bool:
        """Begin to watch a job in a remembered state; False when it is watched and was observed already.

        A job that was removed in this run gets its history back.
        """
        watched = self._jobs.get(job.key)
        if watched is not None and watched.observed is not None:
            return False
        if job.observed is not None and job.key not in self._removed:
            job = job.as_remembered()
        if watched is not None and watched.target.batch:
            job = replace(job, target=replace(job.target, batch=watched.target.batch))
        self._jobs[job.key] = job if watched is None else replace(job, version=watched.version + 1)
        if watched is None:
            removed = self._removed.pop(job.key, None)
            self._logs[job.key] = removed.log if removed is not None else JobLog(now)
        self._store_result(job)
        return True

    def set_remembered(self, jobs: Iterable[Job]) -> None:
        """Set the states from earlier runs of jobs that are polled as though they were new.

        Such a state is used only if the first answer differs from it, or the first poll fails.
        """
        self._remembered.update((job.key, job.as_remembered()) for job in jobs if job.observed is not None)

    def restore_remembered(self, polled: JobKey | None, result: PollResult, now: Instant) -> None:
        """Restore the remembered states of jobs whose first result this is, where `set_remembered` says so."""
        if not self._remembered:
            return
        rows = {JobKey(result.exchange.profile, row.account_group, row.id): row for row in result.observations}
        if polled is not None:
            rows = dict.fromkeys([polled], result.observations[0]) if result.problem is None else {}
        for key in rows if polled is None else [polled]:
            before, job = self._remembered.pop(key, None), self._jobs.get(key)
            if before is None or job is None or job.observed is not None:
                continue
            row = rows.get(key)
            if row is None or row.phase is not before.phase or is_new_run(before, row):
                self.restore(before, now)
            elif before.run > 1:
                self.restore(replace(job, run=before.run, begun=before.begun), now)

    def merge_history(
        self, key: JobKey, exchanges: Sequence[Exchange], timeline: Sequence[TimelineEvent]
    ) -> Job | None:
        """Merge a job's past from the store, exchanges newest first; None when that changes nothing."""
        log = self._logs.get(key)
        return self._touch(key) if log is not None and log.merge_history(exchanges, timeline) else None

    def mark_unreachable(self, profile: str, outage: Problem | None) -> tuple[Job, ...]:
        """Set the outage of a profile on its jobs, None when it is over; return those that changed.

        It does not concern jobs whose end is confirmed.
        """
        touched = []
        for key, job in self._jobs.items():
            if key.profile == profile and not _is_known_in_full(job) and job.outage != outage:
                self._jobs[key] = replace(job, outage=outage, version=job.version + 1)
                touched.append(self._jobs[key])
        return tuple(touched)

    def acknowledge(self, key: JobKey, *, acknowledged: bool, by: Acknowledger | None = None) -> Job | None:
        """Set whether a person (another than the user: `by`) has acknowledged a job; None when nothing changes."""
        job = self._jobs.get(key)
        if job is None or job.acknowledged == acknowledged:
            return None
        self._jobs[key] = replace(job, acknowledged=acknowledged, acknowledged_by=by)
        return self._touch(key)

    def set_watchers(self, key: JobKey, names: tuple[str, ...]) -> Job | None:
        """Set the names of those who watch a job; None when nothing changes."""
        job = self._jobs.get(key)
        if job is None or job.target.watched_by == names:
            return None
        self._jobs[key] = replace(job, target=replace(job.target, watched_by=names))
        return self._touch(key)

    def _touch(self, key: JobKey) -> Job:
        job = self._jobs[key]
        self._jobs[key] = replace(job, version=job.version + 1)
        return self._jobs[key]

    def merge_external(
        self, external: Job, exchange: Exchange | None, *, result_missing: bool = False
    ) -> RegistryChange:
        """Merge the state of a watched job that another process observed, by the same rules as our own answers.

        The exchange is added to the job's log even if it shows no state, like one that cancels the job. If the result
        is not in the store (`result_missing`), ours stays; without one, the job is `summary_only`, as from a list.
        """
        before = self._jobs.get(external.key)
        if before is None:
            return RegistryChange((), (), ())
        is_new = exchange is not None and self._logs[external.key].insert_exchange(exchange)
        if external.observed is None or external.sequence <= before.sequence:
            return RegistryChange((self._touch(external.key),) if is_new else (), (), ())
        shown_by, observation = _exchange_of(external), observation_of(external)
        if result_missing:
            facts = before.facts if before.evicted_result is not None else observation.facts
            observation = replace(observation, result=before.result, facts=facts)
        observation = replace(observation, elsewhere=_still_missing(before, external, observation))
        applied = self._observe_all(((before, observation),), shown_by, external.observed, Source.PEER)
        job = self._jobs[external.key]
        if job.run < external.run:
            job = replace(job, run=external.run, begun=external.begun)
        if external.end_id is not None and job.phase is external.phase and before.ended is not job.ended:
            job = replace(job, end_request_id=external.end_request_id, end_trace_id=external.end_trace_id)
        if job is not self._jobs[external.key]:
            self._jobs[external.key] = job
            applied = replace(applied, jobs=(job,))
        lacks_result = result_missing and before.result is None and before.evicted_result is None
        return self._mark_summary_only(applied) if lacks_result else applied

    def merge_sighting(self, key: JobKey, exchange: Exchange, observed: Instant) -> RegistryChange:
        """Merge an exchange of another process that observed a watched job, at `observed`, in its present state."""
        job = self._jobs.get(key)
        if job is None:
            return RegistryChange((), (), ())
        is_new = self._logs[key].insert_exchange(exchange)
        if exchange.sequence <= job.sequence or job.observed is None:
            return RegistryChange((self._touch(key),) if is_new else (), (), ())
        in_full = exchange.job is not None and not job.summary_only
        row = replace(observation_of(job), whole=in_full, elsewhere=job.missing)
        return self._observe_all(((job, row),), exchange, observed, Source.PEER)

    def _mark_summary_only(self, applied: RegistryChange) -> RegistryChange:
        """Set `summary_only` on those of the jobs just observed that have ended."""
        for job in applied.jobs:
            if job.terminal:
                self._jobs[job.key] = replace(job, summary_only=True)
        jobs = tuple(self._jobs[job.key] for job in applied.jobs)
        return replace(
            applied, jobs=jobs, updates=tuple(replace(update, full=not update.terminal) for update in applied.updates)
        )

    def remove(self, key: JobKey, now: Instant) -> Event | None:
        """Stop watching a job; None if it is not watched. The newest `MAX_REMOVED` histories are kept for `restore`."""
        job = self._jobs.pop(key, None)
        if job is None:
            return None
        self._results.put(key, None)
        self._removed[key] = _Removed(self._logs.pop(key), job.target.batch)
        if len(self._removed) > MAX_REMOVED:
            self._bodies.drop(self._removed.popitem(last=False)[0])
        return JobRemoved(now, key)

    def set_forecast(
        self, key: JobKey, interval: float, eta: tuple[float, float] | None, stall_after: float | None
    ) -> Job:
        """Set the forecast of a watched job: the seconds between two polls, to its end, and without a change."""
        job = self._jobs[key]
        if (job.interval, job.eta, job.stall_after) != (interval, eta, stall_after):
            changed = replace(job, interval=interval, eta=eta, stall_after=stall_after, version=job.version + 1)
            job = self._jobs[key] = changed
        return job

    def apply(self, polled: JobKey | None, result: PollResult, now: Instant) -> RegistryChange:
        """Apply a result to the job `polled`, or to every watched job of a list (`polled` is None)."""
        self.restore_remembered(polled, result, now)
        if polled is not None:
            job = self._jobs.get(polled)
            if job is None:
                return RegistryChange((), (), ())
            self._logs[polled].add_exchange(result.exchange)
            self._keep_content(result, (polled,) if _shows_state(result.exchange) else ())
            if result.problem is not None:
                changed, events = apply_failure(job, result.exchange, result.problem, now)
                self._jobs[polled] = changed
                self._logs[polled].record_change(job, changed, events, now)
                return RegistryChange((changed,), events, ())
            return self._observe_all(((job, result.observations[0]),), result.exchange, now)
        profile = result.exchange.profile
        keyed = ((JobKey(profile, row.account_group, row.id), row) for row in result.observations)
        watched = [(job, row) for key, row in keyed if (job := self._jobs.get(key)) and not _repeats_end(job, row)]
        for job, _ in watched:
            self._logs[job.key].add_exchange(result.exchange)
        applied = self._observe_all(watched, result.exchange, now, Source.LIST)
        # Lists are large and may arrive every second: keep a list's body only if it changed the phase of a job.
        if changed_phase := [job.key for job, _ in watched if self._jobs[job.key].phase is not job.phase]:
            self._keep_content(result, changed_phase)
        return applied

    def _keep_content(self, result: PollResult, newest_of: Iterable[JobKey]) -> None:
        if result.body is not None or result.headers:
            self._bodies.put(ExchangeContent(result.exchange, result.headers, result.windows, result.body), newest_of)
            return
        for key in newest_of:
            self._bodies.drop(key)

    def note_action(self, key: JobKey, result: PollResult) -> Job | None:
        """Add the exchange of a request that acts on a job to its log; None when it is not watched.

        The job's state stays: only the answer to a poll shows it.
        """
        if key not in self._jobs:
            return None
        self._logs[key].add_exchange(result.exchange)
        self._keep_content(result, ())
        return self._touch(key)

    def add_exchange(self, key: JobKey, exchange: Exchange) -> None:
        """Add an exchange about a watched job; `apply_observation` may follow."""
        self._logs[key].add_exchange(exchange)

    def apply_observation(self, key: JobKey, row: Observation, exchange: Exchange, now: Instant) -> RegistryChange:
        """Apply one watched job's row of an exchange that `add_exchange` added."""
        source = Source.LIST if exchange.job is None else Source.ANSWER
        return self._observe_all(((self._jobs[key], row),), exchange, now, source)

    def _observe_all(
        self,
        pairs: Iterable[tuple[Job, Observation]],
        exchange: Exchange,
        now: Instant,
        source: Source = Source.ANSWER,
    ) -> RegistryChange:
        jobs: list[Job] = []
        events: list[JobEvent] = []
        updates: list[JobUpdate] = []
        for watched, row in pairs:
            # Not the job of the pair: a list may have it twice.
            before = self._jobs[watched.key]
            job, events_of = apply_observation(before, row, exchange, now, source)
            self._jobs[job.key] = job
            self._logs[job.key].record_change(before, job, events_of, now)
            if job.result is not before.result:
                self._store_result(job)
            jobs.append(job)
            events.extend(events_of)
            changed_now = job.changed is not before.changed or job.doubt != before.doubt
            updates.append(_job_update(job, row, now, changed=changed_now))
        return RegistryChange(tuple(jobs), tuple(events), tuple(updates))

    def _store_result(self, job: Job) -> None:
        """Keep a job's newest result in memory, and evict others if the budget requires it."""
        self._results.put(job.key, job.result)
        for key in self._results.evict():
            evicted = self._jobs[key]
            self._jobs[key] = replace(evicted.without_result(), version=evicted.version + 1)
            self._evicted.add(key)


def _shows_state(exchange: Exchange) -> bool:
    """Whether the answer to a poll shows a job: it is neither a part of it nor an error."""
    return exchange.part is None and exchange.http_status is not None and exchange.http_status < 300


def _repeats_end(job: Job, row: Observation) -> bool:
    """Whether a list row repeats a known end.

    Lists show ended jobs for hours; as observations, these rows would crowd the exchanges that showed the end out of
    the log.
    """
    if not job.terminal or (row.attempt is not None and row.attempt != job.attempt):
        return False
    if job.doubt is not None:
        return row.status in {job.status, job.doubt}
    if row.status != job.status or (job.failures and not job.summary_only):
        return False
    evicted = row.result is not None and len(row.result) == job.evicted_result
    return not row.whole or job.summary_only or (row.error == job.error and (evicted or row.result == job.result))


def _still_missing(before: Job, external: Job, observation: Observation) -> tuple[MissingPart, ...]:
    """Return the parts to fetch that another process's newer state of a job, `observation`, does not have either.

    None are left of another end or run: who observed that fetches its parts.
    """
    same = external.phase is before.phase if before.terminal else not external.terminal
    if not same or external.run > before.run:
        return ()
    has = {Part.RESULT} if observation.result is not None or DROPPED_RESULT in dict(observation.facts) else set()
    if external.stages and all(record.stage.phase.terminal for record in external.stages):
        has.add(Part.STAGES)
    return tuple(one for one in before.missing if one.part not in has)


def _job_update(job: Job, row: Observation, now: Instant, *, changed: bool) -> JobUpdate:
    """Return the scheduler's view of a job.

    Its kind is the resource's name, as in lists; but the job's own kind if the API has a single resource named `job`,
    so that durations are learnt for each kind.
    """
    stage = job.current_stage
    resource = job.target.resource
    return JobUpdate(
        key=job.key,
        kind=job.kind if resource == "job" else resource,
        terminal=job.terminal,
        progress=job.progress,
        changed=changed,
        stages=tuple((record.stage.name, _completed_part(record.stage)) for record in job.stages),
        full=_is_known_in_full(job) if job.terminal else row.whole,
        phase=job.phase,
        elapsed=job.elapsed(now) if job.elapsed_exact else None,
        stage=stage.stage.name if stage is not None and not stage.stage.phase.terminal else None,
    )


def _is_known_in_full(job: Job) -> bool:
    """Whether a job has ended by its own answer to this run or another process, and no list row contradicts that."""
    return job.doubt is None and job.terminal and not job.summary_only and job.source in {Source.ANSWER, Source.PEER}


def _completed_part(stage: Stage) -> float | None:
    if stage.phase.terminal:
        return 1.0
    return stage.progress if stage.progress is not None or stage.phase is Phase.RUNNING else 0.0


def observation_of(job: Job) -> Observation:
    """Return a job's state as an observation."""
    return Observation(
        id=job.key.id,
        status=job.status or "",
        phase=job.phase,
        progress=job.progress,
        stages=tuple(record.stage for record in job.stages),
        error=job.error,
        result=job.result,
        kind=job.kind,
        account_group=job.key.account_group,
        created_us=job.created_us,
        updated_us=job.updated_us,
        ended_us=job.ended_us,
        facts=job.facts,
        whole=not job.summary_only,
        attempt=job.attempt,
        started_us=job.started_us,
    )


def _exchange_of(job: Job) -> Exchange:
    """Return the exchange that gave a job its state, rebuilt from the job; after a list, its `job` is None."""
    return Exchange(
        profile=job.key.profile,
        method="GET",
        url="",
        started=job.asked or job.added,
        duration=0.0,
        job=None if job.summary_only else job.key,
        http_status=job.http_status,
        request_id=job.request_id,
        trace_id=job.trace_id,
        sequence=job.sequence,
    )
