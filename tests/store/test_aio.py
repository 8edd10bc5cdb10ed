import asyncio
import threading
from collections.abc import AsyncIterator
from pathlib import Path
from time import monotonic

import apsw
import pytest

from jobdeck.domain.phase import Phase
from jobdeck.store import POLL, Store, StoreClosedError, UnknownJobError, open_store
from jobdeck.store.aio import AsyncStore
from jobdeck.store.records import ChangeKind, Claim, LedgerState, Refused
from tests.builders import make_observation, make_target
from tests.store.conftest import prepared
from tests.store.doing import KEY, NOW, SECOND, an_exchange, listed


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "jobdeck.db"


@pytest.fixture
async def store(path: Path) -> AsyncIterator[AsyncStore]:
    store = AsyncStore(prepared(open_store(path, "me", now_us=NOW, fallback=False).store))
    yield store
    await store.close()


async def held(store: AsyncStore) -> "tuple[asyncio.Task[object], threading.Event]":
    """Keep the writer busy until the event is set."""
    begun, release = threading.Event(), threading.Event()

    def wait(_: Store) -> bool:
        begun.set()
        return release.wait(10)

    task: asyncio.Task[object] = asyncio.create_task(store.write(wait))
    while not begun.is_set():
        await asyncio.sleep(0.001)
    return task, release


async def test_what_was_awaited_is_seen_by_the_next_query(store: AsyncStore) -> None:
    claimed = await store.claim(KEY, NOW, 40.0)
    assert isinstance(claimed, Claim)
    assert (await store.exchanges(KEY))[0].state is LedgerState.SENT
    await store.complete(claimed, an_exchange(NOW), [make_observation(Phase.FAILED)], None, NOW + SECOND)
    job = await store.load_job(KEY)
    assert job is not None
    assert job.last.phase is Phase.FAILED
    assert len(await store.timeline(KEY)) == 1
    assert await store.read(lambda inner: inner.shown(KEY)) is not None


async def test_writes_that_wait_together_are_one_transaction(store: AsyncStore, path: Path) -> None:
    hold, release = await held(store)
    other = apsw.Connection(str(path))
    before = other.pragma("data_version")
    writes = [asyncio.create_task(store.annotate(KEY, now_us=NOW, note=str(n))) for n in range(50)]
    await asyncio.sleep(0)
    seen = set()
    release.set()
    while not all(write.done() for write in writes):
        seen.add(other.pragma("data_version"))
        await asyncio.sleep(0)
    seen.add(other.pragma("data_version"))
    assert len(seen - {before}) <= 2
    assert [write.result().note for write in writes] == [str(n) for n in range(50)]
    await hold
    other.close()


async def test_one_that_fails_does_not_harm_those_beside_it(store: AsyncStore) -> None:
    hold, release = await held(store)
    unknown = make_target("op_unknown").key
    writes = [store.annotate(key, now_us=NOW, note="x") for key in (KEY, unknown, KEY)]
    together = asyncio.gather(*writes, return_exceptions=True)
    await asyncio.sleep(0)
    release.set()
    results = await together
    assert [isinstance(result, UnknownJobError) for result in results] == [False, True, False]
    await hold


async def test_queries_do_not_wait_for_the_writer(store: AsyncStore) -> None:
    hold, release = await held(store)
    async with asyncio.timeout(5):
        assert await store.read(listed) == (make_target(),)
    release.set()
    await hold


async def test_a_claim_cancelled_in_the_queue_is_never_made(store: AsyncStore) -> None:
    hold, release = await held(store)
    waiting = asyncio.create_task(store.claim(KEY, NOW, 40.0))
    await asyncio.sleep(0)
    waiting.cancel()
    release.set()
    await hold
    assert await store.exchanges(KEY) == ()


async def claim_for_one_who_goes(store: AsyncStore) -> threading.Event:
    """Begin a claim, and cancel who waits for it; it is granted when the event is set."""
    begun, release = threading.Event(), threading.Event()
    blocking = store._store
    claim = blocking.claim

    def slow_claim(*args: object) -> Claim | Refused:
        granted = claim(*args)  # type: ignore[arg-type] - passed on as they come
        begun.set()
        release.wait(10)
        return granted

    blocking.claim = slow_claim  # type: ignore[method-assign] - to be cancelled in the midst of it
    waiting = asyncio.create_task(store.claim(KEY, NOW, 40.0))
    while not begun.is_set():
        await asyncio.sleep(0.001)
    waiting.cancel()
    await asyncio.sleep(0)
    return release


async def test_a_claim_granted_to_one_who_has_gone_is_abandoned(store: AsyncStore) -> None:
    (await claim_for_one_who_goes(store)).set()
    while not (entries := await store.exchanges(KEY)) or entries[0].state is LedgerState.SENT:
        await asyncio.sleep(0.001)
    assert entries[0].state is LedgerState.ABANDONED


