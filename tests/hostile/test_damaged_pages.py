"""Rule 16, page by page: wherever a database is damaged, a command tells what it sees and deletes nothing."""

import json
import os
import random
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import apsw
import pytest

from tests.cli.harness import environment, jobdeck

PAGE = 4_096
NOBODY = 65_534


def page(number: int, what: Callable[[bytearray], bytes]) -> Callable[[Path], None]:
    def damage(path: Path) -> None:
        data = bytearray(path.read_bytes())
        at = (number * PAGE) % len(data)
        data[at : at + PAGE] = what(data[at : at + PAGE])
        path.write_bytes(data)

    return damage


def cut(size: int) -> Callable[[Path], None]:
    return lambda path: os.truncate(path, size)


def noise(data: bytearray) -> bytes:
    return random.Random(len(data)).randbytes(len(data))


def flipped(data: bytearray) -> bytes:
    return bytes(byte ^ (0x80 if place % 97 == 0 else 0) for place, byte in enumerate(data))


def zeros(data: bytearray) -> bytes:
    return bytes(len(data))


def beside(suffix: str) -> Callable[[Path], None]:
    def damage(path: Path) -> None:
        path.with_name(path.name + suffix).write_bytes(random.Random(7).randbytes(40_000))

    return damage


DAMAGE = {
    **{f"page {number} {what.__name__}": page(number, what) for number in (0, 1, 5, -1) for what in (noise, zeros)},
    **{f"page {number} flipped": page(number, flipped) for number in (0, 3, 7)},
    **{f"cut to {size}": cut(size) for size in (0, 99, PAGE, 5 * PAGE + 17)},
    "a log of noise": beside("-wal"),
    "a journal of noise": beside("-journal"),
}


@pytest.mark.parametrize("kind", DAMAGE)
def test_damage_anywhere_is_survived_and_nothing_is_deleted(env: dict[str, str], database: Path, kind: str) -> None:
    DAMAGE[kind](database)
    damaged = database.read_bytes()
    ran = jobdeck("status", "--json", "op_done", env=env)
    assert (ran.code, ran.object["phase"]) == (0, "succeeded"), ran.err
    assert len(ran.err.splitlines()) <= 1, ran.err
    assert jobdeck("history", "--json", env=env).object["id"] == "op_done"
    if list(database.parent.glob("*.corrupt-*")):
        assert damaged in [path.read_bytes() for path in database.parent.glob("*.corrupt-*")]
    assert not list(database.parent.glob("crash-*"))


AS_NOBODY = f"""
import os, sys
from jobdeck.cli.main import main
# Whoever we become may not be allowed to read what is imported late: once with all rights, elsewhere.
data = os.environ["JOBDECK_DATA_DIR"]
os.environ["JOBDECK_DATA_DIR"] = data + "-first"
assert main(["status", "op_done"]) == 0
os.environ["JOBDECK_DATA_DIR"] = data
from jobdeck.store.sqlite import opening
shipped = opening.load_migrations()
opening.load_migrations = lambda: shipped
os.setgid({NOBODY})
os.setuid({NOBODY})
sys.exit(main(["status", "--json", "op_done"]))
"""


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become somebody else")
def test_a_directory_that_may_only_be_read_is_told_and_done_without(url: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        home.chmod(0o755)
        env = environment(url, home)
        jobdeck("status", "op_done", env=env)
        database = home / "data" / "jobdeck.db"
        database.parent.chmod(0o755)
        for file in database.parent.iterdir():
            file.chmod(0o644)
        before = database.read_bytes()
        run = subprocess.run(
            [sys.executable, "-c", AS_NOBODY], env=env, capture_output=True, text=True, timeout=150, check=False
        )
        assert run.returncode == 0, run.stderr
        assert json.loads(run.stdout.splitlines()[-1])["phase"] == "succeeded"
        (line,) = run.stderr.splitlines()
        assert "Continuing in memory" in line
        assert database.read_bytes() == before
        assert {file.name for file in database.parent.iterdir()} == {"jobdeck.db"}


@pytest.mark.parametrize("garbage", ["x", "[1]", '{"a": 1}'])
def test_a_value_that_no_jobdeck_wrote_costs_no_more_than_itself(
    garbage: str, database: Path, env: dict[str, str]
) -> None:
    connection = apsw.Connection(str(database))
    connection.execute("UPDATE jobs SET problem = ?1, stages = ?1, error = ?1, facts = ?1, anomalies = ?1", (garbage,))
    connection.execute("UPDATE change_log SET jobs = ?1", (garbage,))
    connection.close()
    remembered = jobdeck("history", "--json", env=env).object
    assert remembered["status"] == "succeeded"
    assert jobdeck("requests", "op_done", env=env).code == 0
    assert jobdeck("status", "op_done", env=env).code == 0
    assert jobdeck("history", "--json", env=env).object["problem"] is None
