"""The thread that writes and the one that reads, and those who wait for them."""

import asyncio
import threading
from collections.abc import Sequence
from pathlib import Path
from time import monotonic
from typing import Any

import apsw
import pytest

from jobdeck.domain.phase import Phase
from jobdeck.store import UnknownJobError
from jobdeck.store.models import Purged, RequestState, poll_request
from jobdeck.store.sqlite import claims
from jobdeck.store.sqlite.executor import MAX_BATCH, Executor, Outcome
from jobdeck.store.sqlite.store import SqliteStore
from tests.builders import make_observation, make_target
from tests.store.engines import LocalClock
from tests.store.sqlite.conftest import OpenFile
from tests.store.steps import (
    KEY,
    NOW,
    SECOND,
    an_exchange,
    answer,
    claim,
    lease_of,
    listed,
    poll,
    prepare,
    saved,
    until,
)

POLL_IT = poll_request(KEY)


@pytest.fixture
async def store(open_file: OpenFile) -> SqliteStore:
    store = await open_file()
    await prepare(store)
    return store


async def hold(store: SqliteStore) -> "tuple[asyncio.Task[bool], threading.Event]":
    """Keep the writer busy until the event is set."""
    begun, release = threading.Event(), threading.Event()

    def wait(_: object) -> bool:
        begun.set()
        return release.wait(10)

    task = asyncio.create_task(store._write(wait))
    while not begun.is_set():
        await asyncio.sleep(0.001)
    return task, release


async def test_what_was_awaited_is_seen_by_the_next_query(store: SqliteStore, clock: LocalClock) -> None:
    grant = await claim(store, clock, NOW)
    assert (await store.requests(KEY))[0].state is RequestState.SENT
    await answer(store, clock, NOW + SECOND, grant, an_exchange(NOW), make_observation(Phase.FAILED))
    assert (await saved(store)).last.phase is Phase.FAILED
    assert len(await store.timeline(KEY)) == 1
    assert await store.phase_evidence(KEY) is not None


async def test_writes_that_wait_together_are_one_transaction(store: SqliteStore, path: Path) -> None:
    held, release = await hold(store)
    other = apsw.Connection(str(path))
    before = other.pragma("data_version")
    targets = [make_target(f"op_{n}") for n in range(2, 52)]
    writes = [asyncio.create_task(store.watch([target])) for target in targets]
    await asyncio.sleep(0)
    seen = set()
    release.set()
    while not all(write.done() for write in writes):
        seen.add(other.pragma("data_version"))
        await asyncio.sleep(0)
    seen.add(other.pragma("data_version"))
    assert len(seen - {before}) <= 2
    assert [write.result() for write in writes] == [(target.key,) for target in targets]
    await held
    other.close()


async def test_one_that_fails_does_not_harm_those_beside_it(store: SqliteStore) -> None:
    def half(session: Any) -> None:
        session.connection.execute("DELETE FROM watches")
        raise RuntimeError

    held, release = await hold(store)
    unknown = make_target("op_unknown").key
    together = asyncio.gather(
        store.claim_event(KEY, "one"),
        store.claim_event(unknown, "two"),
        store._write(half),
        store.claim_event(KEY, "three"),
        return_exceptions=True,
    )
    await asyncio.sleep(0)
    release.set()
    first, second, third, fourth = await together
    assert (first, fourth) == (True, True)
    assert isinstance(second, UnknownJobError)
    assert isinstance(third, RuntimeError)
    assert await listed(store) == (make_target(),)
    await held


async def test_queries_do_not_wait_for_the_writer(store: SqliteStore) -> None:
    held, release = await hold(store)
    async with asyncio.timeout(5):
        assert await listed(store) == (make_target(),)
    release.set()
    await held


async def test_a_claim_cancelled_in_the_queue_is_never_made(store: SqliteStore) -> None:
    held, release = await hold(store)
    waiting = asyncio.create_task(store.claim([POLL_IT]))
    await asyncio.sleep(0)
    waiting.cancel()
    release.set()
    await held
    await store.annotate([KEY], "a later write")
    assert await store.requests(KEY) == ()


async def claim_for_one_who_goes(store: SqliteStore, monkeypatch: pytest.MonkeyPatch) -> threading.Event:
    """Begin a claim, and cancel who waits for it; it is granted when the event is set."""
    begun, release = threading.Event(), threading.Event()
    granted = claims.claim

    def slow_claim(*arguments: Any) -> Any:
        decided = granted(*arguments)
        begun.set()
        release.wait(10)
        return decided

    monkeypatch.setattr(claims, "claim", slow_claim)
    waiting = asyncio.create_task(store.claim([POLL_IT]))
    while not begun.is_set():
        await asyncio.sleep(0.001)
    waiting.cancel()
    await asyncio.sleep(0)
    return release


