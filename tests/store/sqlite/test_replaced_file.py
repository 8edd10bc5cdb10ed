"""A file that is deleted or replaced while it is open is let go of: said, and begun anew with what is there now."""

import asyncio
import errno
import os
from collections.abc import Awaitable, Callable
from pathlib import Path

import apsw
import pytest

from jobdeck.domain.phase import Phase
from jobdeck.store import POLL, open_store
from jobdeck.store.models import Denied, NoticeKind, poll_request
from jobdeck.store.sqlite import files
from tests.builders import make_observation, make_target
from tests.store.engines import LocalClock
from tests.store.sqlite.conftest import OpenFile
from tests.store.steps import KEY, NOW, PATIENCE, SECOND, an_exchange, answer, ask, claim, poll, prepare, saved

pytestmark = pytest.mark.posix  # Windows deletes and renames no file that is open


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """In a directory of its own, which may be deleted."""
    return tmp_path / "data" / "jobdeck.db"


def delete_all(path: Path) -> None:
    for file in path.parent.iterdir():
        file.unlink()


def delete_directory(path: Path) -> None:
    delete_all(path)
    path.parent.rmdir()


async def replace_with_another(path: Path) -> None:
    other = path.with_name("other.db")
    store = open_store(other, "you", fallback=False).store
    await prepare(store)
    await store.close()
    for file in path.parent.iterdir():
        if file != other:
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
async def test_a_file_that_is_gone_is_said_and_begun_anew(
    change: Callable[[Path], object], path: Path, open_file: OpenFile, clock: LocalClock
) -> None:
    store = await open_file()
    await prepare(store)
    await poll(store, clock, NOW + SECOND)
    newest = await store.newest()
    await store.wait_for_change()
    log = path.with_name("jobdeck.db-wal").read_bytes()
    changed = change(path)
    if isinstance(changed, Awaitable):
        await changed
    async with asyncio.timeout(PATIENCE):
        await store.wait_for_change()
    assert await store.timeline(KEY) == ()
    incident = store.incident
    assert incident is not None
    assert (incident.kind, incident.path, store.degraded) == (NoticeKind.REPLACED, path, None)
    assert f"{path} was deleted or replaced" in incident.message
    await prepare(store)
    # Newer is a higher number, also for a job whose last answer is on record in the other file.
    assert (await claim(store, clock, NOW + 1_000 * SECOND)).sequence > newest
    again = await open_file("you")
    assert [job.last.key for job in await again.jobs()] == [KEY]
    assert (await again.health(check=True)).check == "ok"
    if change is CHANGES["deleted alone"]:
        assert log in [file.read_bytes() for file in path.parent.glob("jobdeck.db.corrupt-*-wal")]


async def test_the_requests_that_were_sent_count_although_the_file_is_gone(
    path: Path, open_file: OpenFile, clock: LocalClock
) -> None:
    store = await open_file()
    await store.watch([make_target(), make_target("op_2")])
    await store.set_limits("hog", {POLL: 1})
    await claim(store, clock, NOW)
    delete_all(path)
    await store.watch([make_target("op_2")])
    denied = await ask(store, clock, NOW + SECOND, poll_request(make_target("op_2").key))
    assert isinstance(denied, Denied)
    assert denied.reason == "budget"


async def test_an_answer_to_a_request_of_the_other_file_is_put_on_record(
    path: Path, open_file: OpenFile, clock: LocalClock
) -> None:
    store = await open_file()
    await prepare(store)
    delete_all(path)
    await prepare(store)
    grant = await claim(store, clock, NOW)
    delete_all(path)
    await prepare(store)
    await answer(store, clock, NOW + SECOND, grant, an_exchange(NOW), make_observation(Phase.SUCCEEDED))
    assert [record.exchange.request_id for record in await store.all_requests()] == [f"request-{NOW}"]


async def test_two_jobdecks_meet_in_the_new_file(path: Path, open_file: OpenFile, clock: LocalClock) -> None:
    mine, yours = await open_file(), await open_file("you")
    await prepare(mine)
    delete_all(path)
    await prepare(mine)
    await poll(mine, clock, NOW + SECOND)
    assert (await saved(yours)).last.phase is Phase.RUNNING
    assert yours.incident is not None


async def test_a_file_that_is_replaced_again_and_again_is_left_for_memory(
    path: Path, open_file: OpenFile, clock: LocalClock
) -> None:
    store = await open_file()
    for _ in range(4):
        delete_all(path)
        await prepare(store)
    assert store.degraded is not None
    assert "repeatedly deleted" in store.degraded.message
    assert store.degraded is store.incident
    await poll(store, clock, NOW + SECOND)


async def test_without_locks_the_store_is_in_memory_at_once_and_says_why(
    path: Path, open_file: OpenFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file system without locks cannot be had here: SQLite is refused by a lock, and everybody by `lockf`."""
    before = await open_file()
    await prepare(before)
    await before.close()
    waited: list[int] = []

    def refuse(*_: object) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(files.fcntl, "lockf", refuse)
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
        found = open_store(path, "me")
    finally:
        locker.close()
    (notice,) = found.notices
    assert f"{path} cannot be locked: {os.strerror(errno.ENOLCK)}" in notice.message
    assert "JOBDECK_DATA_DIR" in notice.message
    assert sum(waited) <= 1_000, "milliseconds that were waited for a lock"
    await found.store.close()
