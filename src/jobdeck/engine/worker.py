"""The worker of one profile: take its scheduler's next request, send it through its provider, deliver the reply."""

import asyncio
import logging
from collections.abc import Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any, Protocol, TypeAlias

from jobdeck.domain.events import OutageBegan, OutageEnded, ProfileEvent, ProfileHalted
from jobdeck.domain.exchange import Exchange
from jobdeck.domain.humanize import format_time
from jobdeck.domain.instant import Instant
from jobdeck.domain.job import Job, JobKey, MissingPart, Part, Target
from jobdeck.domain.phase import Phase
from jobdeck.domain.problem import Problem, ProblemKind
from jobdeck.engine.cancel_request import cooldown_problem, send_cancel
from jobdeck.engine.clock import Timer
from jobdeck.engine.coordinator import Coordinator, Denied, NullCoordinator, Permit, RateLimits, Request
from jobdeck.http.base import PartRequest, PollResult, Provider
from jobdeck.http.body import SAVE_BODY
from jobdeck.scheduling.actions import ActionResult, CancelJob, FetchPart, Health, ListPage, Poll, Wait
from jobdeck.scheduling.scheduler import MAX_SLOW, Scheduler

MAX_IN_FLIGHT = 2 * MAX_SLOW
"""Requests at once to one profile. The gate stands before the HTTP client, whose pool costs time that grows with
the square of its size: 2.8 ms of CPU a request at 10 connections, 32 ms at 100."""

LONGEST_WAIT = 30.0
"""Seconds that a request waits for the budget which a person asked for once."""

OBSTACLE_SECONDS = 1.0
"""How often such a request looks whether it may still be sent at all."""

RequestSubject: TypeAlias = Target | PartRequest | ListPage

BodyWriter: TypeAlias = Callable[[bytes], object]
"""Takes the pieces of a body as they come; raises nothing."""

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Download:
    """A body to be saved: who writes it and who waits for it, and the part of the job that it is.

    The part is None while nobody knows whether the result is in the job's own answer, which `is_here` says.
    """

    write: BodyWriter
    done: "asyncio.Future[Problem | None]"
    part: MissingPart | None = None
    is_here: bool = False


@dataclass(frozen=True, slots=True)
class Completion:
    """A request that was answered, or failed."""

    worker: "ProfileWorker"
    request: Request
    reply: PollResult
    now: Instant


class WorkerDelegate(Protocol):
    """Receives the replies to a worker's requests."""

    def target_of(self, key: JobKey) -> Target | None:
        """Return the target of a job that is still watched."""
        ...

    def on_completion(self, done: Completion) -> None:
        """Apply the reply to a request."""
        ...

    def on_cooldown(self, profile: str) -> None:
        """Note that a profile sends nothing for a while because the server asked another process for that."""
        ...


