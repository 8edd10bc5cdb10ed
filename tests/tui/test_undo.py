"""Nothing that one stray key does is beyond recall: `u` undoes it, again and again, and all is as it was."""

from textual.widgets import Input, TextArea

from jobdeck.domain.job import JobKey
from jobdeck.domain.phase import Phase
from jobdeck.simulator.scenario import JobScript, Outcome, Scenario
from jobdeck.tui.screens.add import AddScreen
from jobdeck.tui.widgets.job_list import JobList
from tests.tui.drive import Driven, driven, toasts
from tests.tui.test_real_engine import sitting
from tests.tui.world import deck_of_every_state, job, key


def order(run: Driven) -> list[JobKey]:
    model = run.app.deck.deck_state.table
    return list(model.keys(0, len(model)))


def selected(run: Driven) -> JobKey | None:
    return run.app.deck.query_one(JobList).selected


def marked(run: Driven) -> list[JobKey]:
    return list(run.app.deck._job_actions.marks)


async def test_what_was_unwatched_comes_back_to_its_place_its_mark_and_the_cursor() -> None:
    async with driven([job(f"op_{letter}") for letter in "abcde"]) as run:
        await run.press("j", "space", "k")
        before, place, marks = order(run), selected(run), marked(run)
        job_before = run.engine.jobs[place] if place is not None else None
        screen = await run.still()
        await run.press("d")
        await run.until(lambda: place not in order(run))
        assert place not in marked(run)
        assert toasts(run.app)[-1] == f"stopped watching {place.id if place else ''} (u to undo)"
        # Each when the list shows what the one before did: a second in the same frame is for a job that is gone.
        for keys, left in (("d", 3), ("d", 2), ("u", 3), ("u", 4), ("u", 5)):
            await run.press(keys)
            await run.until(lambda left=left: len(order(run)) == left)  # type: ignore[misc] - mypy knows no default here
        assert order(run) == before
        assert (selected(run), marked(run)) == (place, marks)
        assert place is not None
        assert run.engine.jobs[place] == job_before
        run.app._notifications.clear()
        run.app._refresh_notifications()
        await run.until(lambda: not toasts(run.app))
        assert await run.still() == screen
        for _ in range(4):
            await run.press("u")
        assert marked(run) == []
        assert toasts(run.app)[-1] == "nothing to undo"


async def test_an_acknowledgement_is_undone_with_place_and_cursor_both_ways() -> None:
    async with driven([job(f"op_{letter}", Phase.FAILED) for letter in "abc"] + [job("op_run")]) as run:
        await run.press("j")
        before, place = order(run), selected(run)
        assert place is not None
        await run.press("m")
        await run.until(lambda: order(run)[-1] == place)
        assert selected(run) != place
        await run.press("u")
        await run.until(lambda: order(run) == before and selected(run) == place)
        assert not run.engine.jobs[place].acknowledged
        await run.press("m")
        await run.until(lambda: order(run)[-1] == place)
        sunk = order(run)
        await run.press("G", "m")
        await run.until(lambda: not run.engine.jobs[place].acknowledged and order(run) != sunk)
        await run.press("u")
        await run.until(lambda: order(run) == sunk)
        assert run.engine.jobs[place].acknowledged


async def test_marks_that_a_key_took_or_made_are_as_before() -> None:
    async with driven([job(f"op_{letter}") for letter in "abc"]) as run:
        await run.press("space", "space")
        marks = marked(run)
        await run.press("M")
        assert marked(run) == []
        await run.press("M")
        assert len(marked(run)) == 3
        await run.press("u", "u")
        assert marked(run) == marks
        await run.press("u")
        assert (marked(run), selected(run)) == (marks[:1], marks[1])


async def test_a_filter_that_a_key_dropped_comes_back() -> None:
    async with driven(deck_of_every_state(), size=(120, 40)) as run:
        box = run.app.deck.query(Input).first()
        await run.press("slash", *"op_", "enter")
        rows = order(run)
        await run.press("escape")
        assert len(order(run)) > len(rows)
        await run.press("u")
        assert (order(run), box.value) == (rows, "op_")
        await run.press("slash", *"xx", "escape")
        await run.press("u")
        assert (order(run), box.value) == (rows, "op_")
        await run.press("g", "equals_sign")
        assert box.value != "op_"
        await run.press("u")
        assert (order(run), box.value) == (rows, "op_")


async def test_what_was_typed_to_be_added_is_there_again_after_a_stray_escape() -> None:
    async with driven([job("op_a")]) as run:
        await run.press("a", *"op_x", "escape", "a")
        assert isinstance(run.app.screen, AddScreen)
        assert run.app.screen.query_one(TextArea).text == "op_x"


async def test_a_profile_whose_jobs_cannot_come_back_says_why() -> None:
    async with driven([job("op_a"), job("op_b")]) as run:

        def fail(jobs: object) -> None:
            raise LookupError("no key")

        await run.press("d")
        run.engine.restore = fail  # type: ignore[method-assign]
        await run.press("u")
        assert "not undone" in toasts(run.app)[-1]
        assert key("op_a") not in run.engine.jobs


async def test_on_the_real_engine_time_and_history_go_on_where_they_were() -> None:
    scripts = [JobScript(id=f"op_{number}", outcome=Outcome.NEVER, duration=1e6) for number in range(3)]
    async with sitting(Scenario(jobs=tuple(scripts)), *(script.id for script in scripts)) as (run, server):
        engine = run.app.deck.deck_state.engine
        assert engine is not None
        await run.until(lambda: run.app.deck.deck_state.settled and len(order(run)) == 3)
        await run.press("j")
        place = selected(run)
        assert place is not None
        await run.until(lambda: len(engine.exchanges(place)) > 2)
        before = engine.jobs[place]
        exchanges, timeline, rows = engine.exchanges(place), engine.timeline(place), order(run)
        await run.press("d")
        await run.until(lambda: place not in order(run))
        await run.press("u")
        await run.until(lambda: order(run) == rows and selected(run) == place)
        after = engine.jobs[place]
        assert (after.added, after.created_us, after.phase) == (before.added, before.created_us, before.phase)
        assert set(exchanges) <= set(engine.exchanges(place))
        assert set(timeline) <= set(engine.timeline(place))
        count = len(server.requests)
        await run.until(lambda: len(server.requests) > count)
