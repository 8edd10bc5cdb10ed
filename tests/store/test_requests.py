from dataclasses import replace

from jobdeck.domain.job import JobKey
from jobdeck.domain.phase import Phase
from jobdeck.domain.problem import Problem, ProblemKind
from jobdeck.store import POLL, Store
from jobdeck.store.models import Denied, Grant, OutgoingRequest, RequestRecord, RequestState, from_epoch, poll_request
from tests.builders import START, make_observation, make_target
from tests.store.conftest import OpenClient
from tests.store.engines import Clock
from tests.store.steps import (
    KEY,
    NOW,
    PLENTY,
    SECOND,
    a_problem,
    an_exchange,
    answer,
    ask,
    claim,
    claim_list,
    ids,
    list_page,
    poll,
    saved,
)


def request_ids(records: tuple[RequestRecord, ...]) -> list[str | None]:
    return [record.exchange.request_id for record in records]


async def test_an_exchange_comes_back_as_it_was(store: Store, clock: Clock) -> None:
    problem = Problem(ProblemKind.RATE_LIMIT, "slow down", 429, "r-1", "t-1", NOW + 5 * SECOND)
    exchange = replace(
        an_exchange(NOW, problem, request_id="r-1"), body_request_id="b-1", trace_id="t-1", duration=1.234567
    )
    await answer(store, clock, NOW + 2 * SECOND, await claim(store, clock, NOW), exchange)
    (record,) = await store.requests(KEY)
    assert record.exchange == replace(exchange, sequence=record.exchange.sequence)
    assert record.exchange.sequence > 0, "its place in the order of sending is that of its record"
    assert record.at(from_epoch(NOW + 9 * SECOND)) == record.exchange
    again = record.at(START.later(9))
    assert again is not None
    assert again.started == START


async def test_a_request_without_an_answer_is_no_exchange(store: Store, clock: Clock) -> None:
    grant = await ask(store, clock, NOW, poll_request(KEY, "https://x/op_1"))
    assert isinstance(grant, Grant)
    (record,) = await store.requests(KEY)
    assert record.at(START) is None
    sent = record.exchange
    assert (sent.method, sent.url, sent.started, sent.http_status) == ("GET", "https://x/op_1", from_epoch(NOW), None)


async def test_a_jobs_requests_are_its_polls_and_the_lists_that_showed_it_newest_first(
    store: Store, clock: Clock
) -> None:
    await store.watch([make_target("op_2")])
    await poll(store, clock, NOW, request_id="poll")
    await list_page(store, clock, NOW + SECOND, make_observation(), make_observation(id_="op_2"))
    await poll(store, clock, NOW + 2 * SECOND, make_observation(id_="op_2"), make_target("op_2").key)
    await poll(store, clock, NOW + 3 * SECOND, a_problem(), request_id="failed")
    assert request_ids(await store.requests(KEY)) == ["failed", f"request-{NOW + SECOND}", "poll"]
    assert request_ids(await store.requests(KEY, 1)) == ["failed"]
    assert await store.requests(JobKey("hog", None, "op_stranger")) == ()


async def test_all_requests_are_listed_or_those_of_a_profile(store: Store, clock: Clock) -> None:
    other = make_target("op_1", "other")
    await store.watch([other])
    await store.set_limits("other", {POLL: PLENTY})
    await poll(store, clock, NOW, request_id="good")
    await poll(store, clock, NOW + SECOND, a_problem(), request_id="bad")
    await poll(store, clock, NOW + 2 * SECOND, make_observation(), other.key, request_id="other")
    assert request_ids(await store.all_requests()) == ["other", "bad", "good"]
    assert request_ids(await store.all_requests("hog")) == ["bad", "good"]
    assert request_ids(await store.all_requests(limit=1)) == ["other"]


async def test_the_requests_that_failed_within_a_time_are_listed(store: Store, clock: Clock) -> None:
    for second in range(4):
        await poll(store, clock, NOW + second * SECOND, a_problem(), request_id=f"failed {second}")
    await poll(store, clock, NOW + 2 * SECOND, request_id="answered")
    found = await store.failures("hog", NOW + SECOND, NOW + 2 * SECOND)
    assert request_ids(found) == ["failed 2", "failed 1"]
    assert request_ids(await store.failures("hog", NOW, NOW + 9 * SECOND, 1)) == ["failed 3"]
    assert await store.failures("other", NOW, NOW + 9 * SECOND) == ()


