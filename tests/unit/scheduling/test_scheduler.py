from dataclasses import replace

import pytest

from jobdeck.domain.problem import ProblemKind
from jobdeck.domain.ratelimit import RateWindow
from jobdeck.scheduling.actions import Action, ActionResult, JobUpdate, Poll, Wait
from jobdeck.scheduling.bucket import LimitSource
from tests.unit.scheduling.world import World, ended, failed, job_key, most_in_a_window, running, scheduler, send


def test_nothing_to_watch_waits_until_told() -> None:
    assert scheduler().next_action(0.0) == Wait(None)


def test_a_new_target_is_asked_at_once() -> None:
    tested = scheduler()
    tested.add(job_key("a"), "search", 5.0)
    assert send(tested, 5.0) == Poll(job_key("a"))
    assert send(tested, 5.0) == Wait(None)


def test_an_ended_job_leaves_the_schedule_and_can_still_be_asked() -> None:
    tested = scheduler()
    key = job_key("a")
    tested.add(key, "search", 0.0)
    action = send(tested, 0.0)
    tested.on_result(0.1, action, ended(action))
    assert tested.next_poll(key) is None
    assert send(tested, 100.0) == Wait(None)
    tested.poll_now(key, 100.0)
    assert send(tested, 100.0) == Poll(key)
    tested.on_result(100.1, Poll(key), ended(Poll(key)))
    assert send(tested, 200.0) == Wait(None)


def test_no_minute_sees_more_than_95_percent_of_the_limit() -> None:
    tested = scheduler(60, LimitSource.CONFIGURED)
    for name in range(100):
        tested.add(job_key(name), "enrichment", 0.0)
    world = World(tested, lambda _, action: running(action))
    world.run(600.0)
    assert most_in_a_window([at for at, _ in world.sent]) <= 57
    assert len(world.sent) >= 460


def test_the_kind_sets_how_often_at_most() -> None:
    tested = scheduler(600)
    tested.add(job_key("a"), "prospecting", 0.0)
    world = World(tested, lambda _, action: ActionResult(updates=running(action).updates))
    world.run(60.0)
    gaps = [later - at for at, later in zip(world.times(job_key("a")), world.times(job_key("a"))[1:], strict=False)]
    assert min(gaps) >= 2.0


def test_the_selected_row_is_asked_every_two_seconds_for_a_third_of_the_budget() -> None:
    tested = scheduler(600)
    for name in range(200):
        tested.add(job_key(name), "operation", 0.0)
    tested.set_selected(job_key(7), 0.0)
    world = World(tested, lambda _, action: running(action))
    world.run(300.0)
    mine = len(world.times(job_key(7)))
    assert mine >= 130
    tested = scheduler(30)
    for name in range(200):
        tested.add(job_key(name), "operation", 0.0)
    tested.set_selected(job_key(7), 0.0)
    world = World(tested, lambda _, action: running(action))
    world.run(600.0)
    assert len(world.times(job_key(7))) <= len(world.sent) / 3 + 2


def test_rows_on_the_screen_go_first() -> None:
    tested = scheduler(60, LimitSource.CONFIGURED)
    for name in range(8):
        tested.add(job_key(name), "search", 0.0)
    world = World(tested, lambda _, action: running(action))
    world.run(20.0)
    tested.set_visible([job_key(4)])
    tested.poll_all_now(20.0)
    world.sent.clear()
    world.run(25.0)
    assert world.sent[0][1] == Poll(job_key(4))


def test_a_pause_spends_nothing_and_ends() -> None:
    tested = scheduler()
    tested.add(job_key("a"), "search", 0.0)
    tested.pause()
    tested.poll_now(job_key("a"), 1.0)
    assert send(tested, 1.0) == Wait(None)
    assert tested.quota(1.0).paused
    tested.resume(2.0)
    assert send(tested, 2.0) == Poll(job_key("a"))


