"""The database goes away and comes back: nothing that was told is lost, nothing is sent that it did not grant."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace

import pytest

from jobdeck.domain.scope import Scope
from jobdeck.store import POLL
from jobdeck.store.errors import StoreUnavailableError
from jobdeck.store.models import (
    Answer,
    Completed,
    Grant,
    NoticeKind,
    RequestRecord,
    RequestState,
    poll_request,
)
from jobdeck.store.postgres.connect import ServerAddress
from jobdeck.store.postgres.local_share import LocalShare
from jobdeck.store.postgres.migrate import migrate
from jobdeck.store.postgres.opening import open_team_store
from jobdeck.store.postgres.store import PostgresStore
from tests.builders import make_observation, make_target
from tests.store.steps import KEY, PLENTY, an_exchange
from tests.support.postgres import NAMED, PostgresServer, running_server

ACME = {"hog": Scope("https://developer.thehog.ai", "acme", "thehog")}
PATIENCE = 60.0


def now_us() -> int:
    return time.time_ns() // 1_000


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[PostgresServer]:
    """A server of this test alone, which may be stopped."""
    monkeypatch.delenv(NAMED, raising=False)
    with running_server() as server:
        yield server


async def opened(server: PostgresServer, *, local_share: bool = False) -> PostgresStore:
    await migrate(ServerAddress.parse(server.url), new=True)
    found = await open_team_store(server.url, "me", user="ann", scopes=ACME, now_us=now_us, local_share=local_share)
    await found.store.watch([make_target()])
    await found.store.set_limits("hog", {POLL: PLENTY})
    return found.store


@pytest.fixture
async def store(server: PostgresServer) -> AsyncIterator[PostgresStore]:
    store = await opened(server)
    yield store
    await store.close()


async def back(store: PostgresStore) -> None:
    async with asyncio.timeout(PATIENCE):
        while store.degraded is not None:
            await asyncio.sleep(0.01)


async def test_nothing_is_granted_while_it_is_away_and_an_answer_waits_for_it(
    server: PostgresServer, store: PostgresStore
) -> None:
    (grant,) = await store.claim([poll_request(KEY)])
    assert isinstance(grant, Grant)
    server.stop()
    answering = asyncio.create_task(
        store.complete([Answer(grant, an_exchange(now_us(), request_id="r-1"), (make_observation(),))])
    )
    with pytest.raises(StoreUnavailableError, match="cannot reach"):
        await store.claim([poll_request(KEY)])
    assert store.degraded is not None
    assert store.degraded.kind is NoticeKind.AWAY
    assert "Polling is paused until it is reachable" in store.degraded.message
    assert not answering.done()
    server.start()
    await back(store)
    assert store.incident is not None
    assert store.incident.kind is NoticeKind.RETURNED
    async with asyncio.timeout(PATIENCE):
        (done,) = await answering
    assert done.changed == (KEY,)
    (record,) = await store.requests(KEY)
    assert (record.state, record.exchange.request_id) == (RequestState.ANSWERED, "r-1")
    assert isinstance((await store.claim([poll_request(KEY)]))[0], Grant)


async def test_who_waits_for_changes_learns_that_it_went_away_and_came_back(
    server: PostgresServer, store: PostgresStore
) -> None:
    await store.wait_for_change()
    server.stop()
    with pytest.raises(StoreUnavailableError):
        await store.head()
    async with asyncio.timeout(PATIENCE):
        await store.wait_for_change()
    server.start()
    await back(store)
    other = (await open_team_store(server.url, "you", user="bob", scopes=ACME, now_us=now_us)).store
    cursor = await store.head()
    async with asyncio.timeout(PATIENCE):
        # Its listening connection is made again.
        while True:
            await store.wait_for_change()
            await other.annotate([KEY], "hello")
            changes, cursor = await store.changes(cursor)
            if changes:
                break
    await other.close()


async def test_with_a_share_of_the_limit_polling_goes_on_and_is_recorded_later(server: PostgresServer) -> None:
    store = await opened(server, local_share=True)
    await store.set_limits("hog", {POLL: 600})
    await store.wait_for_change()
    server.stop()
    decided = [(await store.claim([poll_request(KEY)]))[0] for _ in range(50)]
    grants = [one for one in decided if isinstance(one, Grant)]
    assert grants
    assert store.degraded is not None
    assert "1/1 of the rate limit" in store.degraded.message
    for number, grant in enumerate(grants):
        exchange = an_exchange(now_us() + number, request_id=f"r-{number}")
        await store.complete([Answer(grant, exchange, (make_observation(),))])
    server.start()
    await back(store)
    async with asyncio.timeout(PATIENCE):
        while True:
            records = await store.requests(KEY)
            if sum(record.state is RequestState.ANSWERED for record in records) == len(grants):
                break
            await asyncio.sleep(0.01)
    assert {record.exchange.request_id for record in records} == {f"r-{number}" for number in range(len(grants))}
    assert (await store.load([KEY]))[KEY].last.status == "processing"
    await store.close()


async def recorded(store: PostgresStore, number: int) -> tuple[RequestRecord, ...]:
    """Return the records of the job once so many are answered, oldest first."""
    async with asyncio.timeout(PATIENCE):
        while True:
            with suppress(StoreUnavailableError):
                records = await store.requests(KEY)
                if sum(record.state is RequestState.ANSWERED for record in records) >= number:
                    return tuple(reversed(records))
            await asyncio.sleep(0.01)


async def test_a_request_that_it_granted_is_answered_in_its_own_record_and_its_lease_ends(
    server: PostgresServer,
) -> None:
    store = await opened(server, local_share=True)
    (grant,) = await store.claim([poll_request(KEY)])
    assert isinstance(grant, Grant)
    server.stop()
    await store.complete([Answer(grant, an_exchange(now_us(), request_id="r-1"), (make_observation(),))])
    assert not store._leases._held
    server.start()
    await back(store)
    (record,) = await recorded(store, 1)
    assert (record.state, record.exchange.request_id) == (RequestState.ANSWERED, "r-1")
    assert record.exchange.sequence == grant.sequence
    await store.close()


async def test_answers_that_are_left_when_it_goes_away_again_are_recorded_in_order(
    server: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = await opened(server, local_share=True)
    await store.set_limits("hog", {POLL: 600})
    server.stop()
    grants = [one for _ in range(50) if isinstance(one := (await store.claim([poll_request(KEY)]))[0], Grant)][:4]
    for number, grant in enumerate(grants):
        await store.complete([Answer(grant, an_exchange(now_us(), request_id=f"r-{number}"), (make_observation(),))])
    submit, calls = store._recording.submit, 0

    async def submit_until_it_stops(answers: Sequence[Answer]) -> tuple[Completed, ...]:
        nonlocal calls
        if (calls := calls + 1) == 2:
            await asyncio.to_thread(server.stop)
        return await submit(answers)

    monkeypatch.setattr(store._recording, "submit", submit_until_it_stops)
    server.start()
    async with asyncio.timeout(PATIENCE):
        while calls < 2 or store.degraded is None:
            await asyncio.sleep(0.01)
    await store.complete([Answer(grants[0], an_exchange(now_us(), request_id="r-4"), (make_observation(),))])
    server.start()
    records = await recorded(store, 5)
    assert [record.exchange.request_id for record in records] == ["r-0", "r-1", "r-2", "r-3", "r-4"]
    await store.close()


async def test_what_a_share_granted_never_touches_the_records_of_others(server: PostgresServer) -> None:
    store = await opened(server, local_share=True)
    await store.set_limits("hog", {POLL: 600})
    server.stop()
    ours = [one for _ in range(9) if isinstance(one := (await store.claim([poll_request(KEY)]))[0], Grant)][:2]
    server.start()
    await back(store)
    other = (await open_team_store(server.url, "you", user="bob", scopes=ACME, now_us=now_us)).store
    theirs = [(await other.claim([replace(poll_request(KEY), lease=False)]))[0] for _ in range(2)]
    assert [one.sequence for one in theirs if isinstance(one, Grant)] == [one.sequence for one in ours]
    await store.complete([Answer(ours[0], an_exchange(now_us(), request_id="r-1"), (make_observation(),))])
    await store.release(ours[1:])
    records = await recorded(store, 1)
    assert [(record.client, record.state) for record in records] == [
        ("you", RequestState.SENT),
        ("you", RequestState.SENT),
        ("me", RequestState.ANSWERED),
    ]
    await other.close()
    await store.close()


async def test_closing_while_it_is_away_takes_no_longer_than_it_should(
    server: PostgresServer, store: PostgresStore
) -> None:
    (grant,) = await store.claim([poll_request(KEY)])
    assert isinstance(grant, Grant)
    server.stop()
    answering = asyncio.create_task(store.complete([Answer(grant, an_exchange(now_us()))]))
    with pytest.raises(StoreUnavailableError):
        await store.head()
    async with asyncio.timeout(5.0):
        assert not await store.close()
    assert (await asyncio.gather(answering, return_exceptions=True))[0] is not None


def test_a_share_is_the_limit_divided_by_the_clients_seen_last() -> None:
    clock = [0]
    share = LocalShare(lambda: clock[0])
    share.clients = 10
    share.limits["hog", POLL] = 600
    share.note_sent(7)
    first = share.claim(poll_request(KEY))
    assert isinstance(first, Grant)
    assert (first.sequence, first.fence) == (8, None), "after all that was sent before, and without a lease"
    granted = 1
    for second in range(60):
        clock[0] = second * 1_000_000
        while isinstance(share.claim(poll_request(KEY)), Grant):
            granted += 1
    assert 40 <= granted <= 60
