from collections.abc import Callable

import pytest
from hypothesis import HealthCheck
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from jobdeck.domain.job import JobKey
from jobdeck.domain.phase import Phase
from jobdeck.domain.problem import ProblemKind
from jobdeck.store import LIST, POLL, Store, open_store
from jobdeck.store.base import DEFAULT_PER_MINUTE
from jobdeck.store.records import Claim, LedgerState, Refused, Spent
from tests.builders import make_observation, make_target
from tests.store.doing import KEY, MINUTE, NOW, SECOND, a_problem, an_exchange, claim, list_page, poll, spend
from tests.support.examples import examples


def test_a_claim_is_on_record_before_anything_is_answered(store: Store) -> None:
    claimed = claim(store, NOW)
    (entry,) = store.exchanges(KEY)
    assert (entry.id, entry.state, entry.sent_us, entry.actor) == (claimed.exchange_id, LedgerState.SENT, NOW, "me")
    assert entry.http_status is None
    job = store.load_job(KEY)
    assert job is not None
    assert (job.fence, job.lease_owner, job.lease_until_us) == (claimed.fence, "me", NOW + 40 * SECOND)


def test_a_job_never_watched_is_not_claimed(store: Store) -> None:
    assert store.claim(JobKey("hog", None, "op_x"), NOW, 40.0) == Refused("unknown", 0)


def test_a_lease_holds_others_off_until_it_ends_or_its_time_is_over(pair: tuple[Store, Store]) -> None:
    me, you = pair
    claimed = claim(me, NOW)
    assert you.claim(KEY, NOW + SECOND, 40.0) == Refused("leased", NOW + 40 * SECOND)
    me.abandon(claimed, NOW + SECOND)
    yours = claim(you, NOW + SECOND)
    assert yours.fence > claimed.fence
    assert claim(me, NOW + 41 * SECOND).fence > yours.fence


def test_a_refused_claim_costs_nothing(pair: tuple[Store, Store]) -> None:
    me, you = pair
    claim(me, NOW)
    before = me.head()
    you.claim(KEY, NOW, 40.0)
    assert me.head() == before
    assert len(me.exchanges(KEY)) == 1


def test_an_abandoned_request_stays_on_record_and_frees_the_job(store: Store) -> None:
    claimed = claim(store, NOW)
    store.abandon(claimed, NOW + SECOND)
    store.abandon(claimed, NOW + SECOND)
    (entry,) = store.exchanges(KEY)
    assert entry.state is LedgerState.ABANDONED
    job = store.load_job(KEY)
    assert job is not None
    assert job.lease_owner is None


def test_a_late_answer_is_on_record_but_changes_no_newer_state(pair: tuple[Store, Store]) -> None:
    me, you = pair
    slow = claim(me, NOW, lease_seconds=5.0)
    poll(you, NOW + 6 * SECOND, make_observation(Phase.SUCCEEDED))
    done = me.complete(slow, an_exchange(NOW), [make_observation()], None, NOW + 7 * SECOND)
    assert done.late
    assert done.changed == ()
    job = me.load_job(KEY)
    assert job is not None
    assert job.last.phase is Phase.SUCCEEDED
    assert [entry.state for entry in me.exchanges(KEY)] == [LedgerState.ANSWERED] * 2


def test_an_answer_after_the_lease_counts_when_nobody_else_asked(store: Store) -> None:
    slow = claim(store, NOW, lease_seconds=1.0)
    done = store.complete(slow, an_exchange(NOW), [make_observation()], None, NOW + 20 * SECOND)
    assert done.changed == (KEY,)
    assert not done.late


def test_a_lease_from_before_the_clock_was_set_back_does_not_count(pair: tuple[Store, Store]) -> None:
    me, you = pair
    claim(me, NOW)
    an_hour_ago = NOW - 60 * MINUTE
    assert isinstance(you.claim(KEY, an_hour_ago, 40.0), Claim)


