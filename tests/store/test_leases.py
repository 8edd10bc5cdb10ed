import asyncio
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import strategies as st

from jobdeck.domain.job import JobKey
from jobdeck.domain.phase import Phase
from jobdeck.domain.problem import ProblemKind
from jobdeck.store import LIST, POLL, Store, StoreError
from jobdeck.store.models import Answer, Denied, Grant, OutgoingRequest, RequestState, poll_request
from jobdeck.store.protocol import DEFAULT_PER_MINUTE
from tests.builders import make_observation, make_target
from tests.store.engines import Clock, Database
from tests.store.steps import (
    KEY,
    LEASE,
    MINUTE,
    NOW,
    SECOND,
    Lease,
    a_list,
    a_problem,
    an_exchange,
    answer,
    ask,
    assert_leased,
    claim,
    claim_list,
    lease_of,
    list_page,
    poll,
    saved,
    until,
)
from tests.support.examples import examples

POLL_IT = poll_request(KEY)
OTHER = make_target("op_2")


async def test_a_granted_request_is_on_record_before_it_is_answered(store: Store, clock: Clock) -> None:
    grant = await claim(store, clock, NOW)
    (record,) = await store.requests(KEY)
    assert (record.exchange.sequence, record.state, record.sent_us) == (grant.sequence, RequestState.SENT, NOW)
    assert (record.client, record.bucket, record.exchange.http_status) == ("me", POLL, None)
    assert await lease_of(store) == Lease(grant.fence or 0, "me", NOW + LEASE)
    assert await store.newest() == grant.sequence


async def test_a_job_never_watched_is_not_claimed(store: Store, clock: Clock) -> None:
    for request in (poll_request(JobKey("hog", None, "op_x")), OutgoingRequest("hog", "", job=OTHER.key)):
        assert await ask(store, clock, NOW, request) == Denied("unknown", 0)
    assert await store.all_requests() == ()


async def test_a_lease_holds_others_off_until_it_is_released(pair: tuple[Store, Store], clock: Clock) -> None:
    me, you = pair
    grant = await claim(me, clock, NOW)
    assert_leased(await ask(you, clock, NOW + SECOND, POLL_IT), NOW + LEASE)
    await me.release([grant])
    yours = await claim(you, clock, NOW + SECOND)
    assert (yours.fence or 0) > (grant.fence or 0)


async def test_the_lease_of_a_client_that_stopped_lasts_no_longer_than_lease_seconds(
    pair: tuple[Store, Store], clock: Clock, database: Database
) -> None:
    me, you = pair
    grant = await claim(me, clock, NOW)
    await me.close()
    if not database.knows_who_lives:
        assert_leased(await ask(you, clock, NOW + LEASE - 1, POLL_IT), NOW + LEASE)
    yours = await claim(you, clock, NOW + LEASE)
    assert (yours.fence or 0) > (grant.fence or 0)
    assert [record.state for record in await you.requests(KEY)] == [RequestState.SENT] * 2


async def test_a_lease_that_is_not_renewed_is_over_after_lease_seconds(pair: tuple[Store, Store], clock: Clock) -> None:
    me, you = pair
    await claim(me, clock, NOW)
    assert_leased(await ask(you, clock, NOW + LEASE - 1, POLL_IT), NOW + LEASE)
    await claim(you, clock, NOW + LEASE)
    assert (await lease_of(me)).owner == "you"


