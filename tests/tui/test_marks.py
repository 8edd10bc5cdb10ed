"""What is selected is what keys are about: each of them acts on all of it, and `u` brings back what was."""

from jobdeck.domain.job import JobKey
from jobdeck.domain.phase import Phase
from jobdeck.tui.copyable import Copyable, NothingToCopy, ids_of_jobs
from tests.tui.drive import Driven, driven, painted, toasts
from tests.tui.world import ago, job

FAILED = [job(f"op_{letter}", Phase.FAILED, request_id=f"id-{letter}", ended=ago(20)) for letter in "abc"]
RUNNING = [job("op_run", request_id=None), job("op_slow")]


def order(run: Driven) -> list[JobKey]:
    table = run.app.deck.deck_state.table
    return list(table.keys(0, len(table)))


def marked(run: Driven) -> list[JobKey]:
    return list(run.app.deck._job_actions.marks)


async def test_copy_refresh_and_notify_act_on_all_that_is_selected() -> None:
    async with driven([*FAILED, *RUNNING], size=(120, 30)) as run:
        await run.press("space", "space")
        await run.shows("on 2 selected:  y copy ID")
        await run.press("G", "space", "y")
        await run.until(lambda: bool(run.clipboard.sent))
        chosen = marked(run)
        ids = [run.engine.jobs[one].request_id for one in chosen]
        assert run.clipboard.sent == ["\n".join(one or "" for one in ids if one)]
        await run.press("r")
        assert [key for name, key in run.engine.asked if name == "poll_now"] == chosen
        assert toasts(run.app)[-1] == "refreshing 3 jobs when the rate limit allows"
        await run.press("w")
        wanted = run.app.deck._notifications
        assert wanted.wanted == {chosen[2]}, "the others have finished already"
        await run.press("u")
        assert (wanted.wanted, toasts(run.app)[-1]) == (set(), f"notifications restored for {chosen[2].id}")
        await run.press("W", "u")
        assert wanted.wanted is not None
        assert marked(run) == chosen
        await run.press("escape")
        assert marked(run) == []
        await run.until(lambda: "selected" not in painted(run.app)[-1])


async def test_all_that_is_selected_is_acknowledged_and_raised_again_by_one_key() -> None:
    async with driven([*FAILED, *RUNNING], size=(120, 30)) as run:
        before = order(run)
        await run.press("space", "j", "space", "G", "space", "g")
        chosen = marked(run)
        await run.press("m")
        first, second, other = chosen
        await run.until(lambda: order(run)[-2:] == [first, second])
        assert not run.engine.jobs[other].acknowledged, "it has no problem"
        assert toasts(run.app)[-1] == "2 jobs acknowledged, moved to the bottom (u to undo)"
        assert (marked(run), run.app.deck._jobs.selected) == ([], before[1])
        await run.press("u")
        await run.until(lambda: order(run) == before)
        assert (marked(run), run.app.deck._jobs.selected) == (chosen, first)
        await run.press("m")
        await run.until(lambda: order(run)[-2:] == [first, second])
        await run.press("G", "space", "k", "k", "space", "m")
        await run.until(lambda: not run.engine.jobs[second].acknowledged)


async def test_all_that_is_selected_is_unwatched_and_comes_back_selected_in_its_place() -> None:
    async with driven([*FAILED, *RUNNING], size=(120, 30)) as run:
        before = order(run)
        await run.press("j", "space", "space", "k", "d")
        await run.until(lambda: len(order(run)) == 3)
        assert toasts(run.app)[-1] == "stopped watching 2 jobs (u to undo)"
        assert run.app.deck._jobs.selected == before[3]
        await run.press("u")
        await run.until(lambda: order(run) == before)
        assert (marked(run), run.app.deck._jobs.selected) == (before[1:3], before[2])


async def test_what_is_selected_and_filtered_out_is_counted_where_keys_act_on_it() -> None:
    async with driven([*FAILED, *RUNNING], size=(120, 30)) as run:
        await run.press("space", "slash", *"op_slow", "enter")
        await run.shows("on 1 selected (1 hidden):")
        await run.press("escape")
        await run.shows("on 1 selected:")


def test_the_ids_of_several_jobs_are_one_a_line_and_those_without_are_counted() -> None:
    assert ids_of_jobs([*FAILED[:2], RUNNING[0]]) == Copyable("id-a\nid-b", "2 request IDs (1 job without)")
    assert ids_of_jobs(RUNNING[:1] * 2) == NothingToCopy("none of these jobs has a request ID")
    assert ids_of_jobs([FAILED[0], job("507f1f", profile="sonarly")]) == Copyable(
        "id-a\n507f1f77bcf86cd799439011", "2 request or trace IDs"
    )
    assert ids_of_jobs([]) == NothingToCopy("no job selected")
