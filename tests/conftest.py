"""What holds for every test, and which run where: no property is judged by a clock, no sheet is read twice."""

import asyncio
import gc
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from _pytest.unraisableexception import gc_collect_iterations_key
from hypothesis import HealthCheck, settings
from textual.app import App
from textual.css.model import RuleSet
from textual.css.stylesheet import Stylesheet

from jobdeck.engine import clock
from tests.support.examples import SEARCH, SUITE

# A busy machine makes any example slow, which says nothing of the code. The suite tries the same examples each time, so
# that a change which breaks it is the change that did; `make search` looks for others.
slow = [HealthCheck.too_slow]
settings.register_profile("suite", max_examples=SUITE, deadline=None, derandomize=True, suppress_health_check=slow)
settings.register_profile("search", max_examples=SEARCH, deadline=None, suppress_health_check=slow)
settings.load_profile("suite")

# Whoever runs the suite in a shell's background or under nohup has these ignored, and so would every process of the
# tests that is to be ended by them.
signal.signal(signal.SIGINT, signal.default_int_handler)
if sys.platform != "win32":
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


def _memory_for_files() -> str | None:
    """Return a folder in memory, where the system has one in which programs may be started."""
    place = "/dev/shm"
    if not os.access(place, os.W_OK | os.X_OK):
        return None
    about = os.statvfs(place)
    return None if about.f_flag & os.ST_NOEXEC or about.f_bavail * about.f_frsize < 2**30 else place


# Hundreds of databases are made, each of which waits for the disk several times; what a test of a process that is
# killed asks of them holds in memory too.
if sys.platform == "linux" and (_place := _memory_for_files()):
    os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", _place)


_OF_POSIX = """
cli/test_completion.py cli/test_job_control.py cli/test_paths.py cli/test_screen.py cli/test_waiting.py
hostile/* packaging/* serve/test_browser.py snapshots/* tui/test_terminal.py
"""
"""Files in which most needs a terminal of its own, signals to another process or a shell."""

collect_ignore_glob = _OF_POSIX.split() if sys.platform == "win32" else []


def pytest_xdist_auto_num_workers() -> int:
    """Take one worker more than cores, for now and then one waits: for a server, a terminal, a moment to come.

    Each collects all tests and imports jobdeck twice, and they take the caches from each other: with two a core
    collecting alone costs 3.0 s of CPU in each instead of 2.4.
    """
    return min(8, 1 + (os.cpu_count() or 1))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Leave out on Windows what cannot be there."""
    if sys.platform == "win32":
        for item in items:
            if item.get_closest_marker("posix"):
                item.add_marker(pytest.mark.skip(reason="this needs a POSIX system"))


def pytest_collection_finish(session: pytest.Session) -> None:
    """Look seldom, and never at what importing left: it took a quarter of the time of the tests of the screen.

    What nobody closed is found all the same, at pytest's own end at the latest; there it would look five times, each
    half a second of CPU in every worker, where a second look is enough for what only the first lets go of.
    """
    gc.freeze()
    gc.set_threshold(20_000, 20, 50)
    session.config.stash[gc_collect_iterations_key] = 2


@pytest.fixture(scope="session", autouse=True)
def _no_stall_of_a_busy_machine_is_a_sleep() -> None:
    """On clocks that go sixty times as fast a quarter of a second would be one; tests of sleep sleep longer."""
    clock.SLEEP_GAP_SECONDS = 400.0


@pytest.fixture(scope="session", autouse=True)
def _every_sheet_is_read_once() -> None:
    """Keep the rules of the sheets of styles, which never change: hundreds of apps are started, each to read all."""
    kept: dict[tuple[object, ...], list[RuleSet]] = {}
    parse_rules = Stylesheet._parse_rules

    def read_once(self: Stylesheet, *given: Any, **named: Any) -> list[RuleSet]:
        # A theme's colours are in the rules, so they are part of what tells one reading from another.
        key = (*given, *named.items(), *self._variables.items())
        if key not in kept:
            kept[key] = parse_rules(self, *given, **named)
        return kept[key]

    Stylesheet._parse_rules = read_once  # type: ignore[method-assign] - for every test


@pytest.fixture(scope="session", autouse=True)
def _tasks_begin_as_on_a_terminal() -> None:
    """Textual has tasks begin where they are made, from Python 3.12 on; its pilot leaves that out."""
    factory = getattr(asyncio, "eager_task_factory", None)
    if factory is None:
        return
    run_test = App.run_test

    @asynccontextmanager
    async def run_as_on_a_terminal(self: App[Any], **options: Any) -> AsyncIterator[Any]:
        asyncio.get_running_loop().set_task_factory(factory)
        async with run_test(self, **options) as pilot:
            yield pilot

    App.run_test = run_as_on_a_terminal  # type: ignore[method-assign, assignment] - for every test
