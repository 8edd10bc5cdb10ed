"""Rule 21: what a terminal says is no key, an open sequence ends by time, and a size is what can be drawn."""

import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from jobdeck.simulator.scenario import JobScript, Outcome, Resource, Scenario
from jobdeck.simulator.server import ThreadedSimulator
from tests.cli.harness import environment, jobdeck
from tests.support.terminal import PATIENCE, OnTerminal
from tests.tui.terminal_answers import ANSWERS

JOBS = (
    JobScript(id="en_0", resource=Resource.ENRICHMENT, outcome=Outcome.FAILED, duration=0.01),
    JobScript(id="en_1", resource=Resource.ENRICHMENT, outcome=Outcome.NEVER, duration=1e6),
)
TARGETS = ("/api/enrichments/en_0", "/api/enrichments/en_1")


@pytest.fixture
def env(tmp_path: Path) -> Iterator[dict[str, str]]:
    with ThreadedSimulator(Scenario(jobs=JOBS)) as running:
        yield environment(running.url, tmp_path)


def test_answers_at_the_start_and_later_press_no_key(env: dict[str, str]) -> None:
    with OnTerminal(*TARGETS, env=env) as run:
        # Before that the terminal would echo them.
        run.until_true(lambda: b"\x1b[?1004h" in run.data)
        run.press("".join(ANSWERS))
        run.until("✗ failed  en_0", "● running en_1")
        for answer in ANSWERS:
            run.press(answer)
            run.read()
        run.press(b"\x9b?62;4c\xff\xfe\x9d11;rgb:00/00/00\x9c")
        run.press("?")
        run.until("type to search")
        run.press("\x1b")
        run.until("✗ failed  en_0", "● running en_1")
        assert "acknowledged" not in run.text
        run.press("q")
        assert run.leave() == 0
        assert run.restored
        assert b"\x1b]52" not in run.data, "nothing went to the clipboard"
    assert {entry["id"] for entry in jobdeck("history", "--json", env=env).objects} == {"en_0", "en_1"}


SOON = "import jobdeck.tui.input_splitter as splitter; splitter.LONGEST_OPEN_SECONDS = 1.5"
"""In place of five seconds, and still longer than the one after which a sequence ends that nothing follows."""


@pytest.mark.parametrize("begun", ["\x1b[200~en_7", "\x1bP1+r54", "\x1b]52;c;", "\x1b["], ids=repr)
def test_what_has_no_end_kills_no_key(env: dict[str, str], begun: str) -> None:
    with OnTerminal(*TARGETS, env=env, before=SOON) as run:
        run.until("en_0", "● run")
        run.press(begun)
        if "200~" in begun:
            run.until("Add targets", "en_7")
            run.press("\x1b")
            run.until_true(lambda: "Add targets" not in run.text)
        end = time.monotonic() + PATIENCE
        while run.process.poll() is None:
            assert time.monotonic() < end, run.text
            run.press("q")
            run.read()
        assert run.leave() == 0
        assert run.restored


def test_a_size_is_the_terminals_own_and_no_absurd_one_hangs(env: dict[str, str]) -> None:
    with OnTerminal(*TARGETS, env={**env, "COLUMNS": "12", "LINES": "3"}) as run:
        run.until("en_0", "● run", "? help")
        for columns, lines in ((0, 0), (1, 1), (65_535, 1), (1, 65_535), (65_535, 65_535)):
            run.resize(columns, lines)
            run.process.send_signal(signal.SIGWINCH)
            run.read()
        for number in range(500):
            run.resize(60 + number % 50, 20 + number % 20)
            run.process.send_signal(signal.SIGWINCH)
        run.resize(100, 30)
        run.process.send_signal(signal.SIGWINCH)
        run.press("?")
        run.until("type to search", "copy ID")
        run.press("\x1b")
        run.until_true(lambda: "type to search" not in run.text)
        run.press("q")
        assert run.leave() == 0
