from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from jobdeck.domain.phase import Phase
from jobdeck.tui.job_filter import RESORT_SECONDS, ListFilter
from jobdeck.tui.job_table import JobTable, Order
from jobdeck.tui.render.columns import Name
from jobdeck.tui.render.spans import plain
from tests.tui.world import NOON, ago, deck_of_every_state, job, key


def filled(*jobs: object) -> JobTable:
    model = JobTable()
    model.update(jobs, (), NOON)  # type: ignore[arg-type] - jobs
    return model


def shown(model: JobTable) -> list[str]:
    return [row.job.key.id for row in (model.row_at(index) for index in range(len(model)))]


@given(st.sampled_from(Name), st.booleans())
def test_every_order_keeps_every_row_and_finds_it_again(by: Name, reverse: bool) -> None:
    model = filled(*deck_of_every_state())
    ListFilter(model).sort(Order(by, reverse), NOON)
    keys = [model.row_at(index).job.key for index in range(len(model))]
    assert sorted(keys) == sorted(one.key for one in deck_of_every_state())
    assert [model.index(one) for one in keys] == list(range(len(keys)))


def test_the_other_way_round_leaves_those_without_a_value_last() -> None:
    model = filled(job("op_a", progress=0.2), job("op_b"), job("op_c", progress=0.8))
    triage = ListFilter(model)
    triage.sort(Order(Name.PROGRESS), NOON)
    assert shown(model) == ["op_c", "op_a", "op_b"]
    triage.sort_by(Name.PROGRESS, NOON)
    assert shown(model) == ["op_a", "op_c", "op_b"]


def test_names_are_sorted_by_letters_and_turned_round() -> None:
    model = filled(job("op_ab"), job("op_a"), job("op_b"))
    triage = ListFilter(model)
    triage.sort(Order(Name.JOB), NOON)
    assert shown(model) == ["op_a", "op_ab", "op_b"]
    triage.sort(Order(Name.JOB, reverse=True), NOON)
    assert shown(model) == ["op_b", "op_ab", "op_a"]


def test_the_longest_the_soonest_and_the_oldest_come_first() -> None:
    old = job("op_old", created_us=ago(900).us, eta=(60.0, 90.0), observed=ago(1))
    new = job("op_new", created_us=ago(10).us, eta=(5.0, 9.0), observed=ago(50))
    model = filled(old, new)
    triage = ListFilter(model)
    for column, first in ((Name.ELAPSED, "op_old"), (Name.ETA, "op_new"), (Name.UPDATED, "op_new")):
        triage.sort(Order(column), NOON)
        assert shown(model)[0] == first


def test_in_an_order_that_moves_rows_stay_until_it_is_time_to_settle() -> None:
    model = filled(job("op_a", progress=0.2), job("op_b", progress=0.8))
    triage = ListFilter(model)
    triage.sort(Order(Name.PROGRESS), NOON)
    model.update([job("op_a", progress=0.9, version=2)], (), NOON)
    assert shown(model) == ["op_b", "op_a"]
    assert not triage.tick(NOON.later(1))
    assert triage.tick(NOON.later(RESORT_SECONDS))
    assert shown(model) == ["op_a", "op_b"]


def test_the_next_column_is_the_one_to_the_right_and_then_the_first() -> None:
    triage = ListFilter(model := filled(job("op_a")))
    for expected in (Name.JOB, Name.UPDATED, Name.STATE):
        triage.sort_by_next((Name.STATE, Name.JOB, Name.UPDATED), NOON)
        assert model.order == Order(expected)


def test_what_a_person_acknowledged_sinks_below_all_and_comes_back() -> None:
    failed = job("op_bad", Phase.FAILED)
    model = filled(failed, job("op_done", Phase.SUCCEEDED), job("op_run"))
    model.update([replace(failed, acknowledged=True, version=2)], (), NOON)
    assert shown(model) == ["op_run", "op_done", "op_bad"]
    model.update([replace(failed, version=3)], (), NOON)
    assert shown(model)[0] == "op_bad"


def test_faults_are_what_a_person_should_look_into() -> None:
    triage = ListFilter(model := filled(*deck_of_every_state()))
    triage.toggle_problems(NOON)
    assert [model.row_at(index).category.word for index in range(len(model))] == [
        "failed", "stalled", "unreachable", "not found", "partial",
    ]  # fmt: skip
    assert plain(triage.summary()).startswith("problems only  5 of 12")
    triage.toggle_problems(NOON)
    assert len(model) == 12


def test_a_filter_by_age_lets_rows_in_as_time_passes() -> None:
    triage = ListFilter(model := filled(job("op_a", observed=ago(4)), job("op_b", observed=ago(40))))
    triage.set_filter("age>30s", NOON)
    assert shown(model) == ["op_b"]
    assert triage.tick(NOON.later(27))
    assert len(model) == 2


def test_a_row_that_begins_to_pass_comes_in_and_one_that_stops_goes() -> None:
    triage = ListFilter(model := filled(job("op_a"), job("op_b", Phase.FAILED)))
    triage.set_filter("phase:failed", NOON)
    model.update([job("op_a", Phase.FAILED, version=2)], [key("op_b")], NOON)
    assert shown(model) == ["op_a"]
    assert model.total == 1
    triage.clear(NOON)
    assert not triage.is_filtered
