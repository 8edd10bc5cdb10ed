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
"""The exit codes of an internal error and of an interrupt, defined here for when nothing can be imported."""

THREAD_SECONDS = 0.5
"""How long threads may take to finish: saving a file takes less, a hanging DNS lookup for ever."""

COLLECT_EVERY = 20_000
"""GC threshold (allocations minus deallocations) once a command runs (`run_async`).

With Python's default of 700, loaded jobs are scanned again and again without finding garbage: 0.15 s of 0.9 until
10,000 jobs are shown."""


# httpx looks for its own command line, which imports click and Rich: 40 ms of every start, and nobody calls it here.
# An import of None fails, as documented, and httpx does without.
sys.modules.setdefault("httpx._main", None)  # type: ignore[arg-type] # its type says that it holds modules alone


def run() -> None:
    """Run the command line and exit with its code, even if it is interrupted during startup."""
    gc.set_threshold(COLLECT_EVERY)
    gc.disable()  # imported modules stay: scanning them takes 20 ms of the first rows
    sys.unraisablehook = _ignore_shortage
    try:
        code = _run()
        _flush()
        ended = _threads_end()
    except KeyboardInterrupt:
        code, ended = INTERRUPTED, False
    except BaseException as error:  # noqa: BLE001 - Python would print a traceback and exit as for a failed job
        _print_error(error)
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
    """Suppress tracebacks from finalizers of partly initialized objects (out of memory or file descriptors)."""
    if not isinstance(unraisable.exc_value, AttributeError | MemoryError | OSError):
        sys.__unraisablehook__(unraisable)


def _print_error(error: BaseException) -> None:
    """Print a one-line error where normal reporting fails: no memory, no descriptors, a broken installation."""
    path = getattr(error, "filename", None) or getattr(error, "path", None)
    cause = getattr(error, "strerror", None) or (str(error) if isinstance(error, ImportError) else "")
    if isinstance(error, MemoryError):
        cause = "out of memory"
    line = f"jobdeck: {f'cannot use {path}' if path else 'cannot continue'}: {cause or type(error).__name__}"
    try:
        os.write(2, (ascii(line)[1:-1] + "\n").encode())
    except OSError:
        return  # stderr is gone


def _flush() -> None:
    """Flush the output; if that fails because the terminal was closed, the exit code is not affected."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (AttributeError, OSError, ValueError):
            # None stands for a stream that was closed from the start, which is still None if importing was interrupted.
            _point_at_devnull(stream)


def _point_at_devnull(stream: TextIO | None) -> None:
    try:
        os.dup2(os.open(os.devnull, os.O_WRONLY), -1 if stream is None else stream.fileno())
    except (OSError, ValueError):
        return  # the interpreter's final flush may fail, which changes the exit code


def _threads_end() -> bool:
    """Whether all non-daemon threads ended within `THREAD_SECONDS`; the interpreter would wait for them."""
    import threading  # noqa: PLC0415 - what fails to import is reported by `run`

    deadline = time.monotonic() + THREAD_SECONDS
    others = [thread for thread in threading.enumerate() if thread is not threading.main_thread()]
    for thread in others:
        if not thread.daemon:
            thread.join(max(0.0, deadline - time.monotonic()))
    return not any(thread.is_alive() for thread in others if not thread.daemon)


if __name__ == "__main__":
    run()
