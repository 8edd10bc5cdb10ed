"""Requests without an engine (lists and cancel requests), within the shared rate limit, and on record."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from jobdeck.domain import humanize
from jobdeck.domain.cancel import CancelResult
from jobdeck.domain.instant import Instant
from jobdeck.domain.job import Target
from jobdeck.domain.problem import Problem, ProblemKind
from jobdeck.domain.ratelimit import describe_requested_wait
from jobdeck.engine.cancel_request import cooldown_problem, send_cancel
from jobdeck.engine.clock import Timer
from jobdeck.engine.coordinator import Coordinator, Denied, Permit
from jobdeck.http.base import PollResult, Provider, ValuePage
from jobdeck.scheduling.actions import CancelJob, ListPage

SHORT_WAIT_SECONDS = 30.0
"""The longest that a command with single requests waits for a cooldown."""


class RateLimitedError(Exception):
    """A request was not sent because of a long cooldown; `problem` says until when."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.message)
        self.problem = problem


def is_short_wait(until: Instant, now: Instant) -> bool:
    """Whether a cooldown ends soon enough to wait for it."""
    return until.since(now) <= SHORT_WAIT_SECONDS


def rate_limit_problem(until: Instant, kind: ProblemKind | None = None, asked: float | None = None) -> Problem:
    """Return the problem of a request that is not sent because of a cooldown; it has no exchange.

    `kind` and `asked` are the reason, if this process knows it (see `describe_requested_wait`).
    """
    wish = describe_requested_wait(kind, asked)
    message = f"not polled, no requests until {humanize.format_time(until.us)}{f': {wish}' if wish else ''}"
    return Problem(kind or ProblemKind.RATE_LIMIT, message, retry_at_us=until.us)


T = TypeVar("T", PollResult, ValuePage)


class DirectClient:
    """Sends list, look-up and cancel requests of one profile, one at a time, when the rate limit allows.

    Lists and look-ups wait for a cooldown, after calling `on_cooldown` with the profile's name and the end; a long one
    raises `RateLimitedError` instead.
    """

    def __init__(
        self,
        provider: Provider,
        coordinator: Coordinator,
        clock: Timer,
        on_cooldown: Callable[[str, Instant], object] | None = None,
    ) -> None:
        self._provider = provider
        self._coordinator = coordinator
        self._clock = clock
        self._on_cooldown = on_cooldown

    async def list_page(self, page: ListPage) -> PollResult:
        """Request one page of recent jobs."""
        url = self._provider.url_of(page)
        return await self._send(page, url, lambda: self._provider.list_page(page), lambda result: result)

    async def list_values(self, variable: str, cursor: str | None = None) -> ValuePage:
        """Request one page of the possible values of a variable."""
        page = ListPage(variable, cursor=cursor)
        return await self._send(
            page, "", lambda: self._provider.list_values(variable, cursor), lambda got: PollResult(got.exchange)
        )

    async def cancel(self, target: Target) -> CancelResult:
        """Cancel a job by one request, which is never repeated, and not sent during a cooldown."""
        request = self._provider.cancel_request(target)
        if isinstance(request, str):
            return CancelResult.not_sent(Problem(ProblemKind.PERMISSION, request))
        self._coordinator.watch([target], self._clock.now())
        await asyncio.sleep(0)  # lets `watch` reach the store first, which rejects unknown jobs
        try:
            permit = await self._acquire(CancelJob(target.key, request.method), request.url)
        except RateLimitedError as error:
            return CancelResult.not_sent(error.problem)
        result = await send_cancel(
            self._provider, self._coordinator, self._clock, target=target, request=request, permit=permit
        )
        return CancelResult.of(result.exchange)

    async def aclose(self) -> None:
        """Close the client's connections."""
        await self._provider.aclose()

    async def _send(
        self, page: ListPage, url: str, send: Callable[[], Awaitable[T]], reply_of: Callable[[T], PollResult]
    ) -> T:
        permit = await self._acquire(page, url)
        try:
            got = await send()
        except BaseException:
            await self._coordinator.abandon(permit, self._clock.now())
            raise
        await self._coordinator.record(permit, reply_of(got), self._clock.now())
        return got

    async def _acquire(self, action: ListPage | CancelJob, url: str) -> Permit:
        while True:
            now = self._clock.now()
            permit = await self._coordinator.acquire(self._provider.profile_name, action, url, now)
            if not isinstance(permit, Denied):
                return permit
            if permit.in_cooldown and isinstance(action, CancelJob):
                raise RateLimitedError(cooldown_problem(permit.until))
            if permit.in_cooldown:
                self._check_cooldown(permit.until, now)
            await self._clock.wait(asyncio.Event(), max(0.05, permit.until.since(self._clock.now())))

    def _check_cooldown(self, until: Instant, now: Instant) -> None:
        if self._on_cooldown is not None:
            self._on_cooldown(self._provider.profile_name, until)
        if not is_short_wait(until, now):
            raise RateLimitedError(rate_limit_problem(until))
