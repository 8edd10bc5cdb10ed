"""The list and the tabs of the selected job in frozen time. Each docstring says what one should see."""

import json
from dataclasses import replace

import pytest

from jobdeck.domain.job import Job
from jobdeck.domain.phase import Phase
from jobdeck.tui.app import JobdeckApp
from tests.snapshots.test_screens import Compare, drawn, frozen
from tests.tui.fake import FakeEngine
from tests.tui.test_pages import FACTS, MOMENTS
from tests.tui.world import NOON, ago, deck_of_every_state

SIZES = [(80, 24), (120, 40), (200, 50)]
"""One for each way the panes are laid out."""


def triage() -> JobdeckApp:
    """Every state; running jobs with an outlook, an acknowledged one, and everything the tabs show of the first."""
    jobs = [with_outlook(one) for one in deck_of_every_state()]
    people = [{"name": "Ada", "title": "CTO", "companyMatchEvidence": "company_page", "score": 0.92}]
    body = {"id": jobs[0].key.id, "status": "failed", "progress": 66, "result": {"data": people, "more": None}}
    jobs[0] = replace(jobs[0], result=json.dumps({"data": people * 30, "meta": {"pages": 3}}), facts=FACTS)
    jobs[4] = replace(jobs[4], acknowledged=True)
    app = frozen(jobs)
    engine = app.deck._session.engine  # type: ignore[attr-defined] - the fake session's
    assert isinstance(engine, FakeEngine)
    first = jobs[0].key
    engine.samples[first] = tuple((NOON.mono - 110 + 8 * step, step / 16) for step in range(11))
    engine.timelines[first] = MOMENTS
    engine.before[first] = replace(jobs[0], status="processing", phase=Phase.RUNNING, progress=0.6, observed=ago(31),
                                   error=None, result=None)  # fmt: skip
    engine.bodies[first] = json.dumps(body).encode()
    return app


def with_outlook(one: Job) -> Job:
    return one if one.terminal or one.observed is None else replace(one, eta=(24.0, 49.0), stall_after=180.0)


@pytest.mark.parametrize("size", SIZES)
def test_the_list_with_outlooks(snap_compare: Compare, size: tuple[int, int]) -> None:
    """What is left as a range, by how much it is over; the acknowledged job last with its sign; a sparkline."""
    assert snap_compare(triage(), terminal_size=size, run_before=drawn())


@pytest.mark.parametrize("size", SIZES)
def test_a_filter_being_typed(snap_compare: Compare, size: tuple[int, int]) -> None:
    """The filter over the headings with its count; only the rows that pass; the first of them selected."""
    assert snap_compare(triage(), terminal_size=size, run_before=drawn("slash", *"!507 run"))


def test_faults_only_sorted_by_kind(snap_compare: Compare) -> None:
    """Five rows in trouble, an arrow at KIND that points up, `faults only 5 of 12`."""
    assert snap_compare(triage(), terminal_size=(80, 24), run_before=drawn("f", "s", "s", "S"))


def test_a_filter_that_nothing_passes(snap_compare: Compare) -> None:
    """What was not understood is said beside the count; how to see all again."""
    assert snap_compare(triage(), terminal_size=(120, 40), run_before=drawn("slash", *"a:b", "enter"))


@pytest.mark.parametrize("size", SIZES)
def test_a_result_as_a_tree(snap_compare: Compare, size: tuple[int, int]) -> None:
    """The target account in words, the tree under it with one row opened and the cursor on it."""
    keys = ("right_square_bracket", "tab", "j", "enter", "j", "enter")
    assert snap_compare(triage(), terminal_size=size, run_before=drawn(*keys))


def test_a_raw_body(snap_compare: Compare) -> None:
    """Keys, texts and numbers in three tones, and the way to the whole."""
    assert snap_compare(triage(), terminal_size=(120, 40), run_before=drawn(*["right_square_bracket"] * 2))


@pytest.mark.parametrize("size", SIZES)
def test_a_timeline(snap_compare: Compare, size: tuple[int, int]) -> None:
    """The newest first; every change with its time and its whole request ID."""
    assert snap_compare(triage(), terminal_size=size, run_before=drawn(*["right_square_bracket"] * 3))


def test_a_difference(snap_compare: Compare) -> None:
    """What the newest change changed: minus and plus, and colour beside them."""
    assert snap_compare(triage(), terminal_size=(120, 40), run_before=drawn(*["right_square_bracket"] * 4))


@pytest.mark.parametrize("theme", ["jobdeck-light", "jobdeck-safe", "jobdeck-safe-light"])
def test_the_list_in_every_other_theme(snap_compare: Compare, theme: str) -> None:
    """The same signs and words; hues that hold on their ground; the result's tree below."""
    app = triage()
    app.theme = theme
    assert snap_compare(app, terminal_size=(120, 40), run_before=drawn("right_square_bracket"))


def test_the_palette(snap_compare: Compare) -> None:
    """Our actions with their keys, and the themes."""
    assert snap_compare(triage(), terminal_size=(80, 24), run_before=drawn("colon", *"the"))


@pytest.mark.parametrize("size", [(60, 20), (40, 12)])
def test_narrow_terminals(snap_compare: Compare, size: tuple[int, int]) -> None:
    """State, name, age and as much more as there is room for; the tabs as far as they go."""
    assert snap_compare(triage(), terminal_size=size, run_before=drawn())
