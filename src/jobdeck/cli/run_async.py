"""Running a command's coroutine so that a signal ends it in order, and no look-up that hangs holds it back."""

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
"""How long the line that is written over may be missing after `fg`."""

T = TypeVar("T")


def run_async(command: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine to its end and return what it does.

    SIGTERM and SIGHUP cancel it, so that what was learnt is flushed, and then exit with their codes. The exception
    of a plain signal handler would be raised inside whichever task runs just then, and be taken for its fault.
    SIGINT raises KeyboardInterrupt, likewise after a cancellation. A signal that was ignored stays ignored.
    """
    start_collecting()
    try:
        with asyncio.Runner() as runner:
            runner.get_loop().set_default_executor(_LeavingExecutor())
            return runner.run(_until_signalled(command))
    finally:
        command.close()  # where no loop could be had for it, Python would complain


def start_collecting() -> None:
    """Look for cycles from now on, where the console script put that off, but not among what the start imported."""
    if not gc.isenabled():
        gc.freeze()
        gc.enable()


def run_printing(command: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine whose use is in what it prints; else like `run_async`.

    Raises BrokenPipeError as soon as nobody reads standard output or standard error any more, after a cancellation.
    In the background of a shell it goes on, also on a terminal that stops whoever writes there (`stty tostop`).
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
    """Threads that nobody waits for at the end: nothing can end a name look-up that the resolver sits on."""

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        super().shutdown(wait=False, cancel_futures=True)


async def _until_signalled(command: Coroutine[Any, Any, T]) -> T:
    loop = asyncio.get_running_loop()
    task = asyncio.ensure_future(command)
    codes: list[ExitCode] = []

    def end(code: ExitCode) -> None:
        codes.append(code)
        task.cancel()

    if sys.platform != "win32":  # where an event loop takes no signals
        for number, code in SIGNAL_CODES.items():
            if signal.getsignal(number) is not signal.SIG_IGN:
                loop.add_signal_handler(number, end, code)
    try:
        result = await task
    except BrokenPipeError:
        if not codes:  # else it is the terminal that hung up
            raise
    except asyncio.CancelledError:
        if not codes:
            # An interrupt cancels this wrapper, and the command with it.
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            raise
    else:
        # The screen, on its way up, ends in order when it is cancelled and says nothing of it.
        wrapper = asyncio.current_task()
        if wrapper is not None and wrapper.cancelling():
            raise asyncio.CancelledError
        if not codes:
            return result
    raise SystemExit(codes[0])
