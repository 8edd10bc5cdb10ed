"""Calls that wait together become one: where the server is far, a round trip is what a call costs."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

T = TypeVar("T")
R = TypeVar("R")

MOST = 200
"""Items in one call at most."""

AT_ONCE = 2
"""Calls under way at most: with one alone, what comes meanwhile waits for half a round trip more."""


class Coalescer(Generic[T, R]):
    """Hands items to `call`, few calls at a time; what comes while they are under way goes together with the next.

    A lone item is sent at once. Who waits gets the results of his own items, or the error of the call they were in.
    """

    def __init__(self, call: Callable[[Sequence[T]], Awaitable[Sequence[R]]]) -> None:
        self._call = call
        self._waiting: list[tuple[Sequence[T], asyncio.Future[tuple[R, ...]]]] = []
        self._running: set[asyncio.Task[None]] = set()

    async def submit(self, items: Sequence[T]) -> tuple[R, ...]:
        """Return the results for these items."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[tuple[R, ...]] = loop.create_future()
        self._waiting.append((items, future))
        if len(self._running) < AT_ONCE:
            task = loop.create_task(self._run())
            self._running.add(task)
            task.add_done_callback(self._running.discard)
        return await future

    async def _run(self) -> None:
        while self._waiting:
            batch: list[tuple[Sequence[T], asyncio.Future[tuple[R, ...]]]] = []
            count = 0
            while self._waiting and (not batch or count + len(self._waiting[0][0]) <= MOST):
                batch.append(self._waiting.pop(0))
                count += len(batch[-1][0])
            await self._run_batch(batch)

    async def _run_batch(self, batch: "list[tuple[Sequence[T], asyncio.Future[tuple[R, ...]]]]") -> None:
        try:
            results = list(await self._call([item for items, _ in batch for item in items]))
        except BaseException as error:
            for _, future in batch:
                if not future.done():
                    future.set_exception(error) if isinstance(error, Exception) else future.cancel()
            if not isinstance(error, Exception):
                raise
            return
        for items, future in batch:
            own, results = tuple(results[: len(items)]), results[len(items) :]
            if not future.done():
                future.set_result(own)
