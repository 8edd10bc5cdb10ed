"""What errors cost: the job that had one, and the profile."""

import random

from jobdeck.domain.job import JobKey
from jobdeck.domain.problem import ProblemKind
from jobdeck.scheduling.actions import Action, ActionResult, ListPage, Poll
from tests.unit.scheduling.test_list_tracker import OPERATIONS, Server, polls, watched
from tests.unit.scheduling.world import World, failed, job_key, running, scheduler


def test_one_error_costs_a_job_its_back_off_and_not_its_turn() -> None:
    tested = scheduler(60)
    for name in range(40):
        tested.add(job_key(name), "search", 0.0)
    moments: list[float] = []

    def answer(now: float, action: Action) -> ActionResult:
        if now > 200.0 and action == Poll(job_key(7)) and not moments:
            moments.append(now)
            return failed(ProblemKind.SERVER_ERROR)
        return running(action)

    world = World(tested, answer)
    world.run(400.0)
    again = min(at for at in world.times(job_key(7)) if at > moments[0])
    assert again - moments[0] <= 6.0, "a round of all takes 50 s"


def test_the_selected_row_is_still_looked_at_often_after_one_error() -> None:
    chance = random.Random(1)
    tested = scheduler(300)
    for name in range(20):
        tested.add(job_key(name), "operation", 0.0)
    tested.set_selected(job_key(7), 0.0)
    world = World(
        tested, lambda _, action: failed(ProblemKind.SERVER_ERROR) if chance.random() < 0.2 else running(action)
    )
    world.run(300.0)
    assert len(world.times(job_key(7))) >= 90


def outage(world: World, keys: list[JobKey], begun: float, ended: float) -> dict[JobKey, float]:
    """Have every request fail between two moments; return when each job was first seen again, kept up to date."""
    seen_at: dict[JobKey, float] = {}
    works = world.answer

    def answer(now: float, action: Action) -> ActionResult:
        if begun <= now < ended:
            return failed(ProblemKind.SERVER_ERROR)
        result = works(now, action)
        if now >= ended:
            for seen in result.updates:
                seen_at.setdefault(seen.key, now)
        return result

    world.answer = answer
    return seen_at


def test_after_an_outage_the_first_page_that_is_answered_shows_everything_again() -> None:
    server = Server([job_key(name) for name in range(60)], OPERATIONS, own_limit=True)
    world = watched(server, 30)
    seen_at = outage(world, server.keys, 100.0, 300.0)
    world.run(500.0)
    probes = [(at, action) for at, action in world.sent if 110.0 <= at < 300.0]
    assert len(probes) <= 12, "every probe waits twice as long as the one before"
    assert {type(action) for _, action in probes} == {Poll, ListPage}, "a list may be what fails"
    assert len(seen_at) == 60
    first = min(seen_at.values())
    assert first - 300.0 <= 75.0
    assert max(seen_at.values()) - first <= 3.0


def test_a_list_that_fails_does_not_keep_the_polls_from_ending_an_outage() -> None:
    server = Server([job_key(name) for name in range(20)], OPERATIONS, own_limit=True)
    world = watched(server, 60)
    world.run(60.0)
    server.refused = ProblemKind.SERVER_ERROR
    world.run(240.0)
    assert len(set(polls(world, 120.0))) == 20


def test_somebody_who_wants_to_know_gets_a_probe_now_and_a_key_held_down_no_storm() -> None:
    server = Server([job_key(name) for name in range(20)], OPERATIONS, own_limit=True)
    world = watched(server, 60)
    outage(world, server.keys, 60.0, 1e6)
    world.run(240.0)
    while (world.tested.probe_at or 0.0) <= world.now + 10.0:
        world.run(world.now + 1.0)
    asked, before = world.now, len(world.sent)
    world.tested.poll_all_now(asked)
    assert world.tested.probe_at == asked
    world.run(asked + 1.0)
    assert len(world.sent) == before + 1
    for tenth in range(100):
        at = asked + 1.0 + tenth / 10
        world.tested.poll_now(job_key(3), at)
        world.run(at)
    assert 4 <= len(world.sent) - before <= 6, "every two seconds"
