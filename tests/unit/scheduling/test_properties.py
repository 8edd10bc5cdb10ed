import random
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from jobdeck.domain.problem import ProblemKind
from jobdeck.domain.ratelimit import RateWindow
from jobdeck.scheduling.actions import Action, ActionResult, JobUpdate, ListPage, Poll, Wait
from jobdeck.scheduling.backoff import MAX_DELAY, MIN_DELAY, clamp_delay
from jobdeck.scheduling.bucket import NO_HEADER_UTILIZATION, Limit, LimitSource
from jobdeck.scheduling.list_tracker import ListEndpoint
from tests.builders import make_scheduler
from tests.support.examples import examples
from tests.unit.scheduling.world import World, failed, job_key, most_in_a_window, running, scheduler, send

LISTS = (
    ListEndpoint(
        "operation",
        frozenset({"operation", "enrichment"}),
        active_statuses=("processing", "queued"),
        ended_statuses=("succeeded", "failed", "cancelled"),
    ),
)
KINDS = ("enrichment", "search", "operation", "prospecting")
PROBLEMS = [kind for kind in ProblemKind if kind is not ProblemKind.AUTH]

TROUBLE = st.sampled_from([0.0, 0.2, 0.95])


def chaos(seed: int, jobs: int, per_minute: float, seconds: float, *, lists: bool, trouble: float) -> World:
    """Run against random answers: problems, ends, foreign rows, lying headers, pauses, sleeps, questions."""
    chance = random.Random(seed)
    absurd = chance.random() < 0.3
    supports = LISTS if lists else ()
    tested = make_scheduler(Limit(per_minute, LimitSource.CONFIGURED), random.Random(seed), supports)
    for name in range(jobs):
        tested.add(job_key(name), chance.choice(KINDS), 0.0)

    def seen(name: int) -> JobUpdate:
        return JobUpdate(
            job_key(name),
            chance.choice(KINDS),
            terminal=chance.random() < 0.01,
            progress=chance.choice([None, chance.random()]),
            changed=chance.random() < 0.5,
            full=chance.random() < 0.8,
        )

    def answer(now: float, action: Action) -> ActionResult:
        if chance.random() < 0.02:
            tested.after_sleep(now)
        if chance.random() < 0.05:
            tested.poll_now(job_key(chance.randrange(jobs)), now)
        if chance.random() < 0.05:
            tested.set_selected(job_key(chance.randrange(jobs)), now)
        if chance.random() < 0.02:
            tested.remove(job_key(chance.randrange(jobs)))
        if chance.random() < 0.05:
            back = job_key(chance.randrange(jobs))
            tested.remove(back)
            tested.add(back, chance.choice(KINDS), now)
        if chance.random() < 0.1:
            tested.resume_after_auth(now)
        windows: tuple[RateWindow, ...] = ()
        # An absurd answer may silence a profile for a day, so most runs have none.
        if absurd and chance.random() < 0.3:
            numbers = (chance.choice([None, 1, 60, 10**9]), chance.choice([None, 0, 5, 10**9]))
            windows = (
                RateWindow(*numbers, chance.choice([None, 0.0, 30.0, 1e12]), chance.choice([None, 1.0, 3600.0])),
            )
        problem = chance.choice(PROBLEMS) if chance.random() < trouble else None
        retry_after = chance.choice([None] * 8 + [0.0, 5.0, float("inf") if absurd else 20.0]) if problem else None
        if problem is not None:
            return failed(problem, retry_after=retry_after, windows=windows)
        if isinstance(action, Poll):
            return ActionResult(updates=(seen(int(action.key.id)),), windows=windows)
        shown = chance.sample(range(jobs), chance.randrange(jobs + 1))
        return ActionResult(
            updates=tuple(map(seen, shown)), windows=windows, rows=chance.choice([None, len(shown), 100])
        )

    world = World(tested, answer, latency=chance.choice([0.01, 0.3, 5.0]))
    world.run(seconds)
    return world


@examples(20)
@given(st.integers(0, 10**6), st.integers(1, 30), st.sampled_from([1, 4, 7, 30, 300, 600]), st.booleans(), TROUBLE)
def test_no_window_sees_more_than_its_budget_and_no_step_is_idle(
    seed: int, jobs: int, limit: int, lists: bool, trouble: float
) -> None:
    world = chaos(seed, jobs, limit, 400.0, lists=lists, trouble=trouble)
    assert most_in_a_window([at for at, _ in world.sent]) <= limit
    # Every step sends, or waits at least 0.2 s; an answer in between wakes the loop once more.
    assert world.steps <= 2 * len(world.sent) + 400.0 / MIN_DELAY + 10


@examples(4)
@given(st.integers(0, 10**6), st.booleans(), TROUBLE)
def test_the_same_seed_gives_the_same_decisions(seed: int, lists: bool, trouble: float) -> None:
    first, second = (chaos(seed, 12, 300, 120.0, lists=lists, trouble=trouble) for _ in range(2))
    assert first.sent == second.sent


@examples(8)
@given(st.integers(0, 10**6), st.integers(1, 60), st.sampled_from([30, 60, 300]), st.sampled_from([0.0, 0.5, 0.9]))
def test_no_live_job_waits_longer_than_eight_fair_rounds(seed: int, jobs: int, limit: int, stuck: float) -> None:
    chance = random.Random(seed)
    tested = scheduler(limit)
    for name in range(jobs):
        tested.add(job_key(name), chance.choice(KINDS), 0.0)
    tested.set_selected(job_key(0), 0.0)
    tested.set_visible([job_key(name) for name in range(min(jobs, 10))])
    # Jobs that stand at 99 % for ever always look as though they were worth more than all others.
    hot = {job_key(name) for name in range(jobs) if chance.random() < stuck}

    def answer(_: float, action: Action) -> ActionResult:
        assert isinstance(action, Poll)
        return running(action, 0.99 if action.key in hot else chance.choice([None, chance.random()]))

    fair = jobs / (NO_HEADER_UTILIZATION * limit / 60)
    end = 10 * fair + 100.0
    world = World(tested, answer)
    world.run(end)
    for name in range(jobs):
        times = [0.0, *world.times(job_key(name)), end]
        assert max(later - at for at, later in pairwise(times)) <= 8 * fair + 35.0


@given(st.floats(allow_nan=True, allow_infinity=True))
def test_every_delay_is_finite_and_bounded(seconds: float) -> None:
    assert MIN_DELAY <= clamp_delay(seconds) <= MAX_DELAY


def test_a_wait_is_never_for_the_present() -> None:
    tested = scheduler(1)
    for name in range(3):
        tested.add(job_key(name), "search", 1e9)
    assert isinstance(send(tested, 1e9), Poll | ListPage)
    waited = send(tested, 1e9)
    assert isinstance(waited, Wait)
    assert waited.until is not None
    assert waited.until > 1e9
