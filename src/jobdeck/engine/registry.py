"""The jobs that are watched, their newest state and their newest exchanges."""

from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType

from jobdeck.domain.events import Event, JobAdded, JobEvent, JobRemoved
from jobdeck.domain.exchange import Exchange, ExchangeContent
from jobdeck.domain.instant import Instant
from jobdeck.domain.job import Acknowledger, Job, JobKey, Observation, Source, Stage, Target
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
"""Jobs that were removed whose history is kept, in case they come back: a key may be pressed by mistake."""


@dataclass(frozen=True, slots=True)
class _Removed:
    """What is kept of a job that was removed."""

    log: JobLog
    batch: str


@dataclass(frozen=True, slots=True)
class RegistryChange:
    """What a reply changed: the jobs it touched, in their new state, and the events."""

    jobs: tuple[Job, ...]
    events: tuple[JobEvent, ...]
    updates: tuple[JobUpdate, ...]


class Registry:
    """Holds the jobs and works out what each reply changed. No I/O, no clock: time is an argument."""

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
        """Return what is known of a job's past: nothing, of one that is not watched."""
        return self._logs.get(key) or JobLog(_EPOCH)

    def content(self, exchange: Exchange) -> ExchangeContent | None:
        """Return what came of an exchange, None when that is not in memory (any more)."""
        return self._bodies.get(exchange.id)

    def newest_content(self, key: JobKey) -> ExchangeContent | None:
        """Return what has a job's newest body: a poll's, or that of a list which changed its phase later."""
        return self._bodies.newest(key)

    def set_selected(self, key: JobKey | None) -> None:
        """Set the selected job, whose result stays in memory."""
        self._results.viewed = key

    def pop_evicted(self) -> tuple[Job, ...]:
        """Return the jobs whose results had to make room for others since the last call."""
        keys, self._evicted = self._evicted, set()
        return tuple(self._jobs[key] for key in keys if key in self._jobs)

    def add(self, target: Target, now: Instant) -> tuple[Job, Event] | None:
        """Begin to watch a target; None when it is watched already."""
        if target.key in self._jobs:
            return None
        # Added anew, it is no job of which anything is to be restored, nor does its body go with those that are.
        removed = self._removed.pop(target.key, None)
        target = target.in_batch(removed.batch if removed is not None else "")
        job = Job(target=target, added=now, kind=target.resource)
        self._jobs[target.key] = job
        self._logs[target.key] = JobLog(now)
        self._bodies.drop(target.key)
        return job, JobAdded(now, target.key)

    def move_to_batch(self, target: Target) -> Job | None:
        """Note that a watched job was added again as part of a batch; None when nothing changes by that."""
        known = self._jobs[target.key]
        batch = target.in_batch(known.target.batch).batch
        if not batch or batch == known.target.batch:
            return None
        moved = replace(known, target=replace(known.target, batch=batch), version=known.version + 1)
        self._jobs[target.key] = moved
        return moved

    def restore(self, job: Job, now: Instant) -> bool:
        """Begin to watch a job in a remembered state; False when it is watched and was observed already.

        One that was removed meanwhile has its history again.
        """
        known = self._jobs.get(job.key)
        if known is not None and known.observed is not None:
            return False
        if job.observed is not None and job.key not in self._removed:
            job = job.as_remembered()
        if known is not None and known.target.batch:
            job = replace(job, target=replace(job.target, batch=known.target.batch))
        self._jobs[job.key] = job if known is None else replace(job, version=known.version + 1)
        if known is None:
            removed = self._removed.pop(job.key, None)
            self._logs[job.key] = removed.log if removed is not None else JobLog(now)
        self._store_result(job)
        return True

    def set_remembered(self, jobs: Iterable[Job]) -> None:
        """Note what earlier runs saw of jobs that are polled as though they were new.

        It counts from the moment at which an answer contradicts it, or the first poll fails: then it is what is known.
        """
        self._remembered.update((job.key, job.as_remembered()) for job in jobs if job.observed is not None)

    def restore_remembered(self, asked: JobKey | None, reply: PollResult, now: Instant) -> None:
        """Restore what is remembered of the jobs that a reply is the first about."""
        if not self._remembered:
            return
        events_of = {JobKey(reply.exchange.profile, row.account_group, row.id): row for row in reply.observations}
        if asked is not None:
            events_of = dict.fromkeys([asked], reply.observations[0]) if reply.problem is None else {}
        for key in events_of if asked is None else [asked]:
            before, job = self._remembered.pop(key, None), self._jobs.get(key)
            if before is None or job is None or job.observed is not None:
                continue
            row = events_of.get(key)
            if row is None or row.phase is not before.phase or is_new_run(before, row):
                self.restore(before, now)
            elif before.run > 1:
                self.restore(replace(job, run=before.run, begun=before.begun), now)

    def merge_history(
        self, key: JobKey, exchanges: Sequence[Exchange], timeline: Sequence[TimelineEvent]
    ) -> Job | None:
        """Merge what the store has of a job's past, exchanges newest first; None when that changes nothing."""
        log = self._logs.get(key)
        return self._touch(key) if log is not None and log.merge_history(exchanges, timeline) else None

    def mark_unreachable(self, profile: str, outage: Problem | None) -> tuple[Job, ...]:
        """Note that no job of a profile can be reached because of `outage`, or (None) that it is over."""
        touched = []
        for key, job in self._jobs.items():
            if key.profile == profile and not _is_known_in_full(job) and job.outage != outage:
                self._jobs[key] = replace(job, outage=outage, version=job.version + 1)
                touched.append(self._jobs[key])
        return tuple(touched)

    def acknowledge(self, key: JobKey, *, acknowledged: bool, by: Acknowledger | None = None) -> Job | None:
        """Set whether a person has acknowledged a job, `by` another than oneself; None when that is nothing new."""
        job = self._jobs.get(key)
        if job is None or job.acknowledged == acknowledged:
            return None
        self._jobs[key] = replace(job, acknowledged=acknowledged, acknowledged_by=by)
        return self._touch(key)

    def set_watchers(self, key: JobKey, names: tuple[str, ...]) -> Job | None:
        """Set who watches a job; None when that is nothing new."""
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
        """Merge what another process observed of a watched job, by the same rules as an answer of our own.

        The exchange is one more of the job's, whether or not it showed anything: to cancel it, for example. With
        `result_missing` there is a result that was not shared: the one we have stays, and where we have none the end
        alone is known, as from a list.
        """
        known = self._jobs.get(external.key)
        if known is None:
            return RegistryChange((), (), ())
        is_new = exchange is not None and self._logs[external.key].insert_exchange(exchange)
        if external.observed is None or external.sequence <= known.sequence:
            return RegistryChange((self._touch(external.key),) if is_new else (), (), ())
        events_of, observation = _exchange_of(external), observation_of(external)
        if result_missing:
            facts = known.facts if known.evicted_result is not None else observation.facts
            observation = replace(observation, result=known.result, facts=facts)
        applied = self._observe_all(((known, observation),), events_of, external.observed, Source.PEER)
        job = self._jobs[external.key]
        if job.run < external.run:
            job = replace(job, run=external.run, begun=external.begun)
        if external.end_id is not None and job.phase is external.phase and known.ended is not job.ended:
            job = replace(job, end_request_id=external.end_request_id, end_trace_id=external.end_trace_id)
        if job is not self._jobs[external.key]:
            self._jobs[external.key] = job
            applied = replace(applied, jobs=(job,))
        lacks_result = result_missing and known.result is None and known.evicted_result is None
        return self._mark_summary_only(applied) if lacks_result else applied

    def merge_sighting(self, key: JobKey, exchange: Exchange, observed: Instant) -> RegistryChange:
        """Merge that another process saw a watched job, at `observed`, as it is known here."""
        known = self._jobs.get(key)
        if known is None:
            return RegistryChange((), (), ())
        is_new = self._logs[key].insert_exchange(exchange)
        if exchange.sequence <= known.sequence or known.observed is None:
            return RegistryChange((self._touch(key),) if is_new else (), (), ())
        in_full = exchange.job is not None and not known.summary_only
        row = replace(observation_of(known), whole=in_full)
        return self._observe_all(((known, row),), exchange, observed, Source.PEER)

    def _mark_summary_only(self, applied: RegistryChange) -> RegistryChange:
        """Note that only the end is known of the jobs just observed, if they have ended."""
        for job in applied.jobs:
            if job.terminal:
                self._jobs[job.key] = replace(job, summary_only=True)
        jobs = tuple(self._jobs[job.key] for job in applied.jobs)
        return replace(
            applied, jobs=jobs, updates=tuple(replace(seen, full=not seen.terminal) for seen in applied.updates)
        )

    def remove(self, key: JobKey, now: Instant) -> Event | None:
        """Watch a job no more; None when it was not watched. The history of the last ones is kept for `restore`."""
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

    def apply(self, asked: JobKey | None, reply: PollResult, now: Instant) -> RegistryChange:
        """Apply a reply to the job that was `asked` for, or to every watched job of a list (`asked` is None)."""
        self.restore_remembered(asked, reply, now)
        if asked is not None:
            job = self._jobs.get(asked)
            if job is None:
                return RegistryChange((), (), ())
            self._logs[asked].add_exchange(reply.exchange)
            self._keep_content(reply, () if _is_beside_state(reply.exchange) else (asked,))
            if reply.problem is not None:
                changed, events = apply_failure(job, reply.exchange, reply.problem, now)
                self._jobs[asked] = changed
                self._logs[asked].record_change(job, changed, events, now)
                return RegistryChange((changed,), events, ())
            return self._observe_all(((job, reply.observations[0]),), reply.exchange, now)
        profile = reply.exchange.profile
        keyed = ((JobKey(profile, row.account_group, row.id), row) for row in reply.observations)
        watched = [(job, row) for key, row in keyed if (job := self._jobs.get(key)) and not _repeats_end(job, row)]
        for job, _ in watched:
            self._logs[job.key].add_exchange(reply.exchange)
        applied = self._observe_all(watched, reply.exchange, now, Source.LIST)
        # Lists come by the second and are large: one that shows no other phase of any job than before is not kept.
        if turned := [job.key for job, _ in watched if self._jobs[job.key].phase is not job.phase]:
            self._keep_content(reply, turned)
        return applied

    def _keep_content(self, reply: PollResult, newest_of: Iterable[JobKey]) -> None:
        if reply.body is not None or reply.headers:
            self._bodies.put(ExchangeContent(reply.exchange, reply.headers, reply.windows, reply.body), newest_of)
            return
        for key in newest_of:
            self._bodies.drop(key)

    def note_action(self, key: JobKey, reply: PollResult) -> Job | None:
        """Keep the exchange of a request that acts on a job; None when it is not watched.

        It says nothing of how the job is: only an answer to the question does.
        """
        if key not in self._jobs:
            return None
        self._logs[key].add_exchange(reply.exchange)
        self._keep_content(reply, ())
        return self._touch(key)

    def add_exchange(self, key: JobKey, exchange: Exchange) -> None:
        """Add an exchange about a watched job; `apply_observation` may follow."""
        self._logs[key].add_exchange(exchange)

    def apply_observation(self, key: JobKey, row: Observation, exchange: Exchange, now: Instant) -> RegistryChange:
        """Apply what an added exchange showed of one watched job."""
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
        seen: list[JobUpdate] = []
        for known, row in pairs:
            # Not the job of when the answer came: a list may name one twice.
            before = self._jobs[known.key]
            job, events_of = apply_observation(before, row, exchange, now, source)
            self._jobs[job.key] = job
            self._logs[job.key].record_change(before, job, events_of, now)
            if job.result is not before.result:
                self._store_result(job)
            jobs.append(job)
            events.extend(events_of)
            changed_now = job.changed is not before.changed or job.doubt != before.doubt
            seen.append(_job_update(job, row, now, changed=changed_now))
        return RegistryChange(tuple(jobs), tuple(events), tuple(seen))

    def _store_result(self, job: Job) -> None:
        """Keep a job's newest result in memory; others go where there is no room for all."""
        self._results.put(job.key, job.result)
        for key in self._results.evict():
            evicted = self._jobs[key]
            self._jobs[key] = replace(evicted.without_result(), version=evicted.version + 1)
            self._evicted.add(key)


