"""A rate limit that nobody states: inferred from refusals that come back at one level of use, and only there.

A true limit refuses when, and only when, what it counts has come to one level; refusals by chance come at any. What it
counts is not known, so each way that is in use is tried: the last minute, minutes of a clock (at any phase), a bucket.
Of a limit that others share, whose refusals come at any level of ours, nothing is inferred.
"""

import math
from collections import deque

MINUTE = 60.0
INFINITE = float("inf")
PHASES = 12
"""Minutes of a clock are tried every five seconds. Without them, 60 jobs of a limit of 60 counted by a clock, of which
300 are believed, have 2.75 refusals a run, not 2."""

SLACK = 0.05
"""Part of a level, beside one request, by which it may differ: answers come in another order than requests."""

ODDS = 40.0
FEW_LEVELS = 13.0
"""How much rarer chance must make refusals at one level before a limit is inferred from them.

There are some fourteen ways to count, and a coincidence in one of them is nothing rare, least of all at low levels.
"""

ONE_REFUSAL, FEW_REQUESTS = 1.0, 20.0
"""Prior: one unexplained refusal in twenty requests."""

MAX_BEYOND = 2
"""Most requests that may pass just above a level, near which a slow client always is. With none, 60 jobs of a bucket of
60, 300 believed, have 2.5 refusals a run, not 2."""

MEMORY = 600.0
"""Requests after which what was seen counts half."""

MAX_REQUESTS = 4_096

SAME_CAUSE = 3
"""Fewer successes than this between two refusals: the same refusal. Without it, a limit lowered from 300 to 75 leaves
15 requests a minute, not 40."""

HOLD_SECONDS = 1_800.0
LONGER, MOST_LONGER = 4.0, 4
"""How long an inferred limit is kept before more is tried, and how many times longer after each further refusal."""


class Counter:
    """One way in which a server may count: requests of the last minute."""

    def __init__(self) -> None:
        self._times: deque[float] = deque()

    def level(self, now: float) -> float:
        """Return what it has counted."""
        while self._times and self._times[0] <= now - MINUTE:
            self._times.popleft()
        return float(len(self._times))

    def add(self, now: float) -> None:
        """Count a request that was let through."""
        self._times.append(now)


class ClockCounter(Counter):
    """Requests of the current minute of a clock that is `phase` seconds late."""

    def __init__(self, phase: float) -> None:
        self._phase = phase
        self._minute = 0
        self._count = 0

    def level(self, now: float) -> float:
        """Return what it has counted."""
        minute = math.floor((now - self._phase) / MINUTE)
        if minute != self._minute:
            self._minute, self._count = minute, 0
        return float(self._count)

    def add(self, now: float) -> None:
        """Count a request that was let through."""
        self.level(now)
        self._count += 1


class Level:
    """Refusals at one level of a counter, while nothing goes through above it.

    `lowest` is the lowest of those levels; `passed_before` says that something had gone through above it before.
    """

    def __init__(self, counter: Counter) -> None:
        self.lowest = INFINITE
        self.refusals = 0
        self.passed_before = False
        self._counter = counter
        self._first = INFINITE
        self._beyond = 0
        self._highest = 0.0

    def on_success(self, now: float) -> None:
        """Count a request; one far above the level disproves it, and so do several just above it."""
        self._counter.add(now)
        level = self._counter.level(now)
        self._highest = max(self._highest, level)
        if level > self._first:
            self._beyond += 1
            if self._beyond > MAX_BEYOND or level > self._first + _slack(self._first):
                self.clear()

    def on_rate_limited(self, now: float) -> None:
        """Count a refusal, at the level of those before or, if lower, as the first at its own."""
        level = self._counter.level(now)
        if level >= self._first - _slack(self._first):
            self.refusals += 1
            self.lowest = min(self.lowest, level)
            return
        self.clear()
        self.lowest = self._first = level
        self.refusals = 1
        self.passed_before = self._highest > level + _slack(level)

    def clear(self) -> None:
        """Forget the refusals."""
        self.lowest = self._first = INFINITE
        self.refusals = self._beyond = 0

    def accept(self) -> None:
        """Take this for the limit, whatever went through before: it may have been lowered."""
        self._highest = self.lowest


