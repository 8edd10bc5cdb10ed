"""The state of one job in the scheduler, and what each observation says of its beginning and progress."""

import math
from dataclasses import dataclass

from jobdeck.domain.job import JobKey
from jobdeck.domain.phase import Phase
from jobdeck.scheduling.actions import JobUpdate
from jobdeck.scheduling.estimates import Estimates

AGE_DIVISOR = 3.0
"""A job of a resource whose jobs may take seconds or minutes is polled no later than after its age divided by this."""

MIN_INTERVAL = 2.0
REMAINING_DIVISOR = 12.0
"""A poll comes no later than after what probably remains divided by this: an end deserves more polls than a middle."""

TRANSIENT_FAILURES = 2
"""So many failures in a row cost a job only its back-off: it was not observed, and its turn does not begin anew.

Jobs that fail more often wait like those just polled, or they would take every token from those that answer. With
20 % errors, 300 jobs at 300 a minute: the mean delay is 6.8 s, and 7.9 s when every failure counts as a poll.
"""

MAX_FIRST_PROGRESS = 0.25
"""A job first observed with more progress than this was not watched from its start, and teaches no duration."""

JUST_STARTED = 0.05
"""A job first observed with less progress than this has just begun, as far as its end is concerned."""

MIN_PROGRESS_MOVE = 0.1
"""So much progress since the first observation shows how fast a job goes, and so when it began.

Without such a beginning, 60 jobs are known 8–10 % later, at 30 and at 300 a minute.
"""

VISIBLE_FACTOR = 10.0
"""How much more a poll of a row on the screen is worth."""


@dataclass(frozen=True, slots=True)
class PollInterval:
    """What an API's page advises for jobs of a resource: `seconds` between two polls of one that is far from its end.

    With `young_sooner` a new job may be over within seconds, whatever others take.
    """

    seconds: float = 5.0
    young_sooner: bool = False