async def test_a_request_that_is_under_way_for_long_keeps_its_lease(
    pair: tuple[Store, Store], clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("jobdeck.store.leases.RENEW_SECONDS", 0.01)
    me, you = pair
    grant = await claim(me, clock, NOW)
    for step in range(1, 5):
        at_us = NOW + step * (LEASE - 1)
        await clock.set(at_us)

        async def renewed(until_us: int = at_us + LEASE) -> bool:
            return (await lease_of(you)).until_us == until_us

        await until(renewed)
        assert_leased(await ask(you, clock, at_us, POLL_IT), at_us + LEASE)
    done = await answer(me, clock, at_us, grant, an_exchange(NOW), make_observation(Phase.SUCCEEDED))
    assert (done.changed, done.late) == ((KEY,), False)
    assert (await lease_of(you)).owner is None
    await claim(you, clock, at_us)


async def test_a_renewal_that_comes_too_late_leaves_the_lease_of_another_alone(
    pair: tuple[Store, Store], clock: Clock
) -> None:
    me, you = pair
    late = await claim(me, clock, NOW)
    yours = await claim(you, clock, NOW + LEASE)
    await clock.set(NOW + LEASE + SECOND)
    await me._leases._renew_all([late])  # type: ignore[attr-defined] - as its timer does, at this moment
    assert await lease_of(you) == Lease(yours.fence or 0, "you", NOW + 2 * LEASE)
    await me.release([late])


async def test_an_answer_to_a_request_whose_lease_another_took_over_is_on_record_and_changes_nothing(
    pair: tuple[Store, Store], clock: Clock
) -> None:
    me, you = pair
    slow = await claim(me, clock, NOW)
    await poll(you, clock, NOW + LEASE, make_observation(Phase.SUCCEEDED))
    done = await answer(me, clock, NOW + LEASE + SECOND, slow, an_exchange(NOW), make_observation())
    assert (done.late, done.changed, done.seen) == (True, (), ())
    assert (await saved(me)).last.phase is Phase.SUCCEEDED
    assert [record.state for record in await me.requests(KEY)] == [RequestState.ANSWERED] * 2
    assert len(await me.timeline(KEY)) == 1


async def test_a_late_answer_leaves_the_lease_that_came_after_it(pair: tuple[Store, Store], clock: Clock) -> None:
    me, you = pair
    slow = await claim(me, clock, NOW)
    yours = await claim(you, clock, NOW + LEASE)
    assert (await answer(me, clock, NOW + LEASE, slow, an_exchange(NOW), make_observation())).late
    await me.release([slow])
    lease = await lease_of(me)
    assert (lease.owner, lease.fence) == ("you", yours.fence)
    assert_leased(await ask(me, clock, NOW + LEASE, POLL_IT), NOW + 2 * LEASE)


async def test_an_answer_after_the_lease_counts_when_nobody_else_asked(store: Store, clock: Clock) -> None:
    slow = await claim(store, clock, NOW)
    done = await answer(store, clock, NOW + 2 * LEASE, slow, an_exchange(NOW), make_observation())
    assert (done.changed, done.late) == ((KEY,), False)


async def test_a_denied_claim_costs_nothing(pair: tuple[Store, Store], clock: Clock) -> None:
    me, you = pair
    await claim(me, clock, NOW)
    before = await me.head()
    await ask(you, clock, NOW, POLL_IT)
    assert await me.head() == before
    assert len(await me.requests(KEY)) == 1


async def test_a_released_request_stays_on_record_and_frees_the_job(store: Store, clock: Clock) -> None:
    grant = await claim(store, clock, NOW)
    await store.release([grant])
    await store.release([grant])
    (record,) = await store.requests(KEY)
    assert record.state is RequestState.ABANDONED
    assert (await lease_of(store)).owner is None


@pytest.mark.parametrize("request_", [POLL_IT, a_list()], ids=["a poll", "a list"])
async def test_only_a_request_without_an_answer_is_released(
    store: Store, clock: Clock, request_: OutgoingRequest
) -> None:
    grant = await ask(store, clock, NOW, request_)
    assert isinstance(grant, Grant)
    await answer(store, clock, NOW + SECOND, grant, an_exchange(NOW), make_observation())
    await store.release([grant])
    assert (await store.requests(KEY))[0].state is RequestState.ANSWERED


async def test_a_lease_from_before_the_clock_was_set_back_does_not_count(
    pair: tuple[Store, Store], clock: Clock
) -> None:
    me, you = pair
    await claim(me, clock, NOW)
    await claim(you, clock, NOW - 60 * MINUTE)


async def test_a_list_changes_a_leased_job_and_leaves_the_lease(store: Store, clock: Clock) -> None:
    await claim(store, clock, NOW)
    assert (await list_page(store, clock, NOW, make_observation())).changed == (KEY,)
    assert (await lease_of(store)).owner == "me"


async def test_several_requests_are_decided_in_their_order(pair: tuple[Store, Store], clock: Clock) -> None:
    me, you = pair
    third = make_target("op_3")
    await me.watch([OTHER, third])
    await claim(you, clock, NOW)
    await me.set_limits("hog", {LIST: 1})
    unknown = JobKey("hog", None, "op_x")
    asked = [
        poll_request(OTHER.key),
        POLL_IT,
        a_list(LIST),
        a_list(LIST),
        poll_request(unknown),
        poll_request(third.key),
    ]
    first, leased, listed, used_up, nobody, last = await me.claim(asked)
    grants = [first, listed, last]
    assert all(isinstance(grant, Grant) for grant in grants)
    assert [grant.request for grant in grants if isinstance(grant, Grant)] == [asked[0], asked[2], asked[5]]
    sequences = [grant.sequence for grant in grants if isinstance(grant, Grant)]
    assert sequences == sorted(set(sequences))
    assert_leased(leased, NOW + LEASE)
    assert isinstance(used_up, Denied)
    assert used_up.reason == "budget"
    assert nobody == Denied("unknown", 0)
    assert [record.exchange.sequence for record in await me.all_requests(limit=3)] == sequences[::-1]
    assert await me.claim([]) == ()


async def test_a_grant_for_one_who_has_gone_is_released(store: Store, clock: Clock) -> None:
    async def free() -> bool:
        await store.annotate([KEY], "a later write")
        return (await lease_of(store)).owner is None

    turns, waiting = 0, asyncio.create_task(store.claim([POLL_IT]))
    # Cancelled after every number of turns of the loop, until there are so many that it is done by then.
    while not waiting.done():
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        await until(free)
        turns += 1
        waiting = asyncio.create_task(store.claim([POLL_IT]))
        for _ in range(turns):
            await asyncio.sleep(0)
    assert {record.state for record in (await store.requests(KEY))[1:]} <= {RequestState.ABANDONED}


async def test_an_answer_is_recorded_even_when_nobody_waits_any_more(store: Store, clock: Clock) -> None:
    grant = await claim(store, clock, NOW)
    completing = store.complete([Answer(grant, an_exchange(NOW), (make_observation(),))])
    waiting = asyncio.ensure_future(completing)
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting

    async def answered() -> bool:
        return (await store.requests(KEY))[0].state is RequestState.ANSWERED

    await until(answered)


async def test_a_limit_is_at_least_one_request_a_minute(store: Store) -> None:
    with pytest.raises(ValueError, match="at least one"):
        await store.set_limits("hog", {LIST: 10, POLL: 0})
    assert await store.limit("hog", LIST) is None


async def test_a_limit_that_is_only_assumed_holds_where_nobody_set_one(store: Store) -> None:
    await store.set_limits("hog", {POLL: 20, LIST: 20}, assumed=True)
    assert await store.limit("hog", POLL) != 20
    assert await store.limit("hog", LIST) == 20


async def test_a_bucket_nobody_set_lets_the_lowest_documented_limit_through(empty: Store, clock: Clock) -> None:
    await empty.watch([make_target()])
    assert await empty.limit("hog", POLL) is None
    decided = [await ask(empty, clock, NOW + n * SECOND // 2, a_list()) for n in range(240)]
    assert 0 < sum(isinstance(one, Grant) for one in decided[:120]) <= DEFAULT_PER_MINUTE


async def test_polls_and_lists_of_all_clients_share_a_bucket_and_another_bucket_is_another(
    pair: tuple[Store, Store], clock: Clock
) -> None:
    me, you = pair
    await me.set_limits("hog", {POLL: 10})
    assert await you.limit("hog", POLL) == 10
    grant = await claim(me, clock, NOW)
    denied = await ask(you, clock, NOW, a_list())
    assert isinstance(denied, Denied)
    assert denied.reason == "budget"
    await claim_list(you, clock, NOW, LIST)
    await me.release([grant])
    await claim_list(you, clock, denied.until_us)
    assert [record.bucket for record in await me.all_requests()] == [POLL, LIST, POLL]


async def test_a_limit_that_is_raised_lets_through_at_once_what_the_lower_one_denied(
    pair: tuple[Store, Store], clock: Clock
) -> None:
    me, you = pair
    await you.set_limits("hog", {POLL: 30})
    while not isinstance(denied := await ask(me, clock, NOW, a_list()), Denied):
        pass
    assert denied.until_us - NOW >= 2 * SECOND
    await you.set_limits("hog", {POLL: 300})
    await claim_list(me, clock, NOW)


async def test_a_429_begins_a_cooldown_of_the_bucket_for_every_client(pair: tuple[Store, Store], clock: Clock) -> None:
    me, you = pair
    await poll(me, clock, NOW, a_problem(ProblemKind.RATE_LIMIT, retry_at_us=NOW + 30 * SECOND))
    assert await ask(you, clock, NOW + 29 * SECOND, POLL_IT) == Denied("cooldown", NOW + 30 * SECOND)
    await claim(you, clock, NOW + 30 * SECOND)


async def test_a_429_without_a_time_begins_a_cooldown_of_ten_seconds(store: Store, clock: Clock) -> None:
    await poll(store, clock, NOW, a_problem(ProblemKind.RATE_LIMIT))
    assert isinstance(await ask(store, clock, NOW + 10 * SECOND, POLL_IT), Denied)
    await claim(store, clock, NOW + 11 * SECOND)


async def test_a_cooldown_that_was_set_holds_for_every_client_and_never_ends_earlier(
    pair: tuple[Store, Store], clock: Clock
) -> None:
    me, you = pair
    await me.set_cooldown("hog", POLL, NOW + 30 * SECOND)
    await me.set_cooldown("hog", POLL, NOW + 20 * SECOND)
    assert await ask(you, clock, NOW + 29 * SECOND, POLL_IT) == Denied("cooldown", NOW + 30 * SECOND)
    await claim(you, clock, NOW + 30 * SECOND)


async def test_a_cooldown_is_of_one_bucket_which_need_not_have_been_used(store: Store, clock: Clock) -> None:
    await store.set_cooldown("hog", LIST, NOW + 30 * SECOND)
    assert await ask(store, clock, NOW, a_list(LIST)) == Denied("cooldown", NOW + 30 * SECOND)
    await claim_list(store, clock, NOW)
    assert await store.limit("hog", LIST) is None
    await store.set_cooldown("hog", LIST, NOW + 60 * MINUTE)
    await claim_list(store, clock, NOW + 31 * SECOND, LIST)


@dataclass(frozen=True)
class Ask:
    """A client asks for leave to poll one of two jobs."""

    client: int
    job: int


@dataclass(frozen=True)
class AskForLists:
    """A client asks for lists, so many times."""

    client: int
    times: int


@dataclass(frozen=True)
class Finish:
    """The request about a job is answered, or cancelled."""

    job: int
    cancelled: bool


@dataclass(frozen=True)
class Wait:
    """Time passes."""

    seconds: float


clients, jobs = st.integers(0, 1), st.integers(1, 2)
actions = st.one_of(
    st.builds(Ask, clients, jobs),
    st.builds(AskForLists, clients, st.integers(1, 40)),
    st.builds(Finish, jobs, st.booleans()),
    st.builds(Wait, st.sampled_from([0.05, 0.7, 3.0, 20.0])),
)


class Model:
    """What two clients may be granted of two jobs of a new profile, which lets 30 requests a minute through."""

    limit = 30

    def __init__(self, stores: tuple[Store, Store], clock: Clock, profile: str) -> None:
        self._stores = stores
        self._clock = clock
        self._profile = profile
        self._leases: dict[JobKey, tuple[int, int, Grant]] = {}
        self._fences: dict[JobKey, int] = {}
        self._granted: list[int] = []

    async def begin(self) -> None:
        await self._stores[0].watch([make_target("op_1", self._profile), make_target("op_2", self._profile)])
        await self._stores[0].set_limits(self._profile, {POLL: self.limit})

    async def step(self, action: Any) -> None:
        now_us = self._clock.us
        match action:
            case Ask(client, job):
                await self._ask(client, JobKey(self._profile, None, f"op_{job}"), now_us)
            case AskForLists(client, times):
                decided = await self._stores[client].claim([a_list(profile=self._profile)] * times)
                self._granted += [now_us for one in decided if isinstance(one, Grant)]
            case Finish(job, cancelled):
                await self._finish(JobKey(self._profile, None, f"op_{job}"), now_us, cancelled=cancelled)
            case Wait(seconds):
                await self._clock.set(now_us + round(seconds * SECOND))
        recent = [at for at in self._granted if at >= self._clock.us - MINUTE]
        assert len(recent) <= self.limit

    async def _ask(self, client: int, key: JobKey, now_us: int) -> None:
        (decided,) = await self._stores[client].claim([poll_request(key)])
        if isinstance(decided, Denied):
            assert decided.until_us > now_us
            return
        held = self._leases.get(key)
        assert held is None or held[0] == client or held[1] <= now_us
        assert decided.fence is not None
        assert decided.fence > self._fences.get(key, 0)
        self._fences[key] = decided.fence
        self._leases[key] = (client, now_us + LEASE, decided)
        self._granted.append(now_us)

    async def _finish(self, key: JobKey, now_us: int, *, cancelled: bool) -> None:
        held = self._leases.pop(key, None)
        if held is None:
            return
        client, _, grant = held
        if cancelled:
            await self._stores[client].release([grant])
            return
        exchange = an_exchange(now_us, id_=key.id)
        done = await answer(self._stores[client], self._clock, now_us, grant, exchange, make_observation(id_=key.id))
        assert not done.late


profiles = iter(f"hog-{number}" for number in range(10**9))


@examples(8, suppress_health_check=list(HealthCheck), deadline=None)
@given(steps=st.lists(actions, min_size=20, max_size=40))
async def test_two_clients_in_any_order_share_the_budget_and_never_hold_one_lease(
    pair: tuple[Store, Store], clock: Clock, steps: list[object]
) -> None:
    model = Model(pair, clock, next(profiles))
    await model.begin()
    for step in steps:
        await model.step(step)


async def test_leases_of_a_store_that_is_closed_are_renewed_no_more(
    pair: tuple[Store, Store], clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("jobdeck.store.leases.RENEW_SECONDS", 0.01)
    me, you = pair
    await claim(me, clock, NOW)
    await me.close()
    await clock.set(NOW + SECOND)
    await asyncio.sleep(0.05)
    assert (await lease_of(you)).until_us == NOW + LEASE
    with pytest.raises(StoreError):
        await me.claim([POLL_IT])
