"""Finding and filtering: shortened IDs, what was typed before, what is likely meant, and views that are kept."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from textual.widgets import Input

from jobdeck.app.session import Preference
from jobdeck.domain.job import JobError
from jobdeck.domain.phase import Phase
from jobdeck.tui.cell_text import ShortIds
from jobdeck.tui.filter_input import MOST, FilterHistory, FilterSuggester
from jobdeck.tui.job_table import JobTable, Order
from jobdeck.tui.render.columns import Name
from jobdeck.tui.screens.views import ViewsScreen
from jobdeck.tui.views import View, parse_views, views_text
from tests.tui.drive import Driven, driven, toasts
from tests.tui.fake import FakeEngine, FakeSession
from tests.tui.test_filter import passing
from tests.tui.world import NOON, clock_at_noon, deck_of_every_state, job

DECK = deck_of_every_state()
LIMITED = JobError("RATE_LIMITED", "slow down")


def shown(run: Driven) -> set[str]:
    table = run.app.deck.deck_state.table
    return {one.id for one in table.keys(0, len(table))}


@pytest.mark.parametrize("width", [10, 16, 20])
def test_an_id_as_the_list_shows_it_finds_its_job(width: int) -> None:
    names = ShortIds(width)
    for one in DECK:
        name = names.of(one.key)
        assert one in passing(name)
        assert one in passing(f"id:{name}")
        assert len(passing(name)) < len(DECK)
    assert passing("op_01HZ9K2…S0T") == DECK[:1]
    assert passing("!op_01HZ9K2…S0T") == DECK[1:]


@given(st.lists(st.text(max_size=30), max_size=60))
def test_the_history_goes_back_and_forth_through_what_was_used(texts: list[str]) -> None:
    history = FilterHistory()
    kept = [text for text in texts if history.add(text)]
    newest_first = list(dict.fromkeys(reversed(kept)))[:MOST]
    again = FilterHistory()
    again.restore(history.text)
    assert [again.older("typed") for _ in newest_first] == newest_first
    assert again.older("typed") is None
    if newest_first:
        assert [again.newer() for _ in newest_first] == [*reversed(newest_first[:-1]), "typed"]
    assert again.newer() is None


@pytest.mark.parametrize("text", ["", "{", "3", "[1, null]", '["' + "x" * 600 + '"]'])
def test_what_is_no_history_and_no_view_is_passed_over(text: str) -> None:
    history = FilterHistory()
    history.restore(text)
    assert history.older("") is None
    assert parse_views(text) == parse_views(f"[{text}]" if text else "") == ()


async def test_what_is_likely_meant_is_suggested() -> None:
    table = JobTable()
    theirs = job("op_y")
    theirs = replace(theirs, target=replace(theirs.target, watched_by=("bernadette", "ann")))
    table.update([*DECK, job("op_x", Phase.FAILED, error=LIMITED), theirs], (), NOON)
    suggester = FilterSuggester(table.rows)
    for typed, meant in (
        ("st", "state:"),
        ("x pro", "x profile:"),
        ("!ag", "!age>"),
        ("state:fa", "state:failed"),
        ("phase:failed,part", "phase:failed,partial"),
        ("error:UPST", "error:UPSTREAM_TIMEOUT"),
        ("reason:rate_l", "reason:RATE_LIMITED"),
        ("kind:dee", None),
        ("!wh", "!who:"),
        ("who:ann,b", "who:ann,bernadette"),
        ("s", None),
        ("zz", None),
        ("age>3", None),
        ('error="a st', 'error="a state:'),
        ("", None),
    ):
        assert await suggester.get_suggestion(typed) == meant, typed


async def test_filters_come_back_by_a_key_in_this_run_and_the_next_and_no_key_is_kept() -> None:
    async with driven(DECK, size=(120, 30)) as run:
        box = run.app.deck.query_one("#filter", Input)
        await run.press("slash", *"failed", "enter", "slash", *["backspace"] * 6, *"state:runn", "right", "enter")
        assert box.value == "state:running"
        await run.press("escape", "slash", "up", "up")
        assert box.value == "failed"
        await run.press("down")
        assert box.value == "state:running"
        await run.press("enter", "slash", *["backspace"] * 20, *"sk_live_0123456789abcdef0123456789", "enter")
        kept = run.session.preferences[Preference.FILTERS]
        assert kept == '["failed", "state:running"]'
    session = FakeSession(FakeEngine(clock_at_noon(), DECK))
    session.preferences = {Preference.FILTERS: kept}
    async with driven(session=session) as run:
        await run.press("slash", "up")
        assert run.app.deck.query_one("#filter", Input).value == "state:running"


async def test_a_message_has_the_room_it_needs() -> None:
    async with driven(DECK) as run:
        await run.press("slash", *"phase:bogus")
        await run.shows("unknown state bogus: use failed, stalled")
        assert "phase:bogus" in run.text


async def test_a_view_is_saved_shown_by_its_number_kept_and_removed() -> None:
    async with driven(DECK, size=(120, 30)) as run:
        await run.press("v")
        await run.shows("No views yet.")
        await run.press("1")
        assert toasts(run.app) == ["no view 1"]
        await run.press("escape", "s", "f", "slash", *"op_", "enter", "v", "s", *"my errors", "enter")
        await run.shows("1  my errors")
        view = View("my errors", "op_", True, "JOB")
        assert parse_views(run.session.preferences[Preference.VIEWS]) == (view,)
        await run.press("escape", "escape", "f", "f", "s")
        assert len(shown(run)) == len(DECK)
        await run.press("v", "1")
        await run.until(lambda: run.app.screen is run.app.deck)
        assert shown(run) == {one.key.id for one in passing("op_") if one.key.id in shown(run)}
        assert run.app.deck.deck_state.table.order == Order(Name.JOB)
        await run.shows("problems only")
        assert run.session.preferences[Preference.ORDER] == "JOB"
        await run.press("u")
        assert len(shown(run)) == len(DECK)
        assert run.session.preferences[Preference.ORDER] == run.app.deck.deck_state.table.order.text
        await run.press("v", "x")
        await run.shows("Remove which view? 1–9")
        await run.press("1")
        await run.shows("No views yet.")
        assert toasts(run.app)[-1] == "view my errors removed (u to undo)"
        await run.press("u")
        await run.shows("1  my errors")
        assert parse_views(run.session.preferences[Preference.VIEWS]) == (view,)
        await run.press("u", "x", "1", "escape", "u")
        assert toasts(run.app)[-1] == "view my errors restored"
        await run.press("v")
        await run.shows("1  my errors")
        await run.press("x", "1")
        await run.shows("No views yet.")
        assert isinstance(run.app.screen, ViewsScreen)


def test_views_are_read_as_they_were_written() -> None:
    views = tuple(View(f"view {number}", "state:failed", bool(number % 2), "-ETA") for number in range(9))
    assert parse_views(views_text(views)) == views
    assert parse_views('[{"name": "a", "filter": 3}, {"name": ""}, {"name": "b"}]') == (View("b"),)
