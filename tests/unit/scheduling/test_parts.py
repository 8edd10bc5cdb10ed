"""When parts of answers that have a URL of their own are fetched, and what that is paid from."""

from dataclasses import replace
from itertools import pairwise

import pytest

from jobdeck.domain.job import MissingPart, Part
from jobdeck.domain.problem import ProblemKind
from jobdeck.scheduling.actions import Action, ActionResult, FetchPart, Poll, Wait
from tests.unit.scheduling.world import World, ended, failed, job_key, most_in_a_window, running, scheduler, send

RESULT, STAGES = MissingPart(Part.RESULT), MissingPart(Part.STAGES)
KEY = job_key("a")


def test_parts_of_an_ended_job_are_fetched_one_after_the_other_and_not_again() -> None:
    tested = scheduler()
    tested.add(KEY, "search", 0.0)
    action = send(tested, 0.0)
    tested.on_result(0.1, action, replace(ended(action), missing=(STAGES, RESULT)))
    first = send(tested, 0.1)
    assert first == FetchPart(KEY, STAGES)
    assert send(tested, 0.1) == Wait(None)
    tested.on_result(0.2, first, ActionResult(missing=(RESULT,)))
    second = send(tested, 0.2)
    assert second == FetchPart(KEY, RESULT)
    tested.on_result(0.3, second, ActionResult())
    assert send(tested, 900.0) == Wait(None)


def test_one_that_failed_is_asked_for_a_little_later_and_halts_nothing() -> None:
    tested = scheduler()
    tested.add(KEY, "search", 0.0)
    action = send(tested, 0.0)
    tested.on_result(0.1, action, replace(ended(action), missing=(RESULT,)))
    again = replace(RESULT, tries=1)
    now = 10.0
    for kind in (ProblemKind.AUTH, ProblemKind.PERMISSION, ProblemKind.SERVER_ERROR, ProblemKind.NETWORK):
        part = send(tested, now)
        assert isinstance(part, FetchPart)
        tested.on_result(now, part, failed(kind, missing=(again,), retry_after=600.0))
        assert send(tested, now) == Wait(now + 2.0)
        assert (tested.quota(now).halted, tested.quota(now).blocked_until, tested.probe_at) == (False, None, None)
        now += 2.0


@pytest.mark.parametrize("over", [False, True])
def test_a_job_that_is_asked_for_while_a_part_is_on_its_way_is_polled_after_it(*, over: bool) -> None:
    tested = scheduler(600)
    tested.add(KEY, "search", 0.0)
    tested.set_selected(KEY, 0.0)
    action = send(tested, 0.0)
    tested.on_result(0.1, action, replace(ended(action) if over else running(action), missing=(STAGES,)))
    now, part = 0.1, send(tested, 0.1)
    while isinstance(part, Wait):
        assert part.until is not None
        now, part = part.until, send(tested, part.until)
    assert part == FetchPart(KEY, STAGES)
    tested.poll_now(KEY, now)
    assert isinstance(send(tested, now + 1.0), Wait)
    tested.on_result(now + 1.0, part, ActionResult())
    assert send(tested, now + 1.0) == Poll(KEY)


def test_a_rate_limit_of_a_part_holds_for_all() -> None:
    tested = scheduler()
    tested.add(KEY, "search", 0.0)
    action = send(tested, 0.0)
    tested.on_result(0.1, action, replace(ended(action), missing=(RESULT,)))
    part = send(tested, 0.1)
    tested.on_result(0.2, part, failed(ProblemKind.RATE_LIMIT, retry_after=30.0))
    assert tested.quota(0.2).blocked_until == 30.2


def test_a_part_that_was_not_sent_is_due_again_and_one_of_a_removed_job_is_not() -> None:
    tested = scheduler()
    tested.add(KEY, "search", 0.0)
    action = send(tested, 0.0)
    tested.on_result(0.1, action, replace(ended(action), missing=(RESULT,)))
    for now, put_off in ((1.0, tested.defer), (10.0, tested.block)):
        part = tested.next_action(now)
        assert part == FetchPart(KEY, RESULT)
        put_off(part, now, now + 5.0)
        assert tested.next_action(now) == Wait(now + 5.0)
    assert tested.next_action(15.0) == FetchPart(KEY, RESULT)
    tested.remove(KEY)
    assert tested.next_action(900.0) == Wait(None)


