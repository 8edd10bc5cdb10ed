"""A row that cannot be read costs that row: every column of every table, with what no jobdeck wrote in it."""

import json
import random
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import apsw
import pytest

from jobdeck.app.factories import _durations
from jobdeck.app.json_shapes import job_object
from jobdeck.cli.commands.history import _row as history_row
from jobdeck.cli.commands.requests import _row as request_row
from jobdeck.cli.commands.requests import ledger_object
from jobdeck.cli.job_text import describe_row
from jobdeck.domain.job import Job, JobError, JobKey, Stage
from jobdeck.domain.phase import Phase
from jobdeck.domain.scope import Scope
from jobdeck.store import LIST, POLL, Store, StoreError, open_store
from jobdeck.store.records import Claim, NoticeKind
from jobdeck.store.sqlite.migrate import load_migrations
from tests.builders import START, make_observation, make_target
from tests.store.doing import NOW, PLENTY, SECOND, a_problem, an_exchange, list_page, poll

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
SHARED = ("actors", "meta", "profiles", "scopes")
"""Tables whose few rows all others point to."""

REFERENCES = {"id", "name", "scope", "profile", "actor", "account_group", "job_id", "seq", "job"}
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
JOBS = len(COLUMNS["jobs"]) + 2
"""One for each column of its row, and two that are never damaged."""


def fill(path: Path, jobs: int) -> None:
    """Make a database with something in every table, about each of so many jobs."""
    store = open_store(path, "yesterday", now_us=NOW, fallback=False, keep_results=True, scopes=SCOPES).store

    def everything(store: Store) -> None:
        store.set_limit("hog", LIST, PLENTY, NOW)
        store.set_limit("hog", POLL, PLENTY, NOW)
        targets = (replace(make_target(f"op_{n}"), accepted_request_id=f"accepted-{n}") for n in range(jobs))
        store.watch(targets, NOW)
        stages = (Stage("import", "done", Phase.SUCCEEDED, 1.0), Stage("enrich", "busy", Phase.RUNNING, 0.25))
        for number in range(jobs):
            one, at_us = key(number), NOW + (1 + 10 * number) * SECOND
            running = replace(
                make_observation(Phase.RUNNING, 0.75, stages, one.id),
                error=JobError("CODE", "message", '{"why": 1}'),
                result='{"rows": [1, 2]}',
                facts=(("credits", "3"),),
            )
            poll(store, at_us, running, one, f"first-{number}")
            poll(store, at_us + 2 * SECOND, a_problem(), one, f"second-{number}")
            store.annotate(one, now_us=NOW, acknowledged=True, note="ask Ada")
            store.once(one, "ended", NOW)
        list_page(store, NOW + 9_000 * SECOND, *(make_observation(id_=f"op_{number}") for number in range(jobs)))
        store.save_estimates("hog", '{"operation": {"n": 3}}', NOW)
        store.save_choice("theme", "dark", NOW)

    (outcome,) = store.batch([everything])
    assert outcome.error is None
    store.close()


def opened(path: Path) -> Store:
    return open_store(path, "me", now_us=NOW, fallback=False, scopes=SCOPES).store


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


def read_all(store: Store, jobs: int) -> dict[JobKey, Job]:
    """Read everything, and show it as the commands do; returns the jobs."""
    now = START.later(60)
    for job in store.watched(now):
        show(job)
    for number in range(jobs):
        one = key(number)
        stored = store.load_job(one)
        if stored is not None:
            show(stored.at(now))
        for line in store.timeline(one):
            assert line.moment
        for entry in store.exchanges(one):
            entry.exchange(now)
        store.shown(one)
    for entry in store.all_exchanges(limit=1_000):
        json.dumps(ledger_object(entry), allow_nan=False)
        request_row(entry)
    store.all_exchanges("hog")
    store.failures("hog", NOW, NOW + 10_000 * SECOND)
    for id_ in ("first-0", "second-1", "accepted-1"):
        store.find_request(id_)
    store.annotations([key(0), key(1)])
    store.annotations([key(number) for number in range(60)])
    _durations(store.load_estimates("hog"))
    store.load_choice("theme")
    store.limit("hog", POLL)
    store.changes(None)
    store.head()
    store.newest()
    return {stored.last.key: stored.last for stored in store.jobs()}


