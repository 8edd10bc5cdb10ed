"""Threads between an event loop and a blocking database: one for writing, one for reading."""

import asyncio
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import Any, Generic, TypeAlias, TypeVar

S = TypeVar("S")
T = TypeVar("T")

MAX_BATCH = 200
"""Most operations in one transaction, which holds the file's only write lock for about 40 ms then."""


@dataclass(frozen=True, slots=True)
class Outcome(Generic[T]):
    """The value of one operation of a batch, or the error it raised."""

    value: T | None = None
    error: Exception | None = None


Undo: TypeAlias = Callable[[Any], Callable[[Any], Any] | None]
"""Returns the operation that undoes a result; None where there is nothing to undo."""


@dataclass(frozen=True, slots=True)
class Request(Generic[S]):
    """One operation, and the future of its caller.

    With `undo`, an operation whose caller was cancelled is skipped, or undone if it ran meanwhile. Without it, the
    operation runs in any case.
    """

    operation: Callable[[S], Any]
    future: "asyncio.Future[Any]"
    loop: asyncio.AbstractEventLoop
    undo: Undo | None = None


class Executor(Generic[S]):
    """A thread that runs operations in order, all that are queued at a time.

    `run` gets the queued operations (at most `MAX_BATCH`) and returns one outcome for each. A lone operation runs at
    once; those that come meanwhile make the next batch. The thread is a daemon, because a lock held by another process
    must not keep this one from ending.
    """

    def __init__(self, name: str, run: Callable[[Sequence[Callable[[S], Any]]], Sequence[Outcome[Any]]]) -> None:
        self._run = run
        self._queue: SimpleQueue[Request[S] | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._loop, name=name, daemon=True)
        self._thread.start()

    async def submit(self, operation: Callable[[S], T], undo: Undo | None = None) -> T:
        """Run an operation in the next batch, and return its result; it succeeds or fails alone."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()
        request = Request(operation, future, loop, undo)
        self._queue.put(request)
        try:
            return await future
        except asyncio.CancelledError:
            # Cancelled after the result was set, and before this task took it.
            if not future.cancelled() and future.done() and future.exception() is None:
                self._take_back(request, Outcome(future.result()))
            raise

    def stop(self) -> None:
        """End the thread after the operations that are queued now."""
        self._queue.put(None)

    def join(self, timeout: float) -> bool:
        """Wait at most `timeout` seconds for the thread to end; returns whether it did."""
        self._thread.join(timeout)
        return not self._thread.is_alive()

    def finish(self) -> None:
        """Run the operations queued after `stop`, in the caller's thread, once the own thread has ended."""
        self.stop()
        self._loop()

    def _loop(self) -> None:
        last = False
        while not last:
            batch, last = self._take()
            wanted = [request for request in batch if request.undo is None or not request.future.cancelled()]
            if wanted:
                self._answer(wanted)

    def _take(self) -> tuple[list[Request[S]], bool]:
        batch: list[Request[S]] = []
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

    def _answer(self, requests: list[Request[S]]) -> None:
        outcomes: Sequence[Outcome[Any]]
        try:
            outcomes = self._run([request.operation for request in requests])
        except Exception as error:  # noqa: BLE001 - whoever waits must learn of it, and the thread must go on
            outcomes = [Outcome(error=error)] * len(requests)
        by_loop: dict[asyncio.AbstractEventLoop, list[tuple[Request[S], Outcome[Any]]]] = {}
        for request, outcome in zip(requests, outcomes, strict=True):
            by_loop.setdefault(request.loop, []).append((request, outcome))
        for loop, answers in by_loop.items():
            # No caller waits in a loop that was closed meanwhile.
            with suppress(RuntimeError):
                loop.call_soon_threadsafe(self._deliver, answers)

    def _deliver(self, answers: list[tuple[Request[S], Outcome[Any]]]) -> None:
        for request, outcome in answers:
            if request.future.done():
                self._take_back(request, outcome)
            elif outcome.error is not None:
                request.future.set_exception(outcome.error)
            else:
                request.future.set_result(outcome.value)

    def _take_back(self, request: Request[S], outcome: Outcome[Any]) -> None:
        undo = None if request.undo is None or outcome.error is not None else request.undo(outcome.value)
        if undo is not None:
            self._queue.put(Request(undo, request.loop.create_future(), request.loop))
