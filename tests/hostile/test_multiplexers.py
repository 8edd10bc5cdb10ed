"""Rule 23: inside GNU screen and tmux, the real ones, the clipboard, the colours, esc and a paste without brackets."""

import base64
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from jobdeck.simulator.scenario import JobScript, Outcome, Resource, Scenario
from jobdeck.simulator.server import ThreadedSimulator
from tests.cli.harness import environment
from tests.support.terminal import OnTerminal

JOBS = tuple(
    JobScript(id=f"en_{number}", resource=Resource.ENRICHMENT, outcome=Outcome.NEVER, duration=1e6)
    for number in range(2)
)
TARGETS = ("/api/enrichments/en_0", "/api/enrichments/en_1")
PIECE = re.compile(rb"\x1b\]52;c;([A-Za-z0-9+/=]*)(?:\x07|\x1b\\)")

needs_screen = pytest.mark.skipif(shutil.which("screen") is None, reason="GNU screen is not here")
needs_tmux = pytest.mark.skipif(shutil.which("tmux") is None, reason="tmux is not here")


@pytest.fixture
def env(tmp_path: Path) -> Iterator[dict[str, str]]:
    with ThreadedSimulator(Scenario(jobs=JOBS)) as running:
        # No locale but this one is on every machine.
        yield {**environment(running.url, tmp_path), "LC_ALL": "C.UTF-8", "COLORTERM": "truecolor"}


@pytest.fixture
def gnu_screen(env: dict[str, str], tmp_path: Path) -> Iterator[OnTerminal]:
    sockets = tmp_path / "s"
    sockets.mkdir(mode=0o700)
    env["SCREENDIR"] = str(sockets)
    (tmp_path / "rc").write_text("", encoding="utf-8")
    inside = ("screen", "-U", "-S", "it", "-c", str(tmp_path / "rc"))
    with OnTerminal(*TARGETS, env=env, inside=inside) as run:
        yield run
        subprocess.run(["screen", "-S", "it", "-X", "quit"], env=env, capture_output=True, check=False)


@needs_screen
def test_inside_gnu_screen(gnu_screen: OnTerminal) -> None:
    run = gnu_screen
    run.until("en_0", "en_1", "? help")
    # The bar of the selection is there although COLORTERM promised colours that GNU screen has not.
    row = next(y for y, line in enumerate(run.screen.display) if "▸" in line)
    assert {run.screen.buffer[row][x].bg for x in range(2, 90)} - {"default"}
    # Esc comes alone, for the mouse is left to the terminal.
    run.press("?")
    run.until("type to search")
    run.press("\x1b")
    run.until("? help")
    # A ticket is longer than what GNU screen takes in one piece.
    run.press("Y")
    run.until("Ticket for")
    run.press("y")
    run.until_true(lambda: PIECE.search(run.data) is not None)
    found = PIECE.search(run.data)
    assert found is not None
    ticket = base64.b64decode(found[1]).decode()
    assert len(found[1]) > 1_000
    assert ticket.startswith("#")
    assert "en_" in ticket
    # It puts no brackets around what is pasted.
    assert b"\x1b[?1000h" not in run.data
    run.press("en_7\ren_8\r")
    run.until("Add targets", "en_7", "en_8")
    run.press("\x1b")
    run.until_true(lambda: "Add targets" not in run.text)
    run.press("\x14")
    run.until("GNU screen passes esc on with the next key")
    assert b"\x1b[?1000h" in run.data
    run.press("?")
    run.until("type to search")
    run.press("\x1b")
    run.press("q")
    assert run.leave() == 0


@needs_tmux
def test_inside_tmux(env: dict[str, str], tmp_path: Path) -> None:
    def tmux(*arguments: str, text: str | None = None) -> str:
        command = ["tmux", "-L", "it", *arguments]
        ran = subprocess.run(command, env=env, input=text, capture_output=True, text=True, check=False)
        return ran.stdout

    env["TMUX_TMPDIR"] = str(tmp_path)
    inside = ("tmux", "-L", "it", "-f", "/dev/null", "new-session")
    with OnTerminal(*TARGETS, env=env, inside=inside) as run:
        try:
            run.until("en_0", "en_1", "? help")
            tmux("send-keys", "Yy")
            run.until_true(lambda: tmux("show-buffer").startswith("#"))
            tmux("load-buffer", "-", text="en_7\nen_8\n")
            tmux("paste-buffer")
            run.until("Add targets", "en_7", "en_8")
            run.press("\x1b")
            run.until_true(lambda: "Add targets" not in run.text)
            tmux("paste-buffer", "-p")
            run.until("Add targets", "en_7", "en_8")
            run.press("\x1b")
            run.until_true(lambda: "Add targets" not in run.text)
            tmux("send-keys", "/en_1", "Enter", "jjj")
            run.until("1 of 2")
            run.press("q")
            assert run.leave() == 0
        finally:
            tmux("kill-server")
