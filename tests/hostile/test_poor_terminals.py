"""Rule 14: without a terminal one line that names the headless command; on a poor one a screen whose keys live."""

import os
import pty
from collections.abc import Iterator
from pathlib import Path

import pytest

from jobdeck.simulator.scenario import JobScript, Outcome, Resource, Scenario
from jobdeck.simulator.server import ThreadedSimulator
from tests.cli.harness import environment, jobdeck
from tests.support.forked import forked
from tests.support.terminal import UNSET, OnTerminal

JOB = JobScript(id="en_0", resource=Resource.ENRICHMENT, outcome=Outcome.NEVER, duration=1e6)
TARGET = "/api/enrichments/en_0"
ASCII = {"LANG": "C", "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
"""A locale without our signs that Python takes at its word."""


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with ThreadedSimulator(Scenario(jobs=(JOB,))) as running:
        yield running.url


@pytest.fixture
def env(url: str, tmp_path: Path) -> dict[str, str]:
    return environment(url, tmp_path)


@pytest.mark.parametrize(
    ("arguments", "terminals", "term"),
    [
        (["demo"], (), "xterm"),
        ([], (), "xterm"),
        ([TARGET], (), "xterm"),
        ([], ("stdin", "stdout"), "xterm"),
        (["-"], ("stdout", "stderr"), "xterm"),
        ([TARGET], ("stdout", "stderr"), "xterm"),
        (["demo"], ("stdin", "stdout", "stderr"), "dumb"),
        ([TARGET], ("stdin", "stdout", "stderr"), "unknown"),
    ],
    ids=[
        "the demo nowhere",
        "nowhere",
        "a target nowhere",
        "nothing to draw on",
        "a pipe and no controlling terminal",
        "nothing to read keys from",
        "an editor's window",
        "TERM=unknown",
    ],
)
def test_without_a_terminal_one_line_names_the_headless_command(
    env: dict[str, str], arguments: list[str], terminals: tuple[str, ...], term: str
) -> None:
    master, slave = pty.openpty()
    out, err = (slave if name in terminals else None for name in ("stdout", "stderr"))
    stdin = slave if "stdin" in terminals else TARGET
    ran = forked(*arguments, env={**env, "TERM": term}, stdin=stdin, stdout=out, stderr=err)
    os.set_blocking(master, False)
    try:
        shown = os.read(master, 65_536).decode()
    except BlockingIOError:
        shown = ""
    os.close(slave)
    os.close(master)
    said = ran.stdout + ran.stderr + shown
    assert ran.returncode == 2
    assert said.splitlines() == [
        "jobdeck: the screen needs a terminal; without one, use jobdeck status [--json] TARGET…"
    ]


def test_lines_are_in_signs_that_the_locale_knows_too(env: dict[str, str]) -> None:
    ran = jobdeck("status", TARGET, env={**env, **ASCII}, process=True)
    assert ran.out.isascii()
    assert ran.out.splitlines()[1].startswith("o running")
    assert "\\u" not in ran.out + ran.err


@pytest.mark.parametrize(
    ("environ", "size", "piped"),
    [
        ({"TERM": "vt100", "LANG": "C", "LC_ALL": "C", "COLORTERM": UNSET}, (20, 5), False),
        ({"TERM": UNSET, "NO_COLOR": "1", "COLUMNS": "0", "LINES": "x"}, (80, 24), True),
        (ASCII, (80, 24), False),
    ],
    ids=["vt100, C, 20x5", "TERM unset, NO_COLOR, COLUMNS=0, piped", "ASCII alone"],
)
def test_a_poor_terminal_gets_a_screen_whose_keys_live(
    env: dict[str, str], environ: dict[str, str], size: tuple[int, int], piped: bool
) -> None:
    reading, writing = os.pipe()
    os.write(writing, f"{TARGET}\n".encode())
    os.close(writing)
    with OnTerminal(
        *(["-"] if piped else [TARGET]), env={**env, **environ}, size=size, stdin=reading if piped else None, fresh=True
    ) as run:
        run.until("jobdeck", "STATE", "en_0", "o run" if environ is ASCII else "● run")
        run.press("?")
        run.until(" Help")
        run.press("\x1b")
        run.until_true(lambda: " Help" not in run.text)
        run.press("q")
        assert run.leave() == 0
        assert run.restored
        assert b"Traceback" not in run.data
        assert run.data.isascii() or environ is not ASCII
        assert b"\\u" not in run.data
    os.close(reading)
