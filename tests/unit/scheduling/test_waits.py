"""How long the server wants to be left alone, about whom, and whose wish it is."""

import random
import time
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise

import pytest

from jobdeck.domain.job import JobKey
from jobdeck.domain.problem import ProblemKind
from jobdeck.domain.ratelimit import RateWindow, describe_wait
from jobdeck.scheduling.actions import Action, ActionResult, ListPage, Poll
from jobdeck.scheduling.bucket import Limit
from jobdeck.scheduling.budget import Budget
from jobdeck.scheduling.scheduler import MAX_SLOW, Scheduler
from tests.unit.scheduling.test_list_tracker import OPERATIONS, Server, polls, watched
from tests.unit.scheduling.world import World, failed, job_key, running, scheduler, send

BUSY = failed(ProblemKind.SERVER_ERROR, retry_after=30.0, retry_after_unclamped=30.0)


def deck(count: int, answer: Callable[[float, Action], ActionResult], per_minute: float = 300) -> World:
    tested = scheduler(per_minute)
    for name in range(count):
        tested.add(job_key(name), "enrichment", 0.0)
    return World(tested, answer)


def first_answer(result: ActionResult) -> tuple[Scheduler, float]:
    world = deck(1, lambda _, action: result)
    world.run(0.2)
    return world.tested, 0.2


@pytest.mark.parametrize(
    ("result", "seconds", "told"),
    [
        (
            failed(ProblemKind.RATE_LIMIT, retry_after=30.0, retry_after_unclamped=30.0),
            30.0,
            "rate limited; the server asked to wait 30s",
        ),
        (
            failed(ProblemKind.RATE_LIMIT, retry_after=900.0, retry_after_unclamped=3_600.0),
            900.0,
            "rate limited; the server asked to wait 1h00m (jobdeck waits 15m00s at most)",
        ),
        (failed(ProblemKind.RATE_LIMIT), 10.0, "rate limited; no retry time given"),
        (BUSY, 30.0, "server unavailable; the server asked to retry in 30s"),
    ],
)
def test_a_wait_is_told_with_whose_wish_it_is(result: ActionResult, seconds: float, told: str) -> None:
    tested, now = first_answer(result)
    view = tested.quota(now)
    assert view.blocked_until == pytest.approx(0.1 + seconds)
    assert describe_wait(view.blocked_by, view.blocked_asked) == told


def test_what_another_process_was_asked_for_is_nobodys_wish_that_we_know() -> None:
    tested = scheduler()
    tested.set_cooldown(0.0, 30.0)
    view = tested.quota(0.0)
    assert describe_wait(view.blocked_by, view.blocked_asked) == "rate limited"


def test_refusals_in_a_row_that_name_no_time_are_waited_for_longer_each_time() -> None:
    budget, now, waits = Budget(Limit(60)), 0.0, []
    for _ in range(6):
        budget.on_result(now + 0.1, now, failed(ProblemKind.RATE_LIMIT), 0, page=False)
        now = budget.cooldown_until(now + 0.1) or 0.0
        waits.append(now)
    assert [later - at for at, later in pairwise([0.0, *waits])] == pytest.approx([10.1, 20.1, 40.1, 60.1, 60.1, 60.1])
    budget.on_result(now, now, ActionResult(), 0, page=False)
    budget.on_result(now + 0.1, now, failed(ProblemKind.RATE_LIMIT), 0, page=False)
    assert budget.cooldown_until(now + 0.1) == pytest.approx(now + 10.1)


@pytest.mark.parametrize("kind", [ProblemKind.NOT_FOUND, ProblemKind.PROTOCOL, ProblemKind.PERMISSION])
def test_a_problem_of_one_job_keeps_that_job_alone_waiting(kind: ProblemKind) -> None:
    broken = Poll(job_key(0))
    wish = failed(kind, retry_after=200.0, retry_after_unclamped=200.0)
    world = deck(10, lambda _, action: wish if action == broken else running(action))
    world.run(190.0)
    assert len(world.times(job_key(0))) == 1
    assert all(len(world.times(job_key(name))) > 20 for name in range(1, 10))


def test_a_server_that_is_unavailable_is_left_alone_but_not_for_one_job_of_its_own() -> None:
    broken = Poll(job_key(0))
    world = deck(10, lambda _, action: BUSY if action == broken else running(action))
    world.run(30.0)
    assert len(world.sent) <= 10, "who knows whether it is for all"
    world.run(300.0)
    assert all(len(world.times(job_key(name))) > 40 for name in range(1, 10)), "the others were answered since"
    own = world.times(job_key(0))
    assert min(later - at for at, later in pairwise(own)) >= 30.0


