"""Detects that the reader of a command's output is gone, even before there is any output."""

import os
import signal
import stat
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import TextIO

if sys.platform != "win32":
    import fcntl
    from select import POLLERR, POLLHUP, poll


@contextmanager
def watch_readers(on_gone: Callable[[], object]) -> Iterator[None]:
    """Call `on_gone` once, from a thread, when the reader of stdout or stderr is gone.

    That is a pipe or socket whose other end was closed, or a terminal that hung up. Does nothing for files, for
    replaced streams, and if no thread or descriptor is available.
    """
    descriptors = _watched() if sys.platform != "win32" else ()
    with ExitStack() as stack:
        if descriptors:
            try:
                stack.callback(_start(descriptors, on_gone))
            except (OSError, RuntimeError):
                descriptors = ()
        yield


def _start(descriptors: tuple[int, ...], on_gone: Callable[[], object]) -> Callable[[], object]:
    """Start the thread, and return the function that stops it."""
    reading, writing = os.pipe()
    waiting = poll()
    for descriptor in (*descriptors, reading):
        # POSIX always reports both events; macOS reports POLLHUP only if it is requested.
        waiting.register(descriptor, POLLHUP)

    def run() -> None:
        found = dict(waiting.poll())
        if reading not in found and any(state & (POLLERR | POLLHUP) for state in found.values()):
            on_gone()

    def stop() -> None:
        os.close(writing)
        thread.join()
        os.close(reading)

    thread = threading.Thread(target=run, name="jobdeck-readers", daemon=True)
    try:
        thread.start()
    except RuntimeError:
        os.close(reading)
        os.close(writing)
        raise
    return stop


def _watched() -> tuple[int, ...]:
    found = [
        descriptor
        for stream in (sys.stdout, sys.stderr)
        if (descriptor := _descriptor(stream)) is not None
        and _can_lose_reader(descriptor, is_data=stream is sys.stdout)
    ]
    return tuple(dict.fromkeys(found))


def _descriptor(stream: TextIO) -> int | None:
    try:
        return stream.fileno()
    except (OSError, ValueError):
        return None


def _can_lose_reader(descriptor: int, *, is_data: bool) -> bool:
    mode = os.fstat(descriptor).st_mode
    if fcntl.fcntl(descriptor, fcntl.F_GETFL) & os.O_ACCMODE == os.O_RDONLY:
        return False
    if stat.S_ISFIFO(mode):
        return True
    if stat.S_ISSOCK(mode):
        # macOS also reports a peer that only closed its writing side, and may still read.
        return sys.platform != "darwin"
    # A process that ignores SIGHUP is meant to outlive the terminal, as is one whose output goes elsewhere.
    return is_data and os.isatty(descriptor) and signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN
