import asyncio

import pytest

from jobdeck.domain.phase import Phase
from jobdeck.store import Store, StoreClosedError
from jobdeck.store.models import Purged
from tests.builders import make_observation
from tests.store.conftest import OpenClient
from tests.store.engines import Clock
from tests.store.steps import KEY, MINUTE, NOW, SECOND, listed, poll, prepare, saved

LATER = NOW + 60 * MINUTE


async def test_a_purge_takes_old_rows_in_chunks_and_leaves_new_ones(store: Store, clock: Clock) -> None:
    for n in range(20):
        await poll(store, clock, NOW + n * SECOND)
    await poll(store, clock, LATER)
    sums: list[Purged] = []
    gone = await store.purge(LATER, chunk=7, progress=sums.append)
    assert gone == sums[-1]
    assert (gone.exchanges, gone.more) == (20, False)
    for before, after in zip([Purged(), *sums], sums, strict=False):
        assert 0 <= after.exchanges - before.exchanges <= 7
        assert 0 <= after.changes - before.changes <= 7
    assert [record.sent_us for record in await store.requests(KEY)] == [LATER]
    rows = (await store.health()).rows
    assert (rows["observations"], rows["states"]) == (1, 0)


async def test_a_watched_job_keeps_its_state_and_timeline_however_old(store: Store, clock: Clock) -> None:
    await poll(store, clock, NOW, make_observation(Phase.FAILED))
    before = await saved(store)
    await store.purge(LATER, chunk=7)
    assert await saved(store) == before
    assert before.last.end_id is not None
    assert len(await store.timeline(KEY)) == 1
    assert await store.phase_evidence(KEY) is None


async def test_a_job_nobody_watches_is_forgotten_with_all_that_belongs_to_it(store: Store, clock: Clock) -> None:
    await poll(store, clock, NOW, make_observation(Phase.FAILED))
    await store.claim_event(KEY, "ended")
    await store.acknowledge([KEY], acknowledged=True)
    await store.unwatch([KEY])
    assert (await store.purge(LATER, chunk=7)).jobs == 1
    assert await store.load([KEY]) == {}
    rows = (await store.health()).rows
    assert [rows[name] for name in ("jobs", "timeline", "annotations", "states", "observations")] == [0] * 5


async def test_a_job_with_a_note_is_the_users_and_stays(store: Store, clock: Clock) -> None:
    await store.annotate([KEY], "ask Ada")
    await store.unwatch([KEY])
    await clock.set(LATER)
    await store.purge(LATER, chunk=7)
    assert (await store.annotations([KEY]))[KEY].note == "ask Ada"


async def test_health_tells_size_schema_and_rows(store: Store, clock: Clock) -> None:
    await poll(store, clock, NOW)
    health = await store.health(check=True)
    assert health.size > 0
    assert health.schema >= 1
    assert health.check == "ok"
    assert (await store.health()).check is None
    assert health.rows["exchanges"] == 1
    assert health.server_version


async def test_close_commits_what_is_queued(open_client: OpenClient) -> None:
    store = await prepare(await open_client("me"))
    writes = [asyncio.create_task(store.annotate([KEY], str(n))) for n in range(300)]
    await asyncio.sleep(0)
    assert await store.close()
    assert await store.close()
    await asyncio.gather(*writes)
    again = await open_client("next")
    assert (await again.annotations([KEY]))[KEY].note == "299"


async def test_a_closed_store_says_so(store: Store) -> None:
    await store.close()
    with pytest.raises(StoreClosedError):
        await listed(store)
    with pytest.raises(StoreClosedError):
        await store.annotate([KEY], "too late")
    with pytest.raises(StoreClosedError):
        await store.head()
