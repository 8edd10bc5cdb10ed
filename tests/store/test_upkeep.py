import apsw

from jobdeck.domain.phase import Phase
from jobdeck.store import Store
from jobdeck.store.records import Purged
from tests.builders import make_observation
from tests.store.conftest import Open
from tests.store.doing import KEY, MINUTE, NOW, SECOND, poll

LATER = NOW + 60 * MINUTE


def purge_all(store: Store, before_us: int, chunk: int = 7) -> list[Purged]:
    parts = [store.purge(before_us, chunk)]
    while parts[-1].more:
        parts.append(store.purge(before_us, chunk))
    return parts


def test_a_purge_takes_old_rows_in_chunks_and_leaves_new_ones(store: Store) -> None:
    for n in range(20):
        poll(store, NOW + n * SECOND)
    poll(store, LATER)
    parts = purge_all(store, LATER)
    assert sum(part.exchanges for part in parts) == 20
    assert all(part.exchanges <= 7 and part.changes <= 7 for part in parts)
    assert [entry.sent_us for entry in store.exchanges(KEY)] == [LATER]
    rows = store.health().rows
    assert (rows["observations"], rows["states"]) == (1, 0)


def test_a_watched_job_keeps_its_state_and_timeline_however_old(store: Store) -> None:
    poll(store, NOW, make_observation(Phase.FAILED))
    before = store.load_job(KEY)
    purge_all(store, LATER)
    assert store.load_job(KEY) == before
    assert before is not None
    assert before.last.end_id is not None
    assert len(store.timeline(KEY)) == 1
    assert store.shown(KEY) is None


def test_a_job_nobody_watches_is_forgotten_with_all_that_belongs_to_it(store: Store) -> None:
    poll(store, NOW, make_observation(Phase.FAILED))
    store.once(KEY, "ended", NOW)
    store.annotate(KEY, now_us=NOW, acknowledged=True)
    store.unwatch([KEY], NOW + SECOND)
    assert sum(part.jobs for part in purge_all(store, LATER)) == 1
    assert store.load_job(KEY) is None
    rows = store.health().rows
    assert [rows[name] for name in ("jobs", "timeline", "annotations", "states", "observations")] == [0] * 5


def test_a_job_with_a_note_is_the_users_and_stays(store: Store) -> None:
    store.annotate(KEY, now_us=NOW, note="ask Ada")
    store.unwatch([KEY], NOW)
    purge_all(store, LATER)
    assert store.annotations([KEY])[KEY].note == "ask Ada"


def test_health_tells_size_schema_and_rows(store: Store) -> None:
    poll(store, NOW)
    health = store.health(check=True)
    assert health.size > 0
    assert health.schema >= 1
    assert health.check == "ok"
    assert store.health().check is None
    assert health.rows["exchanges"] == 1
    assert health.journal_mode == ("memory" if health.path is None else "wal")
    assert health.sqlite_version == apsw.sqlite_lib_version()


def test_the_newest_hundred_requests_of_a_job_are_found_by_an_index(open_file: Open) -> None:
    from jobdeck.store.sqlite.ledger import _OF_JOB
    from jobdeck.store.sqlite.store import SqliteStore

    store = open_file("me")
    assert isinstance(store, SqliteStore)
    connection = store._db._session.connection
    plan = [detail for *_, detail in connection.execute(f"EXPLAIN QUERY PLAN {_OF_JOB}", (1, 100))]
    assert not [
        step for step in plan if step.startswith("SCAN") and step.split()[1] in {"exchanges", "observations", "e"}
    ]
