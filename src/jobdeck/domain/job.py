"""A job and its state."""

from dataclasses import dataclass, field, replace
from enum import StrEnum

from jobdeck.domain.instant import Instant
from jobdeck.domain.phase import Phase
from jobdeck.domain.problem import Problem

_SHORT = frozenset({Phase.FAILED, Phase.CANCELLED, Phase.PARTIAL})


DROPPED_RESULT = "result too large to keep"
"""Name of the fact that holds the size, in bytes, of a result that was too large to keep."""

EVICTED_RESULT = "result not in memory"
"""Name of the fact that holds the size, in characters, of a result removed from memory; it can be fetched again."""


class Source(StrEnum):
    """The source of a job's state, the least reliable first; only `ANSWER` decides an exit code."""

    NONE = "none"
    # An earlier run of jobdeck.
    MEMORY = "memory"
    LIST = "list"
    # Another process that shares the store.
    PEER = "peer"
    # The job's own answer to a request of this run.
    ANSWER = "answer"


class Part(StrEnum):
    """The parts of a job that may have a URL of their own."""

    STAGES = "stages"
    RESULT = "result"


@dataclass(frozen=True, slots=True)
class MissingPart:
    """A part that a job's answer lacks, and that another URL has."""

    part: Part
    # Empty where the API's definition gives the URL.
    url: str = ""
    # Failed requests for it.
    tries: int = 0


@dataclass(frozen=True, slots=True, order=True)
class JobKey:
    """The identity of a job: the profile that polls it, its account group if the API has those, its ID."""

    profile: str
    account_group: str | None
    id: str

    def __str__(self) -> str:
        """Return a target that parses back to this key."""
        return f"{self.profile}:{self.account_group}/{self.id}" if self.account_group else f"{self.profile}:{self.id}"


@dataclass(frozen=True, slots=True)
class Target:
    """A watched job as the user named it, with the details of the answer that accepted it."""

    key: JobKey
    # The API's name.
    provider: str
    resource: str
    accepted_request_id: str | None = None
    accepted_trace_id: str | None = None
    # Whether the answer that accepted the job is known.
    accepted: bool = field(default=False, compare=False)
    # Seconds that this answer asked to wait before the first poll.
    retry_after: float | None = field(default=None, compare=False)
    # The name of the batch that it was added with, empty if it was added alone.
    batch: str = field(default="", compare=False)
    # Whether a person gave the batch's name, so that it replaces another batch.
    replaces_batch: bool = field(default=False, compare=False)
    # The members of a team who watch it; empty where that is unknown, as in a private list.
    watched_by: tuple[str, ...] = field(default=(), compare=False)

    def in_batch(self, current: str) -> "Target":
        """Return the target of a job whose batch is `current`; this target's batch counts only if it replaces others.

        An empty `current` is always replaced.
        """
        batch = self.batch if self.replaces_batch or not current else current
        return replace(self, batch=batch, replaces_batch=False)


@dataclass(frozen=True, slots=True)
class Acknowledger:
    """The member of a team who acknowledged a job, and when (microseconds since the epoch)."""

    name: str
    at_us: int


@dataclass(frozen=True, slots=True)
class Stage:
    """A named part of a job as the server reports it; `progress` is None or a fraction within 0–1."""

    name: str
    status: str
    phase: Phase
    progress: float | None = None

    def __post_init__(self) -> None:
        """Refuse a progress outside 0–1 (ValueError)."""
        check_fraction(self.progress)


@dataclass(frozen=True, slots=True)
class JobError:
    """A job's own failure, in the server's words; `details` is JSON text in ASCII, or None."""

    code: str | None = None
    message: str | None = None
    details: str | None = None


@dataclass(frozen=True, slots=True)
class Observation:
    """The state of one job in one good answer. Dates (`…_us`) are in microseconds since the epoch."""

    id: str
    status: str
    phase: Phase
    # A fraction within 0–1.
    progress: float | None = None
    stages: tuple[Stage, ...] = ()
    error: JobError | None = None
    # JSON text in ASCII: immutable, compact, and parsed only when somebody looks at it.
    result: str | None = None
    kind: str | None = None
    account_group: str | None = None
    created_us: int | None = None
    updated_us: int | None = None
    ended_us: int | None = None
    # Further scalar fields of the answer, by name.
    facts: tuple[tuple[str, str], ...] = ()
    # False for a list row without stages, error and result; their last known values stay.
    whole: bool = True
    # How the answer was damaged, in words; None when it was not.
    note: str | None = None
    # `attempt` and `started_us` distinguish the runs of an ID, where the API has them.
    attempt: str | None = None
    started_us: int | None = None
    # Parts that this answer lacks, and that other URLs have.
    elsewhere: tuple[MissingPart, ...] = ()

    def __post_init__(self) -> None:
        """Refuse a progress outside 0–1 (ValueError)."""
        check_fraction(self.progress)


