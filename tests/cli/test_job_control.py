"""Commands in the background of real shells: nothing is drawn over what is typed, and nothing stops the polls."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from jobdeck.simulator.scenario import Api, JobScript, Outcome, RateLimit, Resource, Scenario
from jobdeck.simulator.server import ThreadedSimulator
from tests.cli.harness import environment
from tests.cli.shells import Shell, shells
from tests.processes import runs
from tests.support.forked import ROOT

PLENTY = 600
NEVER = "/api/enrichments/en_never"
SCENARIO = Scenario(
    jobs=(
        JobScript(id="en_never", resource=Resource.ENRICHMENT, outcome=Outcome.NEVER, duration=1e6),
        JobScript(id="op_done", arrival=-60.0, duration=10.0),
    ),
    limits=(RateLimit(Api.THEHOG, PLENTY), RateLimit(Api.THEHOG, PLENTY, bucket="polling")),
)


@pytest.fixture
def server() -> Iterator[ThreadedSimulator]:
    with ThreadedSimulator(SCENARIO) as running:
        yield running


@pytest.fixture
def env(server: ThreadedSimulator, tmp_path: Path) -> dict[str, str]:
    return environment(server.url, tmp_path)


def polled(server: ThreadedSimulator, shell: Shell, more: int) -> None:
    """Read what a shell shows until `more` polls have come."""
    enough = len(server.requests) + more
    shell.until_true(lambda: len(server.requests) >= enough)


def polled_while(server: ThreadedSimulator, more: int, alive: Callable[[], bool]) -> None:
    """Wait until `more` polls have come from a process that is not to end meanwhile."""
    enough = len(server.requests) + more
    while len(server.requests) < enough:
        assert alive()
        time.sleep(0.02)


@pytest.mark.parametrize("name", shells("bash", "zsh", "fish"))
def test_in_the_background_nothing_is_drawn_until_it_is_brought_back(
    name: str, server: ThreadedSimulator, env: dict[str, str], tmp_path: Path
) -> None:
    with Shell(name, env, tmp_path) as shell:
        shell.press(f"jobdeck wait {NEVER} &\n")
        shell.press("echo half of a li")
        polled(server, shell, 2)
        shell.until("echo half of a li")
        assert "1 running" not in shell.text
        shell.press("ne\n")
        shell.until("half of a line")
        assert b"1 running" not in shell.data
        shell.press("fg\n")
        shell.until("1 running")
        shell.press("\x1a")
        shell.until_true(lambda: "topped" in shell.text or "suspended" in shell.text)
        shell.press("bg\n")
        before = shell.data.count(b"1 running")
        polled(server, shell, 2)
        assert shell.data.count(b"1 running") == before
        shell.press("fg\n")
        shell.until_true(lambda: shell.data.count(b"1 running") > before)


@pytest.mark.parametrize("command", ["wait", "watch"])
@pytest.mark.parametrize("name", shells("bash"))
def test_a_terminal_that_stops_who_writes_in_the_background_stops_no_polls(
    name: str, command: str, server: ThreadedSimulator, env: dict[str, str], tmp_path: Path
) -> None:
    with Shell(name, env, tmp_path) as shell:
        shell.press("stty tostop\n")
        shell.press(f"jobdeck {command} {NEVER} op_done & jobdeck status op_done & wait %2; echo ended with $?\n")
        shell.until("ended with 0")
        polled(server, shell, 2)
        shell.press("jobs\n")
        shell.until("Running")
        assert "Stopped" not in shell.text


@pytest.mark.parametrize("name", shells("bash", "zsh"))
def test_one_that_is_to_outlive_the_terminal_does(
    name: str, server: ThreadedSimulator, env: dict[str, str], tmp_path: Path
) -> None:
    with Shell(name, env, tmp_path) as shell:
        shell.press(f"nohup jobdeck wait {NEVER} > out.txt 2>&1 & echo number $! | cat\n")
        polled(server, shell, 1)
        shell.until("number ")
        number = next(int(line.split()[1]) for line in shell.text.splitlines() if line.startswith("number "))
        shell.close()
        shell.process.wait()
        try:
            polled_while(server, 2, lambda: runs(number))
        finally:
            os.kill(number, signal.SIGKILL)


IGNORED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGTSTP)


def test_signals_that_were_ignored_at_the_start_stay_ignored(server: ThreadedSimulator, env: dict[str, str]) -> None:
    script = f'trap "" {" ".join(str(number.value) for number in IGNORED)}; exec "$@"'
    command = ["sh", "-c", script, "sh", sys.executable, "-m", "tests.support.hurried", "wait", "--json", NEVER]
    process = subprocess.Popen(command, env=env, cwd=ROOT, stdout=subprocess.DEVNULL)
    try:
        polled_while(server, 1, lambda: process.poll() is None)
        for number in IGNORED:
            process.send_signal(number)
            polled_while(server, 2, lambda: process.poll() is None)
    finally:
        process.kill()
        process.wait()
