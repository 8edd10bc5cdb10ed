"""A file that is deleted or replaced while it is open is let go of: said, and begun anew with what is there now."""

import errno
import os
from collections.abc import Callable
from pathlib import Path

import apsw
import pytest

from jobdeck.domain.phase import Phase
from jobdeck.store import POLL, Store, open_store
from jobdeck.store.records import NoticeKind, Refused
from jobdeck.store.sqlite import place
from tests.builders import make_observation, make_target
from tests.store.conftest import prepared
from tests.store.doing import KEY, NOW, SECOND, an_exchange, claim, poll

pytestmark = pytest.mark.posix  # Windows deletes and renames no file that is open


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "data" / "jobdeck.db"


def opened(path: Path, actor: str = "me") -> Store:
    return open_store(path, actor, now_us=NOW, fallback=False).store


def delete_all(path: Path) -> None:
    for file in path.parent.iterdir():
        file.unlink()


def delete_directory(path: Path) -> None:
    delete_all(path)
    path.parent.rmdir()


def replace_with_another(path: Path) -> None:
    other = path.with_name("other.db")
    prepared(opened(other, "you")).close()
    delete_all_but = [file for file in path.parent.iterdir() if file != other]
    for file in delete_all_but:
        file.unlink()
    other.rename(path)


CHANGES: dict[str, Callable[[Path], object]] = {
    "deleted with its log": delete_all,
    "deleted alone": lambda path: path.unlink(),
    "deleted with its directory": delete_directory,
    "moved away": lambda path: path.rename(path.with_name("elsewhere.db")),
    "replaced by another": replace_with_another,
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_a_file_that_is_gone_is_said_and_begun_anew(change: Callable[[Path], object], path: Path) -> None:
    store = prepared(opened(path))
    poll(store, NOW + SECOND)
    newest, version = store.newest(), store.data_version()
    log = path.with_name("jobdeck.db-wal").read_bytes()
    change(path)
    assert store.data_version() != version
    assert store.timeline(KEY) == ()
    incident = store.incident
    assert incident is not None
    assert (incident.kind, incident.path, store.degraded) == (NoticeKind.REPLACED, path, None)
    assert f"{path} was deleted or replaced" in incident.message
    prepared(store)
    # Newer is a higher number, also for a job whose last answer is on record in the other file.
    assert claim(store, NOW + 1_000 * SECOND).row > newest
    again = opened(path, "you")
    assert [stored.last.key for stored in again.jobs()] == [KEY]
    assert again.health(check=True).check == "ok"
    if change is CHANGES["deleted alone"]:
        assert log in [file.read_bytes() for file in path.parent.glob("jobdeck.db.corrupt-*-wal")]
    again.close()
    store.close()


def test_what_the_rate_limits_are_spent_of_is_not_forgotten_with_the_file(path: Path) -> None:
    store = opened(path)
    store.watch([make_target(), make_target("op_2")], NOW)
    store.set_limit("hog", POLL, 1, NOW)
    claim(store, NOW)
    delete_all(path)
    store.watch([make_target("op_2")], NOW)
    refused = store.claim(make_target("op_2").key, NOW + SECOND, 40.0)
    assert isinstance(refused, Refused)
    assert refused.reason == "budget"
    store.close()


def test_an_answer_to_a_request_of_the_other_file_is_put_on_record(path: Path) -> None:
    store = prepared(opened(path))
    delete_all(path)
    claimed = claim(prepared(store), NOW)
    delete_all(path)
    prepared(store)
    store.complete(claimed, an_exchange(NOW), [make_observation(Phase.SUCCEEDED)], None, NOW + SECOND)
    assert [entry.request_id for entry in store.all_exchanges()] == [f"request-{NOW}"]
    store.close()


def test_two_jobdecks_meet_in_the_new_file(path: Path) -> None:
    mine, yours = prepared(opened(path)), opened(path, "you")
    delete_all(path)
    prepared(mine)
    poll(mine, NOW + SECOND)
    stored = yours.load_job(KEY)
    assert stored is not None
    assert stored.last.phase is Phase.RUNNING
    assert yours.incident is not None
    mine.close()
    yours.close()


def test_a_file_that_is_replaced_again_and_again_is_left_for_memory(path: Path) -> None:
    store = opened(path)
    for _ in range(4):
        delete_all(path)
        prepared(store)
    assert store.degraded is not None
    assert "repeatedly deleted" in store.degraded.message
    assert store.degraded is store.incident
    poll(store, NOW + SECOND)
    store.close()


def test_without_locks_the_store_is_in_memory_at_once_and_says_why(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file system without locks cannot be had here: SQLite is refused by a lock, and everybody by `lockf`."""
    prepared(opened(path)).close()
    waited: list[int] = []

    def refuse(*_: object) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(place.fcntl, "lockf", refuse)
    set_busy_timeout = apsw.Connection.set_busy_timeout
    monkeypatch.setattr(
        "jobdeck.store.sqlite.connect.apsw.Connection",
        type("Counting", (apsw.Connection,), {
            "set_busy_timeout": lambda self, ms: (waited.append(ms), set_busy_timeout(self, ms))[1],
        }),
    )  # fmt: skip
    locker = apsw.Connection(str(path))
    locker.pragma("journal_mode", "delete")
    locker.execute("BEGIN EXCLUSIVE")
    try:
        found = open_store(path, "me", now_us=NOW)
    finally:
        locker.close()
    (notice,) = found.notices
    assert f"{path} cannot be locked: {os.strerror(errno.ENOLCK)}" in notice.message
    assert "JOBDECK_DATA_DIR" in notice.message
    assert sum(waited) <= 1_000, "milliseconds that were waited for a lock"
    found.store.close()
