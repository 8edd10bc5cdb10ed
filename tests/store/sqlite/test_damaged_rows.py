"""A row that cannot be read costs that row: every column of every table, with what no jobdeck wrote in it."""

import asyncio
import json
import random
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import replace
from pathlib import Path

import apsw
import pytest

from jobdeck.app.factories import _durations
from jobdeck.app.json_shapes import job_object
from jobdeck.cli.commands.history import _row as history_row
from jobdeck.cli.commands.requests import _row as request_row
from jobdeck.cli.commands.requests import request_object
from jobdeck.cli.job_text import describe_row
from jobdeck.domain.job import Job, JobError, JobKey, Stage
from jobdeck.domain.phase import Phase
from jobdeck.domain.scope import Scope
from jobdeck.store import LIST, POLL, CursorLostError, Store, StoreError, open_store
from jobdeck.store.models import Cursor, NoticeKind
from jobdeck.store.sqlite.migrate import load_migrations
from tests.builders import START, make_observation, make_target
from tests.store.engines import LocalClock
from tests.store.steps import NOW, PLENTY, SECOND, a_problem, an_exchange, answer, claim, list_page, poll

VALUES = {
    "nothing": "NULL",
    "bytes": "x'00ff41'",
    "no UTF-8": "cast(x'ff41c3' AS TEXT)",
    "other JSON": '\'[[1,2,3,"x",{},[],0],{"a":NaN}]\'',
    "an unknown word": "'surprise'",
    "a large number": "9223372036854775807",
    "a number of one bit more": "4611686018427387000",
    "infinity": "9e999",
}
SCOPES = {"hog": Scope("https://developer.thehog.ai", "hog", "thehog")}
SHARED = ("clients", "meta", "profiles", "scopes")
"""Tables whose few rows all others point to."""

REFERENCES = {"id", "name", "scope", "profile", "client", "account_group", "job_id", "seq", "job"}
"""Columns by which a row is found: what was under another name is not found, and begun anew."""


def key(number: int) -> JobKey:
    return make_target(f"op_{number}").key


def columns() -> dict[str, list[str]]:
    """The columns of each table."""
    found: dict[str, list[str]] = {}
    with closing(apsw.Connection(":memory:")) as connection:
        for migration in load_migrations():
            connection.execute(migration.sql)
        for table, column in connection.execute(
            "SELECT m.name, p.name FROM sqlite_schema m, pragma_table_info(m.name) p"
            " WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite_%'"
        ):
            found.setdefault(table, []).append(column)
    return found


COLUMNS = columns()
CLOCK = LocalClock()
JOBS = len(COLUMNS["jobs"]) + 2
"""One for each column of its row, and two that are never damaged."""


async def fill(path: Path, jobs: int) -> None:
    """Make a database with something in every table, about each of so many jobs."""
    clock = LocalClock()
    store = open_store(path, "yesterday", now_us=clock.now_us, fallback=False, keep_results=True, scopes=SCOPES).store
    await store.set_limits("hog", {LIST: PLENTY, POLL: PLENTY})
    await store.watch([replace(make_target(f"op_{n}"), accepted_request_id=f"accepted-{n}") for n in range(jobs)])
    stages = (Stage("import", "done", Phase.SUCCEEDED, 1.0), Stage("enrich", "busy", Phase.RUNNING, 0.25))
    for number in range(jobs):
        one, at_us = key(number), NOW + (1 + 10 * number) * SECOND
        running = replace(
            make_observation(Phase.RUNNING, 0.75, stages, one.id),
            error=JobError("CODE", "message", '{"why": 1}'),
            result='{"rows": [1, 2]}',
            facts=(("credits", "3"),),
        )
        await poll(store, clock, at_us, running, one, request_id=f"first-{number}")
        await poll(store, clock, at_us + 2 * SECOND, a_problem(), one, request_id=f"second-{number}")
        await clock.set(NOW)
        await store.acknowledge([one], acknowledged=True)
        await store.annotate([one], "ask Ada")
        await store.claim_event(one, "ended")
    rows = (make_observation(id_=f"op_{number}") for number in range(jobs))
    await list_page(store, clock, NOW + 9_000 * SECOND, *rows)
    await clock.set(NOW)
    await store.save_estimates("hog", '{"operation": {"n": 3}}')
    await store.save_preference("theme", "dark")
    await store.close()


