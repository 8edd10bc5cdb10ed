"""The numbers of the README are those that the benchmarks measure, beside the goals that they are held to."""

import pytest
from benchmarks.goal import Goal
from benchmarks.readme import BEGIN, END, NOT_YET, README, goals, rows_of, table, with_numbers

AT_MOST = Goal("a start", 1.3, "×", "a bare app")
AT_LEAST = Goal("polls", 2_000.0, "/s", least=True)


def test_every_row_of_the_readme_is_a_goal_of_a_benchmark_and_every_goal_a_row() -> None:
    text = README.read_text(encoding="utf-8")
    assert list(rows_of(text)) == [(goal.name, goal.text) for goal in goals()], "run `python -m benchmarks --readme`"
    assert "## " not in text.partition(BEGIN)[2], "they are in the last section"
    assert text.partition(END)[2] == "\n"


def test_names_of_goals_are_told_apart() -> None:
    told = [(goal.name, goal.text) for goal in goals()]
    assert len(set(told)) == len(told)
    assert not any("|" in name or "|" in text for name, text in told)


@pytest.mark.parametrize(
    ("goal", "value", "met", "measured"),
    [
        (AT_MOST, 1.3, True, "1.30 ×"),
        (AT_MOST, 1.301, False, "1.30 ×"),
        (AT_LEAST, 2_000.0, True, "2,000 /s"),
        (AT_LEAST, 1_999.9, False, "2,000 /s"),
        (AT_MOST, float("nan"), False, "nan ×"),
    ],
)
def test_a_goal_is_held_by_the_value_as_it_is(goal: Goal, value: float, met: bool, measured: str) -> None:
    found = goal.found(value)
    assert (found.met, found.measured) == (met, measured)
    assert (", missed" in table([found])) is not met


def test_only_what_was_measured_is_written_anew() -> None:
    first, second, *_ = goals()
    text = f"# a\n\n{BEGIN}\n{END}\n"
    text = with_numbers(text, [first.found(first.limit, "first")])
    assert "(first)" in rows_of(text)[first.name, first.text]
    assert rows_of(text)[second.name, second.text] == NOT_YET
    text = with_numbers(text, [second.found(second.limit * 2, "second")])
    assert "(first)" in rows_of(text)[first.name, first.text], "it was not measured this time"
    assert rows_of(text)[second.name, second.text].endswith("(second), missed")
    assert text.startswith("# a\n\n")
    assert text.endswith(f"{END}\n")
