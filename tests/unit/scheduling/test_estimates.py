import json
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobdeck.domain.phase import Phase
from jobdeck.scheduling.actions import ActionResult, JobUpdate, Poll
from jobdeck.scheduling.bucket import Limit, LimitSource
from jobdeck.scheduling.estimates import ANY_KIND, MAX_SAMPLES, SAMPLES_FOR_ETA, Durations, Estimates
from jobdeck.scheduling.scheduler import Scheduler
from tests.builders import TYPICAL, make_scheduler
from tests.unit.scheduling.world import job_key, scheduler, send


def test_a_quantile_is_that_of_the_newest_durations() -> None:
    chance = random.Random(0)
    values = [chance.lognormvariate(4.0, 0.7) for _ in range(MAX_SAMPLES)]
    durations = Durations([1e6] * 20)
    for value in values:
        durations.add(value)
    assert durations.count == MAX_SAMPLES
    for share in (0.1, 0.5, 0.9, 0.99):
        assert durations.quantile(share) == pytest.approx(sorted(values)[int(share * MAX_SAMPLES)], rel=0.05)
    assert durations.quantile(0.0, above=durations.quantile(0.5) or 0.0) == pytest.approx(
        sorted(values)[MAX_SAMPLES // 2], rel=0.05
    )
    assert durations.quantile(0.5, above=1e9) is None


@given(st.lists(st.floats(allow_nan=True, allow_infinity=True)))
def test_what_was_learnt_survives_being_kept_as_json(values: list[float]) -> None:
    estimates = Estimates(typical=TYPICAL)
    for value in values:
        estimates.add_sample("search", value)
    again = Estimates(json.loads(json.dumps(estimates.export())), TYPICAL)
    assert again.export() == estimates.export()
    assert again.typical("search") == estimates.typical("search")


@pytest.mark.parametrize("data", [{"search": 1}, {"search": {"x": 1}}, {"search": [None, "x", float("nan")]}])
def test_what_is_not_understood_is_left_out(data: dict[str, object]) -> None:
    assert Estimates(data, TYPICAL).typical("search") == 60.0


def test_there_is_no_eta_below_five_samples_and_a_range_from_then_on() -> None:
    estimates = Estimates(typical=TYPICAL)
    for number in range(SAMPLES_FOR_ETA):
        assert estimates.eta("search", 0.0, None) is None
        estimates.add_sample("search", 50.0 + number)
    told = estimates.eta("search", 10.0, None)
    assert told is not None
    assert 30 < told[0] <= told[1] < 60
    over = estimates.eta("search", 500.0, None)
    assert over is not None
    assert over[0] == 0.0
    assert -450 < over[1] < -440, "time over the longest similar job"
    halfway = estimates.eta("search", 40.0, 0.5)
    assert halfway is not None
    assert halfway[0] < 40.0 < halfway[1]


def test_what_took_longer_than_most_is_compared_with_what_took_as_long() -> None:
    estimates = Estimates(typical=TYPICAL)
    for number in range(100):
        estimates.add_sample("search", 10.0 if number < 90 else 100.0)
    told = estimates.eta("search", 30.0, None)
    assert told is not None
    assert 60 < told[0] <= told[1] < 80


def test_a_stall_is_longer_than_99_of_100_jobs_took_with_slack_while_few_are_known() -> None:
    estimates = Estimates(typical=TYPICAL)
    assert estimates.stall_after("search") == 3 * 60.0
    for _ in range(5):
        estimates.add_sample("search", 40.0)
    assert 2.8 * 40 < (estimates.stall_after("search") or 0.0) < 3.2 * 40
    for number in range(200):
        estimates.add_sample("search", 10.0 if number < 199 else 900.0)
    assert 35 < (estimates.stall_after("search") or 0.0) < 45, (
        "the slowest of 205 is not what is usual, the next slowest are"
    )


def test_without_a_word_of_the_page_or_five_ends_there_is_no_stall() -> None:
    estimates = Estimates(typical={})
    for _ in range(SAMPLES_FOR_ETA):
        for kind in ("operation", "CI"):
            assert estimates.stall_after(kind) is None, "a kind of another API has the same name"
            assert estimates.stall_after(kind, "build") is None
            estimates.add_sample(kind, 7_200.0)
    assert (estimates.stall_after("CI") or 0.0) > 2 * 7_200
    assert (estimates.stall_after("CI", "build") or 0.0) > 2 * 7_200, "no stage takes longer than its job"


def test_what_the_page_says_holds_for_all_kinds_that_it_does_not_name() -> None:
    estimates = Estimates(typical={"short": 10.0, ANY_KIND: 3_600.0})
    assert estimates.stall_after("short") == 30.0
    assert estimates.stall_after("CI", "build") == 3 * 3_600.0
    assert estimates.typical("CI") == 3_600.0


def test_a_job_that_ran_when_it_was_found_teaches_nobody_when_to_call_one_stalled() -> None:
    tested = Scheduler(Limit(600, LimitSource.CONFIGURED), random.Random(0), typical={})
    for number in range(8):
        key = job_key(number)
        tested.add(key, "CI", 100.0 * number)
        for at, over in ((0.0, False), (20.0, True)):
            phase = Phase.SUCCEEDED if over else Phase.RUNNING
            look(tested, 100.0 * number + at, JobUpdate(key, "CI", over, None, over, phase=phase))
    key = job_key("a")
    tested.add(key, "CI", 1_000.0)
    assert look(tested, 1_000.0, JobUpdate(key, "CI", terminal=False, progress=None, changed=True)) is None
    assert tested.stall_after(key) is None
    assert tested.export_estimates() == {}


def test_progress_says_more_than_the_clock() -> None:
    estimates = Estimates(typical=TYPICAL)
    assert estimates.remaining("operation", 60.0, 0.9) < 10
    assert estimates.remaining("operation", 60.0, 0.1) > 100
    assert estimates.remaining("operation", 600.0, None) == 300.0


def taught(*names: str) -> dict[str, dict[str, float]]:
    estimates = Estimates(typical=TYPICAL)
    for name in names:
        kind, _, stage = name.partition("/")
        for _ in range(SAMPLES_FOR_ETA):
            estimates.add_sample(kind, {"": 100.0, "import": 30.0}.get(stage, 70.0), stage or None)
    return estimates.export()


def knowing(learnt: dict[str, dict[str, float]]) -> Scheduler:
    return make_scheduler(Limit(600, LimitSource.CONFIGURED), random.Random(0), estimates=learnt)


def look(tested: Scheduler, at: float, seen: JobUpdate) -> tuple[float, float] | None:
    tested.poll_now(seen.key, at)
    tested.on_result(at, send(tested, at), ActionResult(updates=(seen,)))
    return tested.eta(seen.key, at)


def test_the_progress_of_a_stage_is_not_that_of_the_job() -> None:
    importing = (("import", 0.9), ("enrichment", 0.0))
    for learnt, least, most in (
        (taught("prospecting", "prospecting/import", "prospecting/enrichment"), 50, 110),
        (taught("prospecting", "prospecting/import"), 69, 74),
    ):
        tested = knowing(learnt)
        key = job_key("a")
        tested.add(key, "prospecting", 0.0)
        seen = JobUpdate(
            key,
            "prospecting",
            terminal=False,
            progress=None,
            changed=True,
            elapsed=27.0,
            stage="import",
            stages=importing,
        )
        told = look(tested, 27.0, seen)
        assert told is not None
        assert least < told[0] <= told[1] < most


def test_a_stage_that_goes_on_untracked_is_not_extrapolated() -> None:
    estimates = Estimates(taught("prospecting/import", "prospecting/enrichment"))
    stages = (("import", 1.0), ("enrichment", None))
    assert estimates.completed_fraction("prospecting", stages, guess=False) is None
    assert estimates.completed_fraction("prospecting", stages, guess=True) == pytest.approx(0.3, abs=0.03)
    assert Estimates(typical=TYPICAL).completed_fraction("prospecting", stages, guess=True) == 0.5
    assert estimates.completed_fraction("prospecting", (), guess=True) is None


def test_of_a_job_found_half_done_its_pace_is_told_not_the_time_since_it_was_found() -> None:
    tested = knowing(taught("operation"))
    key = job_key("a")
    tested.add(key, "operation", 0.0)
    assert look(tested, 1.0, JobUpdate(key, "operation", terminal=False, progress=0.5, changed=True)) is None
    assert look(tested, 20.0, JobUpdate(key, "operation", terminal=False, progress=0.55, changed=True)) is None
    told = look(tested, 45.0, JobUpdate(key, "operation", terminal=False, progress=0.61, changed=True))
    assert told is not None
    assert 120 < told[0] < 160 < told[1] < 200, "eleven percent took 44 seconds, 39 are left"


def test_a_job_without_progress_whose_beginning_nobody_told_may_end_any_moment() -> None:
    tested = knowing(taught("operation"))
    key = job_key("a")
    tested.add(key, "operation", 0.0)
    told = look(tested, 1.0, JobUpdate(key, "operation", terminal=False, progress=None, changed=True))
    assert told is not None
    assert told[0] == 0.0
    assert 90 < told[1] < 110


def test_a_scheduler_learns_from_ends_and_hands_it_on() -> None:
    tested = scheduler(600)
    for name in range(6):
        key = job_key(name)
        tested.add(key, "search", 100.0 * name)
        for at, over in ((0.0, False), (40.0, True)):
            tested.poll_now(key, 100.0 * name + at)
            action = send(tested, 100.0 * name + at)
            assert action == Poll(key)
            phase = Phase.SUCCEEDED if over else Phase.QUEUED
            tested.on_result(
                100.0 * name + at,
                action,
                ActionResult(updates=(JobUpdate(key, "search", over, None, over, phase=phase),)),
            )
    kept = tested.export_estimates()
    assert len(kept["search"]) == 6
    assert tested.eta(job_key(0), 700.0) is None


def test_a_failure_teaches_no_duration() -> None:
    tested = scheduler(600)
    key = job_key("a")
    tested.add(key, "search", 0.0)
    action = send(tested, 0.0)
    tested.on_result(
        0.1, action, ActionResult(updates=(JobUpdate(key, "search", terminal=False, progress=None, changed=True),))
    )
    tested.poll_now(key, 5.0)
    action = send(tested, 5.0)
    failed = JobUpdate(key, "search", terminal=True, progress=None, changed=True, phase=Phase.FAILED)
    tested.on_result(5.1, action, ActionResult(updates=(failed,)))
    assert tested.export_estimates() == {}


def test_a_job_without_change_for_much_longer_than_its_kind_is_stalled() -> None:
    tested = scheduler(600)
    key = job_key("a")
    tested.add(key, "enrichment", 0.0)
    action = send(tested, 0.0)
    tested.on_result(
        0.1, action, ActionResult(updates=(JobUpdate(key, "enrichment", terminal=False, progress=0.3, changed=True),))
    )
    stall_after = tested.stall_after(key)
    assert stall_after is not None
    assert 50.0 < stall_after < 70.0