def test_a_part_of_the_selected_job_that_another_process_fetches_is_left_to_it() -> None:
    tested = scheduler(600)
    tested.add(KEY, "search", 0.0)
    tested.set_selected(KEY, 0.0)
    action = send(tested, 0.0)
    tested.on_result(0.1, action, replace(running(action), missing=(STAGES,)))
    now, part = 0.1, tested.next_action(0.1)
    while isinstance(part, Wait):
        assert part.until is not None
        now, part = part.until, tested.next_action(part.until)
    assert part == FetchPart(KEY, STAGES)
    tested.defer(part, now, now + 45.0)
    assert tested.next_action(now) == Wait(now + 45.0)
    assert tested.next_action(now + 45.0) != Wait(now + 45.0)


def test_stages_of_a_job_that_goes_on_are_fetched_every_ten_seconds_while_it_is_selected() -> None:
    tested = scheduler(600)
    for name in ("a", "b"):
        tested.add(job_key(name), "operation", 0.0)

    def answer(_: float, action: Action) -> ActionResult:
        return (
            replace(running(action), missing=(STAGES,)) if isinstance(action, Poll) else ActionResult(missing=(STAGES,))
        )

    world = World(tested, answer)
    world.run(60.0)
    assert not any(isinstance(action, FetchPart) for _, action in world.sent)
    tested.set_selected(KEY, 60.0)
    world.run(120.0)
    fetched = [at for at, action in world.sent if isinstance(action, FetchPart) and action.key == KEY]
    assert 5 <= len(fetched) <= 7
    assert min(later - at for at, later in pairwise(fetched)) >= 10.0
    assert len(fetched) == sum(isinstance(action, FetchPart) for _, action in world.sent)
    # It is polled as before all the while.
    assert len([at for at in world.times(KEY) if at > 60.0]) >= 20
    tested.set_selected(None, 120.0)
    world.run(180.0)
    assert not any(isinstance(action, FetchPart) for at, action in world.sent if at > 120.0)


def test_parts_take_no_more_than_their_turn_and_starve_nobody() -> None:
    tested = scheduler(60)
    for name in range(200):
        tested.add(job_key(name), "enrichment", 0.0)

    def answer(_: float, action: Action) -> ActionResult:
        if isinstance(action, FetchPart):
            return ActionResult()
        assert isinstance(action, Poll)
        return replace(ended(action), missing=(RESULT,)) if int(action.key.id) % 2 else running(action)

    world = World(tested, answer)
    world.run(600.0)
    assert most_in_a_window([at for at, _ in world.sent]) <= 57
    fetched = [action for _, action in world.sent if isinstance(action, FetchPart)]
    assert len(fetched) == len(set(fetched)) == 100
    first = [action for at, action in world.sent if at < 120.0]
    share = sum(isinstance(action, FetchPart) for action in first) / len(first)
    assert 0.2 <= share <= 0.36


def test_a_part_probes_a_profile_that_fails_when_nothing_else_is_left() -> None:
    tested = scheduler()
    for name in ("a", "b"):
        tested.add(job_key(name), "search", 0.0)
    now = 0.0
    while tested.probe_at is None:
        action = tested.next_action(now)
        if isinstance(action, FetchPart):
            tested.defer(action, now, 10_000.0)
            continue
        tested.mark_sent(action, now)
        if isinstance(action, Wait):
            assert action.until is not None
            now = action.until
        elif isinstance(action, Poll) and action.key == KEY:
            tested.on_result(now, action, replace(ended(action), missing=(RESULT,)))
        else:
            tested.on_result(now, action, failed(ProblemKind.NETWORK))
    tested.remove(job_key("b"))
    part = send(tested, 10_000.0)
    assert part == FetchPart(KEY, RESULT)
    tested.on_result(10_000.0, part, ActionResult())
    assert tested.probe_at is None
