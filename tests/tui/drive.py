"""Driving the app in tests: wait for conditions, read what is painted."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager

from textual import events
from textual.app import App
from textual.geometry import Size
from textual.pilot import Pilot

from jobdeck.domain.exchange import Exchange
from jobdeck.domain.job import Job
from jobdeck.tui.app import JobdeckApp
from jobdeck.tui.clipboard import ClipboardError
from jobdeck.tui.widgets.job_list import JobList
from tests.support.clocks import ManualClock
from tests.tui.fake import FakeEngine, FakeSession
from tests.tui.world import clock_at_noon

PATIENCE = 150.0
"""Seconds until a condition is given up: the machine may be busy with something else."""

ROUNDS = 1_000
"""After so many the app is taken to be one that never has nothing to do."""

STILL_SECONDS = 0.12
"""So long nothing changes on a screen that is still: several frames of the deck, and of Textual."""


async def settle() -> None:
    """Let everything run that can run now; what is left waits for time to pass, or for somebody else.

    A pilot would send a message to each widget and wait for all of them: a sixth of the CPU of the tests of the screen.
    """
    ready = asyncio.get_running_loop()._ready  # type: ignore[attr-defined] - of every loop of asyncio itself
    for _ in range(ROUNDS):
        await asyncio.sleep(0)
        if not ready:
            return


async def wait_until(condition: Callable[[], bool]) -> None:
    """Let the app run until `condition` holds."""
    async with asyncio.timeout(PATIENCE):
        while not condition():
            await asyncio.sleep(0.005)
            await settle()
    await settle()


async def press_keys(pilot: Pilot[int], *keys: str) -> None:
    """Press keys, each taken in before the next; a pilot's own `press` would wait 60 ms at every one."""
    app = pilot.app
    driver = app._driver
    assert driver is not None
    for key in keys:
        event = events.Key(key, key if len(key) == 1 else None)
        event.set_sender(app)
        driver.send_message(event)
        await settle()


def painted(app: App[int]) -> list[str]:
    """The lines of the terminal as they are now, after every filter."""
    return ["".join(segment.text for segment in strip) for strip in app.screen._compositor.render_strips()]


def screen_text(app: App[int]) -> str:
    return "\n".join(painted(app))


def toasts(app: App[int]) -> list[str]:
    return [notification.message for notification in app._notifications]


class Clipboard:
    """What was sent to the clipboard."""

    def __init__(self) -> None:
        self.sent: list[str] = []
        self.error: ClipboardError | None = None

    async def __call__(self, text: str) -> str:
        if self.error is not None:
            raise self.error
        self.sent.append(text)
        return "a test"


class Driven:
    """A running app on a fake engine."""

    def __init__(self, app: JobdeckApp, pilot: Pilot[int], session: FakeSession, clipboard: Clipboard) -> None:
        self.app, self.pilot, self.session, self.clipboard = app, pilot, session, clipboard

    @property
    def engine(self) -> FakeEngine:
        return self.session.engine

    @property
    def clock(self) -> ManualClock:
        return self.session.clock

    @property
    def text(self) -> str:
        return screen_text(self.app)

    async def press(self, *keys: str) -> None:
        """Press keys, each taken in before the next."""
        await press_keys(self.pilot, *keys)

    async def resize(self, width: int, height: int) -> None:
        """Change the size of the terminal, and wait until the screen has it."""
        size = Size(width, height)
        self.app._driver._size = (width, height)  # type: ignore[union-attr] - there is a driver
        self.app.post_message(events.Resize(size, size))
        await self.until(lambda: self.app.screen.size == size and self.app.screen._compositor.size == size)

    async def until(self, condition: Callable[[], bool]) -> None:
        await wait_until(condition)

    async def still(self) -> str:
        """Return what is on the screen once it is laid out and has not changed over several frames."""
        self.app.screen.refresh(layout=True)
        loop = asyncio.get_running_loop()
        before, since = "", loop.time()
        while loop.time() - since < STILL_SECONDS:
            await self.pilot.pause(0.03)
            if self.text != before:
                before, since = self.text, loop.time()
        return before

    async def shows(self, text: str) -> None:
        """Wait until a text is on the screen."""
        try:
            await self.until(lambda: text in self.text)
        except TimeoutError:
            raise AssertionError(f"{text!r} never came:\n{self.text}") from None

    def line_of(self, text: str) -> int:
        """The line of the screen with a text."""
        return next(y for y, line in enumerate(painted(self.app)) if text in line)


@asynccontextmanager
async def driven(
    jobs: Iterable[Job] = (),
    exchanges: Iterable[Exchange] = (),
    *,
    size: tuple[int, int] = (80, 24),
    session: FakeSession | None = None,
    ready: bool = True,
) -> AsyncIterator[Driven]:
    """Run the app on a fake engine with some jobs, until they are drawn."""
    session = session or FakeSession(FakeEngine(clock_at_noon(), jobs, exchanges))
    clipboard = Clipboard()
    app = JobdeckApp(session, write_clipboard=clipboard, frame_seconds=0.01)
    async with app.run_test(size=size) as pilot:
        run = Driven(app, pilot, session, clipboard)
        if ready:
            count = len(session.engine.jobs)
            await run.until(lambda: app.deck.deck_state.engine is not None)
            await run.until(lambda: app.deck.deck_state.table.total == count)
            if count:
                await run.until(lambda: app.deck.query_one(JobList).selected is not None and "STATE" in run.text)
            await run.until(lambda: not app.screen._layout_required)
        yield run
