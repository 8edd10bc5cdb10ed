import pytest

from jobdeck.store import CursorLostError, Store
from jobdeck.store.records import ChangeKind, Cursor
from tests.builders import make_observation, make_target
from tests.store.conftest import Open
from tests.store.doing import KEY, NOW, SECOND, claim, list_page, poll

OTHER = make_target("op_2").key


def test_every_change_is_in_the_log_with_who_made_it_and_of_what(empty: Store) -> None:
    begin = empty.head()
    empty.watch([make_target(), make_target("op_2")], NOW)
    empty.set_limit("hog", "poll", 600, NOW)
    empty.set_limit("hog", "poll", 600, NOW)
    poll(empty, NOW)
    list_page(empty, NOW, make_observation(), make_observation(id_="op_2"))
    empty.abandon(claim(empty, NOW + SECOND), NOW + SECOND)
    empty.annotate(KEY, now_us=NOW, acknowledged=True)
    empty.once(KEY, "ended", NOW)
    empty.once(KEY, "ended", NOW)
    empty.save_estimates("hog", "{}", NOW)
    empty.save_choice("order", "KIND", NOW)
    empty.unwatch([OTHER], NOW)
    changes, end = empty.changes(begin)
    assert [(change.kind, change.keys) for change in changes] == [
        (ChangeKind.WATCHED, (KEY, OTHER)),
        (ChangeKind.LIMITED, ()),
        (ChangeKind.SENT, (KEY,)),
        (ChangeKind.ANSWERED, (KEY,)),
        (ChangeKind.SENT, ()),
        (ChangeKind.ANSWERED, (KEY, OTHER)),
        (ChangeKind.SENT, (KEY,)),
        (ChangeKind.ABANDONED, (KEY,)),
        (ChangeKind.ANNOTATED, (KEY,)),
        (ChangeKind.TOLD, (KEY,)),
        (ChangeKind.LEARNT, ()),
        (ChangeKind.CHOSEN, ()),
        (ChangeKind.UNWATCHED, (OTHER,)),
    ]
    assert {change.actor for change in changes} == {"me"}
    assert {change.profile for change in changes if change.kind is not ChangeKind.CHOSEN} == {"hog"}
    assert changes[2].exchange_id == changes[3].exchange_id is not None
    assert end == empty.head()


def test_a_cursor_goes_on_where_it_stopped_across_runs(open_file: Open) -> None:
    store = open_file("first")
    store.watch([make_target()], NOW)
    first, cursor = store.changes(None, limit=1)
    assert len(first) == 1
    poll(store, NOW)
    store.close()
    again = open_file("second")
    seen = []
    while True:
        changes, cursor = again.changes(cursor, limit=1)
        if not changes:
            break
        seen.extend(change.kind for change in changes)
    assert seen == [ChangeKind.SENT, ChangeKind.ANSWERED]


def test_a_cursor_of_another_database_is_not_understood(store: Store, open_file: Open) -> None:
    for cursor in ("", "0:0", "garbage", f"{store.head()}9", f"{str(store.head()).partition(':')[0]}:-1"):
        with pytest.raises(CursorLostError, match="another database"):
            store.changes(Cursor(cursor))


def test_a_cursor_before_purged_changes_is_lost(store: Store) -> None:
    begin = store.head()
    poll(store, NOW)
    poll(store, NOW + 10 * SECOND)
    assert store.purge(NOW + 5 * SECOND).changes > 0
    with pytest.raises(CursorLostError, match="purged"):
        store.changes(begin)
    kept, _ = store.changes(None)
    assert kept[0].at_us >= NOW + 5 * SECOND


def test_a_cursor_at_the_end_survives_a_purge_of_everything(store: Store) -> None:
    poll(store, NOW)
    end = store.head()
    store.purge(NOW + 60 * SECOND)
    assert store.changes(end)[0] == ()


def test_only_a_change_of_another_connection_moves_the_data_version(pair: tuple[Store, Store]) -> None:
    me, you = pair
    before = me.data_version()
    assert me.data_version() == before
    you.annotate(KEY, now_us=NOW, note="seen")
    assert me.data_version() != before