def _is_beside_state(exchange: Exchange) -> bool:
    """Whether an answer is no poll that shows a job: a part of it, or an error."""
    return exchange.part is not None or exchange.http_status is None or exchange.http_status >= 300


def _repeats_end(job: Job, row: Observation) -> bool:
    """Whether a list row repeats how a job ended.

    Lists show ended jobs for hours: counted as observations, they would soon crowd out the answers that showed the end.
    """
    if not job.terminal or (row.attempt is not None and row.attempt != job.attempt):
        return False
    if job.doubt is not None:
        return row.status in {job.status, job.doubt}
    if row.status != job.status or (job.failures and not job.summary_only):
        return False
    evicted = row.result is not None and len(row.result) == job.evicted_result
    return not row.whole or job.summary_only or (row.error == job.error and (evicted or row.result == job.result))


def _job_update(job: Job, row: Observation, now: Instant, *, changed: bool) -> JobUpdate:
    """Return what the scheduler needs to know.

    Its kinds are those of the lists, so the resource's word; of a described API, whose jobs may be of any kind, the
    kind itself, so that durations are learnt of each.
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
    """Whether a job has ended, as its own answer has told this run or another process, and no list denies it."""
    return job.doubt is None and job.terminal and not job.summary_only and job.source in {Source.ANSWER, Source.PEER}


def _completed_part(stage: Stage) -> float | None:
    if stage.phase.terminal:
        return 1.0
    return stage.progress if stage.progress is not None or stage.phase is Phase.RUNNING else 0.0


def observation_of(job: Job) -> Observation:
    """Return the observation that a remembered job amounts to."""
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
    """Return an exchange with what is known of the one that gave a job its state: a list's has no job."""
    asked = job.asked or job.added
    return Exchange(
        profile=job.key.profile,
        method="GET",
        url="",
        started=asked,
        duration=0.0,
        job=None if job.summary_only else job.key,
        http_status=job.http_status,
        request_id=job.request_id,
        trace_id=job.trace_id,
        sequence=job.sequence,
    )
