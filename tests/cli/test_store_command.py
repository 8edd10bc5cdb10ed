"""``jobdeck store``, and other commands on a store that a team shares, on a real server."""

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest

from jobdeck.simulator.scenario import JobScript, Scenario
from jobdeck.simulator.server import ThreadedSimulator
from tests.cli.harness import environment, jobdeck
from tests.store.postgres.database import server

PASSWORD = "correct-horse-battery"


@pytest.fixture
def url() -> Iterator[str]:
    """A new database in which nothing is."""
    here = server()
    name = "command"

    async def execute(statement: str) -> None:
        connection = await asyncpg.connect(here.url)
        await connection.execute(statement)
        await connection.close()

    asyncio.run(execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)"))
    asyncio.run(execute(f"CREATE DATABASE {name}"))
    yield here.database(name)
    asyncio.run(execute(f"DROP DATABASE {name} WITH (FORCE)"))


def with_store(url: str, home: Path, api: str = "http://127.0.0.1:9") -> dict[str, str]:
    return {**environment(api, home), "JOBDECK_STORE_URL": url}


def test_a_database_is_set_up_once_and_described(url: str, tmp_path: Path) -> None:
    env = with_store(url, tmp_path)
    before = jobdeck("store", "status", env=env)
    assert before.code == 2
    assert "run 'jobdeck store init'" in before.err
    migrated = jobdeck("store", "migrate", env=env)
    assert (migrated.code, "run 'jobdeck store init'" in migrated.err) == (2, True)
    first, second = jobdeck("store", "init", env=env), jobdeck("store", "init", env=env)
    assert (first.code, "is set up (schema 1)" in first.err) == (0, True)
    assert (second.code, "is up to date (schema 1)" in second.err) == (0, True)
    status = jobdeck("store", "status", env=env)
    assert (status.code, "schema 1 of 1" in status.out) == (0, True)
    found = json.loads(jobdeck("store", "status", "--json", env=env).out)
    assert (found["schema"], found["known_schema"], found["clients"]) == (1, 1, [])


def test_a_database_of_a_newer_jobdeck_is_left_alone(url: str, tmp_path: Path) -> None:
    env = with_store(url, tmp_path)
    assert jobdeck("store", "init", env=env).code == 0

    async def age() -> None:
        connection = await asyncpg.connect(url)
        await connection.execute("UPDATE jobdeck.meta SET value = '99' WHERE name = 'schema'")
        await connection.close()

    asyncio.run(age())
    for command in (("store", "migrate"), ("store", "init"), ("history",)):
        ran = jobdeck(*command, env=env)
        assert ran.code != 0
        assert "schema version 99" in ran.err
        assert "upgrade jobdeck" in ran.err


def test_what_one_asked_another_knows(url: str, tmp_path: Path) -> None:
    script = Scenario(jobs=(JobScript(id="op_1", arrival=-60.0, duration=10.0),))
    with ThreadedSimulator(script) as api:
        ann, bob = (with_store(url, tmp_path / name, api.url) for name in ("ann", "bob"))
        assert jobdeck("store", "init", env=ann).code == 0
        assert jobdeck("status", "op_1", env=ann).code == 0
        history = jobdeck("history", "--json", env=bob)
        assert [json.loads(line)["id"] for line in history.out.splitlines()] == ["op_1"]
        requests = jobdeck("requests", "--json", "op_1", env=bob)
        assert [json.loads(line)["state"] for line in requests.out.splitlines()] == ["answered"]
    assert not list(tmp_path.rglob("*.db")), "nothing is kept in files"


def test_without_a_store_of_a_team_it_says_what_to_set(tmp_path: Path) -> None:
    ran = jobdeck("store", "status", env=environment("http://127.0.0.1:9", tmp_path))
    assert ran.code == 2
    assert "JOBDECK_STORE_URL" in ran.err
    team = jobdeck("--team", env=environment("http://127.0.0.1:9", tmp_path))
    assert team.code == 2


@pytest.mark.parametrize(
    ("url", "code", "words"),
    [
        (f"postgresql://me:{PASSWORD}@127.0.0.1:9/jobs", 7, "cannot reach the database at 127.0.0.1:9/jobs"),
        (f"mysql://me:{PASSWORD}@127.0.0.1:9/jobs", 2, "not a PostgreSQL URL"),
    ],
)
def test_a_store_that_cannot_be_had_is_named_without_its_password(
    url: str, code: int, words: str, tmp_path: Path
) -> None:
    for command in (("store", "status"), ("history",), ("status", "op_1")):
        ran = jobdeck(*command, env=with_store(url, tmp_path))
        assert ran.code == code, (command, ran.err)
        assert words in ran.err
        assert PASSWORD not in ran.err + ran.out