@dataclass(slots=True)
class ScheduledJob:
    """One watched job. Times are monotonic seconds."""

    key: JobKey
    kind: str
    list_kind: str
    """The kind that it was added as, by which its list is found."""
    added: float
    started: float
    """The server's date if `start_exact`, an estimate if `start_known`, else a guess."""
    advised_interval: PollInterval = PollInterval()
    """From the API's page."""
    from_start: bool = True
    """Whether it was watched from its beginning, so that its end teaches how long jobs take."""
    last_success: float | None = None
    """The last good observation, whoever made it."""
    last_sent: float | None = None
    """When the request of that observation was sent."""
    last_polled: float | None = None
    """The last good answer of the job's own."""
    last_full: float | None = None
    """The last observation with stages and result."""
    last_listed: float | None = None
    """When the request for the last list page that showed it was sent."""
    last_failure: float = float("-inf")
    failures: int = 0
    """Problems since the last good observation."""
    progress: float | None = None
    """An estimate of how far it has come, good enough to order polls."""
    known_progress: float | None = None
    """The same where it is good enough to be shown."""
    first_progress: tuple[float, float] | None = None
    """When its progress was first known, and what it was."""
    start_exact: bool = False
    start_known: bool = True
    stage: str | None = None
    stage_since: float | None = None
    """When the stage began; None for one that was going on when first seen."""
    terminal: bool = False
    complete: bool = False
    """Whether its own answer has shown the end."""
    needs_reason: bool = False
    """Whether it ended in a way that has a reason."""
    end_confirmations: int = 0
    """Own answers that repeated the end which a list row denies: each doubles the wait before the next."""
    suspected_end: bool = False
    """Whether it is gone from a list of unfinished jobs, so that it has probably ended."""
    was_running: bool = False
    """Whether it was running when last observed."""
    visible: bool = False
    """Whether its row is on the screen."""
    not_before: float = float("-inf")
    """Until when the server wants no request about it, or another process sends one."""
    slow: bool = False
    """Whether the newest answer took long or never came."""
    virtual_polled: float = 0.0
    """The fair queue's virtual time of the last poll."""
    hazard: float = 0.02
    """Ends a second that are to be expected: 1 / the remaining seconds."""

    def remaining(self, now: float, estimates: Estimates) -> float:
        """Seconds the job probably has to go."""
        # A job that was never observed was alive when it was added, and nothing shows that it still is: as if it had
        # been observed then. (To suppose it alive now makes 300 jobs at 30 a minute wait 180 s in the mean, not 142 s.)
        seen_at = self.last_success if self.last_success is not None else min(self.added, now)
        left = estimates.remaining(self.kind, max(0.0, seen_at - self.started), self.progress)
        # What the last observation promised, minus the time since; never below half of it, or one bad guess would
        # pull all requests to one job.
        return max(left - (now - seen_at), left / 2, MIN_INTERVAL)

    def stall_after(self, estimates: Estimates) -> float | None:
        """Return the seconds without a change that nearly all jobs of its kind, or in its stage, stay below."""
        return estimates.stall_after(self.kind, self.stage if self.stage_since else None)

    def min_interval(self, now: float, estimates: Estimates) -> float:
        """Return the shortest sensible interval between two polls, in seconds."""
        floor = self.advised_interval.seconds
        if self.advised_interval.young_sooner:
            floor = min(floor, max(0.0, now - self.started) / AGE_DIVISOR)
        return max(MIN_INTERVAL, min(floor, self.remaining(now, estimates) / REMAINING_DIVISOR))

    def update_progress(self, now: float, update: JobUpdate, estimates: Estimates) -> None:
        """Apply how far a job has come; where its start is not known, it is estimated from the progress since then."""
        self.progress = self.known_progress = update.progress
        if update.progress is None and update.stages:
            self.progress = estimates.completed_fraction(self.kind, update.stages, guess=True)
            self.known_progress = estimates.completed_fraction(self.kind, update.stages, guess=False)
        if self.start_exact or self.progress is None:
            self.start_known = True
            return
        if self.first_progress is None:
            self.first_progress = now, self.progress
            self.start_known = self.progress <= JUST_STARTED
        at, first = self.first_progress
        moved = self.progress - first
        if first > JUST_STARTED and moved >= MIN_PROGRESS_MOVE:
            self.started, self.start_known = now - self.progress * (now - at) / moved, True

    def learn_durations(self, now: float, update: JobUpdate, estimates: Estimates) -> None:
        """Take in when the job and its stage began, and how long they took once they are over."""
        self.start_exact = update.elapsed is not None
        if update.elapsed is not None:
            self.started = now - max(0.0, update.elapsed)
            self.from_start = True
        elif self.last_success is None:
            if update.progress is None:
                # One that is queued has not begun; one that runs has, and only its submission may tell when.
                self.from_start = not update.terminal and (update.phase is Phase.QUEUED or self.started < self.added)
            else:
                self.from_start = update.progress <= MAX_FIRST_PROGRESS and not update.terminal
        if update.stage != self.stage:
            if self.stage is not None and self.stage_since is not None and update.phase in {None, Phase.RUNNING}:
                estimates.add_sample(self.kind, now - self.stage_since, self.stage)
            # A stage that was already going on when first seen has no beginning that we could know.
            self.stage_since = now if self.last_success is not None else None
            self.stage = update.stage
        if (
            update.terminal
            and not self.terminal
            and self.from_start
            and update.phase in {None, Phase.SUCCEEDED, Phase.PARTIAL}
        ):
            seen_before = self.last_success if self.last_success is not None else now
            ended = now if update.elapsed is not None else (seen_before + now) / 2
            estimates.add_sample(update.kind or self.kind, max(0.0, ended - self.started))

    def poll_value(self, now: float) -> float:
        """Return the seconds of delay that a poll now is expected to save: (e^hτ − 1 − hτ)/h after τ seconds.

        An ended job leaves once it is observed, so waiting costs more than h·τ²/2 would say; that simpler value
        starves slow jobs (99th percentile of gaps 138 s against 64 s).
        """
        since = now - self.unknown_since
        share = min(self.hazard * since, 30.0)
        worth = (math.expm1(share) - share) / self.hazard if share > 1e-3 else self.hazard * since * since / 2
        return worth * VISIBLE_FACTOR if self.visible else worth

    def simple_value(self, now: float) -> float:
        """Return h·τ²/2: what a page's worth is the sum of, and is therefore compared with."""
        since = now - self.unknown_since
        return self.hazard * since * since / 2

    @property
    def never_answered(self) -> bool:
        """Whether it was never answered, nor polled in vain."""
        return self.last_success is None and self.last_failure == float("-inf")

    @property
    def unknown_since(self) -> float:
        """Since when nothing is known of it: the last good observation, or the last try of a job that keeps failing."""
        if self.failures > TRANSIENT_FAILURES:
            return self.last_attempt
        return self.last_success if self.last_success is not None else self.added

    @property
    def last_attempt(self) -> float:
        """The last observation or failure."""
        # A failed poll counts here, or the job that fails longest would be every probe of an outage.
        return max(self.last_success if self.last_success is not None else self.added, self.last_failure)
