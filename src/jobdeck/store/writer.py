"""Threads that stand between an event loop and a store that blocks: one for writing, one for reading."""

import asyncio
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import Any

from jobdeck.store.base import Store
from jobdeck.store.records import Outcome

MAX_BATCH = 200
"""Operations in one transaction at most: about 40 ms of the file's only write lock."""


@dataclass(frozen=True, slots=True)
class Request:
    """One operation on the store, and the future of the one who waits for it.

    `undo` makes the operation that takes a result back when nobody waits for it any more (None: nothing to take
    back); with it, the operation is not even begun for a waiter who has gone. Without it, it is made whoever waits.
    """

    operation: Callable[[Store], Any]
    future: "asyncio.Future[Any]"
    loop: asyncio.AbstractEventLoop
    undo: Callable[[Any], Callable[[Store], Any] | None] | None = None


class Worker:
    """A thread that runs requests in their order, as many at a time as wait.

    `run` is given what waits (at most `MAX_BATCH`) and returns one outcome each. Nothing waits for more to come:
    a lone request is run at once, and what comes meanwhile makes the next batch. The thread is a daemon, because
    a lock that somebody else holds must not keep the process from ending.
    """

    def __init__(self, name: str, run: Callable[[Sequence[Callable[[Store], Any]]], Sequence[Outcome[Any]]]) -> None:
        self._run = run
        self._queue: SimpleQueue[Request | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._loop, name=name, daemon=True)
        self._thread.start()

    def put(self, request: Request) -> None:
        """Queue a request; its future is resolved in its own loop."""
        self._queue.put(request)

    def stop(self) -> None:
        """End the thread after what is queued now."""
        self._queue.put(None)

    def join(self, timeout: float) -> bool:
        """Wait for the end of the thread for at most `timeout` seconds; returns whether it came."""
        self._thread.join(timeout)
        return not self._thread.is_alive()

    def finish(self) -> None:
        """Run, in the caller's thread, what was queued after `stop`; only once the thread has ended."""
        self.stop()
        self._loop()

    def _loop(self) -> None:
        last = False
        while not last:
            batch, last = self._take()
            wanted = [request for request in batch if request.undo is None or not request.future.cancelled()]
            if wanted:
                self._answer(wanted)

    def _take(self) -> tuple[list[Request], bool]:
        batch: list[Request] = []
        request = self._queue.get()
        while request is not None:
            batch.append(request)
            if len(batch) == MAX_BATCH:
                return batch, False
            try:
                request = self._queue.get_nowait()
            except Empty:
                return batch, False
        return batch, True

    def _answer(self, requests: list[Request]) -> None:
        outcomes: Sequence[Outcome[Any]]
        try:
            outcomes = self._run([request.operation for request in requests])
        except Exception as error:  # noqa: BLE001 - whoever waits must learn of it, and the thread must go on
            outcomes = [Outcome(error=error)] * len(requests)
        by_loop: dict[asyncio.AbstractEventLoop, list[tuple[Request, Outcome[Any]]]] = {}
        for request, outcome in zip(requests, outcomes, strict=True):
            by_loop.setdefault(request.loop, []).append((request, outcome))
        for loop, answers in by_loop.items():
            # A loop that was closed meanwhile has nobody left who waits.
            with suppress(RuntimeError):
                loop.call_soon_threadsafe(self._deliver, answers)

    def _deliver(self, answers: list[tuple[Request, Outcome[Any]]]) -> None:
        for request, outcome in answers:
            if request.future.done():
                self._take_back(request, outcome)
            elif outcome.error is not None:
                request.future.set_exception(outcome.error)
            else:
                request.future.set_result(outcome.value)

    def _take_back(self, request: Request, outcome: Outcome[Any]) -> None:
        undo = None if request.undo is None or outcome.error is not None else request.undo(outcome.value)
        if undo is not None:
            self.put(Request(undo, request.loop.create_future(), request.loop))


def one_by_one(store: Store) -> Callable[[Sequence[Callable[[Store], Any]]], list[Outcome[Any]]]:
    """Return a `run` for queries, which need no transaction in common."""

    def run(operations: Sequence[Callable[[Store], Any]]) -> list[Outcome[Any]]:
        return [_outcome(store, operation) for operation in operations]

    return run


def _outcome(store: Store, operation: Callable[[Store], Any]) -> Outcome[Any]:
    try:
        return Outcome(operation(store))
    except Exception as error:  # noqa: BLE001 - it belongs to the one who waits
        return Outcome(error=error)