def test_a_bucket_nobody_set_lets_the_lowest_documented_limit_through(empty: Store) -> None:
    empty.watch([make_target()], NOW)
    assert empty.limit("hog", POLL) is None
    granted = [empty.spend("hog", POLL, NOW + n * SECOND // 2) for n in range(240)]
    assert 0 < sum(isinstance(grant, Spent) for grant in granted[:120]) <= DEFAULT_PER_MINUTE


def test_claims_and_look_ups_of_all_share_one_bucket_and_lists_have_their_own(pair: tuple[Store, Store]) -> None:
    me, you = pair
    me.set_limit("hog", POLL, 10, NOW)
    assert you.limit("hog", POLL) == 10
    claimed = claim(me, NOW)
    refused = you.spend("hog", POLL, NOW)
    assert isinstance(refused, Refused)
    assert refused.reason == "budget"
    assert isinstance(you.spend("hog", LIST, NOW), Spent)
    me.abandon(claimed, NOW)
    assert isinstance(you.spend("hog", POLL, refused.until_us), Spent)
    assert [entry.bucket for entry in me.all_exchanges()] == [POLL, LIST, POLL]


def test_a_limit_that_is_raised_lets_through_at_once_what_the_lower_one_refused(pair: tuple[Store, Store]) -> None:
    me, you = pair
    you.set_limit("hog", POLL, 30, NOW)
    while not isinstance(refused := me.spend("hog", POLL, NOW), Refused):
        pass
    assert refused.until_us - NOW >= 2 * SECOND
    you.set_limit("hog", POLL, 300, NOW)
    assert isinstance(me.spend("hog", POLL, NOW), Spent)


def test_a_429_silences_the_bucket_for_every_process(pair: tuple[Store, Store]) -> None:
    me, you = pair
    poll(me, NOW, a_problem(ProblemKind.RATE_LIMIT, retry_at_us=NOW + 30 * SECOND))
    assert you.claim(KEY, NOW + 29 * SECOND, 40.0) == Refused("silence", NOW + 30 * SECOND)
    assert isinstance(you.claim(KEY, NOW + 30 * SECOND, 40.0), Claim)


def test_a_429_without_a_time_silences_for_ten_seconds(store: Store) -> None:
    poll(store, NOW, a_problem(ProblemKind.RATE_LIMIT))
    assert isinstance(store.claim(KEY, NOW + 10 * SECOND, 40.0), Refused)
    assert isinstance(store.claim(KEY, NOW + 11 * SECOND, 40.0), Claim)


@pytest.mark.parametrize("give", [lambda store: claim(store, NOW), lambda store: spend(store, NOW)])
def test_only_a_request_without_an_answer_is_abandoned(store: Store, give: Callable[[Store], Claim | Spent]) -> None:
    granted = give(store)
    store.complete(granted, an_exchange(NOW), [make_observation()], None, NOW + SECOND)
    store.abandon(granted, NOW + SECOND)
    assert store.exchanges(KEY)[0].state is LedgerState.ANSWERED


def test_a_list_changes_a_leased_job_and_leaves_the_lease(store: Store) -> None:
    claim(store, NOW)
    assert list_page(store, NOW, make_observation()).changed == (KEY,)
    job = store.load_job(KEY)
    assert job is not None
    assert job.lease_owner == "me"


class TwoJobdecks(RuleBasedStateMachine):
    """Two owners claim two jobs in any order, forget to answer, and have a budget of 30 a minute."""

    limit = 30

    @initialize()
    def begin(self) -> None:
        import tempfile
        from pathlib import Path

        self.folder = tempfile.TemporaryDirectory()
        path = Path(self.folder.name) / "jobdeck.db"
        self.stores = [open_store(path, name, now_us=NOW, fallback=False).store for name in ("me", "you")]
        self.stores[0].watch([make_target("op_1"), make_target("op_2")], NOW)
        self.stores[0].set_limit("hog", POLL, self.limit, NOW)
        self.now_us = NOW
        self.leases: dict[str, tuple[int, int, Claim]] = {}
        self.fences = {"op_1": 0, "op_2": 0}
        self.granted: list[int] = []

    @rule(owner=st.integers(0, 1), id_=st.sampled_from(["op_1", "op_2"]), lease=st.sampled_from([1.0, 5.0, 40.0]))
    def ask(self, owner: int, id_: str, lease: float) -> None:
        claimed = self.stores[owner].claim(JobKey("hog", None, id_), self.now_us, lease)
        if isinstance(claimed, Refused):
            assert claimed.until_us > self.now_us
            return
        held = self.leases.get(id_)
        assert held is None or held[0] == owner or held[1] <= self.now_us
        assert claimed.fence > self.fences[id_]
        self.fences[id_] = claimed.fence
        self.leases[id_] = (owner, self.now_us + round(lease * SECOND), claimed)
        self.granted.append(self.now_us)

    @rule(owner=st.integers(0, 1), times=st.integers(1, 40))
    def look_up(self, owner: int, times: int) -> None:
        for _ in range(times):
            if isinstance(self.stores[owner].spend("hog", POLL, self.now_us), Spent):
                self.granted.append(self.now_us)

    @rule(id_=st.sampled_from(["op_1", "op_2"]), cancelled=st.booleans())
    def answer(self, id_: str, cancelled: bool) -> None:
        held = self.leases.pop(id_, None)
        if held is None:
            return
        owner, _, claimed = held
        if cancelled:
            self.stores[owner].abandon(claimed, self.now_us)
            return
        exchange = an_exchange(self.now_us, id_=id_)
        done = self.stores[owner].complete(claimed, exchange, [make_observation(id_=id_)], None, self.now_us)
        assert not done.late

    @rule(seconds=st.sampled_from([0.05, 0.7, 3.0, 20.0]))
    def wait(self, seconds: float) -> None:
        self.now_us += round(seconds * SECOND)

    @invariant()
    def the_budget_holds(self) -> None:
        recent = [at for at in getattr(self, "granted", []) if at >= self.now_us - MINUTE]
        assert len(recent) <= self.limit

    def teardown(self) -> None:
        for store in getattr(self, "stores", []):
            store.close()
        if hasattr(self, "folder"):
            self.folder.cleanup()


TestTwoJobdecks = TwoJobdecks.TestCase
TestTwoJobdecks.settings = examples(8, stateful_step_count=40, suppress_health_check=list(HealthCheck))
