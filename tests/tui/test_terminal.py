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

ROOT = Path(__file__).parents[2]
SERVE = """
from tests.tui.fake import FakeEngine, FakeSession
from tests.tui.world import FrozenClock, job
from jobdeck.tui.app import JobdeckApp
app = JobdeckApp(FakeSession(FakeEngine(FrozenClock(), [job("op_a")])))
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


@pytest.mark.skipif(sys.platform != "linux", reason="counts how often a thread was woken in /proc")
def test_an_escape_is_a_key_by_itself_and_nobody_looks_for_keys_while_none_are_pressed() -> None:
    def look(process: "subprocess.Popen[bytes]", master: int) -> None:
        os.write(master, b"?")
        read_until(master, b"it was cancelled")
        os.write(master, b"\x1b")
        read_until(master, b"op_a")
        while (before := woken(process.pid)) and (time.sleep(0.5) or woken(process.pid) != before):
            assert time.monotonic() < end
        os.write(master, b"q")

    end = time.monotonic() + 15
    assert leave(look)[0] == 0


def read_until(master: int, text: bytes) -> None:
    data = b""
    end = time.monotonic() + 20
    while text not in data:
        assert time.monotonic() < end, data
        if select.select([master], [], [], 0.1)[0]:
            data += os.read(master, 65_536)


def woken(process: int) -> int:
    """How often a process's threads have waited for something, all but the first."""
    states = [
        path.read_text() for path in Path(f"/proc/{process}/task").glob("*/status") if path.parent.name != str(process)
    ]
    return sum(int(state.split("voluntary_ctxt_switches:")[1].split()[0]) for state in states)
