"""The worker of one profile: take its scheduler's next request, send it through its provider, deliver the result."""

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
from jobdeck.scheduling.actions import ActionResult, CancelJob, FetchPart, ListPage, Poll, Wait
from jobdeck.scheduling.outlook import Health
from jobdeck.scheduling.scheduler import MAX_SLOW, Scheduler

MAX_IN_FLIGHT = 2 * MAX_SLOW
"""Most requests in flight to one profile, each of which needs a connection of its own."""

CANCEL_WAIT_SECONDS = 30.0
"""How long a cancel request waits for the budget."""

OBSTACLE_SECONDS = 1.0
"""Most seconds between two checks whether a waiting cancel request may still be sent."""

RequestSubject: TypeAlias = Target | PartRequest | ListPage

BodyWriter: TypeAlias = Callable[[bytes], object]
"""Takes the pieces of a body as they arrive; raises nothing."""

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Download:
    """A download of the body with a job's result."""

    write: BodyWriter
    done: "asyncio.Future[Problem | None]"
    # The part that has the result, once an answer has shown that it has a URL of its own.
    part: MissingPart | None = None
    # Whether an answer has shown that the result is in the job's own answer.
    is_here: bool = False


class WorkerDelegate(Protocol):
    """Receives the results of a worker's requests."""

    def target_of(self, key: JobKey) -> Target | None:
        """Return the target of a watched job, else None."""
        ...

    def on_result(self, worker: "ProfileWorker", request: Request, result: PollResult, now: Instant) -> None:
        """Apply the result of a request."""
        ...

    def on_cooldown(self, profile: str) -> None:
        """Note that a profile sends nothing for a while because the server asked another process to wait."""
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
        self.shared_cooldown: float | None = None
        self._provider = provider
        self._clock = clock
        self._coordinator: Coordinator = coordinator or NullCoordinator()
        self._in_flight = 0
        self._cancels_waiting = 0
        # One request at a time: between the check of the budget and its payment no other request may check.
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

        It is the seconds between two polls, the range of seconds to the end, and the seconds after which it stalls.
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
            # The scheduler may have seen a later moment: of an answer that is applied before this one.
            events.append(OutageEnded(now, self.name, max(0.0, now.mono - before.since)))
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
                # A cancel request, which a person has confirmed, goes before the next poll.
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
        """Request that a job be cancelled, once; return why if the request was not sent.

        The request goes before the next poll and waits for the budget, but not for long: nobody expects it to be sent
        a quarter of an hour later.
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
        result = await send_cancel(
            self._provider, self._coordinator, self._clock, target=target, request=request, permit=permit
        )
        action_result = ActionResult(
            result.problem,
            retry_after=result.retry_after,
            windows=result.windows,
            retry_after_unclamped=result.retry_after_unclamped,
        )
        self.scheduler.on_cancel_result(self._clock.now().mono, sent.mono, action_result)
        return result

    async def _acquire(self, request: CancelJob, url: str) -> Permit | Problem:
        """Return a permit for a cancel request, or why there is none: at once if the obstacle will last."""
        latest = self._clock.now().later(CANCEL_WAIT_SECONDS)
        while True:
            async with self._one_permit:
                permit = await self._try_acquire(request, url)
            if not isinstance(permit, Instant):
                return permit
            if permit.since(latest) > 0:
                message = f"the rate limit allows no request before {format_time(permit.us)}: cancel again then"
                return Problem(ProblemKind.RATE_LIMIT, message, retry_at_us=permit.us)
            # Do not wait until then in one go: if polling is paused meanwhile, the user should learn of it at once.
            seconds = min(max(0.05, permit.since(self._clock.now())), OBSTACLE_SECONDS)
            await self._clock.wait(asyncio.Event(), seconds)

    async def _try_acquire(self, request: CancelJob, url: str) -> Permit | Problem | Instant:
        """Return a permit to send a cancel request now, why no request is sent at all, or when to try again."""
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
        """Return why no request is sent until a person acts or a cooldown ends; None if only the rate limit counts."""
        quota = self.scheduler.quota(now.mono)
        if quota.paused:
            return Problem(ProblemKind.PERMISSION, "polling is paused: press p to resume, then cancel again")
        if (halt := self.health.halt) is not None:
            message = f"{halt.kind.label}, polling stopped: run `jobdeck doctor`, press R, then cancel again"
            return replace(halt, message=message)
        if quota.blocked_until is not None:
            return cooldown_problem(now.later(quota.blocked_until - now.mono))
        return None

    def download(self, key: JobKey, write: BodyWriter) -> "asyncio.Future[Problem | None]":
        """Pass the next body with a job's result to `write`; the future gets its problem, or None, at the end."""
        done = asyncio.get_running_loop().create_future()
        self._downloads[key] = _Download(write, done)
        return done

    def cancel_download(self, key: JobKey) -> None:
        """Cancel the download of a job's body."""
        wanted = self._downloads.pop(key, None)
        if wanted is not None:
            wanted.done.cancel()

    def missing_parts(self, key: JobKey, missing: tuple[MissingPart, ...]) -> tuple[MissingPart, ...]:
        """Return the missing parts of a job, with the part of its download added if that is not among them."""
        wanted = self._downloads.get(key)
        if wanted is None or wanted.part is None or wanted.part.part in {one.part for one in missing}:
            return missing
        return (*missing, wanted.part)

    async def aclose(self) -> None:
        """Close the provider's connections."""
        await self._provider.aclose()

    def _subject_of(self, request: Request, delegate: WorkerDelegate) -> RequestSubject | None:
        """Return the subject that the provider is to request; None if its job is no longer watched."""
        if isinstance(request, ListPage):
            return request
        target = delegate.target_of(request.key)
        if target is None:
            self.scheduler.remove(request.key)
            return None
        return PartRequest(target, request.missing) if isinstance(request, FetchPart) else target

    async def _permit(self, request: Request, subject: RequestSubject, delegate: WorkerDelegate) -> Permit | None:
        """Return a permit to send a request; None if it is denied, after rescheduling the request."""
        limits = self.shared_limits
        permit = await self._coordinator.acquire(self.name, request, self._url_of(subject), self._clock.now())
        if not isinstance(permit, Denied):
            return permit
        mono = self._clock.now().mono
        if not permit.budget_exhausted:
            self.scheduler.defer(request, mono, permit.until.mono)
        elif permit.in_cooldown or limits == self.shared_limits:
            # If the limits have changed meanwhile, this denial came from the old ones.
            self.scheduler.block(request, mono, permit.until.mono)
        if permit.in_cooldown and self._apply_cooldown(permit.until):
            delegate.on_cooldown(self.name)
        return None

    async def _execute(
        self, request: Request, subject: RequestSubject, permit: Permit, delegate: WorkerDelegate
    ) -> None:
        try:
            try:
                result = await self._send(subject)
            except asyncio.CancelledError:
                await self._coordinator.abandon(permit, self._clock.now())
                raise
            result = result.sent_as(permit.sequence)
            now = self._clock.now()
            # Record the result before it is shown: a process killed in between would have shown an ID without a record.
            await self._coordinator.record(permit, result, now)
            delegate.on_result(self, request, result, now)
            if isinstance(request, Poll) and (wanted := self._downloads.get(request.key)) and wanted.part is None:
                # The download began after this request was sent, or its answer has the result, and is requested again.
                self.scheduler.poll_now(request.key, now.mono)
        finally:
            self._in_flight -= 1
            self._wake.set()

    def _apply_cooldown(self, until: Instant) -> bool:
        """Send nothing before `until`; False if the scheduler has this cooldown already (to the second)."""
        mono = self._clock.now().mono
        current = self.scheduler.quota(mono).blocked_until
        if current is not None and until.mono <= current + 1.0:
            return False
        self.scheduler.set_cooldown(mono, until.mono)
        self.shared_cooldown = self.scheduler.quota(mono).blocked_until
        return True

    async def _send(self, subject: RequestSubject) -> PollResult:
        started = self._clock.now()
        try:
            if isinstance(subject, Target):
                return await self._poll(subject)
            if isinstance(subject, PartRequest):
                return await self._fetch_part(subject)
            return await self._provider.list_page(subject)
        except Exception as error:  # noqa: BLE001 - a provider that raises must not stop every job
            _log.exception("the provider of profile %s raised", self.name)
            return PollResult(self._internal_error(subject, error, started))

    async def _poll(self, target: Target) -> PollResult:
        """Poll a job, and download its body if that has the wanted result; else find the part that has it."""
        wanted = self._downloads.get(target.key)
        if wanted is None:
            return await self._provider.poll(target)
        if wanted.is_here or not self._provider.has_part(target, Part.RESULT):
            del self._downloads[target.key]
            return await self._download(wanted, self._provider.poll(target))
        result = await self._provider.poll(target)
        parts = (one for row in result.observations for one in row.elsewhere)
        wanted.part = next((one for one in parts if one.part is Part.RESULT), None)
        wanted.is_here = wanted.part is None
        if result.problem is not None and self._downloads.pop(target.key, None) is wanted:
            _resolve(wanted, result)
        return result

    async def _fetch_part(self, request: PartRequest) -> PollResult:
        wanted = self._downloads.get(request.target.key)
        if wanted is None or wanted.part is None or wanted.part.part is not request.missing.part:
            return await self._provider.fetch_part(request)
        del self._downloads[request.target.key]
        return await self._download(wanted, self._provider.fetch_part(request))

    async def _download(self, wanted: _Download, sending: Coroutine[Any, Any, PollResult]) -> PollResult:
        token = SAVE_BODY.set(wanted.write)
        try:
            result = await sending
        except BaseException:
            wanted.done.cancel()
            raise
        finally:
            SAVE_BODY.reset(token)
        _resolve(wanted, result)
        return result

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


def _resolve(wanted: _Download, result: PollResult) -> None:
    if not wanted.done.done():
        wanted.done.set_result(result.problem)


def _round_estimate(seconds: float) -> float:
    """Round an estimate: it is no more precise than that, and takes less space in a recording."""
    return round(seconds, 1 if seconds < 10 else 0)
