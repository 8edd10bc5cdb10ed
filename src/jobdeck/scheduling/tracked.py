"""What the scheduler remembers of one job."""

import math
from dataclasses import dataclass

from jobdeck.domain.job import JobKey
from jobdeck.scheduling.estimates import Estimates

YOUNG = 3.0
"""A job of a resource whose jobs may take seconds or minutes is polled no later than after this part of its age."""

SHORTEST_FLOOR = 2.0
NEAR_END = 12.0
"""A look comes no later than after this part of what probably remains: an end deserves more looks than a middle."""

TRANSIENT = 2
"""So many failures in a row cost a job only its back-off: it has not been looked at, and its turn does not begin anew.

Jobs that fail more often wait like those just looked at, or they would take every token from those that answer. With
20 % errors, 300 jobs at 300 a minute: the mean delay is 6.8 s, and 7.9 s when every failure counts as a look.
"""

STALLED_FACTOR = 3.0
SHOWN_FACTOR = 10.0
"""How much more a look at a row on the screen is worth."""


@dataclass(frozen=True, slots=True)
class PollInterval:
    """What an API's page advises for jobs of a resource: `seconds` between two polls of one that is far from its end.

    With `young_sooner` a new job may be over within seconds, whatever others take.
    """

    seconds: float = 5.0
    young_sooner: bool = False


@dataclass(slots=True)
class Tracked:
    """One watched job. Times are monotonic seconds.

    `looked` is the last good look, `asked` when it was sent, `polled` the last good answer of the job's own, `whole`
    the last one that told stages and result, `changed` the last that told something new, `failed` the last failure,
    `missing_since` the first of those that said "not found"; `slow` says that the newest answer took long or never
    came. `not_before` is until when the server wants not to be asked about it. `v_looked` is the
    singles' virtual time of the last look. `progress` is how far the job has come at a guess, `told` as far as it can
    be told to somebody; `gauged` is when it was first known, and what it was; `begun` is the server's date if `exact`,
    and no better than a guess unless `dated`; `guessed` says that the job already ran when it was first seen, and that
    nothing told since when. `runs` says
    that it was running then; `suspect` that it is gone from a list of unfinished jobs, so that it has probably ended;
    `grave` that it ended in a way that has a reason; `advised` is what its API's page says; `affirmed` is how
    often its own answer said so again.
    """

    key: JobKey
    kind: str
    listed_as: str
    added: float
    begun: float
    advised: PollInterval = PollInterval()
    from_start: bool = True
    guessed: bool = False
    looked: float | None = None
    asked: float | None = None
    whole: float | None = None
    changed: float | None = None
    listed: float | None = None
    progress: float | None = None
    told: float | None = None
    gauged: tuple[float, float] | None = None
    exact: bool = False
    dated: bool = True
    stage: str | None = None
    stage_since: float | None = None
    terminal: bool = False
    finished: bool = False
    grave: bool = False
    affirmed: int = 0
    suspect: bool = False
    runs: bool = False
    shown: bool = False
    not_before: float = float("-inf")
    slow: bool = False
    failures: int = 0
    failed: float = float("-inf")
    misses: int = 0
    missing_since: float | None = None
    polled: float | None = None
    v_looked: float = 0.0
    hazard: float = 0.02

    def remaining(self, now: float, estimates: Estimates) -> float:
        """Seconds the job probably has to go."""
        # A job that was never looked at was alive when it was added, and nothing tells that it still is: as if it had
        # been seen then. (To suppose it alive now makes 300 jobs at 30 a minute wait 180 s in the mean, not 142 s.)
        seen_at = self.looked if self.looked is not None else min(self.added, now)
        left = estimates.remaining(self.kind, max(0.0, seen_at - self.begun), self.progress)
        # What was said at the last look, minus the time since; never below half of it, or one bad guess would
        # pull all requests to one job.
        return max(left - (now - seen_at), left / 2, SHORTEST_FLOOR)

    def stalled(self, now: float, estimates: Estimates) -> bool:
        """Whether nothing has changed for longer than nearly all jobs of its kind take."""
        if self.changed is None or self.terminal:
            return False
        limit = self.stall_after(estimates)
        return limit is not None and now - self.changed > limit

    def stall_after(self, estimates: Estimates) -> float | None:
        """Return the seconds without a change that nearly all jobs of its kind, or in its stage, stay below."""
        return estimates.stall_after(self.kind, self.stage if self.stage_since else None)

    def floor(self, now: float, estimates: Estimates) -> float:
        """Return the shortest sensible interval between two looks, in seconds."""
        floor = self.advised.seconds
        if self.stalled(now, estimates):
            return STALLED_FACTOR * floor
        if self.advised.young_sooner:
            floor = min(floor, max(0.0, now - self.begun) / YOUNG)
        return max(SHORTEST_FLOOR, min(floor, self.remaining(now, estimates) / NEAR_END))

    def value(self, now: float) -> float:
        """Return the seconds of delay that a look now is expected to save: (e^hτ − 1 − hτ)/h after τ seconds.

        An ended job leaves once it is seen, so waiting costs more than h·τ²/2 would say; that simpler value
        starves slow jobs (99th percentile of gaps 138 s against 64 s).
        """
        since = now - self.since
        share = min(self.hazard * since, 30.0)
        worth = (math.expm1(share) - share) / self.hazard if share > 1e-3 else self.hazard * since * since / 2
        return worth * SHOWN_FACTOR if self.shown else worth

    def simple_value(self, now: float) -> float:
        """Return h·τ²/2: what a page's worth is the sum of, and is therefore compared with."""
        since = now - self.since
        return self.hazard * since * since / 2

    @property
    def untried(self) -> bool:
        """Whether it was never answered, nor asked for in vain."""
        return self.looked is None and self.failed == float("-inf")

    @property
    def since(self) -> float:
        """Since when nothing is known of it: the last good look, or the last try of a job that keeps failing."""
        if self.failures > TRANSIENT:
            return self.last_try
        return self.looked if self.looked is not None else self.added

    @property
    def last_try(self) -> float:
        """The last look, good or not."""
        # A failed look counts as one here, or the job that fails longest would be every probe of an outage.
        return max(self.looked if self.looked is not None else self.added, self.failed)