@dataclass(frozen=True, slots=True)
class StageRecord:
    """A stage and the moments at which we saw it start, change last and end, each as exact as our polling."""

    stage: Stage
    started: Instant | None = None
    changed: Instant | None = None
    ended: Instant | None = None


@dataclass(frozen=True, slots=True)
class Job:
    """A watched job: its last good state, and how the newest requests about it went.

    Fields that are described nowhere else have the meaning of the same fields of `Observation`.
    """

    target: Target
    # When it was added to the watch list.
    added: Instant
    status: str | None = None
    phase: Phase = Phase.UNKNOWN
    kind: str = ""
    progress: float | None = None
    stages: tuple[StageRecord, ...] = ()
    error: JobError | None = None
    result: str | None = None
    facts: tuple[tuple[str, str], ...] = ()
    created_us: int | None = None
    updated_us: int | None = None
    ended_us: int | None = None
    # When the last good answer arrived, and when its request was sent.
    observed: Instant | None = None
    asked: Instant | None = None
    # The place of that request in the order of sending: an answer is newer if its request was sent later, whatever
    # the clocks say.
    sequence: int = 0
    source: Source = Source.NONE
    # When status, progress or a stage changed last; before the first observation if the server's dates say so.
    changed: Instant | None = None
    # When an end was first observed.
    ended: Instant | None = None
    # Whether it was ever observed queued, so that we saw it start.
    seen_queued: bool = False
    # Whether the status comes from a list row, and the job's own answer has not confirmed it since.
    summary_only: bool = False
    # A later row's status that contradicts the end in the job's own answer.
    doubt: str | None = None
    # Status and moment (microseconds since the epoch) of a known end that a row contradicts.
    disputed_end: tuple[str, int] | None = None
    # When the last answer with stages, error and result arrived in this run of jobdeck.
    whole: Instant | None = None
    # An ID may be used again: the number of runs known so far, and when the present one was first observed (None for
    # the first run).
    run: int = 1
    begun: Instant | None = None
    attempt: str | None = None
    started_us: int | None = None
    # The problem of the newest exchange, None when it was good.
    problem: Problem | None = None
    # Exchanges since the last good one.
    failures: int = 0
    # Consecutive exchanges that said "not found", and the first of them.
    misses: int = 0
    missing_since: Instant | None = None
    # Whether "not found" has lasted long enough to be believed.
    not_found: bool = False
    # Of the newest exchange.
    http_status: int | None = None
    request_id: str | None = None
    trace_id: str | None = None
    # Of the first answer that showed the end.
    end_request_id: str | None = None
    end_trace_id: str | None = None
    anomalies: tuple[str, ...] = ()
    # Set while all requests of the profile fail, whether or not this job was polled.
    outage: Problem | None = None
    acknowledged: bool = False
    # The other member of the team who acknowledged it; None if it was this user.
    acknowledged_by: Acknowledger | None = None
    # Expected seconds between two polls.
    interval: float = 5.0
    # A likely range of seconds to the end, counted from `observed`; None when too little is known.
    eta: tuple[float, float] | None = None
    # Seconds without a change that are unusual; None when too little is known.
    stall_after: float | None = None
    # Parts yet to be fetched from URLs of their own.
    missing: tuple[MissingPart, ...] = ()
    # Grows with every visible change.
    version: int = field(default=0, compare=False)

    @property
    def key(self) -> JobKey:
        """The job's identity."""
        return self.target.key

    @property
    def terminal(self) -> bool:
        """Whether the job has ended for good."""
        return self.phase.terminal

    @property
    def awaits_part(self) -> bool:
        """Whether the job has ended, and some part has yet to be fetched from a URL of its own."""
        return self.terminal and bool(self.missing)

    @property
    def confirmed(self) -> bool:
        """Whether the state comes from the job's own answer to a request of this run; exit codes rely on this."""
        return self.source is Source.ANSWER

    @property
    def answered(self) -> bool:
        """Whether a request of this run showed the full state: the job's own answer, or a list row with all fields."""
        return self.source is Source.ANSWER or (self.source is Source.LIST and self.whole is not None)

    @property
    def current_stage(self) -> StageRecord | None:
        """The stage to show in one cell: the first that failed, else the first that has not ended, else the last."""
        for record in self.stages:
            if record.stage.phase is Phase.FAILED:
                return record
        for record in self.stages:
            if not record.stage.phase.terminal:
                return record
        return self.stages[-1] if self.stages else None

    @property
    def displayed_progress(self) -> float | None:
        """The progress that a row shows: the job's own, else that of its current stage."""
        if self.progress is not None:
            return self.progress
        current = self.current_stage
        return current.stage.progress if current is not None else None

    @property
    def support_id(self) -> str | None:
        """The one ID to give to support: from the first answer that showed the end, else from the newest exchange."""
        return self.end_id or self.newest_id

    @property
    def end_id(self) -> str | None:
        """The request or trace ID of the first answer that showed the end; None before the end or if it had none."""
        return self.end_request_id or self.end_trace_id

    @property
    def newest_id(self) -> str | None:
        """The request or trace ID of the newest exchange."""
        return self.request_id or self.trace_id

    @property
    def support_ids(self) -> tuple[str | None, str | None]:
        """The request ID and the trace ID of the exchange that `support_id` comes from."""
        return (self.end_request_id, self.end_trace_id) if self.end_id else (self.request_id, self.trace_id)

    @property
    def reason(self) -> tuple[str, ...]:
        """Why the job did not fully succeed, in the server's words; empty when it gave no reason.

        The code and message of the job's error; for a partial end without an error, the answer's message, else the
        stages that did not succeed.
        """
        if self.error is not None:
            return tuple(part for part in (self.error.code, self.error.message) if part)
        if self.phase is not Phase.PARTIAL:
            return ()
        if message := dict(self.facts).get("message"):
            return (message,)
        short = (record.stage for record in self.stages if record.stage.phase in _SHORT)
        return tuple(f"{stage.name} {stage.phase.value}" for stage in short)

    @property
    def dropped_result(self) -> int | None:
        """The size, in bytes, of a result that was too large to keep; None if no result was dropped."""
        return self._size_of_result(DROPPED_RESULT)

    @property
    def evicted_result(self) -> int | None:
        """The size, in characters, of a result that was removed from memory; None if no result was removed."""
        return self._size_of_result(EVICTED_RESULT)

    def without_result(self) -> "Job":
        """Return the job with a fact that holds the size of its result, in place of the result."""
        if self.result is None:
            return self
        others = (fact for fact in self.facts if fact[0] != EVICTED_RESULT)
        return replace(self, result=None, facts=((EVICTED_RESULT, str(len(self.result))), *others))

    def as_remembered(self) -> "Job":
        """Return the job as a later run of jobdeck restores it: without the failures of this run."""
        return replace(
            self,
            problem=None,
            outage=None,
            failures=0,
            misses=0,
            missing_since=None,
            not_found=False,
            source=Source.MEMORY,
        )

    def _size_of_result(self, fact: str) -> int | None:
        text = dict(self.facts).get(fact) if self.result is None else None
        return int(text) if text is not None and text.isascii() and text.isdigit() and len(text) < 16 else None

    @property
    def trouble(self) -> Problem | None:
        """The problem of the newest exchange about the job, else the outage of its profile."""
        return self.problem or self.outage

    def age(self, now: Instant) -> float | None:
        """Return the seconds since the last good observation; None when there was none."""
        return None if self.observed is None else now.since(self.observed)

    def elapsed(self, now: Instant) -> float:
        """Return how many seconds the job has been running, or took: by the server's dates, else by our observations.

        It is a lower bound if the server gives no date and we did not see the job queued; see `elapsed_exact`.
        """
        if self.terminal and self.ended is not None:
            if self.created_us is not None:
                end_us = self.ended_us if self.ended_us is not None else self.ended.us
                return max(0.0, (end_us - self.created_us) / 1e6)
            return self.ended.since(self.begun or self.added)
        if self.created_us is not None:
            return max(0.0, (now.us - self.created_us) / 1e6)
        return now.since(self.begun or self.added)

    @property
    def elapsed_exact(self) -> bool:
        """Whether `elapsed` counts from the start of the job, not merely from when we began to watch it."""
        return self.created_us is not None or self.seen_queued


def check_fraction(progress: float | None) -> None:
    """Raise ValueError unless `progress` is None or within 0–1 (a NaN is neither)."""
    if progress is not None and not 0.0 <= progress <= 1.0:
        raise ValueError(f"progress is a fraction within 0–1 or None, not {progress!r}")