class BucketLevel:
    """The same for a bucket that holds a minute's worth of requests and refills evenly: it refuses while empty.

    Without it, 60 jobs at 30 a minute of which nobody tells have 7.4 refusals a run, not 2.
    """

    def __init__(self) -> None:
        self.lowest = INFINITE
        self.refusals = 0
        self.passed_before = False
        self._times: deque[float] = deque(maxlen=MAX_REQUESTS)
        self._tokens = 0.0
        self._filled_at = 0.0
        self._beyond = 0

    def on_success(self, now: float) -> None:
        """Count a request; one that finds the bucket long empty disproves it, and so do several that find it empty."""
        self._times.append(now)
        if self.refusals:
            self._fill(now)
            self._tokens -= 1.0
            if self._tokens < -1.0:
                self._beyond += 1
                if self._beyond > MAX_BEYOND or self._tokens < -_slack(self.lowest):
                    self.clear()

    def on_rate_limited(self, now: float) -> None:
        """Count a refusal by the bucket of those before or, if that is not empty, as the first by its own."""
        if self.refusals:
            self._fill(now)
            if self._tokens < 1.0 + _slack(self.lowest):
                self.refusals += 1
                return
        self.clear()
        # Full when some request came, and empty now: it has let that and all later ones through, and no more.
        newest = enumerate(reversed(self._times), 1)
        self.lowest = max((count / (1.0 + (now - at) / MINUTE) for count, at in newest), default=0.0)
        self.refusals, self._tokens, self._filled_at = 1, 0.0, now
        self.passed_before = self._would_have_refused()

    def clear(self) -> None:
        """Forget the refusals."""
        self.lowest = INFINITE
        self.refusals = self._beyond = 0

    def accept(self) -> None:
        """Take this for the limit, whatever went through before: it may have been lowered."""
        self._times.clear()

    def _fill(self, now: float) -> None:
        self._tokens = min(self.lowest, self._tokens + (now - self._filled_at) * self.lowest / MINUTE)
        self._filled_at = now

    def _would_have_refused(self) -> bool:
        tokens, filled_at = self.lowest, 0.0
        for at in self._times:
            tokens = min(self.lowest, tokens + (at - filled_at) * self.lowest / MINUTE) - 1.0
            filled_at = at
            if tokens < -_slack(self.lowest):
                return True
        return False


class InferredLimit:
    """A limit in requests a minute, infinite while there is no reason to infer one. Times are monotonic seconds."""

    def __init__(self) -> None:
        self.limit = INFINITE
        clocks = (Level(ClockCounter(number * MINUTE / PHASES)) for number in range(PHASES))
        self._levels: list[Level | BucketLevel] = [Level(Counter()), BucketLevel(), *clocks]
        self._requests = 0.0
        self._refusals = 0.0
        self._met = False
        self._passed = 0
        self._held_until = 0.0

    @property
    def active(self) -> bool:
        """Whether there is a limit to keep."""
        return self.limit < INFINITE

    def on_success(self, now: float) -> None:
        """Note that a request was not refused."""
        self._passed += 1
        self._requests += 1.0
        if self._requests > MEMORY:
            self._requests /= 2
            self._refusals /= 2
        for level in self._levels:
            level.on_success(now)
        if self.active and now >= self._held_until:
            self.limit = INFINITE

    def on_rate_limited(self, now: float) -> bool:
        """Note a refusal that nothing explains; return whether it is a limit's."""
        passed, self._passed = self._passed, 0
        if passed < SAME_CAUSE:
            return self.active
        self._refusals += 1.0
        for level in self._levels:
            level.on_rate_limited(now)
        likely = [level for level in self._levels if self._is_limit(level)]
        if likely:
            found = min(likely, key=lambda level: (-level.refusals, level.lowest))
            found.accept()
            self.limit = max(1.0, found.lowest)
            self._held_until = now + HOLD_SECONDS * LONGER ** min(found.refusals - 2, MOST_LONGER)
        else:
            # The first may be that of a limit: until its minute is over, a window that slides would refuse again.
            self.limit = INFINITE if self._met else max(1.0, self._levels[0].lowest)
            self._held_until = now + MINUTE
        self._met = True
        return bool(likely)

    def clear(self) -> None:
        """Infer no limit any more."""
        self.limit = INFINITE
        for level in self._levels:
            level.clear()

    def _is_limit(self, level: Level | BucketLevel) -> bool:
        others = self._refusals - level.refusals
        chance = (max(0.0, others) + ONE_REFUSAL) / (self._requests + FEW_REQUESTS)
        rare = max(1.0, level.lowest / (level.lowest + FEW_LEVELS) / chance)
        return (level.refusals - 1) * math.log(rare) >= math.log(ODDS) * (1 + level.passed_before)


def _slack(level: float) -> float:
    return 1.0 + SLACK * level if level < INFINITE else 0.0
