"""A budget that others share is a wall in front of the scheduler: it slows everything, and changes no order."""

import random
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from jobdeck.domain.phase import Phase
from jobdeck.domain.problem import ProblemKind
from jobdeck.domain.ratelimit import RateWindow
from jobdeck.scheduling.actions import Action, ActionResult, JobUpdate, ListPage, Poll, Wait
from jobdeck.scheduling.bucket import Limit, LimitSource
from jobdeck.scheduling.list_tracker import ListEndpoint
from jobdeck.scheduling.scheduler import Scheduler
from jobdeck.store.gcra import Delayed, Rate, admit
from tests.builders import make_scheduler
from tests.support.examples import examples
from tests.unit.scheduling.world import World, failed, job_key, running, scheduler, send

LISTS = (ListEndpoint("operation", frozenset({"operation"}), active_statuses=("processing",), full_rows=False),)


class Walled(World):
    """A world in which a shared budget may refuse a request, before it is sent."""

    def __init__(self, tested: Scheduler, answer: object, per_minute: int, taken: float = 0.0) -> None:
        super().__init__(tested, answer)  # type: ignore[arg-type] - handed on as it is
        self.rate = Rate.of(per_minute)
        self.denied = 0
        self.budget = [0]
        self._taken = taken
        self._others = random.Random(1)

    def permits(self, action: Action) -> bool:
        now_us = round(self.now * 1e6)
        if self._others.random() < self._taken:
            self._spend(now_us)
        verdict = self._spend(now_us)
        if verdict is None:
            return True
        self.denied += 1
        self.tested.block(action, self.now, verdict / 1e6)
        return False

    def _spend(self, now_us: int) -> int | None:
        verdict = admit(self.budget[0], now_us, self.rate)
        if isinstance(verdict, Delayed):
            return verdict.until_us
        self.budget[0] = verdict.tat_us
        return None


def test_what_the_shared_budget_refused_has_its_old_place_when_there_is_room() -> None:
    tested = scheduler(60)
    for name in "abc":
        tested.add(job_key(name), "search", 0.0)
    tested.poll_now(job_key("c"), 0.0)
    action = tested.next_action(0.0)
    assert action == Poll(job_key("c"))
    tested.block(action, 0.1, 5.0)
    assert tested.quota(0.1).used == 0
    assert send(tested, 0.2) == Wait(5.0), "others are not tried in its place: they would be refused as well"
    assert send(tested, 5.0) == action
    later = send(tested, 5.0)
    assert isinstance(later, Wait), "nothing is saved up behind a wall"


def test_the_selected_job_does_not_pay_for_what_was_not_sent() -> None:
    tested = scheduler(30)
    for name in range(20):
        tested.add(job_key(name), "search", 0.0)
    tested.set_selected(job_key(0), 0.0)
    world = Walled(tested, lambda _, action: running(action), 30, taken=0.3)
    world.run(300.0)
    times = world.times(job_key(0))
    assert len(times) >= 300.0 / 20, "a sixth of the budget at the least, of which others take a third"
    assert world.denied <= len(world.sent), "one refusal a request at the most"


def test_a_result_that_somebody_else_is_fetching_is_waited_for() -> None:
    tested = scheduler(600)
    key = job_key("a")
    tested.add(key, "search", 0.0)
    action = send(tested, 0.0)
    row = JobUpdate(key, "search", terminal=True, progress=None, changed=True, full=False, phase=Phase.SUCCEEDED)
    tested.on_result(0.1, action, ActionResult(updates=(row,)))
    action = tested.next_action(1.0)
    assert action == Poll(key), "its result is still missing"
    tested.defer(action, 1.0, 46.0)
    assert send(tested, 1.1) == Wait(46.0)
    assert send(tested, 46.0) == Poll(key)


def test_a_probe_that_another_process_sends_is_left_to_it() -> None:
    tested = scheduler(600)
    for name in "ab":
        tested.add(job_key(name), "search", 0.0)
    world = World(tested, lambda *_: failed(ProblemKind.NETWORK))
    world.run(30.0)
    assert tested.probe_at is not None
    at = tested.probe_at
    deferred = {}
    while isinstance(action := tested.next_action(at), Poll):
        assert action.key not in deferred, "it would be asked for again and again"
        tested.defer(action, at, at + 45.0)
        deferred[action.key] = at
    assert set(deferred) == {job_key("a"), job_key("b")}
    assert isinstance(tested.next_action(at + 45.0), Poll)