def opened(path: Path) -> Store:
    return open_store(path, "me", now_us=CLOCK.now_us, fallback=False, scopes=SCOPES).store


def loosen(path: Path) -> None:
    """Let every column take every value, as a flipped bit does."""
    with closing(apsw.Connection(str(path))) as connection:
        connection.pragma("writable_schema", True)
        connection.execute(
            "UPDATE sqlite_schema SET sql ="
            " replace(replace(replace(sql, ' STRICT, WITHOUT', ' WITHOUT'), ' STRICT', ''), ' NOT NULL', '')"
            " WHERE type = 'table' AND sql LIKE '%STRICT%'"
        )


def damage(connection: apsw.Connection, table: str, column: str, value: str, place: int) -> bool:
    """Put a value into a column of the row at a place; returns False for one that SQLite itself refuses."""
    keys = [name for (name,) in connection.execute(f"SELECT name FROM pragma_table_info('{table}') WHERE pk > 0")]
    rows = f"(SELECT {', '.join(keys)} FROM {table} ORDER BY {', '.join(keys)} LIMIT 1 OFFSET {place})"
    try:
        connection.execute(f"UPDATE {table} SET {column} = {value} WHERE ({', '.join(keys)}) IN {rows}")
    except (apsw.ConstraintError, apsw.MismatchError):
        return False
    return connection.changes() > 0


def show(job: Job) -> None:
    now = START.later(60)
    json.dumps(job_object(job, now), allow_nan=False)
    describe_row(job, now, START)
    history_row(job, now)


async def read_all(store: Store, jobs: int) -> dict[JobKey, Job]:
    """Read everything, and show it as the commands do; returns the jobs."""
    now = START.later(60)
    for job in await store.watched(now):
        show(job)
    for number in range(jobs):
        one = key(number)
        found = (await store.load([one])).get(one)
        if found is not None:
            show(found.at(now))
        await store.timeline(one)
        for record in await store.requests(one):
            record.at(now)
        await store.phase_evidence(one)
    for record in await store.all_requests(limit=1_000):
        json.dumps(request_object(record), allow_nan=False)
        request_row(record)
    await store.all_requests("hog")
    await store.failures("hog", NOW, NOW + 10_000 * SECOND)
    for id_ in ("first-0", "second-1", "accepted-1"):
        await store.find_request(id_)
    await store.annotations([key(0), key(1)])
    await store.annotations([key(number) for number in range(60)])
    _durations((await store.load_estimates()).get("hog"))
    await store.load_preferences()
    await store.limit("hog", POLL)
    await store.count_watched()
    head = await store.head()
    # In a store that went on in memory only the newest change is left, and damage may move its place.
    with suppress(CursorLostError):
        await store.changes(Cursor(f"{head.partition(':')[0]}:0"))
    await store.changes(head)
    await store.newest()
    return {job.last.key: job.last for job in await store.jobs()}


async def finish(store: Store, number: int, at_us: int = 0) -> None:
    """Poll a job, which has succeeded, and say something about it."""
    one, at_us = key(number), at_us or NOW + (10_000 + 10 * number) * SECOND
    await store.watch([make_target(one.id)])
    grant = await claim(store, CLOCK, at_us, one)
    observed = make_observation(Phase.SUCCEEDED, 1.0, id_=one.id)
    done = await answer(store, CLOCK, at_us + SECOND, grant, an_exchange(at_us, id_=one.id), observed)
    assert one in {*done.changed, *done.seen}
    await store.acknowledge([one], acknowledged=False)
    await store.claim_event(one, "again")


