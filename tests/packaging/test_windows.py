"""Windows, as far as it can be had elsewhere: without what POSIX has, everything is there and does what it should."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from jobdeck.simulator.scenario import JobScript, Outcome, Resource, Scenario
from jobdeck.simulator.threaded import ThreadedSimulator
from tests.cli.harness import environment

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="which files are in use is looked for in /proc")

ROOT = Path(__file__).parents[2]
JOBS = (
    JobScript(id="op_done", outcome=Outcome.SUCCEEDED, duration=0.01),
    JobScript(id="en_bad", resource=Resource.ENRICHMENT, outcome=Outcome.FAILED, duration=0.01),
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("windows")


@pytest.fixture(scope="module")
def told(folder: Path) -> dict[str, Any]:
    """What one process did that looks as on Windows, of which each test looks at a part."""
    with ThreadedSimulator(Scenario(jobs=JOBS)) as server:
        env = environment(server.url, folder)
        del env["XDG_CONFIG_HOME"]
        run = subprocess.run(
            [sys.executable, "-W", "error", "-m", "tests.packaging.on_windows", str(folder)],
            cwd=ROOT,
            env={**env, "LOCALAPPDATA": str(folder / "local")},
            capture_output=True,
            text=True,
            timeout=150,
            check=False,
        )
    assert run.returncode == 0, run.stderr
    found: dict[str, Any] = json.loads(run.stdout)
    return found


def test_every_module_is_imported(told: dict[str, Any]) -> None:
    assert isinstance(told["imports"], int), told["imports"]
    assert told["imports"] > 250


def test_the_commands_do_what_they_do_elsewhere(told: dict[str, Any], folder: Path) -> None:
    ran = told["commands"]
    assert isinstance(ran, dict), ran
    assert [code for code, _, _ in ran.values()] == [0, 0, 1, 0, 0, 0, 0, 2, 0], ran
    assert json.loads(ran["status --json op_done"][1])["phase"] == "succeeded"
    assert "the screen needs a terminal" in ran["op_done"][2]
    assert "clip.exe" not in ran["doctor"][1], "there is none here"
    assert (folder / "ticket.md").read_bytes().startswith(b"## Support ticket\n")


def test_a_damaged_database_is_renamed_for_nothing_of_ours_holds_it_open(told: dict[str, Any]) -> None:
    assert told["damage"] == [["corrupt"], True]


def test_one_process_at_a_time_opens_a_database_and_leaves_nothing_behind(told: dict[str, Any]) -> None:
    said, inside, left = told["opening"]
    assert said.startswith("another jobdeck is still opening the database")
    assert (inside, left) == ([".opening"], [])


def test_whether_a_process_runs_is_asked_without_a_signal(told: dict[str, Any]) -> None:
    assert told["processes"] == [True, False, False], "there, os.kill() with 0 is Ctrl-C"


def test_a_hook_that_takes_too_long_is_ended_with_its_tree_where_that_can_be_done(told: dict[str, Any]) -> None:
    with_a_tool, asked, without = told["slow_hooks"]
    assert asked.startswith("/F /T /PID ")
    assert with_a_tool == without == [f"hook {Path(sys.executable).name}: killed, for it took longer than 0 s"]


def test_the_screen_comes_up_and_goes_and_nothing_is_promised_that_is_not_there(told: dict[str, Any]) -> None:
    assert told["screen"] == [130, ["not suspended: this screen is not in a terminal of its own"]]
    assert told["ways"] == {
        "clipboard": "clip.exe",
        "suspended": "not suspended: Windows knows no such thing",
        "drawn on": True,
        "variables": "$env:A='b'; $env:C='d'",
    }