def test_a_good_answer_of_a_list_keeps_the_list_waiting() -> None:
    server = Server([job_key(name) for name in range(60)], OPERATIONS, own_limit=True)
    world = watched(server, 30)
    works = world.answer
    world.answer = lambda now, action: (
        replace(works(now, action), retry_after=40.0) if isinstance(action, ListPage) else works(now, action)
    )
    world.run(300.0)
    moments = sorted({round(at) for at, _ in world.pages()})
    assert 4 <= len(moments) <= 8
    assert min(later - at for at, later in pairwise(moments)) >= 39
    assert polls(world, 0.0), "jobs are polled meanwhile"


def test_jobs_that_never_answer_take_half_of_the_places_and_the_others_keep_their_pace() -> None:
    slow = {job_key(name) for name in range(12)}
    alone = deck(10, lambda _, action: running(action), 60)
    alone.run(300.0)
    tested = scheduler(60)
    for name in range(22):
        tested.add(job_key(name), "enrichment", 0.0)
    world = Slow(tested, slow)
    world.run(300.0)
    quick = [at for at, action in world.sent if isinstance(action, Poll) and action.key not in slow and at > 90.0]
    assert len(quick) >= 0.6 * sum(at > 90.0 for at, _ in alone.sent)
    assert world.most_slow <= MAX_SLOW
    assert all(world.times(key) for key in slow), "none is given up"
    assert tested.probe_at is None, "their failures say nothing of the profile"


def test_jobs_that_come_later_and_never_answer_leave_places_to_those_that_do() -> None:
    slow = {job_key(name) for name in range(10, 22)}
    tested = scheduler(600)
    for name in range(10):
        tested.add(job_key(name), "enrichment", 0.0)
    world = Slow(tested, slow)
    world.run(20.0)
    for key in slow:
        tested.add(key, "enrichment", 20.0)
    world.run(100.0)
    for name in range(10):
        times = [20.0, *(at for at in world.times(job_key(name)) if at > 20.0), 100.0]
        assert max(later - at for at, later in pairwise(times)) <= 12.0


def test_many_jobs_that_were_never_polled_take_their_places_one_after_another() -> None:
    windows = (RateWindow(limit=600, remaining=590, reset_after=50.0, exact=True),)
    world = deck(40, lambda _, action: replace(running(action), windows=windows), 600)
    world.run(10.0)
    assert all(world.times(job_key(name)) for name in range(40))


def test_of_thousands_of_jobs_that_were_never_polled_one_decision_leaves_few_aside() -> None:
    windows = (RateWindow(limit=6_000, remaining=5_900, reset_after=50.0, exact=True),)
    tested = scheduler(6_000)
    for name in range(10_000):
        tested.add(job_key(name), "enrichment", 0.0)
    first = send(tested, 0.0)
    tested.on_result(0.1, first, replace(running(first), windows=windows))
    begun = time.process_time()
    while isinstance(send(tested, 0.2), Poll):
        pass
    assert time.process_time() - begun < 0.1, "with all of them left aside it is 0.7 s"


def test_a_server_that_answers_nothing_at_all_is_probed_before_long() -> None:
    world = Slow(scheduler(60), {job_key(name) for name in range(22)})
    for name in range(22):
        world.tested.add(job_key(name), "enrichment", 0.0)
    world.run(400.0)
    assert world.tested.probe_at is not None
    assert sum(at > 200.0 for at, _ in world.sent) <= 6


class Slow(World):
    """A world where some jobs time out after thirty seconds."""

    def __init__(self, tested: Scheduler, slow: set[JobKey]) -> None:
        super().__init__(tested, lambda _, action: self.reply(action))
        self.slow = slow
        self.most_slow = 0

    def reply(self, action: Action) -> ActionResult:
        assert isinstance(action, Poll)
        return failed(ProblemKind.TIMEOUT) if action.key in self.slow else running(action)

    def _fill(self) -> None:
        super()._fill()
        self._flying.sort(key=lambda flight: flight[0])

    def permits(self, action: Action) -> bool:
        never = isinstance(action, Poll) and action.key in self.slow
        self.latency = 30.0 if never else 0.1
        if self.now > 100.0:
            under_way = sum(isinstance(one, Poll) and one.key in self.slow for _, one in self._flying)
            self.most_slow = max(self.most_slow, under_way + never)
        return True


def test_a_seed_changes_no_wait() -> None:
    for seed in range(5):
        tested = scheduler(seed=random.Random(seed).randrange(100))
        tested.add(job_key(1), "search", 0.0)
        action = send(tested, 0.0)
        tested.on_result(0.1, action, BUSY)
        assert tested.quota(0.1).blocked_until == pytest.approx(30.1)
