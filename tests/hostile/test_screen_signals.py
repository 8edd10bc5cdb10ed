"""Rule 13: a signal ends the screen within two seconds, at whatever moment, with its code and all on record."""

import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from jobdeck.simulator.scenario import JobScript, Outcome, Resource, Scenario
from jobdeck.simulator.server import ThreadedSimulator
from tests.busyness import busyness
from tests.cli.harness import environment, jobdeck
from tests.support.hurried import RUN_HURRIED
from tests.support.terminal import PATIENCE, OnTerminal

SIGNALS = {signal.SIGINT: 130, signal.SIGTERM: 143, signal.SIGHUP: 129}
SCENARIO = Scenario(
    jobs=(JobScript(id="en_0", resource=Resource.ENRICHMENT, outcome=Outcome.NEVER, duration=1e6),),
)
TARGET = "/api/enrichments/en_0"
HANGING_LOOK_UP = """
import socket, sys, time
def hang(*_, **__):
    print('looking up', file=sys.__stderr__, flush=True)
    time.sleep(60)
socket.getaddrinfo = hang
"""
WITHIN = 2.0
FLOOD = 150
"""Keys, each of which has most of the screen drawn again: far more than a terminal takes before it is read."""

AFTER = """
import functools, os
import {module} as module
def after(owner, name):
    real = getattr(owner, name)
    @functools.wraps(real)
    def wrapped(*args, **kwargs):
        value = real(*args, **kwargs)
        os.kill(os.getpid(), {number})
        return value
    setattr(owner, name, wrapped)
after({owner}, {name!r})
"""
MOMENTS = {
    "before the loop": ("jobdeck.cli.targets", "module", "gather_targets"),
    "terminal just raw": ("textual.drivers.linux_driver", "module.LinuxDriver", "start_application_mode"),
    "first frame": ("jobdeck.tui.app", "module.JobdeckApp", "on_ready"),
}


def in_time(took: float) -> bool:
    return took < WITHIN or took < WITHIN * busyness()


@pytest.fixture
def server() -> Iterator[ThreadedSimulator]:
    with ThreadedSimulator(SCENARIO) as running:
        yield running


@pytest.mark.parametrize(
    ("moment", "number"),
    [
        ("before the loop", signal.SIGHUP),
        ("terminal just raw", signal.SIGINT),
        ("terminal just raw", signal.SIGTERM),
        ("first frame", signal.SIGHUP),
    ],
    ids=str,
)
def test_a_signal_while_the_screen_starts(tmp_path: Path, moment: str, number: signal.Signals) -> None:
    module, owner, name = MOMENTS[moment]
    before = AFTER.format(module=module, owner=owner, name=name, number=int(number))
    with OnTerminal(TARGET, env=environment("http://127.0.0.1:9", tmp_path), before=before) as run:
        began = time.monotonic()
        assert run.leave() == SIGNALS[number], run.text
        assert run.restored
        assert b"Traceback" not in run.data
        assert b"jobdeck:" not in run.data
        assert time.monotonic() - began < 10.0


def test_a_signal_to_the_screen_while_the_network_hangs(server: ThreadedSimulator, tmp_path: Path) -> None:
    env = environment(server.url, tmp_path)
    with OnTerminal(TARGET, env=env) as run:
        run.until("en_0", "● run")
        server.pause()
        run.press("r")
        run.until(" 2/")
        run.until_true(lambda: b"\x1b]2;jobdeck 0/1\x07" in run.data)
        # Whoever sees nothing happen sends another: it finds the screen on its way out.
        run.process.send_signal(signal.SIGTERM)
        assert in_time(run.signal(signal.SIGTERM))
        assert (run.process.returncode, run.restored) == (143, True)
        assert run.data.rfind(b"\x1b[23;2t") > run.data.rfind(b"\x1b[22;2t") > 0, "the title of before is back"
        server.resume()
    entries = jobdeck("requests", "--json", env=env).objects
    assert [entry["state"] for entry in entries][:2] == ["abandoned", "answered"]
    assert {entry["request_id"] for entry in entries if entry["state"] == "answered"} <= {
        record.request_id for record in server.requests
    }


@pytest.mark.parametrize(
    ("number", "command"),
    [(signal.SIGHUP, ()), (signal.SIGINT, ("wait",)), (signal.SIGTERM, ("status",))],
    ids=["screen-SIGHUP", "wait-SIGINT", "status-SIGTERM"],
)
def test_a_signal_while_a_look_up_of_a_name_hangs(
    tmp_path: Path, number: signal.Signals, command: tuple[str, ...]
) -> None:
    env = environment("https://hog.example", tmp_path)
    with OnTerminal(*command, TARGET, env=env, before=HANGING_LOOK_UP) as run:
        run.until_true(lambda: b"looking up" in run.data)
        assert in_time(run.signal(number))
        assert (run.process.returncode, run.restored) == (SIGNALS[number], True)


def test_a_terminal_that_nobody_is_told_of_ends_the_screen_when_it_is_gone(
    server: ThreadedSimulator, tmp_path: Path
) -> None:
    with OnTerminal(TARGET, env=environment(server.url, tmp_path), controlling=False) as run:
        run.until("en_0", "● run")
        run.close()
        assert run.process.wait(PATIENCE) == 129


def test_a_terminal_that_is_not_read_holds_back_no_poll_and_no_signal(
    server: ThreadedSimulator, tmp_path: Path
) -> None:
    env = environment(server.url, tmp_path)

    def polls_go_on() -> None:
        enough, end = len(server.requests) + 2, time.monotonic() + PATIENCE
        while len(server.requests) < enough:
            assert time.monotonic() < end
            time.sleep(0.02)

    with OnTerminal(TARGET, env=env, code=RUN_HURRIED) as run:
        run.until("en_0", "● run")
        run.press("z" * FLOOD)
        polls_go_on()
        # Read again, it has the whole screen, and what was pressed meanwhile.
        run.press("?")
        run.until("type to search")
        run.press("\x1b" + "z" * FLOOD)
        polls_go_on()
        sent = time.monotonic()
        run.process.send_signal(signal.SIGTERM)
        assert run.process.wait(PATIENCE) == 143
        assert in_time(time.monotonic() - sent)
    assert len(jobdeck("requests", "--json", env=env).objects) == len(server.requests)


def test_a_terminal_that_closes_ends_the_screen_with_all_on_record(server: ThreadedSimulator, tmp_path: Path) -> None:
    env = environment(server.url, tmp_path)
    with OnTerminal(TARGET, env=env) as run:
        run.until("en_0", "● run")
        run.close()
        closed = time.monotonic()
        assert run.process.wait(PATIENCE) == 129
        assert in_time(time.monotonic() - closed)
    entries = jobdeck("requests", "--json", env=env).objects
    assert {entry["state"] for entry in entries} == {"answered"}
    assert not list((tmp_path / "data").glob("crash-*"))


def test_a_signal_that_was_ignored_at_the_start_stays_ignored(server: ThreadedSimulator, tmp_path: Path) -> None:
    ignored = "import signal\nfor name in ('SIGTERM', 'SIGTSTP'): signal.signal(getattr(signal, name), signal.SIG_IGN)"
    with OnTerminal(TARGET, env=environment(server.url, tmp_path), before=ignored, fresh=True) as run:
        run.until("en_0", "● run")
        for number in (signal.SIGTERM, signal.SIGTSTP):
            run.process.send_signal(number)
        run.press("\x1a")
        run.until("not suspended: ctrl+z is ignored by the process that started jobdeck")
        run.press("q")
        assert run.leave() == 0