def test_a_refused_key_halts_the_profile_until_released() -> None:
    tested = scheduler()
    for name in "ab":
        tested.add(job_key(name), "search", 0.0)
    first = send(tested, 0.0)
    tested.on_result(0.1, first, failed(ProblemKind.AUTH))
    assert tested.quota(0.1).halted
    assert send(tested, 500.0) == Wait(None)
    tested.resume_after_auth(500.0)
    assert isinstance(send(tested, 500.0), Poll)


def test_one_forbidden_job_slows_down_and_a_minute_of_them_halts() -> None:
    tested = scheduler()
    for name in "ab":
        tested.add(job_key(name), "enrichment", 0.0)

    def answer(_: float, action: Action) -> ActionResult:
        return failed(ProblemKind.PERMISSION) if action == Poll(job_key("a")) else running(action)

    world = World(tested, answer)
    world.run(300.0)
    assert not tested.quota(300.0).halted
    assert len(world.times(job_key("a"))) <= 6
    world.answer = lambda *_: failed(ProblemKind.PERMISSION)
    world.run(600.0)
    assert tested.quota(600.0).halted


def test_a_good_answer_with_retry_after_leaves_that_job_alone_and_no_other() -> None:
    tested = scheduler(600)
    told, other = job_key("told"), job_key("other")
    for key in (told, other):
        tested.add(key, "job", 0.0)
    tested.set_selected(told, 0.0)
    world = World(
        tested, lambda _, action: replace(running(action), retry_after=40.0 if action == Poll(told) else None)
    )
    world.run(100.0)
    assert [round(at) for at in world.times(told)] == [0, 40, 80]
    assert len(world.times(other)) > 10
    plan = tested.next_poll(told)
    assert plan is not None
    # What is expected so late is not called stale before.
    assert plan.interval == pytest.approx(40.0)


def test_retry_after_silences_the_profile() -> None:
    tested = scheduler()
    for name in range(10):
        tested.add(job_key(name), "search", 0.0)
    action = send(tested, 0.0)
    tested.on_result(0.1, action, failed(ProblemKind.RATE_LIMIT, retry_after=30.0))
    assert send(tested, 0.1) == Wait(30.1)
    assert tested.quota(0.1).blocked_until == 30.1
    world = World(tested, lambda _, action: running(action))
    world.now = 0.2
    world.run(60.0)
    assert world.sent[0][0] >= 30.1


def test_a_refusal_without_a_date_is_quiet_for_ten_seconds() -> None:
    tested = scheduler()
    tested.add(job_key("a"), "search", 0.0)
    action = send(tested, 0.0)
    tested.on_result(0.1, action, failed(ProblemKind.RATE_LIMIT))
    assert send(tested, 0.1) == Wait(10.1)


def test_a_job_that_is_not_found_slows_to_a_minute() -> None:
    tested = scheduler(600)
    tested.add(job_key("a"), "enrichment", 0.0)
    world = World(tested, lambda now, _: replace(failed(ProblemKind.NOT_FOUND), missing_seconds=now))
    world.run(700.0)
    gaps = [b - a for a, b in zip(world.times(job_key("a")), world.times(job_key("a"))[1:], strict=False)]
    assert gaps[0] < 10
    assert all(59.0 < gap < 62.0 for gap in gaps[-5:])


def test_an_outage_is_probed_and_its_end_brings_everything_forward() -> None:
    tested = scheduler(600)
    for name in range(50):
        tested.add(job_key(name), "enrichment", 0.0)
    world = World(tested, lambda _, action: running(action))
    world.run(30.0)
    world.sent.clear()
    world.answer = lambda *_: failed(ProblemKind.NETWORK)
    world.run(330.0)
    assert len(world.sent) <= 24
    world.answer = lambda _, action: running(action)
    world.sent.clear()
    world.run(400.0)
    back = world.sent[1][0]
    first_round = {action for at, action in world.sent if at <= back + 12.0}
    assert len(first_round) == 50


