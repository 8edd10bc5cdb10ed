"""What errors cost: the job that had one, and the profile."""

import random

from jobdeck.domain.problem import ProblemKind
from jobdeck.scheduling.actions import Action, Poll, Result
from jobdeck.scheduling.backoff import MOST_FAILURES, Breaker
from tests.unit.scheduling.world import World, job_key, running, scheduler


def failures_until_open(breaker: Breaker, rng: random.Random) -> int:
    for number in range(1, 100):
        breaker.fail(ProblemKind.SERVER_ERROR, 0.0, rng, probe=False)
        if breaker.probe_at is not None:
            return number
    raise AssertionError


def test_three_failures_in_a_row_open_the_breaker_where_errors_are_rare() -> None:
    assert failures_until_open(Breaker(), random.Random(0)) == 3


def test_where_errors_are_usual_it_takes_more_of_them_but_not_many() -> None:
    rng = random.Random(0)
    breaker = Breaker()
    for _ in range(50):
        breaker.fail(ProblemKind.SERVER_ERROR, 0.0, rng, probe=False)
        for _ in range(4):
            breaker.close()
    assert 4 <= failures_until_open(breaker, rng) <= MOST_FAILURES
    for _ in range(100):
        breaker.close()
        assert failures_until_open(breaker, rng) <= MOST_FAILURES


def test_one_error_costs_a_job_its_back_off_and_not_its_turn() -> None:
    tested = scheduler(60)
    for name in range(40):
        tested.add(job_key(name), "search", 0.0)
    failed: list[float] = []

    def answer(now: float, action: Action) -> Result:
        if now > 200.0 and action == Poll(job_key(7)) and not failed:
            failed.append(now)
            return Result(ProblemKind.SERVER_ERROR)
        return running(action)

    world = World(tested, answer)
    world.run(400.0)
    again = min(at for at in world.times(job_key(7)) if at > failed[0])
    assert again - failed[0] <= 6.0, "a round of all takes 50 s"


def test_the_selected_row_is_still_looked_at_often_after_one_error() -> None:
    chance = random.Random(1)
    tested = scheduler(300)
    for name in range(20):
        tested.add(job_key(name), "operation", 0.0)
    tested.focus(job_key(7), 0.0)
    world = World(
        tested, lambda _, action: Result(ProblemKind.SERVER_ERROR) if chance.random() < 0.2 else running(action)
    )
    world.run(300.0)
    assert len(world.times(job_key(7))) >= 90
