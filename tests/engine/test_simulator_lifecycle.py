from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobdeck.simulator.lifecycle import JobState, SimulatedJobs, State, state_at
from jobdeck.simulator.scenario import Api, JobScript, Outcome, Resource, Scenario, StageScript, Stall
from tests.simulator_fixture import START
from tests.support.clocks import EpochClock


def seen(script: JobScript, now: float, cancelled: float | None = None) -> JobState:
    state = state_at(script, now, cancelled)
    assert state is not None
    return state


def prospecting(**changes: object) -> JobScript:
    stages = (StageScript("import", share=1.0), StageScript("enrichment", share=3.0))
    fields = {"api": Api.SONARLY, "resource": Resource.PROSPECTING, "duration": 40.0, "stages": stages} | changes
    return JobScript(**fields)  # type: ignore[arg-type]


def test_a_job_is_queued_then_works_then_ends() -> None:
    script = JobScript(arrival=10.0, queued_for=5.0, duration=20.0)
    assert state_at(script, 9.99) is None
    assert seen(script, 10.0).state is State.QUEUED
    assert seen(script, 25.0) == JobState(script, State.RUNNING, 0.5, (), created=10.0, updated=25.0)
    assert seen(script, 35.0) == JobState(script, State.SUCCEEDED, 1.0, (), created=10.0, updated=35.0, ended=35.0)
    assert seen(script, 1e6) == seen(script, 35.0)


def test_progress_is_written_down_now_and_then_and_stays_in_between() -> None:
    script = JobScript(duration=20.0, update_every=4.0)
    assert seen(script, 7.9) == seen(script, 4.0)
    assert seen(script, 8.0).done == 0.4


def test_a_lost_job_cannot_be_found_any_more() -> None:
    script = JobScript(arrival=-5.0, lost_after=10.0)
    assert seen(script, 4.9).state is State.RUNNING
    assert state_at(script, 5.0) is None


def test_a_stall_freezes_progress_and_delays_the_end() -> None:
    script = JobScript(duration=10.0, stall=Stall(at=0.5, seconds=30.0))
    assert seen(script, 6.0).done == seen(script, 34.0).done == 0.5
    assert seen(script, 34.0).updated == 5.0
    assert seen(script, 36.0).done == pytest.approx(0.6)
    assert seen(script, 40.0).state is State.SUCCEEDED


def test_a_stall_for_good_and_a_job_that_never_ends_go_on_for_ever() -> None:
    stalled = seen(JobScript(duration=10.0, stall=Stall(at=0.31)), 1e6)
    assert (stalled.state, stalled.done) == (State.RUNNING, 0.31)
    never = JobScript(duration=10.0, outcome=Outcome.NEVER)
    assert seen(never, 10.0).done < seen(never, 30.0).done < 1.0
    assert seen(never, 1e6).state is State.RUNNING


def test_stages_follow_each_other_by_their_shares() -> None:
    half = seen(prospecting(), 20.0)
    assert [(stage.name, stage.state) for stage in half.stages] == [
        ("import", State.SUCCEEDED),
        ("enrichment", State.RUNNING),
    ]
    assert [stage.done for stage in half.stages] == [1.0, pytest.approx(1 / 3)]
    assert [stage.state for stage in seen(prospecting(), 5.0).stages] == [State.RUNNING, State.QUEUED]
    assert [stage.state for stage in seen(prospecting(), 40.0).stages] == [State.SUCCEEDED, State.SUCCEEDED]


@pytest.mark.parametrize(
    ("outcome", "stops_at", "states"),
    [
        (Outcome.FAILED, 0.1, [State.FAILED, State.QUEUED]),
        (Outcome.FAILED, 0.5, [State.SUCCEEDED, State.FAILED]),
        (Outcome.FAILED, 1.0, [State.SUCCEEDED, State.FAILED]),
        (Outcome.CANCELLED, 0.1, [State.CANCELLED, State.CANCELLED]),
        (Outcome.CANCELLED, 0.5, [State.SUCCEEDED, State.CANCELLED]),
    ],
)
def test_the_stage_that_was_under_way_takes_the_outcome(outcome: Outcome, stops_at: float, states: list[State]) -> None:
    ended = seen(prospecting(outcome=outcome, stops_at=stops_at), 40.0)
    assert [stage.state for stage in ended.stages] == states
    assert ended.done == stops_at


def test_cancelling_keeps_the_progress_and_spares_a_job_that_has_ended() -> None:
    script = prospecting()
    cancelled = seen(script, 30.0, cancelled=20.0)
    assert (cancelled.state, cancelled.done, cancelled.ended) == (State.CANCELLED, 0.5, 20.0)
    assert seen(script, 19.0, cancelled=20.0).state is State.RUNNING
    assert seen(script, 60.0, cancelled=50.0).state is State.SUCCEEDED


@given(
    st.floats(0.1, 500),
    st.floats(0, 60),
    st.sampled_from(Outcome),
    st.one_of(st.none(), st.builds(Stall, st.floats(0, 1), st.one_of(st.none(), st.floats(0, 100)))),
    st.lists(st.floats(-10, 2_000), min_size=2, max_size=8),
)
def test_time_never_takes_anything_back(
    duration: float, queued_for: float, outcome: Outcome, stall: Stall | None, moments: list[float]
) -> None:
    if outcome is Outcome.PARTIAL_SUCCESS:
        outcome = Outcome.COMPLETED
    script = prospecting(duration=duration, queued_for=queued_for, outcome=outcome, stall=stall)
    states = [state for now in sorted(moments) if (state := state_at(script, now)) is not None]
    for before, after in pairwise(states):
        assert before.done <= after.done + 1e-9
        assert before.updated <= after.updated + 1e-9
        assert not before.state.ended or before == after
    for state in states:
        assert 0 <= state.done <= 1
        assert all(0 <= stage.done <= 1 for stage in state.stages)


def test_speed_shortens_jobs_by_every_clock_a_client_has() -> None:
    clock = EpochClock(START)
    world = SimulatedJobs(Scenario(speed=10.0, jobs=(JobScript(id="op_a", arrival=-20.0, duration=60.0),)), clock)
    state = world.find(Api.THEHOG, "op_a")
    assert state is not None
    assert world.iso(state.created) == "2025-06-15T15:06:38.000Z"
    clock.advance(4.0)
    ended = world.find(Api.THEHOG, "op_a")
    assert ended is not None
    assert ended.ended is not None
    assert world.iso(ended.ended) == "2025-06-15T15:06:44.000Z"
    assert clock.now == START + 4
