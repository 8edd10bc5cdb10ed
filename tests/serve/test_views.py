"""Screens of several viewers on one engine: each their own, all of the same jobs, and none that changes anything."""

import asyncio
import weakref
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace

import pyte
import pytest
from textual._styles_cache import StylesCache

from jobdeck.app.viewers import READ_ONLY, ReadOnlySession, Viewer, ViewerGroup
from jobdeck.domain.phase import Phase
from jobdeck.tui import remote
from jobdeck.tui.app import JobdeckApp
from jobdeck.tui.remote import RemoteView
from tests.tui.fake import FakeEngine, FakeSession
from tests.tui.world import clock_at_noon, job


class Terminal:
    """A viewer's terminal, as pyte understands what is written to it."""

    def __init__(self, session: FakeSession, viewers: ViewerGroup, width: int = 90, height: int = 20) -> None:
        self.screen = pyte.Screen(width, height)
        self.stream = pyte.Stream(self.screen)
        self.written: list[str] = []
        self.view = RemoteView(ReadOnlySession(session, viewers), self.take, width, height)
        self.running = asyncio.ensure_future(self.view.run())

    def take(self, text: str) -> None:
        self.written.append(text)
        self.stream.feed(text)

    @property
    def text(self) -> str:
        return "\n".join(self.screen.display)

    async def shows(self, text: str) -> None:
        with suppress(TimeoutError):
            await until(lambda: text in self.text or self.running.done())
        assert text in self.text, f"{text!r} never came:\n{self.text}"


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(100):
        while not condition():
            await asyncio.sleep(0.01)


@pytest.fixture
def session() -> FakeSession:
    engine = FakeEngine(clock_at_noon(), [job("op_a", phase=Phase.RUNNING), job("op_b", phase=Phase.RUNNING)])
    return FakeSession(engine)


@pytest.fixture(autouse=True)
def streams() -> Iterator[None]:
    """Textual lends the process's streams to each screen, and two give them back in the wrong order."""
    import sys

    output, errors = sys.stdout, sys.stderr
    yield
    sys.stdout, sys.stderr = output, errors


async def test_two_look_at_one_engine_each_with_a_screen_of_their_own(session: FakeSession) -> None:
    engine, viewers = session.engine, ViewerGroup(session.engine, session.engine)
    one, other = Terminal(session, viewers), Terminal(session, viewers, 120, 30)
    await one.shows("op_b")
    await other.shows("op_b")
    one.view.type("/")
    await one.shows("2 of 2")
    one.view.type("op_a\r")
    await until(lambda: "op_b" not in one.text)
    assert "op_b" in other.text, "a filter is its viewer's own"
    engine.put(replace(engine.jobs[job("op_a").key], phase=Phase.FAILED, status="failed", version=9))
    await one.shows("failed")
    await other.shows("failed")
    one.view.resize(60, 12)
    one.screen.resize(12, 60)
    await until(lambda: "op_a" in one.text)
    one.view.type("q")
    await until(one.running.done)
    assert not other.running.done()
    assert not engine.closed, "a viewer who leaves does not end the engine"
    await other.view.close()
    await other.running
    assert {what for what, _ in engine.asked} <= {"attend", "focus", "show"}, "nobody polled"


async def test_a_viewer_can_change_nothing_and_is_told_why(session: FakeSession) -> None:
    viewers = ViewerGroup(session.engine, session.engine)
    terminal = Terminal(session, viewers)
    await terminal.shows("op_b")
    terminal.view.type("dpram")
    await terminal.shows("read-only view")
    assert len(session.engine.jobs) == 2
    assert not session.engine.paused
    assert not any(one.acknowledged for one in session.engine.jobs.values())
    assert "export" not in terminal.text
    terminal.view.type("\x13")
    await terminal.shows("a browser view saves no files")
    terminal.view.type("Y")
    await terminal.shows("Support ticket")
    terminal.view.type("s")
    await terminal.shows("this view cannot save files")
    terminal.view.type("y")
    await until(lambda: any("\x1b]52;c;" in part for part in terminal.written))
    await terminal.view.close()
    await terminal.running
    assert READ_ONLY.startswith("read-only")


async def test_the_engine_hears_of_everybody_who_looks(session: FakeSession) -> None:
    engine, viewers = session.engine, ViewerGroup(session.engine, session.engine)
    assert engine.asked == [("attend", False)]
    first, second = Viewer(viewers), Viewer(viewers)
    one, two = job("op_a").key, job("op_b").key
    first.set_visible([one])
    second.set_visible([two])
    assert set(engine.asked[-1][1]) == {one, two}  # type: ignore[call-overload] - keys
    first.set_selected(one)
    second.set_selected(two)
    assert engine.asked[-1] == ("focus", two)
    first.set_user_present(present=False)
    assert engine.asked[-1] == ("attend", True)
    second.leave()
    second.leave()
    assert engine.asked[-3:] == [("attend", False), ("show", (one,)), ("focus", one)]
    second.set_selected(two)
    assert engine.asked[-1] == ("focus", one), "who has left is heard no more"


async def test_views_that_have_ended_give_their_memory_back(
    session: FakeSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(remote, "COLLECT_SECONDS", 0.01)
    viewers = ViewerGroup(session.engine, session.engine)
    views, lines = list[weakref.ref[JobdeckApp]](), list[weakref.ref[StylesCache]]()
    for _ in range(4):
        terminal = Terminal(session, viewers, 120, 40)
        await terminal.shows("op_b")
        views.append(weakref.ref(terminal.view._app))
        lines.append(weakref.ref(terminal.view._app.screen.children[0]._styles_cache))
        await terminal.view.close()
        await terminal.running
        del terminal
    # The last one's context is that of this test, too.
    await until(lambda: not any(view() for view in views[:-1]) and not any(line() for line in lines[:-1]))


async def test_a_view_that_was_never_drawn_can_be_closed(session: FakeSession) -> None:
    terminal = Terminal(session, ViewerGroup(session.engine, session.engine))
    terminal.view.type("q")
    terminal.view.resize(10, 5)
    await terminal.view.close()
    terminal.running.cancel()
    with suppress(asyncio.CancelledError):
        await terminal.running