def test_a_bad_job_backs_off_alone() -> None:
    tested = scheduler(600)
    for name in "ab":
        tested.add(job_key(name), "enrichment", 0.0)

    def answer(_: float, action: Action) -> ActionResult:
        return failed(ProblemKind.SERVER_ERROR) if action == Poll(job_key("a")) else running(action)

    world = World(tested, answer)
    world.run(600.0)
    assert len(world.times(job_key("a"))) < 60
    assert len(world.times(job_key("b"))) > 90
    plan = tested.next_poll(job_key("a"))
    assert plan is not None
    assert plan.attempt > 10


def test_after_a_sleep_there_is_one_paced_round() -> None:
    tested = scheduler(60)
    for name in range(20):
        tested.add(job_key(name), "operation", 0.0)
    world = World(tested, lambda _, action: running(action))
    world.run(120.0)
    world.sent.clear()
    world.now = 8_000.0
    tested.after_sleep(8_000.0)
    world.run(8_005.0)
    assert len(world.sent) <= 6


def test_announced_windows_slow_down_and_a_configured_limit_is_a_ceiling() -> None:
    for source, expected in ((LimitSource.DOCUMENTED, 600.0), (LimitSource.CONFIGURED, 60.0)):
        tested = scheduler(60, source)
        tested.add(job_key("a"), "search", 0.0)
        action = send(tested, 0.0)
        announced = RateWindow(limit=600, remaining=590, reset_after=60.0)
        tested.on_result(0.1, action, ActionResult(updates=running(action).updates, windows=(announced,)))
        assert tested.quota(0.1).limit == pytest.approx(expected)
    tested = scheduler(600)
    for name in range(50):
        tested.add(job_key(name), "enrichment", 0.0)
    action = send(tested, 0.0)
    nothing_left = RateWindow(limit=600, remaining=0, reset_after=20.0)
    tested.on_result(0.1, action, ActionResult(updates=running(action).updates, windows=(nothing_left,)))
    world = World(tested, lambda _, action: running(action))
    world.now = 0.1
    world.run(30.0)
    assert world.sent[0][0] >= 20.1


def test_an_answer_that_shows_nothing_frees_its_job_and_keeps_its_token_spent() -> None:
    tested = scheduler()
    tested.add(job_key("a"), "search", 0.0)
    action = send(tested, 0.0)
    tested.on_result(1.0, action, ActionResult())
    tested.on_result(1.0, action, ended(action))
    assert send(tested, 1.0) == action
    assert tested.quota(1.0).used == 2


def test_an_older_answer_never_overwrites_a_newer_one() -> None:
    tested = scheduler()
    key = job_key("a")
    tested.add(key, "search", 0.0)
    action = send(tested, 0.0)
    tested.remove(key)
    tested.on_result(0.1, action, ended(action))
    assert tested.next_poll(key) is None
    assert send(tested, 1.0) == Wait(None)


def test_a_request_that_was_not_sent_costs_nothing_and_comes_later() -> None:
    tested = scheduler()
    tested.add(job_key("a"), "search", 0.0)
    action = tested.next_action(0.0)
    tested.defer(action, 0.1, 7.0)
    assert tested.quota(0.1).used == 0
    assert send(tested, 0.2) == Wait(7.0)
    assert send(tested, 7.0) == action


def test_what_others_observed_counts_as_a_look() -> None:
    tested = scheduler()
    for name in "ab":
        tested.add(job_key(name), "search", 0.0)
    tested.apply_external(0.0, JobUpdate(job_key("a"), "search", terminal=True, progress=1.0, changed=True))
    assert send(tested, 0.1) == Poll(job_key("b"))
    assert tested.next_poll(job_key("a")) is None
    assert send(tested, 0.1) == Wait(None)


def test_without_anybody_looking_everything_is_asked_less_often() -> None:
    counts = []
    for present in (True, False):
        tested = scheduler(600)
        tested.add(job_key("a"), "search", 0.0)
        tested.set_user_present(present, 0.0)
        world = World(tested, lambda _, action: running(action, 0.1))
        world.run(60.0)
        counts.append(len(world.sent))
    assert counts[1] < counts[0] / 2
