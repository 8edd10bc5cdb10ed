"""The screen for a viewer elsewhere: output goes to a function, input comes from another."""

import asyncio
import gc
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

from textual import events
from textual.app import App
from textual.driver import Driver
from textual.geometry import Size
from textual.message import Message

from jobdeck.app.private_file import PrivateFileError
from jobdeck.app.session import Session
from jobdeck.tui.app import CLOSE_SECONDS, JobdeckApp
from jobdeck.tui.clipboard import OSC52_BYTES, TooBigError, osc52
from jobdeck.tui.terminal import KeyReader, pin_clusters, release_painted_lines, usable_size

Write = Callable[[str], None]

COLLECT_SECONDS = 0.5

_START = "\x1b[?1049h\x1b[?25l\x1b[?1000h\x1b[?1003h\x1b[?1006h\x1b[?2004h"
"""Alternate screen, no cursor, mouse reports, bracketed paste."""


class RemoteDriver(Driver):
    """Writes to a function that never blocks.

    Textual's own drivers block while a terminal reads slowly, and with them the event loop, every other screen and
    every poll.
    """

    sink: Write
    drawn_size: tuple[int, int] | None = None
    _reader: KeyReader
    _waiting: asyncio.TimerHandle | None = None

    def __init__(
        self, app: App[Any], *, debug: bool = False, mouse: bool = True, size: tuple[int, int] | None = None
    ) -> None:
        """Create the driver; `size` is the initial size of the terminal."""
        super().__init__(app, debug=debug, mouse=mouse, size=size)
        self._first_size = size or (80, 24)

    def write(self, data: str) -> None:
        """Send what is drawn."""
        self.sink(pin_clusters(data))

    def start_application_mode(self) -> None:
        """Set up the terminal at the other end."""
        self._reader = KeyReader()
        self.write(_START)
        self.resize(*self._first_size)

    def disable_input(self) -> None:
        """Do nothing: input comes from the other end."""

    def stop_application_mode(self) -> None:
        """Do nothing: the other end closes its terminal."""

    @property
    def is_web(self) -> bool:
        """True: the terminal is in a browser, without a process to suspend or signals to handle."""
        return True

    def type(self, text: str) -> None:
        """Process what the terminal sends."""
        self._process(self._reader.feed(text))

    def resize(self, width: int, height: int) -> None:
        """Draw for another size."""
        self.drawn_size = usable_size(width, height)
        size = Size(*self.drawn_size)
        self.send_message(events.Resize(size, size))

    def _process(self, found: Iterable[Message]) -> None:
        for event in found:
            self.process_message(event)
        if self._waiting is not None:
            self._waiting.cancel()
            self._waiting = None
        if (wait := self._reader.wait) is not None:
            self._waiting = asyncio.get_running_loop().call_later(wait, self._tick)

    def _tick(self) -> None:
        self._process(self._reader.tick())


class RemoteView:
    """One screen on a session, for a viewer's terminal. It writes no files on the machine that runs jobdeck."""

    def __init__(self, session: Session, write: Write, width: int, height: int) -> None:
        class Linked(RemoteDriver):
            sink = staticmethod(write)

        self._size = (width, height)
        self._app = JobdeckApp(
            session, write_clipboard=_clipboard_writer(write), save=_save_nothing, driver_class=Linked
        )
        self._ended = asyncio.Event()

    async def run(self) -> None:
        """Draw until the viewer quits or `close` is called; raises the error that crashed the screen."""
        try:
            await self._app.run_async(size=self._size)
        finally:
            self._ended.set()
            _release_memory()
        if self._app.error is not None:
            raise self._app.error

    def type(self, text: str) -> None:
        """Process what the terminal sends."""
        if (driver := self._driver) is not None:
            driver.type(text)

    def resize(self, width: int, height: int) -> None:
        """Draw for another size."""
        if (driver := self._driver) is not None and usable_size(width, height) != driver.drawn_size:
            driver.resize(width, height)

    def set_user_present(self, *, present: bool) -> None:
        """Note whether the viewer's window has the focus."""
        self._app.post_message(events.AppFocus() if present else events.AppBlur())

    async def close(self) -> None:
        """Close within two seconds; harmless after the end."""
        if not self._ended.is_set():
            with suppress(TimeoutError):
                async with asyncio.timeout(CLOSE_SECONDS):
                    await self._app.action_quit()
                    await self._ended.wait()

    @property
    def _driver(self) -> RemoteDriver | None:
        driver = self._app.running_driver
        return driver if isinstance(driver, RemoteDriver) else None


def _release_memory() -> None:
    """Free the memory of a screen once the stack that refers to it has unwound.

    A screen is one large cycle. A collection takes 50 ms.
    """
    release_painted_lines()
    asyncio.get_running_loop().call_later(COLLECT_SECONDS, gc.collect)


def _clipboard_writer(write: Write) -> Callable[[str], Any]:
    async def write_clipboard(text: str) -> str:
        if len(text.encode()) > OSC52_BYTES:
            raise TooBigError(f"{len(text.encode())} bytes is more than a terminal accepts")
        write(osc52(text))
        return "the browser"

    return write_clipboard


async def _save_nothing(text: str, subject: str, us: int, *, suffix: str = ".md") -> Path:
    raise PrivateFileError("this view cannot save files: select the text or copy it")
