"""Notices of the desktop: with a library that behaves as the real one does, and with the real one on a real bus."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from jobdeck.tui.notifications import Notifier, describe_notifications

XTERM = {"TERM": "xterm"}
TERMINAL = "\x1b]9;jobdeck: op_a failed\a"


def library(monkeypatch: pytest.MonkeyPatch, *, takes: bool) -> list[str]:
    """Put a library in the real one's place that takes notices, or logs that it cannot and says nothing."""
    shown: list[str] = []

    class DesktopNotifier:
        def __init__(self, app_name: str) -> None:
            shown.append(app_name)

        async def send(self, title: str, message: str, on_dispatched: Callable[[], object]) -> None:
            if takes:
                shown.append(f"{title}: {message}")
                on_dispatched()

    monkeypatch.setitem(sys.modules, "desktop_notifier", SimpleNamespace(DesktopNotifier=DesktopNotifier))
    monkeypatch.setattr("jobdeck.tui.notifications.desktop_at_hand", lambda _: True)
    return shown


async def call_twice() -> tuple[str, list[str]]:
    written: list[str] = []
    complaints: list[str] = []
    herald = Notifier(written.append, XTERM, complaints.append)
    for _ in range(2):
        herald.send("op_a failed")
        while herald._tasks:
            await next(iter(herald._tasks))
    return "".join(written), complaints


async def test_a_desktop_that_takes_notices_gets_them_through_one_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    shown = library(monkeypatch, takes=True)
    assert await call_twice() == ("\a\a", [])
    assert shown == ["jobdeck", *["jobdeck: op_a failed"] * 2]


async def test_where_the_desktop_takes_none_the_terminal_is_asked_and_that_is_said_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    library(monkeypatch, takes=False)
    written, complaints = await call_twice()
    assert written == f"\a{TERMINAL}" * 2
    assert complaints == ["desktop notification failed: sent through the terminal instead"]


async def test_a_library_that_cannot_be_imported_disturbs_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "desktop_notifier", None)
    monkeypatch.setattr("jobdeck.tui.notifications.desktop_at_hand", lambda _: True)
    written, complaints = await call_twice()
    assert (written, len(complaints)) == (f"\a{TERMINAL}" * 2, 1)


def test_over_ssh_the_notice_is_the_terminals() -> None:
    assert "terminal notification" in describe_notifications({"SSH_TTY": "/dev/pts/1"})


def ran(*command: str, **environ: str) -> list[str]:
    env = {name: value for name, value in os.environ.items() if name not in {"DBUS_SESSION_BUS_ADDRESS", "DISPLAY"}}
    script = Path(__file__).with_name("on_desktop.py")
    run = subprocess.run(
        [*command, sys.executable, str(script)], env={**env, **environ}, capture_output=True, timeout=150, check=True
    )
    said = [line for line in run.stderr.decode().splitlines() if not line.startswith("dbus-daemon")]
    assert said == [], "standard error is where the screen is drawn"
    return run.stdout.decode().splitlines()


@pytest.mark.skipif(sys.platform != "linux", reason="a message bus is Linux's")
def test_the_real_library_without_a_bus_is_quiet_and_the_terminal_is_asked() -> None:
    pytest.importorskip("desktop_notifier")
    address = "unix:path=/nowhere/bus"
    assert ran(DBUS_SESSION_BUS_ADDRESS=address, NOBODY_LISTENS="1") == [repr(f"\a{TERMINAL}"), "1 complaint"]


@pytest.mark.skipif(shutil.which("dbus-run-session") is None, reason="there is no message bus to begin here")
def test_a_notice_arrives_on_a_real_bus() -> None:
    pytest.importorskip("desktop_notifier")
    assert ran("dbus-run-session", "--") == ["jobdeck: op_a failed", repr("\a"), "0 complaints"]
