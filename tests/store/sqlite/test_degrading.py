"""A file that cannot be written any more is left, and the store goes on in memory."""

import asyncio
import errno
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import apsw
import pytest

from jobdeck.domain.job import JobKey
from jobdeck.domain.phase import Phase
from jobdeck.domain.scope import Scope
from jobdeck.store import Store, open_store
from jobdeck.store.errors import StoreFullError
from jobdeck.store.models import NoticeKind, RequestState
from jobdeck.store.sqlite import memory_fallback
from jobdeck.store.sqlite.store import SqliteStore
from tests.builders import START, make_observation, make_target
from tests.store.engines import Clock, LocalClock
from tests.store.sqlite.conftest import OpenFile
from tests.store.steps import (
    KEY,
    LEASE,
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


@pytest.fixture
async def kept(open_file: OpenFile, clock: LocalClock) -> SqliteStore:
    store = await open_file()
    await prepare(store)
    await store.annotate([KEY], "ask Ada")
    await poll(store, clock, NOW, make_observation(Phase.RUNNING))
    return store


def fill_up(store: SqliteStore) -> None:
    writer = store._db._session.connection
    writer.pragma("max_page_count", writer.pragma("page_count"))


def make_read_only(store: SqliteStore) -> None:
    store._db._session.connection.pragma("query_only", True)


async def write_until_degraded(store: Store, clock: Clock) -> int:
    for n in range(1, 5_000):
        await poll(store, clock, NOW + n * SECOND, make_observation(Phase.RUNNING, n / 5_000))
        if store.degraded is not None:
            return n
    raise AssertionError("the store never noticed")


@pytest.mark.parametrize(("break_it", "word"), [(fill_up, "cannot grow"), (make_read_only, "cannot be written")])
async def test_a_file_that_cannot_be_written_any_more_is_left_for_memory(
    kept: SqliteStore, clock: LocalClock, break_it: Callable[[SqliteStore], None], word: str
) -> None:
    assert (kept.degraded, kept.client) == (None, "me")
    break_it(kept)
    count = await write_until_degraded(kept, clock)
    notice = kept.degraded
    assert notice is not None
    assert notice.kind is NoticeKind.IN_MEMORY
    assert word in notice.message
    assert (await kept.health()).place == "in memory"
    assert await listed(kept) == (make_target(),)
    assert (await kept.annotations([KEY]))[KEY].note == "ask Ada"
    assert len(await kept.requests(KEY, 5_000)) == count + 1
    await poll(kept, clock, NOW + 9_000 * SECOND, make_observation(Phase.SUCCEEDED))
    assert (await saved(kept)).last.phase is Phase.SUCCEEDED
    assert kept.degraded is notice


async def test_the_file_that_was_left_still_holds_all_it_had(
    kept: SqliteStore, clock: LocalClock, open_file: OpenFile
) -> None:
    fill_up(kept)
    count = await write_until_degraded(kept, clock)
    await kept.close()
    again = await open_file("you")
    assert (await again.health(check=True)).check == "ok"
    assert len(await again.requests(KEY, 5_000)) >= count


async def test_a_request_in_flight_finds_its_record_and_its_lease_again(kept: SqliteStore, clock: LocalClock) -> None:
    grant = await claim(kept, clock, NOW + SECOND)
    cursor = await kept.head()
    make_read_only(kept)
    exchange = an_exchange(NOW + SECOND)
    done = await answer(kept, clock, NOW + 2 * SECOND, grant, exchange, make_observation(Phase.FAILED))
    assert kept.degraded is not None
    assert (done.changed, done.late) == ((KEY,), False)
    newest = (await kept.requests(KEY))[0]
    assert (newest.exchange.sequence, newest.state) == (grant.sequence, RequestState.ANSWERED)
    assert len((await kept.changes(cursor))[0]) == 1
    assert (await claim(kept, clock, NOW + 3 * SECOND)).fence == (grant.fence or 0) + 1


async def test_a_lease_is_renewed_in_memory_as_well(
    open_file: OpenFile, clock: LocalClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("jobdeck.store.leases.RENEW_SECONDS", 0.01)
    store = await open_file()
    await prepare(store)
    await claim(store, clock, NOW)
    make_read_only(store)
    await clock.set(NOW + 5 * SECOND)

    async def renewed() -> bool:
        return store.degraded is not None and (await lease_of(store)).until_us == NOW + 5 * SECOND + LEASE

    await until(renewed)


async def test_writes_that_wait_together_are_made_again_in_memory(kept: SqliteStore) -> None:
    fill_up(kept)
    targets = [make_target(f"op_{n}") for n in range(2, 22)]
    await kept.watch(targets)
    notes = {target.key: f"{n} " * 20_000 for n, target in enumerate(targets)}
    assert kept.degraded is None
    await asyncio.gather(*(kept.annotate([key], note) for key, note in notes.items()))
    assert kept.degraded is not None
    assert {key: said.note for key, said in (await kept.annotations(notes)).items()} == notes


async def test_readers_survive_the_change(kept: SqliteStore, clock: LocalClock) -> None:
    stop = asyncio.Event()

    async def read() -> None:
        while not stop.is_set():
            assert await listed(kept) == (make_target(),)
            await kept.requests(KEY)

    readers = [asyncio.create_task(read()) for _ in range(3)]
    fill_up(kept)
    await write_until_degraded(kept, clock)
    await poll(kept, clock, NOW + 9_000 * SECOND)
    stop.set()
    await asyncio.gather(*readers)


async def test_the_same_scopes_hold_in_memory(open_file: OpenFile, clock: LocalClock) -> None:
    production, staging = Scope("https://developer.thehog.ai", "hog"), Scope("https://staging.thehog.ai", "hog")
    acme, other = Scope("https://developer.thehog.ai", "acme"), JobKey("pig", None, "op_1")
    elsewhere = await open_file("you", scopes={"hog": staging})
    await prepare(elsewhere)
    await poll(elsewhere, clock, NOW, make_observation(Phase.FAILED))
    store = await open_file(scopes={"hog": production, "pig": acme})
    await prepare(store)
    await poll(store, clock, NOW, make_observation(Phase.RUNNING))
    make_read_only(store)
    await store.watch([replace(make_target(), key=other)])
    assert store.degraded is not None
    assert [job.key for job in await store.watched(START)] == [KEY, other]
    job = await saved(store)
    assert (job.last.phase, job.scope) == (Phase.RUNNING, production)


async def test_memory_that_is_full_too_is_a_typed_error(clock: LocalClock) -> None:
    store = open_store(None, "me", now_us=clock.now_us).store
    await prepare(store)
    fill_up(store)
    with pytest.raises(StoreFullError, match="the in-memory database"):
        await write_until_degraded(store, clock)
    await store.close()


ON_A_SMALL_DISK = """
import asyncio, resource, sys
from pathlib import Path
from jobdeck.store import open_store
from tests.store.engines import LocalClock
from tests.store.sqlite.test_degrading import write_until_degraded
from tests.store.steps import KEY, prepare

async def main():
    clock = LocalClock()
    store = open_store(Path(sys.argv[1]), "small", now_us=clock.now_us, fallback=False).store
    await prepare(store)
    resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, 300_000))
    count = await write_until_degraded(store, clock)
    found = len(await store.requests(KEY, 5_000))
    assert found == count, (found, count)
    print(store.degraded.message)
    await store.close()

asyncio.run(main())
"""


@pytest.mark.posix
async def test_a_limit_on_the_size_of_files_is_survived(path: Path, open_file: OpenFile) -> None:
    done = subprocess.run(
        [sys.executable, "-c", ON_A_SMALL_DISK, str(path)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "Continuing in memory" in done.stdout
    assert (await (await open_file("next")).health(check=True)).check == "ok"


async def test_requests_in_memory_are_later_than_those_of_a_file_that_cannot_be_found_any_more(
    kept: SqliteStore, clock: LocalClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An I/O error of the directory cannot be had otherwise. Numbered from one, no answer would count any more."""
    before = await saved(kept)

    def gone(_: Path) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(memory_fallback, "require_files", gone)
    make_read_only(kept)
    await prepare(kept)
    assert (await claim(kept, clock, NOW + 10_000 * SECOND)).sequence > before.last.sequence


async def test_a_row_that_memory_does_not_take_is_left_out_and_no_other(
    kept: SqliteStore, clock: LocalClock, path: Path
) -> None:
    """A STRICT table takes no text for a number, and its rows would not be copied at once."""
    await kept.watch([make_target("op_2")])
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
    await write_until_degraded(kept, clock)
    assert kept.degraded is not None
    assert "Nothing could be loaded" not in kept.degraded.message
    assert [target.key.id for target in await listed(kept)] == ["op_1"]
