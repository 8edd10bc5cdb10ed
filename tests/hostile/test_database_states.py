"""Rule 16: whatever state the database is in, commands go on, say so in a line, and delete nothing."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.cli.harness import jobdeck
from tests.support.forked import RUN, forked

COMMANDS = (["status", "--json", "op_done"], ["watch", "--json", "op_done"], ["wait", "--json", "op_done"])
each_command = pytest.mark.parametrize("arguments", COMMANDS, ids=[command[0] for command in COMMANDS])


@each_command
def test_a_damaged_database_is_set_aside_whole_and_a_new_one_begun(
    env: dict[str, str], database: Path, arguments: list[str]
) -> None:
    damaged = b"not a database" * 1_000
    database.write_bytes(damaged)
    ran = jobdeck(*arguments, env=env)
    assert (ran.code, ran.objects[-1]["phase"]) == (0, "succeeded")
    assert len(ran.err.splitlines()) == 1
    assert "was renamed to jobdeck.db.corrupt-" in ran.err
    (aside,) = database.parent.glob("jobdeck.db.corrupt-*")
    assert aside.read_bytes() == damaged
    assert jobdeck("history", "--json", env=env).object["id"] == "op_done"


@each_command
def test_a_newer_database_is_left_as_it_is(env: dict[str, str], database: Path, arguments: list[str]) -> None:
    with closing(sqlite3.connect(database)) as connection:
        connection.execute("PRAGMA user_version = 4711")
        connection.commit()
    before = database.read_bytes()
    ran = jobdeck(*arguments, env=env)
    assert (ran.code, ran.objects[-1]["phase"]) == (0, "succeeded")
    assert len(ran.err.splitlines()) == 1
    assert "upgrade jobdeck" in ran.err
    assert database.read_bytes() == before


@each_command
def test_a_place_that_cannot_be_written_is_done_without(
    env: dict[str, str], tmp_path: Path, arguments: list[str]
) -> None:
    (tmp_path / "file").write_text("the user's own")
    ran = jobdeck(*arguments, env={**env, "JOBDECK_DATA_DIR": str(tmp_path / "file" / "data")})
    assert (ran.code, ran.objects[-1]["phase"]) == (0, "succeeded")
    assert len(ran.err.splitlines()) == 1
    assert "Continuing in memory" in ran.err
    assert (tmp_path / "file").read_text() == "the user's own"


@pytest.mark.parametrize("limit", [4_096, 40_000, 131_072])
def test_a_disk_that_fills_up_is_done_without(env: dict[str, str], database: Path, limit: int) -> None:
    full = f"import resource; resource.setrlimit(resource.RLIMIT_FSIZE, ({limit}, {limit}))\n{RUN}"
    run = forked("watch", "--json", "op_done", env=env, code=full)
    assert run.returncode == 0
    assert run.stdout.splitlines()
    assert "Traceback" not in run.stderr
    assert len(run.stderr.splitlines()) <= 1
    assert jobdeck("history", "--json", env=env).object["phase"] == "succeeded", "what was remembered still is"


def test_a_newer_database_is_not_taken_for_an_empty_one(database: Path, env: dict[str, str]) -> None:
    with closing(sqlite3.connect(database)) as connection:
        connection.execute("PRAGMA user_version = 9999")
    for command in ("history", "requests"):
        ran = jobdeck(command, "--json", env=env)
        assert (ran.code, ran.out) == (70, "")
        assert "newer" in ran.err
