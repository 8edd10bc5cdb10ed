"""A job, and what is known of it."""

from dataclasses import dataclass, field, replace
from enum import StrEnum

from jobdeck.domain.instant import Instant
from jobdeck.domain.phase import Phase
from jobdeck.domain.problem import Problem

_SHORT = frozenset({Phase.FAILED, Phase.CANCELLED, Phase.PARTIAL})


DROPPED_RESULT = "result too large to keep"
"""The fact that says of how many bytes a result is that was too large to keep."""

EVICTED_RESULT = "result not in memory"
"""The fact that says of how many characters a result is that had to make room for others; it can be had again."""


class Source(StrEnum):
    """Where the state that is shown of a job comes from, the least reliable first.

    Only `ANSWER`, the job's own answer to a request of this run, decides an exit code.
    """

    NONE = "none"
    MEMORY = "memory"
    LIST = "list"
    PEER = "peer"
    ANSWER = "answer"


class Part(StrEnum):
    """What of a job may have a URL of its own, beside that of its answer."""

    STAGES = "stages"
    RESULT = "result"


@dataclass(frozen=True, slots=True)
class MissingPart:
    """A part that a job's answer has not, and where it is: at `url`, empty where the API's page says so.

    `tries` counts the requests for it that failed.
    """

    part: Part
    url: str = ""
    tries: int = 0


@dataclass(frozen=True, slots=True, order=True)
class JobKey:
    """What identifies a job: the profile it is asked through, its account group if the API has one, its ID."""

    profile: str
    account_group: str | None
    id: str

    def __str__(self) -> str:
        """Render as a target that parses back to this key."""
        return f"{self.profile}:{self.account_group}/{self.id}" if self.account_group else f"{self.profile}:{self.id}"


@dataclass(frozen=True, slots=True)
class Target:
    """What a user named: which job, of which of its API's resources, and what the answer that accepted it said.

    `accepted` says that there was such an answer; `retry_after` is how many seconds it asked to wait before the first
    poll. `batch` is the name of what it was added with, empty where it was added alone; `replaces_batch` says that a
    person gave that name, so that it takes the place of another. `watched_by` names who of a team watches it, empty
    where that is not known, as in a list of one's own.
    """

    key: JobKey
    provider: str
    resource: str
    accepted_request_id: str | None = None
    accepted_trace_id: str | None = None
    accepted: bool = field(default=False, compare=False)
    retry_after: float | None = field(default=None, compare=False)
    batch: str = field(default="", compare=False)
    replaces_batch: bool = field(default=False, compare=False)
    watched_by: tuple[str, ...] = field(default=(), compare=False)

    def in_batch(self, known: str) -> "Target":
        """Return the target of a job that was in the batch `known`: there it stays, unless another replaces it."""
        batch = self.batch if self.replaces_batch or not known else known
        return replace(self, batch=batch, replaces_batch=False)


@dataclass(frozen=True, slots=True)
class Acknowledger:
    """Who of a team acknowledged a job, and when."""

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
    """A job's own failure, in the server's words. `details` is JSON text in ASCII, or None."""

    code: str | None = None
    message: str | None = None
    details: str | None = None


@dataclass(frozen=True, slots=True)
class Observation:
    """What one good exchange told about one job.

    `progress` is None or a fraction within 0–1. `result` is JSON text in ASCII: immutable, compact, and parsed
    only when somebody looks. `facts` are further scalar fields of the answer by name. `whole` is False for a
    list row that says nothing of stages, error and result: what was known of those stays. `note` says in words how the
    answer was damaged, None when it was not. `attempt` and `started_us` tell one run of an ID from the next, where the
    API has such. `elsewhere` are the parts that this answer has not, and another URL has.
    """

    id: str
    status: str
    phase: Phase
    progress: float | None = None
    stages: tuple[Stage, ...] = ()
    error: JobError | None = None
    result: str | None = None
    kind: str | None = None
    account_group: str | None = None
    created_us: int | None = None
    updated_us: int | None = None
    ended_us: int | None = None
    facts: tuple[tuple[str, str], ...] = ()
    whole: bool = True
    note: str | None = None
    attempt: str | None = None
    started_us: int | None = None
    elsewhere: tuple[MissingPart, ...] = ()

    def __post_init__(self) -> None:
        """Refuse a progress outside 0–1 (ValueError)."""
        check_fraction(self.progress)


@dataclass(frozen=True, slots=True)
class StageRecord:
    """A stage with the moments at which we saw it start, change last and end; each is as exact as our polling."""

    stage: Stage
    started: Instant | None = None
    changed: Instant | None = None
    ended: Instant | None = None