@pytest.fixture(scope="module")
def loose(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The bytes of a database with a job for each column, whose columns take every value."""
    path = tmp_path_factory.mktemp("loose") / "jobdeck.db"

    async def make() -> None:
        await fill(path, JOBS)
        await opened(path).close()

    asyncio.run(make())
    loosen(path)
    return path.read_bytes()


@pytest.fixture(autouse=True)
def _at_the_beginning() -> None:
    CLOCK.us = NOW


def damaged_in_every_column(path: Path, value: str) -> Iterator[str]:
    """Put a value into each column of each table, in another row each; yields what was damaged."""
    with closing(apsw.Connection(str(path))) as connection:
        connection.execute("BEGIN")
        for table in [table for table in COLUMNS if table not in SHARED]:
            names = COLUMNS[table]
            # The columns by which rows are found come last, so that those of the others are where they were.
            for place, column in sorted(enumerate(names), key=lambda item: item[1] in REFERENCES):
                largest = column == "seq" and "922" in value  # after which SQLite itself adds no row
                if not largest and damage(connection, table, column, value, place):
                    yield f"{table}.{column}"
        connection.execute("COMMIT")


@pytest.mark.parametrize("value", VALUES.values(), ids=VALUES)
async def test_a_value_that_no_jobdeck_wrote_costs_its_row_alone(value: str, loose: bytes, path: Path) -> None:
    path.write_bytes(loose)
    damaged = list(damaged_in_every_column(path, value))
    store = opened(path)
    sound = {key(JOBS - 2), key(JOBS - 1)}
    assert (await read_all(store, JOBS)).keys() >= sound
    health = await store.health(check=True)
    assert health.check == "ok"
    assert health.unreadable or "NULL" in value
    found_again = [
        number for number, column in enumerate(COLUMNS["jobs"])
        if column not in REFERENCES or f"jobs.{column}" not in damaged
    ] + [JOBS - 2, JOBS - 1]  # fmt: skip
    for number in found_again:
        await finish(store, number)
    after = await read_all(store, JOBS)
    assert {number: after[key(number)].phase for number in found_again} == dict.fromkeys(found_again, Phase.SUCCEEDED)
    await store.purge(NOW - 1)
    assert store.degraded is None
    await store.close()


@pytest.mark.parametrize(("table", "column"), [(table, column) for table in SHARED for column in COLUMNS[table]])
async def test_a_value_that_no_jobdeck_wrote_in_a_row_that_all_share(
    table: str, column: str, loose: bytes, path: Path
) -> None:
    for kind in ("nothing", "no UTF-8", "a large number"):
        for place in (0, 1):
            path.write_bytes(loose)
            with closing(apsw.Connection(str(path))) as connection:
                if not damage(connection, table, column, VALUES[kind], place):
                    continue
            store = opened(path)
            await read_all(store, 2)
            await finish(store, 1)
            assert (await read_all(store, 2))[key(1)].phase is Phase.SUCCEEDED, (kind, place)
            await store.close()


async def test_bits_flipped_anywhere_are_survived(path: Path) -> None:
    await fill(path, 2)
    sound, chance = path.read_bytes(), random.Random(7)
    for number in range(25):
        for file in path.parent.iterdir():
            file.unlink()
        data = bytearray(sound)
        for _ in range(chance.choice((1, 1, 1, 8))):
            data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
        path.write_bytes(data)
        try:
            store = open_store(path, "me", now_us=CLOCK.now_us, scopes=SCOPES).store
            await read_all(store, 2)
            (await store.health(check=True))
            await finish(store, 1)
            await store.close()
        except StoreError as error:
            raise AssertionError(f"flip {number}") from error


async def test_a_place_in_the_order_of_sending_behind_all_requests_lets_answers_count(path: Path) -> None:
    await fill(path, 1)
    with closing(apsw.Connection(str(path))) as connection:
        connection.execute("UPDATE jobs SET sequence = 1000000000")
    store = opened(path)
    await finish(store, 0)
    assert (await read_all(store, 1))[key(0)].phase is Phase.SUCCEEDED
    await store.close()


async def test_doctor_is_told_which_rows_are_left_out(path: Path) -> None:
    await fill(path, 2)
    with closing(apsw.Connection(str(path))) as connection:
        connection.execute("UPDATE jobs SET progress = 7 WHERE job_id = 'op_0'")
        connection.execute("UPDATE exchanges SET state = 'surprise' WHERE seq IN (2, 3)")
        connection.execute("UPDATE timeline SET words = cast(x'ff' AS TEXT) WHERE seq = 1")
        connection.execute("UPDATE annotations SET note = cast(x'ff' AS TEXT) WHERE job = 2")
    found = open_store(path, "me", now_us=CLOCK.now_us, scopes=SCOPES, fallback=False)
    assert found.notices == ()
    assert (await found.store.health()).unreadable == ()
    assert (await found.store.health(check=True)).unreadable == (
        "1 of jobs (row 1)",
        "1 of timeline (row 1)",
        "2 of exchanges (row 2, 3)",
        "1 of annotations (row 2)",
    )
    await found.store.close()


@pytest.mark.parametrize("value", ["NULL", "'x'", "x'00'"])
async def test_a_value_that_its_strict_column_does_not_take_is_no_reason_to_set_the_file_aside(
    value: str, path: Path
) -> None:
    await fill(path, 2)
    with closing(apsw.Connection(str(path))) as connection:
        before = connection.execute("SELECT name, sql FROM sqlite_schema WHERE sql LIKE '%STRICT%'").fetchall()
    loosen(path)
    with closing(apsw.Connection(str(path))) as connection:
        connection.execute(f"UPDATE jobs SET added_us = {value} WHERE job_id = 'op_0'")
        connection.pragma("writable_schema", True)
        for name, sql in before:
            connection.execute("UPDATE sqlite_schema SET sql = ? WHERE name = ?", (sql, name))
    with closing(apsw.Connection(str(path))) as connection:
        assert connection.execute("PRAGMA quick_check").get != "ok"
    found = open_store(path, "me", now_us=CLOCK.now_us, scopes=SCOPES, fallback=False)
    assert found.notices == ()
    assert [stored.last.key for stored in await found.store.jobs()] == [key(1)]
    health = await found.store.health(check=True)
    assert (health.check, health.unreadable) == ("ok", ("1 of jobs (row 1)",))
    await found.store.close()


async def test_a_schema_that_is_damaged_is_set_aside(path: Path) -> None:
    await fill(path, 1)
    with closing(apsw.Connection(str(path))) as connection:
        connection.pragma("writable_schema", True)
        connection.execute("UPDATE sqlite_schema SET sql = replace(sql, 'account_group', 'account_gr0up')")
    first = open_store(path, "me", now_us=CLOCK.now_us, scopes=SCOPES)
    await read_all(first.store, 1)
    assert first.store.degraded is not None or first.notices
    await first.store.close()
    second = open_store(path, "me", now_us=CLOCK.now_us, scopes=SCOPES)
    await finish(second.store, 0)
    assert second.store.degraded is None
    assert list(path.parent.glob("jobdeck.db.corrupt-*"))
    await second.store.close()


@pytest.mark.parametrize(
    "damaged",
    [
        "progress = 9e99",
        "phase = 'surprise'",
        "status = 'succeedee'",
        "error = '{'",
        "http_status = x'00'",
    ],
)
async def test_an_answer_that_says_what_was_said_before_mends_the_row_all_the_same(damaged: str, path: Path) -> None:
    await fill(path, 2)
    store = opened(path)
    await finish(store, 0)
    before = (await read_all(store, 2))[key(0)]
    await store.close()
    loosen(path)
    with closing(apsw.Connection(str(path))) as connection:
        connection.execute(f"UPDATE jobs SET {damaged} WHERE job_id = 'op_0'")
    store = opened(path)
    assert (await read_all(store, 2)).get(key(0)) != before
    await finish(store, 0, at_us=NOW + 20_000 * SECOND)
    after = (await read_all(store, 2))[key(0)]
    assert (after.status, after.phase, after.progress) == (before.status, before.phase, before.progress)
    assert (after.error, after.stages, after.http_status) == (before.error, before.stages, before.http_status)
    await store.close()


async def test_an_index_that_does_not_fit_its_table_is_made_anew(path: Path) -> None:
    """The row of a job says another ID than the index by which it is found: answers would go to the other's row."""
    await fill(path, 2)
    # The API stands behind the ID in the table, and not in the index.
    path.write_bytes(path.read_bytes().replace(b"op_0thehogoperation", b"op_8thehogoperation"))
    found = open_store(path, "me", now_us=CLOCK.now_us, scopes=SCOPES, fallback=False)
    assert [notice for notice in found.notices if notice.kind is not NoticeKind.PERMISSIONS] == []
    assert (await read_all(found.store, 2)).keys() == {key(1), key(8)}
    await finish(found.store, 0)
    assert (await read_all(found.store, 2)).keys() == {key(0), key(1), key(8)}
    assert (await found.store.health(check=True)).check == "ok"
    await found.store.close()
