"""Commands on a clock that goes faster than ours: between two polls of a job lie two seconds.

``python -m tests.support.hurried`` is jobdeck on such a clock, in a process of its own.
"""

from collections.abc import Callable

from jobdeck.engine.clock import SystemClock
from tests.support.clocks import FastClock
from tests.support.forked import RUN

SPEED = 8.0
RUN_HURRIED = f"from tests.support.hurried import hurry\nhurry(setattr)\n{RUN}"


def hurry(put: Callable[[type, str, object], object]) -> FastClock:
    """Have every clock of the system in this process be one that goes faster, which is returned."""
    clock = FastClock(SPEED)
    put(SystemClock, "now", lambda _: clock.now())
    put(SystemClock, "wait", lambda _, wake, seconds: clock.wait(wake, seconds))
    return clock


if __name__ == "__main__":
    exec(RUN_HURRIED)
