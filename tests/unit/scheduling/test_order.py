"""Which job goes first when there is not enough for all."""

from jobdeck.domain.job import JobKey
from jobdeck.scheduling.actions import Action, ActionResult, JobUpdate, Poll
from jobdeck.scheduling.estimates import Estimates
from jobdeck.scheduling.scheduled_job import ScheduledJob
from tests.builders import TYPICAL
from tests.unit.scheduling.world import World, job_key, running, scheduler


def of_its_kind(_: float, action: Action) -> ActionResult:
    """Answer that a job runs, whose kind is the first part of its name."""
    assert isinstance(action, Poll)
    kind = action.key.id.partition("-")[0]
    return ActionResult(updates=(JobUpdate(action.key, kind, terminal=False, progress=None, changed=False),))


def test_a_flood_of_new_jobs_does_not_go_before_jobs_near_their_end() -> None:
    tested = scheduler(30)
    for number in range(10):
        tested.add(job_key(f"enrichment-{number}"), "enrichment", 0.0)
    world = World(tested, of_its_kind)
    world.run(30.0)
    for number in range(100):
        tested.add(job_key(f"prospecting-{number}"), "prospecting", 30.0)
    world.sent.clear()
    world.run(90.0)
    polled = [action.key.id.partition("-")[0] for _, action in world.sent if isinstance(action, Poll)]
    assert polled.count("enrichment") >= len(polled) / 2


def test_the_selected_row_takes_less_when_a_flood_of_new_jobs_waits() -> None:
    tested = scheduler(30)
    for name in range(100):
        tested.add(job_key(name), "search", 0.0)
    tested.set_selected(job_key(7), 0.0)
    world = World(tested, lambda _, action: running(action))
    world.run(30.0)
    world.sent.clear()
    world.run(330.0)
    assert len(world.times(job_key(7))) <= len(world.sent) / 5


def test_a_job_never_looked_at_has_probably_ended_after_its_time() -> None:
    job = ScheduledJob(job_key("a"), "enrichment", "enrichment", added=0.0, started=0.0)
    assert job.remaining(200.0, Estimates(typical=TYPICAL)) <= 20.0


def test_what_may_be_over_in_seconds_is_looked_at_often_at_first_and_seldom_later() -> None:
    tested = scheduler(60)
    tested.add(job_key("young"), "operation", 0.0)
    tested.add(job_key("old"), "operation", 0.0, elapsed=100.0)
    world = World(
        tested, lambda _, action: ActionResult(updates=(JobUpdate(_key(action), "operation", False, None, False),))
    )
    world.run(100.0)
    young = world.times(job_key("young"))
    assert sum(at <= 7.0 for at in young) >= 4
    assert sum(at >= 40.0 for at in young) <= 6
    assert sum(at <= 40.0 for at in world.times(job_key("old"))) <= 7


def _key(action: Action) -> JobKey:
    assert isinstance(action, Poll)
    return action.key
