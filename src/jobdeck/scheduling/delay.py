"""The one function every delay goes through."""

import math

from jobdeck.domain.ratelimit import LONGEST_WAIT

SHORTEST = 0.2
LONGEST = LONGEST_WAIT


def delay(seconds: float) -> float:
    """Return `seconds` as a delay that is safe to sleep: finite and within 0.2–900 s.

    What is not a number waits longest: a timer given a NaN never fires, and one given nothing spins.
    """
    if math.isnan(seconds):
        return LONGEST
    return min(max(seconds, SHORTEST), LONGEST)


def later(now: float, until: float) -> float:
    """Return the moment `until` (monotonic seconds), moved to within 0.2–900 s after `now`."""
    return now + delay(until - now)
