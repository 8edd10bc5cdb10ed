from dataclasses import replace

import pytest

from jobdeck.domain.attention import Attention, attention, rank, stalled
from jobdeck.domain.instant import Instant
from jobdeck.domain.job import Job
from jobdeck.domain.phase import Phase
from jobdeck.domain.problem import Problem, ProblemKind
from jobdeck.domain.transitions import apply_failure, apply_observation
from tests.builders import START, make_exchange, make_job, make_observation


def seen(phase: Phase, id_: str = "op_1", at: Instant = START) -> Job:
    return apply_observation(make_job(id_), make_observation(phase, id_=id_), make_exchange(at), at)[0]


def failing(job: Job, times: int) -> Job:
    problem = Problem(ProblemKind.NETWORK, "no route")
    for _ in range(times):
        job, _ = apply_failure(job, make_exchange(START, problem), problem, START)
    return job


@pytest.mark.parametrize(
    ("job", "expected"),
    [
        (seen(Phase.FAILED), Attention.FAILED),
        (seen(Phase.PARTIAL), Attention.PARTIAL),
        (seen(Phase.RUNNING), Attention.RUNNING),
        (seen(Phase.UNKNOWN), Attention.RUNNING),
        (seen(Phase.QUEUED), Attention.QUEUED),
        (seen(Phase.SUCCEEDED), Attention.DONE),
        (seen(Phase.CANCELLED), Attention.DONE),
        (make_job(), Attention.QUEUED),
        (failing(make_job(), 1), Attention.UNREACHABLE),
        (failing(seen(Phase.RUNNING), 1), Attention.RUNNING),
        (failing(seen(Phase.RUNNING), 2), Attention.UNREACHABLE),
        (failing(seen(Phase.FAILED), 9), Attention.FAILED),
        (failing(seen(Phase.SUCCEEDED), 9), Attention.DONE),
    ],
)
def test_attention_follows_state_and_sight(job: Job, expected: Attention) -> None:
    assert attention(job) is expected


def test_a_job_is_stalled_when_we_see_it_and_it_does_not_move() -> None:
    job = replace(seen(Phase.RUNNING), stall_after=540.0)
    late = START.later(541)
    job, _ = apply_observation(job, make_observation(Phase.RUNNING), make_exchange(late), late)
    assert stalled(job)
    assert attention(job) is Attention.STALLED


def test_nothing_is_unusual_of_a_kind_of_which_nobody_knows_how_long_it_takes() -> None:
    late = START.later(100_000)
    job, _ = apply_observation(seen(Phase.RUNNING), make_observation(Phase.RUNNING), make_exchange(late), late)
    assert job.stall_after is None
    assert not stalled(job)
    assert attention(job) is Attention.RUNNING


def test_a_list_that_tells_no_progress_cannot_tell_that_there_was_none() -> None:
    late, later = START.later(541), START.later(600)
    row = replace(make_observation(Phase.RUNNING), whole=False)
    job, _ = apply_observation(replace(seen(Phase.RUNNING), stall_after=540.0), row, make_exchange(late), late)
    assert not stalled(job)
    job, _ = apply_observation(job, make_observation(Phase.RUNNING), make_exchange(later), later)
    assert stalled(job)


HOUR_US = 3_600_000_000


@pytest.mark.parametrize(
    ("created", "updated", "date", "expected"),
    [
        (START.us - 2 * HOUR_US, START.us - HOUR_US, None, True),
        (START.us - 2 * HOUR_US, START.us - 60_000_000, None, False),
        # An hour behind ours, that clock says of now what ours says of an hour ago.
        (START.us - 3 * HOUR_US, START.us - HOUR_US, START.us - HOUR_US, False),
        (START.us - 3 * HOUR_US, START.us - 2 * HOUR_US, START.us - HOUR_US, True),
        (START.us - HOUR_US, START.us + HOUR_US, None, False),
        (START.us - HOUR_US, START.us - HOUR_US, None, False),
        (START.us - HOUR_US, 0, None, False),
        (START.us - 2 * HOUR_US, START.us - 60_000_000, START.us + 9_000 * HOUR_US, False),
        (None, None, None, False),
    ],
)
def test_a_job_that_stood_still_before_we_looked_is_stalled_at_the_first_whole_look(
    created: int | None, updated: int | None, date: int | None, expected: bool
) -> None:
    told = replace(make_observation(Phase.RUNNING), kind="prospecting", created_us=created, updated_us=updated)
    asked = replace(make_exchange(), date_us=date)
    job = replace(make_job(), stall_after=1_800.0)
    row, _ = apply_observation(job, replace(told, whole=False), asked, START)
    assert not stalled(row)
    whole, _ = apply_observation(row, told, asked, START.later(1))
    assert stalled(whole) is expected


def test_a_job_that_we_cannot_see_is_not_called_stalled() -> None:
    assert not stalled(replace(seen(Phase.RUNNING), stall_after=180.0))


def test_the_order_of_need_puts_the_newest_change_first_within_a_class() -> None:
    old, new = seen(Phase.FAILED, "op_old"), seen(Phase.FAILED, "op_new", START.later(9))
    running, done = seen(Phase.RUNNING, "op_run"), seen(Phase.SUCCEEDED, "op_done")
    ordered = sorted([done, running, old, new], key=lambda job: rank(job, None, 0))
    assert [job.key.id for job in ordered] == ["op_new", "op_old", "op_run", "op_done"]