def finish(store: Store, number: int, at_us: int = 0) -> None:
    """Poll a job, which has succeeded, and say something about it."""
    one, at_us = key(number), at_us or NOW + (10_000 + 10 * number) * SECOND
    store.watch([make_target(one.id)], at_us)
    claimed = store.claim(one, at_us, 40.0)
    assert isinstance(claimed, Claim), claimed
    observed = make_observation(Phase.SUCCEEDED, 1.0, id_=one.id)
    done = store.complete(claimed, an_exchange(at_us, id_=one.id), [observed], None, at_us + SECOND)
    assert one in {*done.changed, *done.seen}
    store.annotate(one, now_us=at_us, acknowledged=False)
    store.once(one, "again", at_us)


@pytest.fixture(scope="module")
def loose(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The bytes of a database with a job for each column, whose columns take every value."""
    path = tmp_path_factory.mktemp("loose") / "jobdeck.db"
    fill(path, JOBS)
    opened(path).close()
    loosen(path)
    return path.read_bytes()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "jobdeck.db"


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
def test_a_value_that_no_jobdeck_wrote_costs_its_row_alone(value: str, loose: bytes, path: Path) -> None:
    path.write_bytes(loose)
    damaged = list(damaged_in_every_column(path, value))
    store = opened(path)
    sound = {key(JOBS - 2), key(JOBS - 1)}
    assert read_all(store, JOBS).keys() >= sound
    health = store.health(check=True)
    assert health.check == "ok"
    assert health.unreadable or "NULL" in value
    found_again = [
        number for number, column in enumerate(COLUMNS["jobs"])
        if column not in REFERENCES or f"jobs.{column}" not in damaged
    ] + [JOBS - 2, JOBS - 1]  # fmt: skip
    for number in found_again:
        finish(store, number)
    after = read_all(store, JOBS)
    assert {number: after[key(number)].phase for number in found_again} == dict.fromkeys(found_again, Phase.SUCCEEDED)
    store.purge(NOW - 1)
    assert store.degraded is None
    store.close()


@pytest.mark.parametrize(("table", "column"), [(table, column) for table in SHARED for column in COLUMNS[table]])
def test_a_value_that_no_jobdeck_wrote_in_a_row_that_all_share(
    table: str, column: str, loose: bytes, path: Path
) -> None:
    for kind in ("nothing", "no UTF-8", "a large number"):
        for place in (0, 1):
            path.write_bytes(loose)
            with closing(apsw.Connection(str(path))) as connection:
                if not damage(connection, table, column, VALUES[kind], place):
                    continue
            store = opened(path)
            read_all(store, 2)
            finish(store, 1)
            assert read_all(store, 2)[key(1)].phase is Phase.SUCCEEDED, (kind, place)
            store.close()


def test_bits_flipped_anywhere_are_survived(path: Path) -> None:
    fill(path, 2)
    sound, chance = path.read_bytes(), random.Random(7)
    for number in range(25):
        for file in path.parent.iterdir():
            file.unlink()
        data = bytearray(sound)
        for _ in range(chance.choice((1, 1, 1, 8))):
            data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
        path.write_bytes(data)
        try:
            store = open_store(path, "me", now_us=NOW, scopes=SCOPES).store
            read_all(store, 2)
            store.health(check=True)
            finish(store, 1)
            store.close()
        except StoreError as error:
            raise AssertionError(f"flip {number}") from error


def test_a_place_in_the_order_of_sending_behind_all_requests_lets_answers_count(path: Path) -> None:
    fill(path, 1)
    with closing(apsw.Connection(str(path))) as connection:
        connection.execute("UPDATE jobs SET sequence = 1000000000")
    store = opened(path)
    finish(store, 0)
    assert read_all(store, 1)[key(0)].phase is Phase.SUCCEEDED
    store.close()


def test_doctor_is_told_which_rows_are_left_out(path: Path) -> None:
    fill(path, 2)
    with closing(apsw.Connection(str(path))) as connection:
        connection.execute("UPDATE jobs SET progress = 7 WHERE job_id = 'op_0'")
        connection.execute("UPDATE exchanges SET state = 'surprise' WHERE seq IN (2, 3)")
        connection.execute("UPDATE timeline SET words = cast(x'ff' AS TEXT) WHERE seq = 1")
        connection.execute("UPDATE annotations SET note = cast(x'ff' AS TEXT) WHERE job = 2")
    found = open_store(path, "me", now_us=NOW, scopes=SCOPES, fallback=False)
    assert found.notices == ()
    assert found.store.health().unreadable == ()
    assert found.store.health(check=True).unreadable == (
        "1 of jobs (row 1)",
        "1 of timeline (row 1)",
        "2 of exchanges (row 2, 3)",
        "1 of annotations (row 2)",
    )
    found.store.close()


@pytest.mark.parametrize("value", ["NULL", "'x'", "x'00'"])
def test_a_value_that_its_strict_column_does_not_take_is_no_reason_to_set_the_file_aside(
    value: str, path: Path
) -> None:
    fill(path, 2)
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
    found = open_store(path, "me", now_us=NOW, scopes=SCOPES, fallback=False)
    assert found.notices == ()
    assert [stored.last.key for stored in found.store.jobs()] == [key(1)]
    health = found.store.health(check=True)
    assert (health.check, health.unreadable) == ("ok", ("1 of jobs (row 1)",))
    found.store.close()


def test_a_schema_that_is_damaged_is_set_aside(path: Path) -> None:
    fill(path, 1)
    with closing(apsw.Connection(str(path))) as connection:
        connection.pragma("writable_schema", True)
        connection.execute("UPDATE sqlite_schema SET sql = replace(sql, 'account_group', 'account_gr0up')")
    first = open_store(path, "me", now_us=NOW, scopes=SCOPES)
    read_all(first.store, 1)
    assert first.store.degraded is not None or first.notices
    first.store.close()
    second = open_store(path, "me", now_us=NOW, scopes=SCOPES)
    finish(second.store, 0)
    assert second.store.degraded is None
    assert list(path.parent.glob("jobdeck.db.corrupt-*"))
    second.store.close()


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
def test_an_answer_that_says_what_was_said_before_mends_the_row_all_the_same(damaged: str, path: Path) -> None:
    fill(path, 2)
    store = opened(path)
    finish(store, 0)
    before = read_all(store, 2)[key(0)]
    store.close()
    loosen(path)
    with closing(apsw.Connection(str(path))) as connection:
        connection.execute(f"UPDATE jobs SET {damaged} WHERE job_id = 'op_0'")
    store = opened(path)
    assert read_all(store, 2).get(key(0)) != before
    finish(store, 0, at_us=NOW + 20_000 * SECOND)
    after = read_all(store, 2)[key(0)]
    assert (after.status, after.phase, after.progress) == (before.status, before.phase, before.progress)
    assert (after.error, after.stages, after.http_status) == (before.error, before.stages, before.http_status)
    store.close()


def test_an_index_that_does_not_fit_its_table_is_made_anew(path: Path) -> None:
    """The row of a job says another ID than the index by which it is found: answers would go to the other's row."""
    fill(path, 2)
    # The API stands behind the ID in the table, and not in the index.
    path.write_bytes(path.read_bytes().replace(b"op_0thehogoperation", b"op_8thehogoperation"))
    found = open_store(path, "me", now_us=NOW, scopes=SCOPES, fallback=False)
    assert [notice for notice in found.notices if notice.kind is not NoticeKind.PERMISSIONS] == []
    assert read_all(found.store, 2).keys() == {key(1), key(8)}
    finish(found.store, 0)
    assert read_all(found.store, 2).keys() == {key(0), key(1), key(8)}
    assert found.store.health(check=True).check == "ok"
    found.store.close()