def test_clients_of_one_budget_learn_their_shares_from_what_is_denied_and_use_all_of_it() -> None:
    jobs = [job_key(name) for name in range(200)]
    worlds: list[Walled] = []
    for number in range(4):
        tested = scheduler(300, seed=number)
        for key in jobs[number::4]:
            tested.add(key, "enrichment", 0.0)
        worlds.append(Walled(tested, lambda _, action: running(action), 300))
        worlds[-1].budget = worlds[0].budget
    order = random.Random(1)
    for tenth in range(3_000):
        for world in order.sample(worlds, 4):
            world.run(tenth / 10)
    sent = [len(world.sent) for world in worlds]
    assert sum(world.denied for world in worlds) <= 0.25 * sum(sent)
    assert sum(sent) >= 0.85 * 290 * 5
    assert max(sent) <= 1.5 * min(sent), "nobody is pushed aside"


@examples(8)
@given(
    st.integers(0, 10**6),
    st.integers(1, 40),
    st.sampled_from([30, 60, 300]),
    st.sampled_from([0.0, 0.4]),
    st.booleans(),
)
def test_a_wall_makes_no_busy_loop_and_starves_nobody(
    seed: int, jobs: int, limit: int, taken: float, lists: bool
) -> None:
    chance = random.Random(seed)
    tested = make_scheduler(Limit(limit, LimitSource.CONFIGURED), random.Random(seed), LISTS if lists else ())
    kind = "operation" if lists else "search"
    for name in range(jobs):
        tested.add(job_key(name), kind, 0.0)
    tested.set_selected(job_key(0), 0.0)

    def row(name: int, *, whole: bool) -> JobUpdate:
        return JobUpdate(job_key(name), kind, terminal=name % 5 == 4, progress=None, changed=False, full=whole)

    def answer(_: float, action: Action) -> ActionResult:
        if isinstance(action, ListPage):
            return ActionResult(updates=tuple(row(name, whole=False) for name in range(jobs)), rows=jobs)
        assert isinstance(action, Poll)
        if chance.random() < 0.05:
            tested.remove(job_key(chance.randrange(1, jobs + 1)))
        return ActionResult(updates=(row(int(action.key.id), whole=True),))

    world = Walled(tested, answer, limit, taken)
    end = 100.0 + 20 * jobs * 60 / limit
    world.run(end)
    assert world.steps <= 4 * len(world.sent) + 2 * world.denied + 5 * end + 20
    assert world.denied <= 2 * len(world.sent) + 10
    if not lists and taken == 0.0:
        for name in range(jobs):
            assert world.times(job_key(name)) or tested.next_poll(job_key(name)) is None, f"{name} was never asked"


def _told(action: Action, limit: int, remaining: int) -> ActionResult:
    return replace(running(action), windows=(RateWindow(limit, remaining, 60.0),))


def _held(tested: Scheduler) -> tuple[Action, Action]:
    """Return what is on its way, and what those who share the budget refused until 4.0."""
    for name in "ab":
        tested.add(job_key(name), "search", 0.0)
    sent, refused = send(tested, 0.0), tested.next_action(0.0)
    tested.block(refused, 0.1, 4.0)
    assert send(tested, 0.2) == Wait(4.0)
    return sent, refused


def test_what_was_refused_under_a_limit_goes_at_once_when_headers_raise_it() -> None:
    tested = scheduler(30)
    sent, refused = _held(tested)
    tested.on_result(0.5, sent, _told(sent, 300, 299))
    assert send(tested, 0.5) == refused


def test_a_limit_that_stays_and_one_that_is_used_up_let_nothing_go_sooner() -> None:
    for limit, remaining in ((30, 29), (300, 0)):
        tested = scheduler(30)
        sent, _ = _held(tested)
        tested.on_result(0.5, sent, _told(sent, limit, remaining))
        wait = send(tested, 0.5)
        assert isinstance(wait, Wait)
        assert wait.until is not None
        assert wait.until >= 4.0


def test_a_raised_limit_ends_no_cooldown_of_the_servers() -> None:
    tested = scheduler(30)
    sent, _ = _held(tested)
    tested.on_result(0.5, sent, failed(ProblemKind.RATE_LIMIT, retry_after=9.0, windows=(RateWindow(300, 9),)))
    assert send(tested, 0.5) == Wait(9.5)
