"""Joins calls that wait at the same time into one: to a distant server a call costs a round trip."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

T = TypeVar("T")
R = TypeVar("R")

MOST = 200
"""Most items in one call."""

AT_ONCE = 2
"""Most calls at a time: with only one, items that come meanwhile wait half a round trip longer."""


class Coalescer(Generic[T, R]):
    """Passes items to `call`, few calls at a time; items that come meanwhile go together in the next call.

    A lone item is sent at once. Each caller gets the results of its own items, or the error of their call.
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
