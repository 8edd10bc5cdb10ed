"""The console script, and ``python -m jobdeck``."""

from __future__ import annotations

import gc
import os
import sys
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import TextIO

INTERNAL, INTERRUPTED = 70, 130
"""The exit codes of a fault of our own and of an interrupt: they are needed where nothing can be imported."""

THREAD_SECONDS = 0.5
"""How long threads may still finish what they are at: saving a file takes less, a name look-up that hangs for ever."""

COLLECT_EVERY = 20_000
"""New objects, less those that went, after which cycles are looked for, once a command has begun (`run_async`).

After 700, Python's own number, what a store remembers is gone through again and again, to find nothing: 0.15 s of 0.9
until 10,000 jobs are shown.
"""


# httpx looks for its own command line, which imports click and Rich: 40 ms of every start, and nobody calls it here.
# An import of None fails, as documented, and httpx does without.
sys.modules.setdefault("httpx._main", None)  # type: ignore[arg-type] # its type says that it holds modules alone


def run() -> None:
    """Run the command line and exit with its code, also when it is interrupted before it has begun."""
    gc.set_threshold(COLLECT_EVERY)
    gc.disable()  # what is imported stays: going through it takes 20 ms of the first rows
    sys.unraisablehook = _ignore_shortage
    try:
        code = _run()
        _flush()
        ended = _threads_end()
    except KeyboardInterrupt:
        code, ended = INTERRUPTED, False
    except BaseException as error:  # noqa: BLE001 - Python would print a traceback and exit as for a failed job
        _say(error)
        code, ended = INTERNAL, False
    if not ended:
        os._exit(code)
    sys.exit(code)


def _run() -> int:
    try:
        from jobdeck.cli.main import main  # noqa: PLC0415 - 50 ms in which somebody may press Ctrl-C

        return main()
    except SystemExit as error:
        return error.code if isinstance(error.code, int) else 0 if error.code is None else INTERNAL


def _ignore_shortage(unraisable: sys.UnraisableHookArgs) -> None:
    """Leave out the traceback of what is half made, for want of memory or descriptors, and fails to be taken down."""
    if not isinstance(unraisable.exc_value, AttributeError | MemoryError | OSError):
        sys.__unraisablehook__(unraisable)


def _say(error: BaseException) -> None:
    """Say in one line what left nothing in working order: no memory, no descriptors, an installation with gaps."""
    path = getattr(error, "filename", None) or getattr(error, "path", None)
    cause = getattr(error, "strerror", None) or (str(error) if isinstance(error, ImportError) else "")
    if isinstance(error, MemoryError):
        cause = "out of memory"
    line = f"jobdeck: {f'cannot use {path}' if path else 'cannot continue'}: {cause or type(error).__name__}"
    try:
        os.write(2, (ascii(line)[1:-1] + "\n").encode())
    except OSError:
        return  # there is nobody to say it to


def _flush() -> None:
    """Write out what is buffered; where that fails, for a terminal that was closed, the code is still our own."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (AttributeError, OSError, ValueError):
            # None stands for a stream that was closed from the start, and is still there when importing was broken off.
            _point_at_nothing(stream)


def _point_at_nothing(stream: TextIO | None) -> None:
    try:
        os.dup2(os.open(os.devnull, os.O_WRONLY), -1 if stream is None else stream.fileno())
    except (OSError, ValueError):
        return  # the interpreter's own last flush may fail, and changes the code


def _threads_end() -> bool:
    """Whether every thread that the interpreter would wait for has come to its end in time."""
    import threading  # noqa: PLC0415 - what fails to import is reported by `run`

    deadline = time.monotonic() + THREAD_SECONDS
    others = [thread for thread in threading.enumerate() if thread is not threading.main_thread()]
    for thread in others:
        if not thread.daemon:
            thread.join(max(0.0, deadline - time.monotonic()))
    return not any(thread.is_alive() for thread in others if not thread.daemon)


if __name__ == "__main__":
    run()