async def test_a_request_id_leads_to_its_exchange_and_what_it_showed(store: Store, clock: Clock) -> None:
    await poll(store, clock, NOW, make_observation(Phase.RUNNING, 0.5), request_id="r-1")
    await poll(store, clock, NOW + SECOND, make_observation(Phase.RUNNING, 0.5), request_id="r-2")
    first, second = await store.find_request("r-1"), await store.find_request("r-2")
    assert [record.exchange.job for record in second.requests] == [KEY]
    assert [(job.key, job.changed) for job in (*first.shown, *second.shown)] == [(KEY, True), (KEY, False)]
    assert first.shown[0].fields == second.shown[0].fields
    assert '"progress":0.5' in str(first.shown[0].fields)


async def test_of_requests_that_share_an_id_the_newest_are_found(store: Store, clock: Clock) -> None:
    for number in range(5):
        await poll(store, clock, NOW + number * SECOND, request_id="always the same")
    found = await store.find_request("always the same", 2)
    assert [record.sent_us - NOW for record in found.requests] == [4 * SECOND, 3 * SECOND]
    assert len(found.shown) == 2


async def test_trace_ids_body_ids_and_accepting_ids_are_found_too(store: Store, clock: Clock) -> None:
    await store.watch([replace(make_target(), accepted_request_id="accepted")])
    exchange = replace(an_exchange(NOW, request_id="header"), body_request_id="body", trace_id="trace")
    await answer(store, clock, NOW, await claim(store, clock, NOW), exchange, make_observation())
    for id_ in ("header", "body", "trace"):
        assert request_ids((await store.find_request(id_)).requests) == ["header"]
    assert (await store.find_request("accepted")).accepted == (KEY,)
    assert (await store.find_request("nobody's")).requests == ()


async def test_the_newest_activity_comes_first_among_the_jobs(store: Store, clock: Clock) -> None:
    await clock.set(NOW + 1)
    await store.watch([make_target("op_2"), make_target("op_3", "other")])
    await poll(store, clock, NOW + SECOND, make_observation(Phase.FAILED))
    await store.unwatch([KEY])
    assert ids(job.last.key for job in await store.jobs()) == ["op_1", "op_3", "op_2"]
    assert ids(job.last.key for job in await store.jobs(limit=1)) == ["op_1"]
    assert ids(job.last.key for job in await store.jobs("other")) == ["op_3"]


async def test_a_request_that_a_client_had_sent_before_it_died_is_on_record(
    open_client: OpenClient, clock: Clock
) -> None:
    store = await open_client("the killed")
    await store.watch([make_target()])
    await claim(store, clock, NOW)
    records = await (await open_client("the next")).requests(KEY)
    assert [(record.client, record.state) for record in records] == [("the killed", RequestState.SENT)]


async def test_a_request_that_acts_on_a_job_is_on_record_with_it_and_says_nothing_of_its_state(
    store: Store, clock: Clock
) -> None:
    before = await saved(store)
    cancel = OutgoingRequest("hog", "https://x/cancel", method="POST", job=KEY)
    assert isinstance(await ask(store, clock, NOW, cancel), Grant)
    grant = await ask(store, clock, NOW + SECOND, cancel)
    assert isinstance(grant, Grant)
    assert grant.fence is None
    refused = Problem(ProblemKind.PROTOCOL, "too late", http_status=422)
    exchange = replace(an_exchange(NOW + SECOND), method="POST", problem=refused)
    await answer(store, clock, NOW + SECOND, grant, exchange)
    found = await store.requests(KEY)
    assert [(record.exchange.method, record.state, record.exchange.problem) for record in found] == [
        ("POST", RequestState.ANSWERED, refused),
        ("POST", RequestState.SENT, None),
    ]
    assert await saved(store) == before
    nobody = OutgoingRequest("hog", "", method="POST", job=replace(KEY, id="nobody"))
    assert await ask(store, clock, NOW, nobody) == Denied("unknown", 0)


async def test_strings_from_the_database_are_cleaned(store: Store, clock: Clock) -> None:
    hostile = replace(an_exchange(NOW, request_id="r\x1b[2J"), url="https://x/\u202e")
    await answer(store, clock, NOW, await claim_list(store, clock, NOW), hostile)
    exchange = (await store.all_requests())[0].exchange
    assert (exchange.request_id, exchange.url) == ("r\\x1b[2J", "https://x/\\u202e")
