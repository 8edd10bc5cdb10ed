"""The arithmetic of a shared budget: the generic cell rate algorithm, whose state is one number a bucket."""

from dataclasses import dataclass
from typing import TypeAlias

MINUTE_US = 60_000_000

_REQUESTS_PER_BURST = 60
_SMALL_BURST = 5
"""The burst of a small budget is a tenth of it, up to this many: with less, the first polls would come seconds apart.
The rate that is left, 24 of 30 a minute, is what the scheduler plans with."""

_SPACED_US = 61_000_000
"""Time between two requests at a limit of one a minute: a second more, so that no closed minute holds both."""


@dataclass(frozen=True, slots=True)
class Rate:
    """One request every `interval_us` microseconds, and `burst` of them at once after a pause."""

    interval_us: int
    burst: int

    @classmethod
    def of(cls, per_minute: int) -> "Rate":
        """Return the rate for a limit of `per_minute` requests in any 60 s; ValueError below one.

        300 a minute gives a rate of 290 and a burst of 5, so 295 in the worst window. The other five allow for one more
        burst when the clock is set forward, and for requests that the network brings closer together.
        """
        if per_minute < 1:
            raise ValueError(f"a limit is at least one request a minute, not {per_minute}")
        burst = max(per_minute // _REQUESTS_PER_BURST, min(_SMALL_BURST, per_minute // 10), 1)
        even = per_minute - 2 * burst if per_minute > 2 * burst else per_minute - burst
        return cls(-(-MINUTE_US // even) if even else _SPACED_US, burst)


@dataclass(frozen=True, slots=True)
class Admitted:
    """The request may be sent; `tat_us` is the bucket's new state."""

    tat_us: int


@dataclass(frozen=True, slots=True)
class Delayed:
    """The request may be sent at `until_us`, unless another request takes that place first."""

    until_us: int


Verdict: TypeAlias = Admitted | Delayed


def admit(tat_us: int, now_us: int, rate: Rate) -> Verdict:
    """Decide on one request at `now_us` for a bucket in state `tat_us` (the theoretical arrival time; 0 when new).

    The grants within any 60 s are at most burst + rate, however many processes ask and however far apart their clocks
    are: each grant moves the state on by an interval, and none moves it further than a burst past its own time.
    """
    ahead = rate.burst * rate.interval_us
    if tat_us > now_us + _longest(rate):
        # No grant leads this far, so the clock was set back: admit one request, and count the burst as used.
        return Admitted(now_us + ahead)
    after = max(tat_us, now_us) + rate.interval_us
    return Admitted(after) if after <= now_us + ahead else Delayed(after - ahead)


def rescale(tat_us: int, now_us: int, before: Rate, after: Rate) -> int:
    """Return the state of a bucket whose rate changes: as many requests count as used as did before.

    Otherwise three requests spaced for 30 a minute would block a bucket of 300 for six seconds. A state that only a
    clock set back explains stays as it is, and no change of the rate leads to one.
    """
    ahead = tat_us - now_us
    if not 0 < ahead <= _longest(before):
        return tat_us
    # Rounded up, so that a limit that goes back and forth grants nothing extra.
    return now_us + min(-(-ahead * after.interval_us // before.interval_us), _longest(after))


def _longest(rate: Rate) -> int:
    return rate.burst * rate.interval_us + MINUTE_US