class ProfileWorker:
    """Runs one profile until cancelled.

    `limit_assumed` says that nobody configured the limit its scheduler begins with.
    """

    def __init__(
        self,
        provider: Provider,
        scheduler: Scheduler,
        clock: Timer,
        coordinator: Coordinator | None = None,
        *,
        limit_assumed: bool = False,
    ) -> None:
        self.scheduler = scheduler
        self.limit_assumed = limit_assumed
        self.shared_limits: RateLimits | None = None
        self._provider = provider
        self._clock = clock
        self._coordinator: Coordinator = coordinator or NullCoordinator()
        self._in_flight = 0
        self._cancels_waiting = 0
        # Between asking whether there is room and paying, nobody else may ask.
        self._one_permit = asyncio.Lock()
        self._wake = asyncio.Event()
        self._downloads: dict[JobKey, _Download] = {}

    @property
    def name(self) -> str:
        """The profile's name."""
        return self._provider.profile_name

    @property
    def health(self) -> Health:
        """Whether the profile's jobs can be reached, and why not."""
        return self.scheduler.health

    def forecast(self, job: Job) -> tuple[float, tuple[float, float] | None, float | None] | None:
        """Return the forecast of a job that was just observed; None when it is not scheduled.

        That is the seconds between two polls, to its end, and without a change.
        """
        plan = self.scheduler.next_poll(job.key)
        if plan is None:
            return None
        # The range counts from the observation, which was made just now.
        eta = self.scheduler.eta(job.key, self._clock.now().mono) if job.failures == 0 else job.eta
        stall_after = self.scheduler.stall_after(job.key)
        return (
            _round_estimate(plan.interval),
            (_round_estimate(eta[0]), _round_estimate(eta[1])) if eta is not None else None,
            _round_estimate(stall_after) if stall_after is not None else None,
        )

    def health_events(self, before: Health, now: Instant) -> list[ProfileEvent]:
        """Return what began or ended for the profile since its health was `before`."""
        health, events = self.health, list[ProfileEvent]()
        if before.outage is not None and health.outage is None:
            events.append(OutageEnded(now, self.name, now.mono - before.since))
        if before.outage is None and health.outage is not None:
            events.append(OutageBegan(now, self.name, health.outage))
        if before.halt is None and health.halt is not None:
            events.append(ProfileHalted(now, self.name, health.halt))
        return events

    def wake(self) -> None:
        """Make the loop ask its scheduler again."""
        self._wake.set()

    async def run(self, delegate: WorkerDelegate) -> None:
        """Run until cancelled; requests still in flight are cancelled with it."""
        async with asyncio.TaskGroup() as requests:
            while True:
                self._wake.clear()
                # What a person has confirmed goes before the next poll.
                if self._in_flight >= MAX_IN_FLIGHT or self._cancels_waiting:
                    await self._wake.wait()
                    continue
                action = self.scheduler.next_action(self._clock.now().mono)
                if isinstance(action, Wait):
                    until = action.until
                    seconds = None if until is None else max(0.0, until - self._clock.now().mono)
                    await self._clock.wait(self._wake, seconds)
                    continue
                subject = self._subject_of(action, delegate)
                if subject is None:
                    continue
                async with self._one_permit:
                    permit = await self._permit(action, subject, delegate)
                    if permit is not None:
                        self._in_flight += 1
                        self.scheduler.mark_sent(action, self._clock.now().mono)
                if permit is not None:
                    requests.create_task(self._execute(action, subject, permit, delegate))

    def cancel_obstacle(self, job: Job) -> str:
        """Return why a job cannot be cancelled, in one line; empty where it can."""
        if job.terminal:
            return f"already finished ({job.phase.value})"
        request = self._provider.cancel_request(job.target)
        if isinstance(request, str):
            return request
        early = job.phase in {Phase.QUEUED, Phase.RUNNING} and job.phase not in request.phases
        return f"cannot be cancelled while {job.phase.value}" if early else ""

    async def cancel(self, target: Target) -> PollResult | Problem:
        """Have a job cancelled, by one request that is never sent again; or return why it was not sent.

        It goes before the next poll, and waits for the budget, but not for long: nobody expects it to be sent a quarter
        of an hour later.
        """
        request = self._provider.cancel_request(target)
        if isinstance(request, str):
            return Problem(ProblemKind.PERMISSION, request)
        self._cancels_waiting += 1
        try:
            permit = await self._acquire(CancelJob(target.key, request.method), request.url)
        finally:
            self._cancels_waiting -= 1
            self._wake.set()
        if isinstance(permit, Problem):
            return permit
        sent = self._clock.now()
        reply = await send_cancel(
            self._provider, self._coordinator, self._clock, target=target, request=request, permit=permit
        )
        result = ActionResult(
            reply.problem, retry_after=reply.retry_after, windows=reply.windows, retry_after_unclamped=reply.retry_asked
        )
        self.scheduler.on_cancel_result(self._clock.now().mono, sent.mono, result)
        return reply

    async def _acquire(self, request: CancelJob, url: str) -> Permit | Problem:
        """Return leave to send what a person asks for; or why there is none, at once where that will not pass soon."""
        latest = self._clock.now().later(LONGEST_WAIT)
        while True:
            async with self._one_permit:
                permit = await self._try_acquire(request, url)
            if not isinstance(permit, Instant):
                return permit
            if permit.since(latest) > 0:
                message = f"the rate limit allows no request before {format_time(permit.us)}: cancel again then"
                return Problem(ProblemKind.RATE_LIMIT, message, retry_at_us=permit.us)
            # Not to that moment at once: polling may be paused meanwhile, which a person should be told of at once.
            seconds = min(max(0.05, permit.since(self._clock.now())), OBSTACLE_SECONDS)
            await self._clock.wait(asyncio.Event(), seconds)

    async def _try_acquire(self, request: CancelJob, url: str) -> Permit | Problem | Instant:
        """Return leave to send a request now, why nothing is sent at all, or when to try again."""
        now = self._clock.now()
        if (obstacle := self._sending_obstacle(now)) is not None:
            return obstacle
        if (ready := self.scheduler.ready(now.mono)) > now.mono:
            return now.later(ready - now.mono)
        permit = await self._coordinator.acquire(self.name, request, url, now)
        later = self._clock.now()
        obstacle = self._sending_obstacle(later)
        if isinstance(permit, Denied):
            if permit.in_cooldown:
                self._apply_cooldown(permit.until)
                return self._sending_obstacle(later) or permit.until
            self.scheduler.block(request, later.mono, permit.until.mono)
            return permit.until
        if obstacle is not None:
            await self._coordinator.abandon(permit, later)
            return obstacle
        self.scheduler.mark_cancel_sent(later.mono)
        return permit

    def _sending_obstacle(self, now: Instant) -> Problem | None:
        """Return why nothing is sent to the profile for as long as nobody does something about it, or the server asked.

        None while only the rate limit counts.
        """
        quota = self.scheduler.quota(now.mono)
        if quota.paused:
            return Problem(ProblemKind.PERMISSION, "polling is paused: resume it (p), then cancel again")
        if (halt := self.health.halt) is not None:
            message = f"{halt.kind.label}, polling stopped: run jobdeck doctor, press R, then cancel again"
            return replace(halt, message=message)
        if quota.blocked_until is not None:
            return cooldown_problem(now.later(quota.blocked_until - now.mono))
        return None

    def download(self, key: JobKey, write: BodyWriter) -> "asyncio.Future[Problem | None]":
        """Hand the next body with a job's result to `write`; the future tells when it ended, and its problem."""
        done = asyncio.get_running_loop().create_future()
        self._downloads[key] = _Download(write, done)
        return done

    def cancel_download(self, key: JobKey) -> None:
        """Cancel the download of a job's body."""
        wanted = self._downloads.pop(key, None)
        if wanted is not None:
            wanted.done.cancel()

    def missing_parts(self, key: JobKey, missing: tuple[MissingPart, ...]) -> tuple[MissingPart, ...]:
        """Return the parts of a job that are missing, with the one that is wanted once more."""
        wanted = self._downloads.get(key)
        if wanted is None or wanted.part is None or wanted.part.part in {one.part for one in missing}:
            return missing
        return (*missing, wanted.part)

    async def aclose(self) -> None:
        """Close the provider's connections."""
        await self._provider.aclose()

    def _subject_of(self, request: Request, delegate: WorkerDelegate) -> RequestSubject | None:
        """Return what the provider is to request; None for a job that is no longer watched."""
        if isinstance(request, ListPage):
            return request
        target = delegate.target_of(request.key)
        if target is None:
            self.scheduler.remove(request.key)
            return None
        return PartRequest(target, request.missing) if isinstance(request, FetchPart) else target

    async def _permit(self, request: Request, subject: RequestSubject, delegate: WorkerDelegate) -> Permit | None:
        """Return leave to send a request; None where there is none now, which the scheduler then knows."""
        limits = self.shared_limits
        permit = await self._coordinator.acquire(self.name, request, self._url_of(subject), self._clock.now())
        if not isinstance(permit, Denied):
            return permit
        mono = self._clock.now().mono
        if not permit.budget_exhausted:
            self.scheduler.defer(request, mono, permit.until.mono)
        elif permit.in_cooldown or limits == self.shared_limits:
            # Else an answer has told of another limit meanwhile, by which this request was not judged.
            self.scheduler.block(request, mono, permit.until.mono)
        if permit.in_cooldown and self._apply_cooldown(permit.until):
            delegate.on_cooldown(self.name)
        return None

    async def _execute(
        self, request: Request, subject: RequestSubject, permit: Permit, delegate: WorkerDelegate
    ) -> None:
        try:
            try:
                reply = await self._send(subject)
            except asyncio.CancelledError:
                await self._coordinator.abandon(permit, self._clock.now())
                raise
            reply = reply.sent_as(permit.sequence)
            now = self._clock.now()
            # First on record, then shown: else a process killed in between has shown an ID that nobody finds again.
            await self._coordinator.record(permit, reply, now)
            delegate.on_completion(Completion(self, request, reply, now))
            if isinstance(request, Poll) and (wanted := self._downloads.get(request.key)) and wanted.part is None:
                # Wanted since this request was sent, or in the answer that was polled for to find it.
                self.scheduler.poll_now(request.key, now.mono)
        finally:
            self._in_flight -= 1
            self._wake.set()

    def _apply_cooldown(self, until: Instant) -> bool:
        """Send nothing before `until`; False when that was known (to the second)."""
        mono = self._clock.now().mono
        known = self.scheduler.quota(mono).blocked_until
        if known is not None and until.mono <= known + 1.0:
            return False
        self.scheduler.set_cooldown(mono, until.mono)
        return True

    async def _send(self, subject: RequestSubject) -> PollResult:
        started = self._clock.now()
        try:
            if isinstance(subject, Target):
                return await self._poll(subject)
            if isinstance(subject, PartRequest):
                return await self._fetch_part(subject)
            return await self._provider.list_page(subject)
        except Exception as error:  # noqa: BLE001 - one provider that breaks its promise must not stop every job
            _log.exception("the provider of profile %s raised", self.name)
            return PollResult(self._internal_error(subject, error, started))

    async def _poll(self, target: Target) -> PollResult:
        """Poll a job; a body of it that is wanted is that of its result, which may have a URL of its own."""
        wanted = self._downloads.get(target.key)
        if wanted is None:
            return await self._provider.poll(target)
        if wanted.is_here or not self._provider.has_part(target, Part.RESULT):
            del self._downloads[target.key]
            return await self._download(wanted, self._provider.poll(target))
        reply = await self._provider.poll(target)
        parts = (one for row in reply.observations for one in row.elsewhere)
        wanted.part = next((one for one in parts if one.part is Part.RESULT), None)
        wanted.is_here = wanted.part is None
        if reply.problem is not None and self._downloads.pop(target.key, None) is wanted:
            _resolve(wanted, reply)
        return reply

    async def _fetch_part(self, request: PartRequest) -> PollResult:
        wanted = self._downloads.get(request.target.key)
        if wanted is None or wanted.part is None or wanted.part.part is not request.missing.part:
            return await self._provider.fetch_part(request)
        del self._downloads[request.target.key]
        return await self._download(wanted, self._provider.fetch_part(request))

    async def _download(self, wanted: _Download, sending: Coroutine[Any, Any, PollResult]) -> PollResult:
        token = SAVE_BODY.set(wanted.write)
        try:
            reply = await sending
        except BaseException:
            wanted.done.cancel()
            raise
        finally:
            SAVE_BODY.reset(token)
        _resolve(wanted, reply)
        return reply

    def _url_of(self, subject: RequestSubject) -> str:
        # A provider that raises here does so when it sends, too, and is logged then.
        with suppress(Exception):
            return self._provider.url_of(subject)
        return ""

    def _internal_error(self, subject: RequestSubject, error: Exception, started: Instant) -> Exchange:
        problem = Problem(ProblemKind.PROTOCOL, f"internal error ({type(error).__name__}): please report it")
        target = subject.target if isinstance(subject, PartRequest) else subject
        job = target.key if isinstance(target, Target) else None
        part = subject.missing if isinstance(subject, PartRequest) else None
        duration = self._clock.now().mono - started.mono
        return Exchange(self.name, "GET", self._url_of(subject), started, duration, job=job, problem=problem, part=part)


def _resolve(wanted: _Download, reply: PollResult) -> None:
    if not wanted.done.done():
        wanted.done.set_result(reply.problem)


def _round_estimate(seconds: float) -> float:
    """Round an estimate, which is never more exact and then takes little room in a recording."""
    return round(seconds, 1 if seconds < 10 else 0)