async def test_a_claim_granted_to_one_who_has_gone_is_released(
    store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    (await claim_for_one_who_goes(store, monkeypatch)).set()

    async def released() -> bool:
        return [record.state for record in await store.requests(KEY)] == [RequestState.ABANDONED]

    await until(released)
    assert (await lease_of(store)).owner is None


async def test_a_claim_granted_while_the_store_closes_is_released_too(
    store: SqliteStore, open_file: OpenFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    release = await claim_for_one_who_goes(store, monkeypatch)
    closing = asyncio.create_task(store.close())
    await asyncio.sleep(0)
    release.set()
    assert await closing
    again = await open_file("next")
    assert [record.state for record in await again.requests(KEY)] == [RequestState.ABANDONED]


async def test_a_result_that_was_delivered_to_one_who_goes_before_taking_it_is_taken_back() -> None:
    undone: list[object] = []

    def run(operations: Sequence[Any]) -> list[Outcome[Any]]:
        return [Outcome(operation(None)) for operation in operations]

    executor: Executor[None] = Executor("test", run)
    waiting = asyncio.create_task(executor.submit(lambda _: "granted", lambda value: lambda _: undone.append(value)))
    await asyncio.sleep(0)
    executor.stop()
    # While the loop stands still, the thread has its answer delivered in the next turn, and ends.
    assert executor.join(10)
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    executor.finish()
    assert undone == ["granted"]


async def test_an_answer_is_recorded_even_when_nobody_waits_any_more(store: SqliteStore, clock: LocalClock) -> None:
    grant = await claim(store, clock, NOW)
    held, release = await hold(store)
    waiting = asyncio.create_task(answer(store, clock, NOW, grant, an_exchange(NOW), make_observation()))
    await asyncio.sleep(0)
    waiting.cancel()
    release.set()
    await held
    await store.annotate([KEY], "a later write")
    assert (await store.requests(KEY))[0].state is RequestState.ANSWERED


async def test_a_batch_is_never_larger_than_is_good_for_others_who_want_to_write() -> None:
    batches: list[int] = []
    begin = threading.Event()

    def run(operations: Sequence[Any]) -> list[Outcome[Any]]:
        begin.wait(10)
        batches.append(len(operations))
        return [Outcome(operation(None)) for operation in operations]

    executor: Executor[None] = Executor("test", run)
    waiting = [asyncio.create_task(executor.submit(lambda _, n=n: n)) for n in range(2 * MAX_BATCH + 1)]  # type: ignore[misc] - a default
    await asyncio.sleep(0)
    begin.set()
    assert await asyncio.gather(*waiting) == list(range(2 * MAX_BATCH + 1))
    assert max(batches) <= MAX_BATCH
    executor.stop()
    assert executor.join(10)


async def test_close_gives_up_on_a_lock_that_another_holds(store: SqliteStore, path: Path) -> None:
    other = apsw.Connection(str(path))
    other.execute("BEGIN IMMEDIATE")
    waiting = asyncio.create_task(store.annotate([KEY], "x"))
    await asyncio.sleep(0)
    begun = monotonic()
    assert not await store.close(within=0.2)
    assert monotonic() - begun < 5.0, "it did not wait for the lock"
    other.execute("ROLLBACK")
    await waiting
    other.close()


async def test_others_are_asked_for_less_often_while_they_change_nothing(
    store: SqliteStore, open_file: OpenFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = await open_file("you")
    pauses: list[float] = []
    sleep = asyncio.sleep

    async def sleeps(seconds: float) -> None:
        pauses.append(seconds)
        await sleep(0)
        if len(pauses) == 150:
            await other.annotate([KEY], "yours")

    monkeypatch.setattr("jobdeck.store.sqlite.store.asyncio.sleep", sleeps)
    await store.wait_for_change()
    assert pauses == []
    await store.wait_for_change()
    awake = pauses.count(0.1)
    assert 100 <= awake <= 101
    assert pauses == [0.1] * awake + [0.25] * (150 - awake)
    waiting = asyncio.create_task(store.wait_for_change())
    while len(pauses) == 150:
        await sleep(0)
    assert pauses[150] == 0.1
    waiting.cancel()


async def test_an_idle_client_renews_nothing(
    store: SqliteStore, clock: LocalClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("jobdeck.store.leases.RENEW_SECONDS", 0.01)
    await poll(store, clock, NOW)
    renewed: list[object] = []
    monkeypatch.setattr(claims, "renew", lambda *arguments: renewed.append(arguments))
    await asyncio.sleep(0.1)
    assert renewed == []
    await claim(store, clock, NOW + SECOND)

    async def has_renewed() -> bool:
        return bool(renewed)

    await until(has_renewed)


async def test_other_writes_come_between_the_chunks_of_a_purge(store: SqliteStore, clock: LocalClock) -> None:
    for n in range(20):
        await poll(store, clock, NOW + n * SECOND)
    writes: list[asyncio.Task[None]] = []
    left: list[int] = []

    def chunk_is_done(_: Purged) -> None:
        left.append(len([write for write in writes if not write.done()]))
        writes.append(asyncio.create_task(store.annotate([KEY], f"note {len(writes)}")))

    later = NOW + 3_600 * SECOND
    await clock.set(later)
    await store.purge(later, chunk=2, progress=chunk_is_done)
    await asyncio.gather(*writes)
    assert len(writes) >= 10
    assert max(left) <= 1, "each write had its turn before the next chunk but one"
