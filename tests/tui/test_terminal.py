"""Through a real pty: the terminal is given back as it was, however the screen is left."""

import os
import pty
import select
import signal
import subprocess
import sys
import termios
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.pty_screen import PtyScreen

ROOT = Path(__file__).parents[2]
SERVE = """
from tests.tui.fake import FakeEngine, FakeSession
from tests.tui.world import FrozenClock, job
from jobdeck.tui.app import JobdeckApp
app = JobdeckApp(FakeSession(FakeEngine(FrozenClock(), [job("op_b"), job("op_a")])))
app.run()
raise SystemExit(app.return_code)
"""


def leave(how: Callable[["subprocess.Popen[bytes]", int], None], **environ: str) -> tuple[int, bytes, bool]:
    """Run the app until its job is drawn, leave it; return its code, all it wrote, whether the tty is as before."""
    master, slave = pty.openpty()
    before = termios.tcgetattr(slave)
    env = {key: value for key, value in os.environ.items() if key not in {"TMUX", "NO_COLOR"}}
    process = subprocess.Popen(
        [sys.executable, "-c", SERVE],
        stdin=slave,
        stdout=slave,
        stderr=slave,
        cwd=ROOT,
        env={**env, "TERM": "xterm-256color", "COLUMNS": "80", "LINES": "24", **environ},
    )
    data = b""
    left = False
    end = time.monotonic() + 20
    try:
        while time.monotonic() < end and (process.poll() is None or select.select([master], [], [], 0)[0]):
            if select.select([master], [], [], 0.05)[0]:
                data += os.read(master, 65_536)
            if not left and b"op_a" in data:
                left = True
                how(process, master)
    finally:
        process.kill()
        code = process.wait()
    same = termios.tcgetattr(slave) == before
    os.close(master)
    os.close(slave)
    return code, data, same


def press(keys: bytes) -> Callable[["subprocess.Popen[bytes]", int], None]:
    return lambda process, master: os.write(master, keys) and None


def kill(number: signal.Signals) -> Callable[["subprocess.Popen[bytes]", int], None]:
    return lambda process, master: process.send_signal(number)


@pytest.mark.parametrize(
    ("how", "code"),
    [
        (press(b"q"), 0),
        (press(b"\x03"), 130),
        (kill(signal.SIGTERM), 143),
        (kill(signal.SIGHUP), 129),
        (kill(signal.SIGINT), 130),
    ],
    ids=["q", "ctrl+c", "SIGTERM", "SIGHUP", "SIGINT"],
)
def test_the_terminal_is_given_back_as_it_was(how: Callable[["subprocess.Popen[bytes]", int], None], code: int) -> None:
    left, data, same = leave(how)
    assert left == code
    assert same
    for off in (b"\x1b[?1049l", b"\x1b[?1000l", b"\x1b[?2004l", b"\x1b[?25h"):
        assert data.rindex(off) > data.index(b"op_a")


def test_a_copied_id_arrives_at_the_terminal_in_osc_52() -> None:
    _, data, _ = leave(press(b"yq"))
    assert b"\x1b]52;c;M2Y3YTFjMmUtODhiNC00ZDBlLWExZjUtMGM5ZTJiM2Q3ZjRh\x07" in data


@pytest.mark.parametrize("environ", [{"TERM": "dumb"}, {"NO_COLOR": "1"}, {"LANG": "C", "LC_ALL": "C"}], ids=str)
def test_poor_terminals_are_survived(environ: dict[str, str]) -> None:
    code, data, same = leave(press(b"q"), **environ)
    assert (code, same) == (0, True)
    assert b"Traceback" not in data


class Screen(PtyScreen):
    """The app with its jobs on a terminal."""

    def __init__(self) -> None:
        super().__init__((100, 30))
        env = {key: value for key, value in os.environ.items() if key not in {"TMUX", "NO_COLOR"}}
        self.process = subprocess.Popen(
            [sys.executable, "-c", SERVE],
            stdin=self._slave,
            stdout=self._slave,
            stderr=self._slave,
            cwd=ROOT,
            env={**env, "TERM": "xterm-256color"},
        )

    def burst(self, keys: str, pause: float) -> None:
        for char in keys:
            self.press(char)
            time.sleep(pause)


@pytest.mark.parametrize("pause", [0.0, 0.008], ids=["at once", "one by one"])
def test_a_burst_arrives_whole(pause: float) -> None:
    screen = Screen()
    try:
        screen.until("op_a", "op_b")
        screen.burst("/op_b", pause)
        screen.until("/ op_b", "1 of 2")
        screen.burst("\x1b", 0.2)
        screen.until_true(lambda: "1 of 2" not in screen.text)
        screen.burst("/op_a\rY", pause)
        screen.until("Ticket of op_a")
        screen.burst("\x1b", 0.2)
        screen.burst("aop_q_17", pause)
        screen.until("Add targets", "op_q_17")
        screen.burst("\x1b", 0.2)
        screen.until_true(lambda: "Add targets" not in screen.text)
        screen.burst(":quit", pause)
        screen.until("quit; the remote jobs go on")
        screen.burst("\r", 0.2)
        assert screen.leave() == 0
        assert b"PAUSED" not in screen.data, "no letter was a key"
    finally:
        screen.process.kill()
        screen.process.wait()