async def test_a_claim_granted_while_the_store_closes_is_abandoned_too(store: AsyncStore, path: Path) -> None:
    release = await claim_for_one_who_goes(store)
    closing = asyncio.create_task(store.close())
    await asyncio.sleep(0)
    release.set()
    assert await closing
    again = open_store(path, "next", fallback=False).store
    assert [entry.state for entry in again.exchanges(KEY)] == [LedgerState.ABANDONED]
    again.close()


async def test_an_answer_is_recorded_even_when_nobody_waits_any_more(store: AsyncStore) -> None:
    claimed = await store.claim(KEY, NOW, 40.0)
    assert isinstance(claimed, Claim)
    hold, release = await held(store)
    waiting = asyncio.create_task(store.complete(claimed, an_exchange(NOW), [make_observation()], None, NOW))
    await asyncio.sleep(0)
    waiting.cancel()
    release.set()
    await hold
    await store.annotate(KEY, now_us=NOW, note="a later write")
    assert (await store.exchanges(KEY))[0].state is LedgerState.ANSWERED


async def test_close_commits_what_is_queued(store: AsyncStore, path: Path) -> None:
    writes = [asyncio.create_task(store.annotate(KEY, now_us=NOW, note=str(n))) for n in range(300)]
    await asyncio.sleep(0)
    assert await store.close()
    assert await store.close()
    assert [write.result().note for write in await _all(writes)][-1] == "299"
    with pytest.raises(StoreClosedError):
        await store.head()
    again = open_store(path, "next", fallback=False).store
    assert again.annotations([KEY])[KEY].note == "299"
    again.close()


async def _all(tasks: "list[asyncio.Task[object]]") -> "list[asyncio.Task[object]]":
    await asyncio.wait(tasks)
    return tasks


async def test_close_gives_up_on_a_lock_that_another_holds(store: AsyncStore, path: Path) -> None:
    other = apsw.Connection(str(path))
    other.execute("BEGIN IMMEDIATE")
    waiting = asyncio.create_task(store.annotate(KEY, now_us=NOW, note="x"))
    await asyncio.sleep(0)
    begun = monotonic()
    assert not await store.close(within=0.2)
    assert monotonic() - begun < 5.0, "it did not wait for the lock"
    other.execute("ROLLBACK")
    await waiting
    other.close()


async def test_a_store_that_left_its_file_says_why(store: AsyncStore) -> None:
    assert store.degraded is None
    assert store.actor == "me"
    blocking = store._store
    blocking._db._session.connection.pragma("query_only", True)  # type: ignore[attr-defined] - SQLite's own store
    await store.annotate(KEY, now_us=NOW, note="x")
    assert store.degraded is not None
    assert (await store.annotations([KEY]))[KEY].note == "x"


async def test_changes_of_others_are_told_and_own_ones_are_not(store: AsyncStore, path: Path) -> None:
    other = open_store(path, "you", fallback=False).store
    feed = store.watch_changes(await store.head(), interval=0.005)
    await store.annotate(KEY, now_us=NOW, note="mine")
    other.annotate(KEY, now_us=NOW, note="yours")
    assert [(change.actor, change.keys) for change in await anext(feed)] == [("you", (KEY,))]
    next_ = asyncio.create_task(anext(feed, None))
    await store.annotate(KEY, now_us=NOW, note="mine")
    other.unwatch([KEY], NOW)
    assert [change.kind for change in await next_ or ()] == [ChangeKind.UNWATCHED]
    ended = asyncio.create_task(anext(feed, None))
    await store.close()
    assert await ended is None
    other.close()


async def test_others_are_asked_for_less_often_while_they_change_nothing(
    store: AsyncStore, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = open_store(path, "you", fallback=False).store
    pauses: list[float] = []
    sleep = asyncio.sleep

    async def sleeps(seconds: float) -> None:
        pauses.append(seconds)
        await sleep(0)
        if len(pauses) == 150:
            other.annotate(KEY, now_us=NOW, note="yours")

    monkeypatch.setattr("jobdeck.store.aio.asyncio.sleep", sleeps)
    feed = store.watch_changes(await store.head())
    await anext(feed)
    awake = pauses.count(0.1)
    assert 100 <= awake <= 101
    assert pauses == [0.1] * awake + [0.25] * (150 - awake)
    next_ = asyncio.create_task(anext(feed, None))
    while len(pauses) == 150:
        await sleep(0)
    assert pauses[150] == 0.1
    await store.close()
    assert await next_ is None
    other.close()


async def test_changes_that_were_purged_before_they_were_read_are_said_to_be_missing(store: AsyncStore) -> None:
    begin = await store.head()
    await store.annotate(KEY, now_us=NOW, note="old")
    await store.annotate(KEY, now_us=NOW + SECOND, note="new")
    await store.purge(NOW + SECOND)
    feed = store.watch_changes(begin, interval=0.005)
    assert await anext(feed) == ()
    await feed.aclose()


async def test_a_purge_sums_up_its_chunks(store: AsyncStore) -> None:
    for n in range(25):
        await store.spend("hog", POLL, NOW + n)
    assert (await store.purge(NOW + SECOND, chunk=10)).exchanges == 25
