"""The console script, and ``python -m jobdeck``."""

import gc
import os
import sys
import threading
import time
from contextlib import suppress

THREAD_SECONDS = 0.5
"""How long threads may still finish what they are at: saving a file takes less, a name look-up that hangs for ever."""

COLLECT_EVERY = 20_000
"""New objects, less those that went, after which cycles are looked for.

After 700, Python's own number, what a start imports and what a store remembers is gone through again and again, to find
nothing: 20 ms of the first frame, and 0.15 s of 0.9 until 10,000 jobs are shown.
"""


def run() -> None:
    """Run the command line and exit with its code, also when it is interrupted before it has begun."""
    gc.set_threshold(COLLECT_EVERY)
    try:
        from jobdeck.cli.main import main  # noqa: PLC0415 - 50 ms in which somebody may press Ctrl-C

        code = main()
    except KeyboardInterrupt:
        code = 130
    except SystemExit as error:
        if not isinstance(error.code, int):
            raise
        code = error.code
    _flush()
    if not _threads_end():
        os._exit(code)
    sys.exit(code)


def _flush() -> None:
    """Write out what is buffered; where that fails, for a terminal that was closed, the code is still our own."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (AttributeError, OSError, ValueError):
            # None stands for a stream that was closed from the start, and is still there when importing was broken off.
            with suppress(AttributeError, OSError, ValueError):
                os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def _threads_end() -> bool:
    """Whether every thread that the interpreter would wait for has come to its end in time."""
    deadline = time.monotonic() + THREAD_SECONDS
    others = [thread for thread in threading.enumerate() if thread is not threading.main_thread()]
    for thread in others:
        if not thread.daemon:
            thread.join(max(0.0, deadline - time.monotonic()))
    return not any(thread.is_alive() for thread in others if not thread.daemon)


if __name__ == "__main__":
    run()
