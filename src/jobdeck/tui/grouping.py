"""Groups the jobs of a deck by reason, kind, profile, stage or batch. Pure."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property, lru_cache

from jobdeck.domain.job import Job, JobKey
from jobdeck.domain.text import one_line
from jobdeck.report.failure_groups import ErrorGroup, fingerprint_of
from jobdeck.tui.job_filter import group_filter, quoted, state_filter
from jobdeck.tui.job_table import Row
from jobdeck.tui.render.state import ALL_STATES, ENDED, FAILED, NOT_FOUND, STALLED, UNREACHABLE, State


class GroupBy(StrEnum):
    """What the jobs of one group have in common."""

    REASON = "reason"
    KIND = "kind"
    PROFILE = "profile"
    STAGE = "stage"
    BATCH = "batch"


REASONS = {STALLED: "no change for longer than usual", UNREACHABLE: "no response", NOT_FOUND: "job not found"}
NO_STAGE = "no stage"
NO_BATCH = "added alone"


@dataclass(frozen=True)
class JobGroup:
    """Jobs with something in common, most urgent first."""

    name: str
    """What they have in common."""
    detail: str
    """More about it, such as the message of an error."""
    state: State | None
    """Their state, if the group consists of one state."""
    filter: str
    """The filter that shows only these jobs."""
    rows: tuple[Row, ...]
    counts: Mapping[State, int]
    first_us: int
    """When the first of them got into its state, in microseconds since the epoch."""
    last_us: int
    """The same of the last."""

    @property
    def keys(self) -> tuple[JobKey, ...]:
        """The keys of the jobs."""
        return tuple(row.job.key for row in self.rows)

    @cached_property
    def kinds(self) -> str:
        """The kinds of the jobs, most common first."""
        return _most_common(row.job.kind for row in self.rows)

    @cached_property
    def profiles(self) -> str:
        """The profiles of the jobs, most common first."""
        return _most_common(row.job.key.profile for row in self.rows)

    @property
    def done(self) -> float:
        """The fraction of the jobs that have finished."""
        return sum(count for state, count in self.counts.items() if state in ENDED) / len(self.rows)


def grouped(rows: Iterable[Row], by: GroupBy) -> list[JobGroup]:
    """Return groups of jobs, most urgent first; by reason: errors, most common first, then the other states."""
    found: dict[tuple[str, str, State | None, str], list[Row]] = {}
    name = _NAMES[by]
    for row in rows:
        found.setdefault(name(row), []).append(row)
    groups = [_group(*key, members) for key, members in found.items()]
    if by is GroupBy.REASON:
        return sorted(groups, key=_by_reason)
    return sorted(groups, key=lambda group: (-group.counts.get(FAILED, 0), -len(group.rows), group.name))


def _by_reason(group: JobGroup) -> tuple[int, int, str]:
    place = ALL_STATES.index(group.state) if group.state in ALL_STATES else 0
    return place, -len(group.rows), group.name


def _group(name: str, detail: str, state: State | None, filter_text: str, rows: list[Row]) -> JobGroup:
    rows.sort(key=lambda row: row.rank)
    error = rows[0].job.error
    if state is FAILED and error is not None and error.code:
        detail = one_line(error.message or "", 200)
    moments = [_since_us(row.job) for row in rows]
    counts = Counter(row.category for row in rows)
    detail = "" if detail == name else detail
    return JobGroup(name, detail, state, filter_text, tuple(rows), counts, min(moments), max(moments))


def _reason(row: Row) -> tuple[str, str, State | None, str]:
    state = row.category
    found = fingerprint_of(row.job) if state is FAILED else None
    if found is None and state is FAILED:
        return "failed", "no reason given", state, f'{state_filter(state)} reason=""'
    if found is None:
        return state.word, REASONS.get(state, ""), state, state_filter(state)
    return _failed_with(found.error, found.coded)


@lru_cache(maxsize=256)
def _failed_with(error: str, coded: bool) -> tuple[str, str, State | None, str]:
    # Most of 10,000 failed jobs share a few errors.
    return one_line(error, 80), "", FAILED, group_filter(ErrorGroup(error, coded, 0))


def _kind(row: Row) -> tuple[str, str, State | None, str]:
    return row.job.kind, "", None, f"kind={quoted(row.job.kind)}"


def _profile(row: Row) -> tuple[str, str, State | None, str]:
    return row.job.key.profile, "", None, profile_filter(row.job.key.profile)


def _stage(row: Row) -> tuple[str, str, State | None, str]:
    current = row.job.current_stage
    if current is None:
        return NO_STAGE, "", None, 'stage=""'
    return one_line(current.stage.name, 80), "", None, f"stage={quoted(current.stage.name)}"


def profile_filter(profile: str) -> str:
    """Return the filter for the jobs of a profile."""
    return f"profile={quoted(profile)}"


def batch_filter(batch: str) -> str:
    """Return the filter for the jobs of a batch."""
    return f"batch={quoted(batch)}"


def _batch(row: Row) -> tuple[str, str, State | None, str]:
    batch = row.job.target.batch
    return (batch, "", None, batch_filter(batch)) if batch else (NO_BATCH, "", None, 'batch=""')


_NAMES: Mapping[GroupBy, Callable[[Row], tuple[str, str, State | None, str]]] = {
    GroupBy.REASON: _reason,
    GroupBy.KIND: _kind,
    GroupBy.PROFILE: _profile,
    GroupBy.STAGE: _stage,
    GroupBy.BATCH: _batch,
}


def _since_us(job: Job) -> int:
    """Return when a job got into its state, as far as known, in microseconds since the epoch."""
    if job.terminal and job.ended_us is not None:
        return job.ended_us
    return (job.ended or job.changed or job.added).us


def _most_common(names: Iterable[str]) -> str:
    return ", ".join(name for name, _ in Counter(names).most_common())
