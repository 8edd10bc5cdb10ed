"""The profile menu, the column that names profiles, and what makes a whole profile unreachable."""

import pytest

from jobdeck.domain.phase import Phase
from jobdeck.domain.problem import ProblemKind
from jobdeck.engine.subscription import ChangeSet
from jobdeck.tui.deck_state import DeckState
from jobdeck.tui.render.columns import Name, columns_for
from tests.tui.drive import driven
from tests.tui.world import NOON, job, problem


async def test_the_menu_shows_one_profile_and_all_again() -> None:
    jobs = [job("op_a"), job("op_b", Phase.FAILED), job("507f1f", profile="sonarly")]
    async with driven(jobs, size=(100, 24)) as run:
        await run.press("P")
        await run.shows("hog              2 jobs   ✗1  ●1")
        await run.press("j", "j", "enter")
        await run.shows('profile="sonarly"')
        await run.until(lambda: "op_a" not in run.text)
        assert "507f1f" in run.text
        await run.press("P")
        await run.shows("▸sonarly")  # where the list is now
        await run.press("1")
        await run.shows('profile="hog"')
        await run.until(lambda: "op_a" in run.text and "507f1f" not in run.text)
        await run.press("P", "0")
        await run.until(lambda: "507f1f" in run.text and "op_a" in run.text)


async def test_a_profile_narrows_what_is_filtered_already() -> None:
    jobs = [job("op_a"), job("op_b", Phase.FAILED), job("507f1f", Phase.FAILED, profile="sonarly")]
    async with driven(jobs, size=(100, 24)) as run:
        await run.press("slash", *"state:failed", "enter", "f", "P", "1")
        await run.shows('state:failed profile="hog"')
        await run.shows("problems only  1 of 3")
        await run.press("P")
        await run.shows("▸hog")
        await run.press("2")
        await run.shows('state:failed profile="sonarly"')
        await run.shows("problems only  1 of 3")
        await run.press("P", "0")
        await run.shows("problems only  2 of 3")
        await run.press("u")
        await run.shows('state:failed profile="sonarly"')


async def test_the_counts_of_the_menu_follow_the_jobs() -> None:
    async with driven([job("op_a"), job("op_b")], size=(100, 24)) as run:
        await run.press("P")
        await run.shows("hog              2 jobs   ●2")
        run.engine.put(job("op_c", Phase.FAILED), job("op_x", profile="acme"))
        await run.shows("hog              3 jobs   ✗1  ●2")
        await run.shows("acme              1 job   ●1")


@pytest.mark.parametrize("width", [84, 86, 110, 120, 123, 200])
def test_several_profiles_have_a_column_and_leave_the_reason_its_room(width: int) -> None:
    columns = columns_for(width, profiles=True)
    reason, profile = columns.get(Name.REASON), columns.get(Name.PROFILE)
    assert profile is not None
    assert reason is not None
    assert reason.width >= 29
    assert columns_for(width).get(Name.PROFILE) is None


@pytest.mark.parametrize(
    ("kind", "alone"),
    [
        (ProblemKind.NOT_FOUND, True),
        (ProblemKind.PERMISSION, True),
        (ProblemKind.PROTOCOL, True),
        (ProblemKind.SERVER_ERROR, False),
        (ProblemKind.RATE_LIMIT, False),
    ],
)
def test_a_job_that_fails_alone_does_not_make_its_profile_unreachable(kind: ProblemKind, alone: bool) -> None:
    state = DeckState(("hog",))
    failing = {"failures": 3, "problem": problem(kind), "misses": 2, "not_found": kind is ProblemKind.NOT_FOUND}
    state.apply(ChangeSet((job("op_typo", observed=None, **failing),)), NOON)
    assert bool(state.unreachable_profiles()) is not alone
    # With an outage of the whole profile, it is unreachable whatever each of its jobs failed with before.
    outage = problem(ProblemKind.NETWORK, "connection refused")
    state.apply(ChangeSet((job("op_typo", version=2, outage=outage, **failing), job("op_b", outage=outage))), NOON)
    (profile,) = state.unreachable_profiles()
    assert profile.problem == outage
