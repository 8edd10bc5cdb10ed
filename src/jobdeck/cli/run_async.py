"""Runs a command's coroutine, with clean endings on signals, not delayed by hanging DNS lookups."""

import asyncio
import errno
import gc
import os
import signal
import sys
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from jobdeck.cli.exit_codes import SIGNAL_CODES, ExitCode
from jobdeck.cli.log import STATUS_LINE
from jobdeck.cli.readers import watch_readers

REFRESH_SECONDS = 1.0
"""How long the status line may be missing after `fg`."""

T = TypeVar("T")


def run_async(command: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine and return its result.

    SIGTERM and SIGHUP cancel it, so that data is flushed, and then exit with their codes; an exception from a plain
    signal handler would be raised in whichever task happens to run, and look like its error. SIGINT raises
    KeyboardInterrupt, also after a cancellation. Ignored signals stay ignored.
    """
    start_collecting()
    try:
        with asyncio.Runner() as runner:
            runner.get_loop().set_default_executor(_LeavingExecutor())
            return runner.run(_until_signalled(command))
    finally:
        command.close()  # avoids Python's warning if the event loop could not be created


def start_collecting() -> None:
    """Look for cycles from now on, where the console script put that off, but not among what the start imported."""
    if not gc.isenabled():
        gc.freeze()
        gc.enable()


def run_printing(command: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine that prints, like `run_async`.

    Raises BrokenPipeError, after a cancellation, as soon as the reader of stdout or stderr is gone. In the background
    of a shell it keeps running, even on a terminal that stops background writers (`stty tostop`).
    """
    if sys.platform != "win32":
        signal.signal(signal.SIGTTOU, signal.SIG_IGN)
    try:
        return run_async(_while_read(command))
    finally:
        command.close()


async def _while_read(command: Coroutine[Any, Any, T]) -> T:
    loop, task = asyncio.get_running_loop(), asyncio.ensure_future(command)
    unread = False

    def end() -> None:
        nonlocal unread
        unread = True
        task.cancel()

    drawing = loop.create_task(_keep_drawn())
    try:
        with watch_readers(lambda: loop.call_soon_threadsafe(end)):
            return await task
    except asyncio.CancelledError:
        if unread:
            raise BrokenPipeError(errno.EPIPE, os.strerror(errno.EPIPE)) from None
        raise
    finally:
        drawing.cancel()


async def _keep_drawn() -> None:
    while STATUS_LINE.possible:
        await asyncio.sleep(REFRESH_SECONDS)
        STATUS_LINE.refresh()


class _LeavingExecutor(ThreadPoolExecutor):
    """An executor whose threads are not joined at exit, because a hanging DNS lookup cannot be interrupted."""

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        super().shutdown(wait=False, cancel_futures=True)


async def _until_signalled(command: Coroutine[Any, Any, T]) -> T:
    loop = asyncio.get_running_loop()
    task = asyncio.ensure_future(command)
    codes: list[ExitCode] = []

    def end(code: ExitCode) -> None:
        codes.append(code)
        task.cancel()

    if sys.platform != "win32":  # its event loop has no signal handlers
        for number, code in SIGNAL_CODES.items():
            if signal.getsignal(number) is not signal.SIG_IGN:
                loop.add_signal_handler(number, end, code)
    try:
        result = await task
    except BrokenPipeError:
        if not codes:  # otherwise the terminal hung up
            raise
    except asyncio.CancelledError:
        if not codes:
            # An interrupt cancels this wrapper, which must cancel the command.
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            raise
    else:
        # The screen, while it starts, ends cleanly when it is cancelled, and returns without an exception.
        wrapper = asyncio.current_task()
        if wrapper is not None and wrapper.cancelling():
            raise asyncio.CancelledError
        if not codes:
            return result
    raise SystemExit(codes[0])
