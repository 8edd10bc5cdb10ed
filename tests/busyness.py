"""How busy the machine is: what a limit in seconds is to be multiplied with before it says something of the code."""

import time

SAMPLE_SECONDS = 0.1


def busyness() -> float:
    """Return how many times longer work takes now than on a processor of one's own; never less than 1.

    Costs 0.1 s of processor time, so ask only when something came late: ``took < 2 or took < 2 * busyness()``.
    """
    wall, own = time.perf_counter(), time.process_time()
    while (spent := time.process_time() - own) < SAMPLE_SECONDS:
        pass
    return max(1.0, (time.perf_counter() - wall) / spent)
