from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from jobdeck.domain.attention import attention
from jobdeck.domain.job import Job
from jobdeck.domain.phase import Phase
from jobdeck.tui.job_table import JobTable
from jobdeck.tui.render.state import ALL_STATES, FAILED, NEW, RUNNING, UNREACHABLE
from tests.tui.world import NOON, ago, deck_of_every_state, job, key, problem


def filled(*jobs: Job) -> JobTable:
    model = JobTable()
    model.update(jobs, (), NOON)
    return model


def shown(model: JobTable) -> list[str]:
    return [row.job.key.id for row in (model.row_at(index) for index in range(len(model)))]


def test_rows_are_in_the_order_of_need() -> None:
    model = filled(*deck_of_every_state())
    needs = [attention(model.row_at(index).job) for index in range(len(model))]
    assert needs == sorted(needs)


def test_a_row_whose_need_stays_keeps_its_place_however_often_it_changes() -> None:
    model = filled(*(job(f"op_{number}") for number in range(5)))
    before = shown(model)
    moved = replace(job("op_4"), progress=0.9, changed=NOON, version=7)
    delta = model.update([moved], (), NOON)
    assert (shown(model), delta.moved, delta.changed) == (before, False, {key("op_4")})


def test_a_row_that_fails_goes_to_the_top() -> None:
    model = filled(*(job(f"op_{number}") for number in range(5)))
    delta = model.update([job("op_3", Phase.FAILED, version=2)], (), NOON)
    assert delta.moved
    assert shown(model)[0] == "op_3"


def test_the_last_to_fail_comes_first() -> None:
    model = filled(job("op_a", Phase.FAILED, ended=ago(50)), job("op_b", Phase.FAILED, ended=ago(5)))
    assert shown(model) == ["op_b", "op_a"]


def test_the_same_job_again_changes_nothing() -> None:
    model = filled(job("op_a"))
    stamp = model.row_at(0).revision
    assert not model.update([job("op_a")], (), NOON).changed
    assert model.row_at(0).revision == stamp


def test_a_job_that_comes_back_is_a_new_row() -> None:
    model = filled(job("op_a"))
    stamp = model.row_at(0).revision
    model.update((), [key("op_a")], NOON)
    assert len(model) == 0
    model.update([job("op_a")], (), NOON)
    assert model.row_at(0).revision != stamp


def test_counts_follow_every_change() -> None:
    model = filled(job("op_a"), job("op_b"), Job(target=job("op_c").target, added=NOON))
    assert {state: count for state, count in model.counts.items() if count} == {RUNNING: 2, NEW: 1}
    model.update([job("op_a", Phase.FAILED, version=2)], [key("op_c")], NOON)
    assert {state: count for state, count in model.counts.items() if count} == {RUNNING: 1, FAILED: 1}


def test_a_filter_hides_rows_and_counts_them_all_the_same() -> None:
    model = filled(*deck_of_every_state())
    model.set_filter(lambda row, _: row.job.phase is Phase.FAILED, NOON)
    assert len(model) == 1
    assert model.total == 12
    model.update([job("op_new", Phase.FAILED), job("op_other")], (), NOON)
    assert len(model) == 2
    assert model.index(key("op_other")) is None
    model.set_filter(None, NOON)
    assert len(model) == 14


def test_a_profile_is_known_by_how_much_of_it_is_seen() -> None:
    dark = {"failures": 2, "problem": problem()}
    model = filled(job("op_a", **dark), job("op_b"), job("507f", profile="sonarly", **dark))
    visibility = model.visibility()
    assert (visibility["hog"].open, visibility["hog"].unreachable_jobs) == (2, 1)
    assert (visibility["sonarly"].open, visibility["sonarly"].unreachable_jobs) == (1, 1)
    assert model.counts[UNREACHABLE] == 2


@given(st.lists(st.tuples(st.integers(0, 30), st.sampled_from([*Phase, None])), max_size=400))
def test_the_order_is_the_same_as_sorting_anew(steps: list[tuple[int, Phase | None]]) -> None:
    model = JobTable()
    for version, (number, phase) in enumerate(steps):
        if phase is None:
            model.update((), [key(f"op_{number}")], NOON)
        else:
            model.update([job(f"op_{number}", phase, version=version + 1)], (), NOON)
    ranks = [model.row_at(index).rank for index in range(len(model))]
    assert ranks == sorted(row.rank for row in model.rows())
    assert [model.index(row.job.key) for row in (model.row_at(i) for i in range(len(model)))] == list(range(len(model)))
    assert sum(model.counts[state] for state in ALL_STATES) == model.total
