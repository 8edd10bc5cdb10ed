"""Rule 16: what is remembered can be read on a disk that takes no more, and in spite of rows that cannot be read."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import apsw
import pytest

from jobdeck.simulator.scenario import JobScript, Scenario
from jobdeck.simulator.server import ThreadedSimulator
from tests.cli.harness import environment, jobdeck
from tests.support.forked import forked

COMMANDS = ("history", "requests op_done", "ticket op_done")
JOBS = ("op_done", "op_other")

ON_A_DISK_THAT_TAKES_NO_MORE = """
import resource, sys
from jobdeck.cli.main import main
resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
for command in sys.argv[1:]:
    print("==", main(command.split()), flush=True)
"""


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with ThreadedSimulator(Scenario(jobs=tuple(JobScript(id=id_, arrival=-60.0, duration=10.0) for id_ in JOBS))) as it:
        yield it.url


@pytest.fixture
def env(url: str, tmp_path: Path) -> dict[str, str]:
    env = environment(url, tmp_path)
    assert jobdeck("status", *JOBS, env=env).code == 0
    return env


@pytest.fixture
def database(env: dict[str, str]) -> Path:
    return Path(env["JOBDECK_DATA_DIR"]) / "jobdeck.db"


def test_all_that_is_remembered_is_read_where_nothing_can_be_written(env: dict[str, str], database: Path) -> None:
    with closing(apsw.Connection(str(database))) as connection:
        # Answers enough that a store in memory would not take all of them along.
        connection.execute(
            "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1500)"
            " INSERT INTO exchanges (scope, profile, client, bucket, state, sent_us)"
            " SELECT scope, profile, client, 'poll', 'abandoned', sent_us + i FROM exchanges, n WHERE seq = 1"
        )
    ran = forked(*COMMANDS, env=env, code=ON_A_DISK_THAT_TAKES_NO_MORE)
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.count("== 0") == len(COMMANDS)
    history, requests, ticket = ran.stdout.split("== 0\n")[:3]
    assert "op_done" in history
    assert "op_done" in requests, "the oldest of 1,500 requests"
    assert "Support ticket" in ticket
    assert ran.stderr.count(f"{database}") >= len(COMMANDS)


def damage(path: Path, statement: str) -> None:
    with closing(apsw.Connection(str(path))) as connection:
        connection.pragma("ignore_check_constraints", True)
        connection.execute(statement)


DAMAGE = {
    "progress": "UPDATE jobs SET progress = 9e99 WHERE job_id = 'op_done'",
    "status": "UPDATE jobs SET status = cast(x'ff' AS TEXT) WHERE job_id = 'op_done'",
    "failures": "UPDATE jobs SET failures = 9223372036854775807 WHERE job_id = 'op_done'",
    "run": "UPDATE jobs SET run = 9223372036854775807 WHERE job_id = 'op_done'",
}


@pytest.mark.parametrize("kind", DAMAGE)
def test_a_row_that_cannot_be_read_costs_that_row_in_every_command(
    kind: str, env: dict[str, str], database: Path
) -> None:
    damage(database, DAMAGE[kind])
    assert [job["id"] for job in jobdeck("history", "--json", env=env).objects] == ["op_other"]
    assert jobdeck("requests", env=env).code == 0
    assert jobdeck("ticket", "op_other", env=env).code == 0
    checks = {check["check"]: check for check in jobdeck("doctor", "--json", env=env).objects}
    assert checks["store"]["verdict"] == "warning"
    assert "1 of jobs (row 1)" in checks["store"]["found"]
    assert jobdeck("wait", *JOBS, env=env).code == 0
    assert {job["phase"] for job in jobdeck("status", "--json", *JOBS, env=env).objects} == {"succeeded"}
    assert {job["id"] for job in jobdeck("history", "--json", env=env).objects} == {*JOBS}
    checks = {check["check"]: check for check in jobdeck("doctor", "--json", env=env).objects}
    assert checks["store"]["verdict"] == "ok"


def test_requests_that_cannot_be_read_are_left_out(env: dict[str, str], database: Path) -> None:
    damage(database, "UPDATE exchanges SET state = 'surprise' WHERE seq = 1")
    assert len(jobdeck("requests", "--json", env=env).objects) == 1
    damage(database, "UPDATE exchanges SET problem = '[[[', sent_us = 9223372036854775807 WHERE seq = 2")
    assert jobdeck("requests", env=env).code == 0
    checks = {check["check"]: check for check in jobdeck("doctor", "--json", env=env).objects}
    assert "2 of exchanges (row 1, 2)" in checks["store"]["found"]


def test_details_that_are_no_json_are_shown_as_they_are(env: dict[str, str], database: Path) -> None:
    for details in ("{", "NaN", "9e999", "[" * 10_000):
        damage(database, f"UPDATE jobs SET error = json_array('CODE', 'message', '{details}') WHERE job_id = 'op_done'")
        listed = {job["id"]: job for job in jobdeck("history", "--json", env=env).objects}
        assert listed["op_done"]["error"]["details"] == details
