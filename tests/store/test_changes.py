import asyncio

import pytest

from jobdeck.store import POLL, CursorLostError, Store, StoreClosedError
from jobdeck.store.models import ChangeKind, Cursor
from tests.builders import make_observation, make_target
from tests.store.conftest import OpenClient
from tests.store.engines import Clock
from tests.store.steps import KEY, NOW, PATIENCE, SECOND, claim, list_page, poll

OTHER = make_target("op_2").key


async def test_every_change_is_in_the_log_with_who_made_it_and_of_what(empty: Store, clock: Clock) -> None:
    begin = await empty.head()
    await empty.watch([make_target(), make_target("op_2")])
    await empty.set_limits("hog", {POLL: 600})
    await empty.set_limits("hog", {POLL: 600})
    await poll(empty, clock, NOW)
    await list_page(empty, clock, NOW, make_observation(), make_observation(id_="op_2"))
    await empty.release([await claim(empty, clock, NOW + SECOND)])
    await empty.acknowledge([KEY], acknowledged=True)
    await empty.annotate([KEY], "ask Ada")
    await empty.claim_event(KEY, "ended")
    await empty.claim_event(KEY, "ended")
    await empty.save_estimates("hog", "{}")
    await empty.save_preference("order", "KIND")
    await empty.unwatch([OTHER])
    changes, end = await empty.changes(begin)
    assert [(change.kind, change.keys, change.seen) for change in changes] == [
        (ChangeKind.WATCHED, (KEY, OTHER), ()),
        (ChangeKind.ANSWERED, (KEY,), ()),
        (ChangeKind.ANSWERED, (OTHER,), (KEY,)),
        (ChangeKind.ABANDONED, (KEY,), ()),
        (ChangeKind.ANNOTATED, (KEY,), ()),
        (ChangeKind.ANNOTATED, (KEY,), ()),
        (ChangeKind.UNWATCHED, (OTHER,), ()),
    ]
    assert {change.client for change in changes} == {"me"}
    assert {change.profile for change in changes} == {"hog"}
    assert (changes[0].at_us, changes[-1].at_us) == (NOW, NOW + SECOND)
    sent = [record.exchange.sequence for record in await empty.all_requests()]
    assert [change.sequence for change in changes if change.kind is ChangeKind.ANSWERED] == [sent[2], sent[1]]
    assert end == await empty.head()


async def test_a_cursor_goes_on_where_it_stopped_across_runs(open_client: OpenClient, clock: Clock) -> None:
    store = await open_client("first")
    begin = await store.head()
    await store.watch([make_target()])
    first, cursor = await store.changes(begin, limit=1)
    assert len(first) == 1
    await poll(store, clock, NOW)
    await store.annotate([KEY], "ask Ada")
    await store.close()
    again = await open_client("second")
    seen = []
    while True:
        changes, cursor = await again.changes(cursor, limit=1)
        if not changes:
            break
        seen.extend(change.kind for change in changes)
    assert seen == [ChangeKind.ANSWERED, ChangeKind.ANNOTATED]


async def test_a_cursor_of_another_database_is_not_understood(store: Store) -> None:
    head = await store.head()
    for cursor in ("", "0:0", "garbage", f"{head}9", f"{head.partition(':')[0]}:-1"):
        with pytest.raises(CursorLostError, match="another database"):
            await store.changes(Cursor(cursor))


async def test_a_cursor_before_purged_changes_is_lost(store: Store, clock: Clock) -> None:
    begin = await store.head()
    await poll(store, clock, NOW)
    after_the_first = await store.head()
    await poll(store, clock, NOW + 10 * SECOND)
    assert (await store.purge(NOW + 5 * SECOND)).changes > 0
    with pytest.raises(CursorLostError, match="purged"):
        await store.changes(begin)
    kept, _ = await store.changes(after_the_first)
    assert kept
    assert kept[0].at_us >= NOW + 5 * SECOND


async def test_a_cursor_at_the_end_survives_a_purge_of_everything(store: Store, clock: Clock) -> None:
    await poll(store, clock, NOW)
    end = await store.head()
    await store.purge(NOW + 60 * SECOND)
    assert (await store.changes(end))[0] == ()


async def test_who_waits_learns_of_a_change_of_another_client(pair: tuple[Store, Store]) -> None:
    me, you = pair
    cursor = await me.head()
    async with asyncio.timeout(PATIENCE):
        await me.wait_for_change()
        for note in ("one", "two"):
            await me.annotate([KEY], "mine")
            await you.annotate([KEY], note)
            found: list[str] = []
            while "you" not in found:
                await me.wait_for_change()
                changes, cursor = await me.changes(cursor)
                found += [change.client for change in changes]
            assert (await me.annotations([KEY]))[KEY].note == note


async def test_who_waits_while_nothing_changes_goes_on_waiting_until_the_store_is_closed(store: Store) -> None:
    async with asyncio.timeout(PATIENCE):
        await store.wait_for_change()
        waiting = asyncio.create_task(store.wait_for_change())
        done, _ = await asyncio.wait([waiting], timeout=0.3)
        assert not done
        await store.close()
        with pytest.raises(StoreClosedError):
            await waiting
