"""Through a real pty: the terminal is given back as it was, however the screen is left."""

import signal
import time

import pytest

from tests.support.terminal import OnTerminal

SERVE = """
from tests.tui.fake import FakeEngine, FakeSession
from tests.tui.world import clock_at_noon, job
from jobdeck.tui.app import JobdeckApp
app = JobdeckApp(FakeSession(FakeEngine(clock_at_noon(), [job("op_b"), job("op_a")])))
app.run()
raise SystemExit(app.return_code)
"""


@pytest.mark.parametrize(
    ("how", "code"),
    [("q", 0), ("\x03", 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129), (signal.SIGINT, 130)],
    ids=["q", "ctrl+c", "SIGTERM", "SIGHUP", "SIGINT"],
)
def test_the_terminal_is_given_back_as_it_was(how: str | signal.Signals, code: int) -> None:
    with OnTerminal(code=SERVE, env={}) as run:
        run.until("op_a")
        if isinstance(how, str):
            run.press(how)
        else:
            run.process.send_signal(how)
        assert run.leave() == code
        assert run.restored
        for off in (b"\x1b[?1049l", b"\x1b[?1000l", b"\x1b[?2004l", b"\x1b[?25h"):
            assert run.data.rindex(off) > run.data.index(b"op_a")


def test_a_copied_id_arrives_at_the_terminal_in_osc_52() -> None:
    with OnTerminal(code=SERVE, env={}) as run:
        run.until("op_a")
        run.press("yq")
        assert run.leave() == 0
    assert b"\x1b]52;c;M2Y3YTFjMmUtODhiNC00ZDBlLWExZjUtMGM5ZTJiM2Q3ZjRh\x07" in run.data


@pytest.mark.parametrize("pause", [0.0, 0.008], ids=["at once", "one by one"])
def test_a_burst_arrives_whole(pause: float) -> None:
    with OnTerminal(code=SERVE, env={}) as screen:

        def burst(keys: str, pause: float = pause) -> None:
            for char in keys:
                screen.press(char)
                time.sleep(pause)

        screen.until("op_a", "op_b")
        burst("/op_b")
        screen.until("/ op_b", "1 of 2")
        burst("\x1b", 0.2)
        screen.until_true(lambda: "1 of 2" not in screen.text)
        burst("/op_a\rY")
        screen.until("Ticket for op_a")
        burst("\x1b", 0.2)
        burst("aop_q_17")
        screen.until("Add targets", "op_q_17")
        burst("\x1b", 0.2)
        screen.until_true(lambda: "Add targets" not in screen.text)
        burst(":quit")
        screen.until("quit; the remote jobs keep running")
        burst("\r", 0.2)
        assert screen.leave() == 0
        assert b"PAUSED" not in screen.data, "no letter was a key"
