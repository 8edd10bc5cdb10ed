"""The loop of one profile: take what its scheduler asks for, run it through its provider, hand over what came."""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from jobdeck.domain.exchange import Exchange
from jobdeck.domain.instant import Instant
from jobdeck.domain.job import JobKey, Target
from jobdeck.domain.problem import Problem, ProblemKind
from jobdeck.engine.clock import Timer
from jobdeck.providers.base import Provider, Reply
from jobdeck.scheduling.actions import ListPage, Poll, Wait
from jobdeck.scheduling.scheduler import Scheduler

MAX_IN_FLIGHT = 8
"""Requests at once to one profile. The gate stands before the HTTP client, whose pool costs time that grows with
the square of its size: 2.8 ms of CPU a request at 10 connections, 32 ms at 100."""

_log = logging.getLogger(__name__)

Request: TypeAlias = Poll | ListPage


@dataclass(frozen=True, slots=True)
class Done:
    """A finished request; `reply` is None when its job was removed before it was sent."""

    lane: "Lane"
    request: Request
    reply: Reply | None
    now: Instant


class Lane:
    """Runs one profile until cancelled. `halt` is the problem that stopped it for good, None while it runs."""

    def __init__(self, provider: Provider, scheduler: Scheduler, clock: Timer) -> None:
        self.scheduler = scheduler
        self.halt: Problem | None = None
        self._provider = provider
        self._clock = clock
        self._in_flight = 0
        self._wake = asyncio.Event()

    @property
    def name(self) -> str:
        """The profile's name."""
        return self._provider.profile_name

    def wake(self) -> None:
        """Make the loop ask its scheduler again: something was told to it."""
        self._wake.set()

    async def run(self, target_of: Callable[[JobKey], Target | None], on_done: Callable[[Done], None]) -> None:
        """Run until cancelled; requests still in flight are cancelled with it."""
        async with asyncio.TaskGroup() as requests:
            while True:
                self._wake.clear()
                if self._in_flight >= MAX_IN_FLIGHT:
                    await self._wake.wait()
                    continue
                action = self.scheduler.next_action(self._clock.now().mono)
                if isinstance(action, Wait):
                    until = action.until
                    seconds = None if until is None else max(0.0, until - self._clock.now().mono)
                    await self._clock.wait(self._wake, seconds)
                    continue
                self._in_flight += 1
                requests.create_task(self._do(action, target_of, on_done))

    async def aclose(self) -> None:
        """Close the provider's connections."""
        await self._provider.aclose()

    async def _do(
        self, request: Request, target_of: Callable[[JobKey], Target | None], on_done: Callable[[Done], None]
    ) -> None:
        try:
            reply = await self._ask(request, target_of)
            on_done(Done(self, request, reply, self._clock.now()))
        finally:
            self._in_flight -= 1
            self._wake.set()

    async def _ask(self, request: Request, target_of: Callable[[JobKey], Target | None]) -> Reply | None:
        started = self._clock.now()
        try:
            match request:
                case Poll(key):
                    target = target_of(key)
                    return None if target is None else await self._provider.poll(target)
                case ListPage():
                    return await self._provider.list_page(request)
        except Exception as error:  # noqa: BLE001 - one provider that breaks its promise must not blind every job
            _log.exception("the provider of profile %s raised", self.name)
            return Reply(self._internal_fault(request, error, started))

    def _internal_fault(self, request: Request, error: Exception, started: Instant) -> Exchange:
        problem = Problem(ProblemKind.PROTOCOL, f"internal error ({type(error).__name__}): please report it")
        job = request.key if isinstance(request, Poll) else None
        duration = self._clock.now().mono - started.mono
        return Exchange(self.name, "GET", "", started, duration, job=job, problem=problem)
