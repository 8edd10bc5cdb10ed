import errno
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import apsw
import pytest

from jobdeck.domain.phase import Phase
from jobdeck.store import POLL, Store, StoreClosedError, open_store
from jobdeck.store.errors import StoreFullError
from jobdeck.store.records import LedgerState, NoticeKind
from jobdeck.store.sqlite import carry
from jobdeck.store.sqlite.database import Database
from jobdeck.store.sqlite.store import SqliteStore
from tests.builders import make_observation, make_target
from tests.store.conftest import prepared
from tests.store.doing import KEY, NOW, SECOND, an_exchange, claim, listed, poll


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "jobdeck.db"


@pytest.fixture
def kept(path: Path) -> SqliteStore:
    store = prepared(open_store(path, "me", now_us=NOW, fallback=False).store)
    assert isinstance(store, SqliteStore)
    store.annotate(KEY, now_us=NOW, note="ask Ada")
    poll(store, NOW, make_observation(Phase.RUNNING))
    return store


def writer_of(store: SqliteStore) -> apsw.Connection:
    database: Database = store._db
    return database._session.connection


def fill_up(store: SqliteStore) -> None:
    writer = writer_of(store)
    writer.pragma("max_page_count", writer.pragma("page_count"))


def make_read_only(store: SqliteStore) -> None:
    writer_of(store).pragma("query_only", True)


def write_until_degraded(store: Store) -> int:
    for n in range(1, 5_000):
        poll(store, NOW + n * SECOND, make_observation(Phase.RUNNING, n / 5_000))
        if store.degraded is not None:
            return n
    raise AssertionError("the store never noticed")


@pytest.mark.parametrize(("break_it", "word"), [(fill_up, "cannot grow"), (make_read_only, "cannot be written")])
def test_a_file_that_cannot_be_written_any_more_is_left_for_memory(
    kept: SqliteStore, break_it: Callable[[SqliteStore], None], word: str
) -> None:
    break_it(kept)
    count = write_until_degraded(kept)
    notice = kept.degraded
    assert notice is not None
    assert notice.kind is NoticeKind.IN_MEMORY
    assert word in notice.message
    assert kept.health().path is None
    assert listed(kept) == (make_target(),)
    assert kept.annotations([KEY])[KEY].note == "ask Ada"
    assert len(kept.exchanges(KEY, 5_000)) == count + 1
    poll(kept, NOW + 9_000 * SECOND, make_observation(Phase.SUCCEEDED))
    job = kept.load_job(KEY)
    assert job is not None
    assert job.last.phase is Phase.SUCCEEDED
    assert kept.degraded is notice
    kept.close()


def test_the_file_that_was_left_still_holds_all_it_had(kept: SqliteStore, path: Path) -> None:
    fill_up(kept)
    count = write_until_degraded(kept)
    kept.close()
    again = open_store(path, "you", fallback=False).store
    assert again.health(check=True).check == "ok"
    assert len(again.exchanges(KEY, 5_000)) >= count
    again.close()


def test_a_request_in_flight_finds_its_ledger_row_and_its_lease_again(kept: SqliteStore) -> None:
    claimed = claim(kept, NOW + SECOND)
    cursor = kept.head()
    make_read_only(kept)
    done = kept.complete(claimed, an_exchange(NOW + SECOND), [make_observation(Phase.FAILED)], None, NOW + 2 * SECOND)
    assert kept.degraded is not None
    assert done.changed == (KEY,)
    newest = kept.exchanges(KEY)[0]
    assert (newest.id, newest.state) == (claimed.exchange_id, LedgerState.ANSWERED)
    assert len(kept.changes(cursor)[0]) == 1
    assert claim(kept, NOW + 3 * SECOND).fence == claimed.fence + 1


def test_a_batch_is_run_again_as_a_whole_in_memory(kept: SqliteStore) -> None:
    fill_up(kept)
    notes = [f"{n} " * 20_000 for n in range(20)]

    def annotate(store: Store, note: str) -> str:
        return store.annotate(KEY, now_us=NOW, note=note).note

    outcomes = kept.batch([lambda store, note=note: annotate(store, note) for note in notes])  # type: ignore[misc] - a default
    assert [outcome.value for outcome in outcomes] == notes
    assert kept.degraded is not None