@dataclass(frozen=True, slots=True)
class Job:
    """All that is known of a watched job: its last good state, and how well we can see it now.

    `observed` is the moment of the last good observation, `asked` the moment its request was sent, `changed` the
    last time status, progress or a stage changed (before our first look, as far as the server tells), `ended` when it
    was first seen terminal. `sequence` is the place of that request among all that were sent: newer is what was sent
    later, whatever the clocks say. `source` is where the state comes from.
    `problem` is that of the newest exchange, None when that one was good; `failures` counts
    the exchanges since the last good one and `misses` how many of them said "not found", the first at `missing_since`;
    `not_found` is whether they have said so for long enough to believe it. `outage` is set
    while every request of the job's profile meets a problem, whether or not the job itself was asked for.
    `acknowledged` says that a person knows of its trouble, `acknowledged_by` who of a team that is, if it is another.
    `summary_only` says that its status comes from a list row, and that no answer of the job's own has come since;
    `doubt` is the status that a later row gives to a job whose own answer told an end, `disputed_end` the status and
    the moment (microseconds since the epoch) of a remembered end that a row denies. `whole` is the moment of the last
    look that told stages, error and result, in this run.

    An ID may be used again: `run` counts the runs of it that we know of, `begun` is when the present one was first
    seen, None for the first; `attempt`, `created_us` and `started_us` tell them apart.

    `interval` is the expected seconds between two looks; `eta` a likely range of seconds to the end, counted from
    `observed`, and `stall_after` the seconds without a change that are unusual, both None when too little is known.
    `request_id` and `trace_id` are the newest exchange's, `end_request_id` and `end_trace_id` those of the first answer
    that showed its end. `missing` are the parts of it that are yet to be fetched from
    URLs of their own. `version` grows with every visible change.
    """

    target: Target
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
    observed: Instant | None = None
    asked: Instant | None = None
    sequence: int = 0
    source: Source = Source.NONE
    changed: Instant | None = None
    ended: Instant | None = None
    seen_queued: bool = False
    summary_only: bool = False
    doubt: str | None = None
    disputed_end: tuple[str, int] | None = None
    whole: Instant | None = None
    run: int = 1
    begun: Instant | None = None
    attempt: str | None = None
    started_us: int | None = None
    problem: Problem | None = None
    failures: int = 0
    misses: int = 0
    missing_since: Instant | None = None
    not_found: bool = False
    http_status: int | None = None
    request_id: str | None = None
    trace_id: str | None = None
    end_request_id: str | None = None
    end_trace_id: str | None = None
    anomalies: tuple[str, ...] = ()
    outage: Problem | None = None
    acknowledged: bool = False
    acknowledged_by: Acknowledger | None = None
    interval: float = 5.0
    eta: tuple[float, float] | None = None
    stall_after: float | None = None
    missing: tuple[MissingPart, ...] = ()
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
        """Whether the job has ended, and a part of its answer is yet to be fetched from a URL of its own."""
        return self.terminal and bool(self.missing)

    @property
    def confirmed(self) -> bool:
        """Whether the state is that of the job's own answer to a request of this run: what an exit code relies on."""
        return self.source is Source.ANSWER

    @property
    def answered(self) -> bool:
        """Whether a request of this run told the state in full: the job's own answer, or a row that says as much."""
        return self.source is Source.ANSWER or (self.source is Source.LIST and self.whole is not None)

    @property
    def current_stage(self) -> StageRecord | None:
        """The stage to show in one cell: the failed one, else the first that has not ended, else the last."""
        for record in self.stages:
            if record.stage.phase is Phase.FAILED:
                return record
        for record in self.stages:
            if not record.stage.phase.terminal:
                return record
        return self.stages[-1] if self.stages else None

    @property
    def displayed_progress(self) -> float | None:
        """The fraction that a row shows: the job's own, else that of its current stage."""
        if self.progress is not None:
            return self.progress
        current = self.current_stage
        return current.stage.progress if current is not None else None

    @property
    def support_id(self) -> str | None:
        """The one ID to give to support: of the first answer that showed the end, else of the newest exchange."""
        return self.end_id or self.newest_id

    @property
    def end_id(self) -> str | None:
        """The ID of the first answer that showed the end; None before the end, and where no answer named one."""
        return self.end_request_id or self.end_trace_id

    @property
    def newest_id(self) -> str | None:
        """The ID of the newest exchange."""
        return self.request_id or self.trace_id

    @property
    def support_ids(self) -> tuple[str | None, str | None]:
        """The request ID and the trace ID of the exchange that `support_id` is of."""
        return (self.end_request_id, self.end_trace_id) if self.end_id else (self.request_id, self.trace_id)

    @property
    def reason(self) -> tuple[str, ...]:
        """What the server says of why the job is no plain success, in its words; empty when it says nothing.

        The code and the message of its error; of a partial end without one, the answer's message, else the stages that
        did not succeed.
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
        """The bytes of a result that was too large to keep; None where there is one, or none at all."""
        return self._size_of_result(DROPPED_RESULT)

    @property
    def evicted_result(self) -> int | None:
        """The size of a result that had to make room for others, None where there is one, or none at all."""
        return self._size_of_result(EVICTED_RESULT)

    def without_result(self) -> "Job":
        """Return the job with the size of its result in place of the result."""
        if self.result is None:
            return self
        others = (fact for fact in self.facts if fact[0] != EVICTED_RESULT)
        return replace(self, result=None, facts=((EVICTED_RESULT, str(len(self.result))), *others))

    def as_remembered(self) -> "Job":
        """Return the job as a later run knows it: without the failures of the run that saw it."""
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
        """Why the newest look showed nothing: the job's own problem, else that of its whole profile."""
        return self.problem or self.outage

    def age(self, now: Instant) -> float | None:
        """Seconds since the last good observation; None when there was none."""
        return None if self.observed is None else now.since(self.observed)

    def elapsed(self, now: Instant) -> float:
        """Seconds the job has been going, or took: from the server's dates, else from what we saw.

        A lower bound when the server gives no date and we did not see the job queued: see `elapsed_exact`.
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
        """Whether `elapsed` starts where the job started, not merely where we began to watch it."""
        return self.created_us is not None or self.seen_queued


def check_fraction(progress: float | None) -> None:
    """Raise ValueError unless `progress` is None or within 0–1 (a NaN is neither)."""
    if progress is not None and not 0.0 <= progress <= 1.0:
        raise ValueError(f"progress is a fraction within 0–1 or None, not {progress!r}")
