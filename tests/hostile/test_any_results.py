"""Rule 8 and the scheduler: whatever comes back, no busy loop, nobody starved, never over budget in any window."""

import random
from bisect import bisect_right
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from jobdeck.domain.problem import ProblemKind as Kind
from jobdeck.domain.ratelimit import RateWindow
from jobdeck.scheduling.actions import Action, ActionResult, JobUpdate, ListPage, Poll
from jobdeck.scheduling.backoff import MAX_DELAY, MIN_DELAY
from jobdeck.scheduling.bucket import NO_HEADER_UTILIZATION, Limit, LimitSource
from jobdeck.scheduling.list_tracker import ListEndpoint
from tests.builders import make_scheduler
from tests.support.examples import examples
from tests.unit.scheduling.world import World, failed, job_key, most_in_a_window

OF_ONE_JOB = (Kind.PROTOCOL, Kind.TOO_BIG, Kind.NOT_FOUND)
LISTS = (ListEndpoint("operation", frozenset({"operation"}), active_statuses=("processing", "queued")),)
limits = st.sampled_from([4, 30, 60, 600])
windows = st.builds(
    RateWindow,
    st.sampled_from([None, 1, 60, 10**9]),
    st.sampled_from([None, 0, 5, 10**9]),
    st.sampled_from([None, 0.0, 30.0, 1e12]),
    st.sampled_from([None, 1.0, 3600.0]),
)
results = st.builds(
    lambda kind, retry_after, window: (
        failed(kind, retry_after=retry_after, windows=(window,) if window else ())
        if kind
        else ActionResult(windows=(window,) if window else ())
    ),
    st.sampled_from([None, *Kind]),
    st.sampled_from([None, None, None, 0.0, 20.0, 900.0, float("inf")]),
    st.none() | windows,
)


WELL = ActionResult(windows=(RateWindow(10**6, 10**6, 60.0, 60.0),))


def seen(action: Action, jobs: int) -> tuple[JobUpdate, ...]:
    names = [int(action.key.id)] if isinstance(action, Poll) else range(jobs)
    return tuple(JobUpdate(job_key(name), "operation", terminal=False, progress=0.5, changed=False) for name in names)


def world_of(jobs: int, limit: int, answers: list[ActionResult], until: float, *, lists: bool) -> World:
    """A scheduler to which a sequence of results comes back again and again `until` all is well."""
    tested = make_scheduler(Limit(limit, LimitSource.CONFIGURED), random.Random(1), LISTS if lists else ())
    count = 0

    def answer(now: float, action: Action) -> ActionResult:
        nonlocal count
        count += 1
        told = answers[count % len(answers)] if now < until else WELL
        if told.problem is not None:
            return told
        rows = jobs if isinstance(action, ListPage) else None
        return ActionResult(updates=seen(action, jobs), windows=told.windows, rows=rows)

    for name in range(jobs):
        tested.add(job_key(name), "operation", 0.0)
    return World(tested, answer)


@examples(10)
@given(st.lists(results, min_size=1, max_size=12), st.integers(1, 20), limits, st.booleans())
def test_any_sequence_of_results_stays_within_budget_and_heals(
    answers: list[ActionResult], jobs: int, limit: int, lists: bool
) -> None:
    bad, patience = 200.0, MAX_DELAY + 200.0
    world = world_of(jobs, limit, answers, bad, lists=lists)
    world.run(bad)
    before = len(world.sent)
    world.tested.resume_after_auth(bad)
    fair = jobs / (NO_HEADER_UTILIZATION * limit / 60)
    end = bad + patience + 6 * fair + 35.0
    world.run(end)
    assert most_in_a_window([at for at, _ in world.sent]) <= limit
    assert world.steps <= 2 * len(world.sent) + end / MIN_DELAY + 10
    since = {key_of(action) for _, action in world.sent[before:]}
    assert "all" in since or since >= {str(name) for name in range(jobs)}, "nobody is left out once all is well"


def key_of(action: Action) -> str:
    return action.key.id if isinstance(action, Poll) else "all"


@examples(10)
@given(
    st.lists(st.lists(st.sampled_from([None, *OF_ONE_JOB]), min_size=1, max_size=4), min_size=1, max_size=20),
    st.integers(1, 20),
    st.sampled_from([30, 60, 300]),
)
def test_jobs_whose_answers_are_bad_starve_none_of_the_others(
    bad: list[list[Kind | None]], well: int, limit: int
) -> None:
    tested = make_scheduler(Limit(limit, LimitSource.CONFIGURED), random.Random(1))
    jobs = len(bad) + well
    counts = [0] * jobs

    def answer(_: float, action: Action) -> ActionResult:
        assert isinstance(action, Poll)
        name = int(action.key.id)
        counts[name] += 1
        problem = bad[name][counts[name] % len(bad[name])] if name < len(bad) else None
        return failed(problem) if problem is not None else ActionResult(updates=seen(action, jobs))

    for name in range(jobs):
        tested.add(job_key(name), "operation", 0.0)
    world = World(tested, answer)
    world.run(900.0)
    fair = jobs / (NO_HEADER_UTILIZATION * limit / 60)
    for name in range(len(bad), jobs):
        times = [0.0, *world.times(job_key(name)), 900.0]
        assert max(later - at for at, later in pairwise(times)) <= 6 * fair + 35.0
    # Who fails is asked again too, at most a minute's back-off later than the others.
    for name in range(len(bad)):
        times = [0.0, *world.times(job_key(name)), 900.0]
        assert max(later - at for at, later in pairwise(times)) <= 6 * fair + 35.0 + 60.0
    sent = [at for at, _ in world.sent]
    assert max(bisect_right(sent, at + 60.0 - 1e-6) - place for place, at in enumerate(sent)) <= limit
