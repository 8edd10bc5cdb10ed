"""Requests without an engine: look-ups and cancel requests, each within the shared budget, and on record."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from jobdeck.domain import humanize
from jobdeck.domain.cancel import CancelResult
from jobdeck.domain.instant import Instant
from jobdeck.domain.job import Target
from jobdeck.domain.problem import Problem, ProblemKind
from jobdeck.domain.ratelimit import describe_requested_wait
from jobdeck.engine.clock import Timer
from jobdeck.engine.coordinator import Coordinator, Denied, Permit
from jobdeck.providers.base import Provider, Reply, ValuePage
from jobdeck.scheduling.actions import CancelJob, ListPage

SHORT_WAIT_SECONDS = 30.0
"""Longer than this nobody sits before a command that only takes a look."""


class RateLimitedError(Exception):
    """Nothing was sent, and nothing may be for longer than is bearable; `problem` says until when."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.message)
        self.problem = problem


def is_short_wait(until: Instant, now: Instant) -> bool:
    """Whether a silence ends soon enough to be waited for."""
    return until.since(now) <= SHORT_WAIT_SECONDS


def silenced(until: Instant, kind: ProblemKind | None = None, asked: float | None = None) -> Problem:
    """Return the problem of what is not asked because of a silence; it has no exchange.

    `kind` and `asked` are what it is for, where this process knows (see `describe_wish`).
    """
    wish = describe_requested_wait(kind, asked)
    message = f"not polled, no requests until {humanize.format_time(until.us)}{f': {wish}' if wish else ''}"
    return Problem(kind or ProblemKind.RATE_LIMIT, message, retry_at_us=until.us)


T = TypeVar("T", Reply, ValuePage)


class DirectClient:
    """Sends the list, look-up and cancel requests of one profile, one at a time, each when the budget has room for it.

    A silence that the server asked for is told to `waits`, with the profile's name and its end, and waited for; one
    that lasts too long raises `RateLimitedError` instead.
    """

    def __init__(
        self,
        provider: Provider,
        ledger: Coordinator,
        clock: Timer,
        waits: Callable[[str, Instant], object] | None = None,
    ) -> None:
        self._provider = provider
        self._ledger = ledger
        self._clock = clock
        self._waits = waits

    async def list_page(self, page: ListPage) -> Reply:
        """Ask for one page of recent jobs."""
        url = self._provider.url_of(page)
        return await self._ask(page, url, lambda: self._provider.list_page(page), lambda reply: reply)

    async def list_values(self, variable: str, cursor: str | None = None) -> ValuePage:
        """Ask for one page of the values that a variable may have."""
        page = ListPage(variable, cursor=cursor)
        return await self._ask(
            page, "", lambda: self._provider.list_values(variable, cursor), lambda got: Reply(got.exchange)
        )

    async def cancel(self, target: Target) -> CancelResult:
        """Have a job cancelled, by one request that is never sent again."""
        request = self._provider.cancel_request(target)
        if isinstance(request, str):
            return CancelResult.not_sent(Problem(ProblemKind.PERMISSION, request))
        self._ledger.watch([target], self._clock.now())
        wanted = CancelJob(target.key, request.method)
        try:
            reply = await self._ask(wanted, request.url, lambda: self._provider.cancel(target), lambda got: got)
        except RateLimitedError as error:
            return CancelResult.not_sent(error.problem)
        return CancelResult.of(reply.exchange)

    async def aclose(self) -> None:
        """Close the provider's connections."""
        await self._provider.aclose()

    async def _ask(
        self, page: ListPage | CancelJob, url: str, send: Callable[[], Awaitable[T]], reply_of: Callable[[T], Reply]
    ) -> T:
        permit = await self._permit(page, url)
        try:
            got = await send()
        except asyncio.CancelledError:
            await self._ledger.abandon(permit, self._clock.now())
            raise
        await self._ledger.record(permit, reply_of(got), None, self._clock.now())
        return got

    async def _permit(self, page: ListPage | CancelJob, url: str) -> Permit:
        while True:
            now = self._clock.now()
            permit = await self._ledger.acquire(self._provider.profile_name, page, url, now)
            if not isinstance(permit, Denied):
                return permit
            if permit.in_cooldown:
                self._keep_silence(permit.until, now)
            await self._clock.wait(asyncio.Event(), max(0.05, permit.until.since(self._clock.now())))

    def _keep_silence(self, until: Instant, now: Instant) -> None:
        if self._waits is not None:
            self._waits(self._provider.profile_name, until)
        if not is_short_wait(until, now):
            raise RateLimitedError(silenced(until))
