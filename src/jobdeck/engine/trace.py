"""What happened to one job, as far as this run and the ledger know: for the panes that explain a row."""

from collections import OrderedDict, deque
from collections.abc import Iterable, Sequence

from jobdeck.domain.events import AnomalyMet, JobEvent, PhaseChanged, ProblemMet, Recovered, StageChanged
from jobdeck.domain.exchange import Exchange
from jobdeck.domain.instant import Instant
from jobdeck.domain.job import Job, JobKey
from jobdeck.domain.timeline import Moment, MomentKind

EXCHANGES_KEPT = 200
MOMENTS_KEPT = 500
SAMPLES_KEPT = 240
BODIES_BYTES = 64 * 1024 * 1024


class Trace:
    """One job's newest exchanges, its timeline, its state before the newest change, and its progress over time."""

    __slots__ = ("_begun_us", "exchanges", "moments", "previous", "samples")

    def __init__(self, now: Instant) -> None:
        self.exchanges: deque[Exchange] = deque(maxlen=EXCHANGES_KEPT)
        self.moments: deque[Moment] = deque(maxlen=MOMENTS_KEPT)
        self.samples: deque[tuple[float, float]] = deque(maxlen=SAMPLES_KEPT)
        self.previous: Job | None = None
        self._begun_us = now.us

    def note(self, before: Job, after: Job, events: Iterable[JobEvent], now: Instant) -> None:
        """Take in what an observation changed."""
        if after.changed is not before.changed and before.observed is not None:
            self.previous = before
        for event in events:
            moment = moment_of_event(event)
            if moment is not None:
                self.moments.append(moment)
        progress = shown_progress(after)
        if progress is not None and (not self.samples or self.samples[-1][1] != progress):
            self.samples.append((now.mono, progress))

    def recall(self, exchanges: Sequence[Exchange], moments: Sequence[Moment]) -> bool:
        """Put what is remembered from before this run behind (and before) its own; False when there is nothing."""
        oldest = self.exchanges[-1].started.us if self.exchanges else None
        # This run's own requests and moments are in the ledger too.
        older = [item for item in exchanges if oldest is None or item.started.us < oldest]
        older = older[: EXCHANGES_KEPT - len(self.exchanges)]
        earlier = [moment for moment in moments if moment.at_us < self._begun_us]
        self.exchanges.extend(older)
        for moment in reversed(earlier[-(MOMENTS_KEPT - len(self.moments)) :]):
            self.moments.appendleft(moment)
        return bool(older or earlier)


class Bodies:
    """The newest body of each job, as received; the ones looked at longest ago go when 64 MiB are reached."""

    def __init__(self, budget: int = BODIES_BYTES) -> None:
        self._bodies: OrderedDict[JobKey, bytes] = OrderedDict()
        self._budget = budget
        self._size = 0

    def put(self, key: JobKey, body: bytes) -> None:
        """Keep a job's newest body, unless it alone is over the budget."""
        self.drop(key)
        if len(body) > self._budget:
            return
        self._bodies[key] = body
        self._size += len(body)
        while self._size > self._budget:
            self._size -= len(self._bodies.popitem(last=False)[1])

    def get(self, key: JobKey) -> bytes | None:
        """Return a job's newest body, None when it was never received alone or had to go."""
        if key in self._bodies:
            self._bodies.move_to_end(key)
        return self._bodies.get(key)

    def drop(self, key: JobKey) -> None:
        """Forget a job's body."""
        self._size -= len(self._bodies.pop(key, b""))


def shown_progress(job: Job) -> float | None:
    """Return the fraction that a row shows: the job's own, else that of its current stage."""
    stage = job.current_stage
    return job.progress if job.progress is not None or stage is None else stage.stage.progress


def moment_of_event(event: JobEvent) -> Moment | None:
    """Return the timeline's entry for an event; None for what a timeline leaves out."""
    us = event.at.us
    match event:
        case PhaseChanged(before=before, after=after, status=status, request_id=request_id):
            return Moment(us, MomentKind.PHASE, status, None, before.value, after.value, request_id)
        case StageChanged(stage=stage, before=before, after=after, request_id=request_id):
            was = before.value if before is not None else None
            return Moment(us, MomentKind.STAGE, "", stage, was, after.value, request_id)
        case ProblemMet(problem=problem, failures=1):
            text = f"{problem.kind.words}: {problem.message}"
            return Moment(us, MomentKind.PROBLEM, text, request_id=problem.request_id or problem.trace_id)
        case Recovered(failures=failures):
            return Moment(us, MomentKind.RECOVERED, f"after {failures} failed looks" if failures > 1 else "")
        case AnomalyMet(message=message):
            return Moment(us, MomentKind.ANOMALY, message)
        case _:
            return None