def test_in_a_batch_each_operation_fails_alone(kept: SqliteStore) -> None:
    def annotate(store: Store, id_: str) -> None:
        store.annotate(make_target(id_).key, now_us=NOW, note=id_)
        if id_ == "op_2":
            raise RuntimeError

    kept.watch([make_target("op_2"), make_target("op_3")], NOW)
    ids = ["op_1", "op_2", "op_unknown", "op_3"]
    outcomes = kept.batch([lambda store, id_=id_: annotate(store, id_) for id_ in ids])  # type: ignore[misc] - a default
    assert [type(outcome.error).__name__ for outcome in outcomes] == [
        "NoneType", "RuntimeError", "UnknownJobError", "NoneType",
    ]  # fmt: skip
    keys = [make_target(id_).key for id_ in ids]
    assert [note.note for note in kept.annotations(keys).values()] == ["op_1", "op_3"]
    kept.close()


def test_readers_in_other_threads_survive_the_change(kept: SqliteStore) -> None:
    failures: list[Exception] = []
    stop = threading.Event()

    def read() -> None:
        while not stop.is_set():
            try:
                assert listed(kept) == (make_target(),)
                kept.exchanges(KEY)
            except Exception as error:  # noqa: BLE001 - any at all is a failure of this test
                failures.append(error)

    threads = [threading.Thread(target=read) for _ in range(3)]
    for thread in threads:
        thread.start()
    fill_up(kept)
    write_until_degraded(kept)
    poll(kept, NOW + 9_000 * SECOND)
    stop.set()
    for thread in threads:
        thread.join()
    assert failures == []
    kept.close()


def test_memory_that_is_full_too_is_a_typed_error() -> None:
    store = open_store(None, "me").store
    assert isinstance(store, SqliteStore)
    prepared(store)
    fill_up(store)
    with pytest.raises(StoreFullError, match="the in-memory database"):
        write_until_degraded(store)


def test_a_closed_store_says_so(kept: SqliteStore) -> None:
    kept.close()
    kept.close()
    with pytest.raises(StoreClosedError):
        listed(kept)
    with pytest.raises(StoreClosedError):
        kept.set_limit("hog", POLL, 3, NOW)


ON_A_SMALL_DISK = """
import resource, sys
from pathlib import Path
from jobdeck.store import open_store
from tests.store.conftest import prepared
from tests.store.test_degrading import write_until_degraded
from tests.store.doing import KEY
store = prepared(open_store(Path(sys.argv[1]), "small", fallback=False).store)
resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, 300_000))
count = write_until_degraded(store)
assert len(store.exchanges(KEY, 5_000)) == count, (len(store.exchanges(KEY, 5_000)), count)
print(store.degraded.message)
"""


def test_a_limit_on_the_size_of_files_is_survived(path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", ON_A_SMALL_DISK, str(path)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "Continuing in memory" in done.stdout
    again = open_store(path, "next", fallback=False).store
    assert again.health(check=True).check == "ok"
    again.close()


def test_requests_in_memory_are_later_than_those_of_a_file_that_cannot_be_found_any_more(
    kept: SqliteStore, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An I/O error of the directory cannot be had otherwise. Numbered from one, no answer would count any more."""
    before = kept.load_job(KEY)
    assert before is not None

    def gone(_: Path) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(carry, "require_files", gone)
    make_read_only(kept)
    assert claim(prepared(kept), NOW + 10_000 * SECOND).row > before.last.sequence


def test_a_row_that_the_new_place_does_not_take_is_left_out_and_no_other(kept: SqliteStore, path: Path) -> None:
    """A STRICT table takes no text for a number, and its rows would not be copied at once."""
    kept.watch([make_target("op_2")], NOW)
    with closing(apsw.Connection(str(path))) as connection:
        loosened = "UPDATE sqlite_schema SET sql = replace(sql, ' STRICT', '') WHERE name = 'jobs'"
        before = connection.execute("SELECT sql FROM sqlite_schema WHERE name = 'jobs'").get
        connection.pragma("writable_schema", True)
        connection.execute(loosened)
    with closing(apsw.Connection(str(path))) as connection:
        connection.execute("UPDATE jobs SET added_us = 'x' WHERE job_id = 'op_2'")
        connection.pragma("writable_schema", True)
        connection.execute("UPDATE sqlite_schema SET sql = ? WHERE name = 'jobs'", (before,))
    make_read_only(kept)
    write_until_degraded(kept)
    assert kept.degraded is not None
    assert "Nothing could be read" not in kept.degraded.message
    assert [target.id for target in (target.key for target in listed(kept))] == ["op_1"]
