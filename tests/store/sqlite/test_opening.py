import errno
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest import mock

import apsw
import pytest

from jobdeck.store import NewerSchemaError, Store, StoreError, open_store
from jobdeck.store.errors import StoreLockedError, StoreReadOnlyError
from jobdeck.store.models import NoticeKind
from jobdeck.store.sqlite import files, opening
from jobdeck.store.sqlite.migrate import Migration, load_migrations, migrate
from tests.builders import make_observation, make_target
from tests.store.engines import LocalClock
from tests.store.steps import KEY, NOW, SECOND, listed, poll, prepare

NOBODY = 65_534
SHIPPED = load_migrations()
NEXT = Migration(len(SHIPPED) + 1, "ALTER TABLE jobs ADD COLUMN colour TEXT")


def now_us() -> int:
    """Return NOW, for files that are named after it."""
    return NOW


async def fill(path: Path) -> None:
    clock = LocalClock()
    store = open_store(path, "yesterday", now_us=clock.now_us, fallback=False).store
    await prepare(store)
    await poll(store, clock, NOW)
    await store.close()


def modes(folder: Path) -> dict[str, int]:
    return {file.name: file.stat().st_mode & 0o777 for file in folder.iterdir()}


@contextmanager
def unprivileged() -> Iterator[Path]:
    """Give a folder that an unprivileged user owns, and be that user when the tests are run by root."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if os.geteuid() != 0:
            yield folder
            folder.chmod(0o700)
            return
        os.chown(folder, NOBODY, NOBODY)
        os.seteuid(NOBODY)
        try:
            # They may be in a folder of root's.
            with mock.patch.object(opening, "load_migrations", return_value=SHIPPED):
                yield folder
        finally:
            os.seteuid(0)


@pytest.mark.posix
async def test_the_directory_and_every_file_are_the_owners_alone(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        clock = LocalClock()
        store = open_store(tmp_path / "new" / "jobdeck.db", "me", now_us=clock.now_us, fallback=False).store
        await prepare(store)
        await poll(store, clock, NOW)
    finally:
        os.umask(before)
    assert (tmp_path / "new").stat().st_mode & 0o777 == 0o700
    found = modes(tmp_path / "new")
    assert set(found) == {"jobdeck.db", "jobdeck.db-wal", "jobdeck.db-shm"}
    assert set(found.values()) == {0o600}
    await store.close()


@pytest.mark.posix
async def test_a_file_that_others_could_read_is_closed_to_them_and_that_is_told(tmp_path: Path) -> None:
    path = tmp_path / "jobdeck.db"
    await fill(path)
    path.chmod(0o644)
    tmp_path.chmod(0o755)
    opened = open_store(path, "me", fallback=False)
    assert [notice.kind for notice in opened.notices] == [NoticeKind.PERMISSIONS]
    assert path.stat().st_mode & 0o777 == 0o600
    assert tmp_path.stat().st_mode & 0o777 == 0o755
    await opened.store.close()


async def test_nothing_is_told_when_all_is_well(tmp_path: Path) -> None:
    for _ in range(2):
        opened = open_store(tmp_path / "jobdeck.db", "me", fallback=False)
        assert opened.notices == ()
        assert opened.store.degraded is None
        await opened.store.close()


async def test_a_newer_schema_is_neither_read_nor_changed(tmp_path: Path) -> None:
    path = tmp_path / "jobdeck.db"
    await open_store(path, "me", migrations=(*SHIPPED, NEXT), fallback=False).store.close()
    before = path.read_bytes()
    with pytest.raises(NewerSchemaError, match="upgrade jobdeck") as caught:
        open_store(path, "me", fallback=False)
    assert (caught.value.found, caught.value.known) == (NEXT.version, len(SHIPPED))
    opened = open_store(path, "me")
    assert [notice.kind for notice in opened.notices] == [NoticeKind.IN_MEMORY]
    assert "upgrade jobdeck" in opened.notices[0].message
    await prepare(opened.store)
    await opened.store.close()
    assert path.read_bytes() == before
    assert list(modes(tmp_path)) == ["jobdeck.db"]


@pytest.mark.parametrize("version", range(1, len(SHIPPED) + 1))
async def test_every_older_schema_is_migrated_after_a_copy_was_made(tmp_path: Path, version: int) -> None:
    path = tmp_path / "jobdeck.db"
    files.create_private(path)
    old = apsw.Connection(str(path))
    migrate(old, None, SHIPPED[:version], NOW)
    old.close()
    opened = open_store(path, "me", migrations=(*SHIPPED, NEXT), now_us=now_us, fallback=False)
    (notice,) = opened.notices
    assert notice.kind is NoticeKind.MIGRATED
    assert notice.path == tmp_path / f"jobdeck.db.schema-{version}-20260528T202640Z"
    assert (await opened.store.health(check=True)).schema == NEXT.version
    assert (await opened.store.health(check=True)).check == "ok"
    await opened.store.close()
    assert modes(tmp_path)[notice.path.name] == 0o600
    copy = apsw.Connection(str(notice.path))
    assert copy.pragma("user_version") == version
    copy.close()


async def test_a_migration_keeps_what_is_remembered(tmp_path: Path) -> None:
    path = tmp_path / "jobdeck.db"
    await fill(path)
    opened = open_store(path, "me", migrations=(*SHIPPED, NEXT), fallback=False)
    assert await listed(opened.store) == (make_target(),)
    assert len(await opened.store.requests(KEY)) == 1
    await opened.store.close()


async def test_a_migration_that_fails_leaves_the_file_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "jobdeck.db"
    await fill(path)
    broken = Migration(NEXT.version, "ALTER TABLE jobs ADD COLUMN colour TEXT; SELECT nonsense FROM nowhere;")
    with pytest.raises(StoreError):
        open_store(path, "me", migrations=(*SHIPPED, broken), fallback=False)
    opened = open_store(path, "me", fallback=False)
    assert await listed(opened.store) == (make_target(),)
    await opened.store.close()


def garbage(path: Path) -> None:
    path.write_bytes(b"not a database, but long enough to be taken for one" * 100)


def torn(path: Path) -> None:
    raw = bytearray(path.read_bytes())
    raw[4096 * 3 : 4096 * 9] = os.urandom(4096 * 6)
    path.write_bytes(bytes(raw))


@pytest.mark.parametrize("damage", [garbage, torn])
async def test_a_damaged_file_is_set_aside_and_a_new_one_begun(tmp_path: Path, damage: object) -> None:
    path = tmp_path / "jobdeck.db"
    await fill(path)
    assert callable(damage)
    damage(path)
    damaged = path.read_bytes()
    opened = open_store(path, "me", now_us=now_us, fallback=False)
    (notice,) = opened.notices
    assert notice.kind is NoticeKind.CORRUPT
    assert notice.path == tmp_path / "jobdeck.db.corrupt-20260528T202640Z"
    assert notice.path.read_bytes() == damaged
    assert notice.path.name in notice.message
    await prepare(opened.store)
    assert (await opened.store.health(check=True)).check == "ok"
    await opened.store.close()


async def test_damage_in_a_large_file_is_met_at_work_and_the_file_set_aside_at_the_next_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("jobdeck.store.sqlite.opening._QUICK_CHECK_BYTES", 0)
    path = tmp_path / "jobdeck.db"
    await fill(path)
    page = root_page(path, "watches")
    raw = bytearray(path.read_bytes())
    raw[4096 * (page - 1) : 4096 * page] = b"\xff" * 4096
    path.write_bytes(bytes(raw))
    opened = open_store(path, "me", fallback=False)
    assert opened.notices == ()
    assert await listed(opened.store) == ()
    assert opened.store.degraded is not None
    assert "is damaged" in opened.store.degraded.message
    await works(opened.store)
    await opened.store.close()
    again = open_store(path, "me", now_us=now_us, fallback=False)
    assert [notice.kind for notice in again.notices] == [NoticeKind.CORRUPT]
    await again.store.close()
    assert sorted(modes(tmp_path)) == ["jobdeck.db", "jobdeck.db.corrupt-20260528T202640Z"]


def root_page(path: Path, table: str) -> int:
    connection = apsw.Connection(str(path))
    page = connection.execute("SELECT rootpage FROM sqlite_schema WHERE name = ?", (table,)).get
    connection.close()
    return int(page)


async def test_a_full_disk_is_told_as_such(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_space(*_: object) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("jobdeck.store.sqlite.files.os.open", no_space)
    opened = open_store(tmp_path / "new" / "jobdeck.db", "me")
    assert "No space left" in opened.notices[0].message
    await works(opened.store)


async def test_files_set_aside_in_the_same_second_do_not_replace_each_other(tmp_path: Path) -> None:
    path = tmp_path / "jobdeck.db"
    for _ in range(3):
        garbage(path)
        await open_store(path, "me", now_us=now_us, fallback=False).store.close()
    assert sorted(name.partition("Z")[2] for name in modes(tmp_path) if "corrupt" in name) == ["", "-2", "-3"]


async def works(store: Store) -> None:
    other = make_target("op_2")
    await prepare(store)
    await store.watch([other])
    done = await poll(store, LocalClock(), NOW + SECOND, make_observation(id_="op_2"), other.key)
    assert done.changed == (other.key,)


async def test_without_a_file_everything_is_in_memory_and_nothing_is_told() -> None:
    opened = open_store(None, "me")
    await works(opened.store)
    assert opened.notices == ()
    assert (await opened.store.health()).place == "in memory"


@pytest.mark.posix
async def test_a_read_only_file_is_read_into_memory_and_that_is_told() -> None:
    with unprivileged() as folder:
        path = folder / "jobdeck.db"
        await fill(path)
        path.chmod(0o400)
        folder.chmod(0o500)
        with pytest.raises(StoreReadOnlyError, match="cannot be written"):
            open_store(path, "me", fallback=False)
        opened = open_store(path, "me")
        assert [notice.kind for notice in opened.notices] == [NoticeKind.IN_MEMORY]
        assert await listed(opened.store) == (make_target(),)
        await works(opened.store)
        folder.chmod(0o700)


@pytest.mark.posix
async def test_a_directory_that_cannot_be_made_is_told() -> None:
    with unprivileged() as folder:
        folder.chmod(0o500)
        opened = open_store(folder / "new" / "jobdeck.db", "me")
        await works(opened.store)
        assert "cannot be written" in opened.notices[0].message
        folder.chmod(0o700)


async def test_a_directory_in_place_of_the_file_is_told(tmp_path: Path) -> None:
    (tmp_path / "jobdeck.db").mkdir()
    opened = open_store(tmp_path / "jobdeck.db", "me")
    await works(opened.store)
    assert [notice.kind for notice in opened.notices] == [NoticeKind.IN_MEMORY]


async def test_a_file_that_another_process_never_lets_go_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("jobdeck.store.sqlite.connect.BUSY_TIMEOUT_MS", 50)
    path = tmp_path / "jobdeck.db"
    await fill(path)
    holder = apsw.Connection(str(path))
    holder.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreLockedError, match="locked by another process"):
        open_store(path, "me", fallback=False)
    opened = open_store(path, "me")
    assert await listed(opened.store) == (make_target(),)
    await works(opened.store)
    holder.close()


async def test_only_one_process_opens_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "_LOCK_SECONDS", 0.05)
    with files.exclusive_lock(tmp_path), pytest.raises(StoreLockedError, match="still opening"):
        open_store(tmp_path / "jobdeck.db", "me", fallback=False)
    await open_store(tmp_path / "jobdeck.db", "me", fallback=False).store.close()


async def test_the_schema_has_no_place_for_headers_or_secrets(tmp_path: Path) -> None:
    path = tmp_path / "jobdeck.db"
    await fill(path)
    connection = apsw.Connection(str(path))
    columns = {
        f"{table}.{column}".lower()
        for (table,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'").fetchall()
        for (column,) in connection.execute("SELECT name FROM pragma_table_info(?)", (table,)).fetchall()
    }
    connection.close()
    assert len(columns) > 80
    forbidden = ("header", "authorization", "cookie", "secret", "token", "password", "credential", "api_key")
    assert [column for column in columns if any(word in column for word in forbidden)] == []
    assert {column for column in columns if "body" in column} == {"exchanges.body_request_id", "results.body"}
