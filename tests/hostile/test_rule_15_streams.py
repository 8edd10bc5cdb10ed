"""Rule 15: standard output is JSON in ASCII and nothing else, whoever closes, fills or narrows a stream."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from jobdeck.simulator.scenario import JobFailure, JobScript, Outcome, Resource, Scenario
from jobdeck.simulator.threaded import ThreadedSimulator
from tests.cli.harness import environment, jobdeck

WORDS = "häßlich \u202e\x1b]52;c;aGk=\x07 🙂"
SCENARIO = Scenario(
    jobs=(
        JobScript(id="op_done", arrival=-60.0, duration=10.0),
        JobScript(id="op_bad", arrival=-60.0, duration=9.0, outcome=Outcome.FAILED, error=JobFailure("É", WORDS)),
        JobScript(id="en_never", resource=Resource.ENRICHMENT, outcome=Outcome.NEVER, duration=1e6),
    )
)
READING = (["status", "op_done"], ["status", "--json", "op_done"], ["watch", "op_done"], ["wait", "--json", "op_done"])


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with ThreadedSimulator(SCENARIO) as running:
        yield running.url


@pytest.fixture
def env(url: str, tmp_path: Path) -> dict[str, str]:
    return environment(url, tmp_path)


def shell(script: str, env: dict[str, str]) -> subprocess.CompletedProcess[bytes]:
    """Run a line of shell in which ``"$@"`` is jobdeck."""
    command = ["sh", "-c", script, "sh", sys.executable, "-m", "jobdeck"]
    return subprocess.run(command, env=env, capture_output=True, timeout=150, check=False, stdin=subprocess.DEVNULL)


def test_json_is_ascii_and_one_object_a_line_whatever_the_server_says(env: dict[str, str]) -> None:
    for command in (["status", "--json"], ["watch", "--json"], ["wait", "--json"]):
        ran = jobdeck(*command, "op_done", "op_bad", env=env)
        assert ran.code == 1
        assert ran.out.isascii()
        assert "\x1b" not in ran.out
        assert {item["id"] for item in ran.objects} == {"op_done", "op_bad"}
    assert jobdeck("ticket", "--format", "json", "op_bad", env=env).out.isascii()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
@pytest.mark.parametrize("arguments", READING, ids=" ".join)
def test_a_full_disk_behind_standard_output_is_one_line_and_no_success(
    env: dict[str, str], arguments: list[str]
) -> None:
    ran = shell(f'"$@" {" ".join(arguments)} > /dev/full', env)
    assert ran.returncode == 1
    assert ran.stderr == b"jobdeck: cannot go on: No space left on device\n"


@pytest.mark.parametrize(("arguments", "code"), [("watch --json /api/enrichments/en_never", 141), ("history", 0)])
def test_a_reader_who_leaves_ends_a_command_in_silence_and_never_as_a_success_of_jobs(
    env: dict[str, str], arguments: str, code: int
) -> None:
    jobdeck("status", "op_done", env=env)
    reading, writing = os.pipe()
    os.close(reading)
    command = [sys.executable, "-m", "jobdeck", *arguments.split()]
    run = subprocess.run(command, env=env, stdout=writing, stderr=subprocess.PIPE, timeout=150, check=False)
    os.close(writing)
    assert (run.returncode, run.stderr) == (code, b"")


def test_a_reader_who_takes_one_line_gets_one_whole_line(env: dict[str, str]) -> None:
    ran = shell('{ "$@" status --json op_done op_bad /api/enrichments/en_never; echo $? >&2; } | head -n 1', env)
    (line,) = ran.stdout.splitlines()
    assert json.loads(line)["id"].startswith(("op_", "en_"))
    # Whether somebody still reads the last line is a matter of moments.
    assert ran.stderr in {b"141\n", b"1\n"}


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp1252"])
def test_a_locale_without_glyphs_gets_others_and_escapes_for_the_rest(env: dict[str, str], encoding: str) -> None:
    ran = shell('"$@" status op_done op_bad', {**env, "PYTHONIOENCODING": encoding})
    assert (ran.returncode, ran.stderr) == (1, b"")
    assert b"\nv succeeded" in ran.stdout
    assert rb"\U0001f642" in ran.stdout
    assert shell('"$@" --help', {**env, "PYTHONIOENCODING": encoding}).returncode == 0


@pytest.mark.parametrize(
    ("script", "code"),
    [
        ('"$@" status --json op_done >&-', 0),
        ('"$@" status --json - <&-', 2),
        ('"$@" status --json nobody:op_done 2>&-', 2),
        ('"$@" status --json op_done <&- 2>&-', 0),
    ],
)
def test_closed_streams_are_no_fault(env: dict[str, str], script: str, code: int) -> None:
    ran = shell(script, env)
    assert ran.returncode == code
    assert b"Traceback" not in ran.stderr
    assert jobdeck("doctor", "--json", env=env).code == 0, "the database was not written over"
