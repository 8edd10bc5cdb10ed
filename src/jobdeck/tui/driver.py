"""The way to a terminal on Unix, with keys that are waited for and frames that are not."""

import asyncio
import os
import selectors
import signal
from codecs import getincrementaldecoder
from typing import Any

from textual._xterm_parser import XTermParser
from textual.drivers.linux_driver import LinuxDriver

from jobdeck.tui import suspension
from jobdeck.tui.writer import PatientWriter

LOOK_SECONDS = 0.1
"""How often it is looked, after an escape, whether more of a sequence comes or it was a key by itself."""

LAST_SECONDS = 0.1
"""How long what the terminal still answers is taken in at the end: the shell would get it as if it had been typed."""

READ_BYTES = 4_096


class RestingDriver(LinuxDriver):
    """Sleeps until something is typed, and draws only what the terminal takes.

    Textual's own looks ten times a second whether it is to end: 0.1 % of a CPU, for as long as nobody does anything.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._ending, self._end = os.pipe()
        if suspension.IGNORED:
            signal.signal(signal.SIGTSTP, signal.SIG_IGN)

    @property
    def behind(self) -> bool:
        """Whether the terminal does not keep up with what is drawn; once it does, everything is drawn again."""
        writer = self._writer_thread
        return isinstance(writer, PatientWriter) and writer.behind

    def start_application_mode(self) -> None:
        """Take over the terminal."""
        super().start_application_mode()  # type: ignore[no-untyped-call]  # Textual's has no annotations
        if self._writer_thread is None or self._file is None:
            return
        loop = asyncio.get_running_loop()
        self._writer_thread.stop()
        self._writer_thread = PatientWriter(self._file, lambda: loop.call_soon_threadsafe(self._app.refresh))
        self._writer_thread.start()

    def run_input_thread(self) -> None:
        """Tell the app what is typed, until the input is disabled."""
        parser = XTermParser(self._debug)
        decode = getincrementaldecoder("utf-8")().decode

        def take(seconds: float | None) -> None:
            for ready, _ in selector.select(seconds):
                if ready.fileobj == self.fileno:
                    data = self._read()
                    if not data:
                        selector.unregister(self.fileno)
                        if not self.exit_event.is_set():
                            # Only who is on its controlling terminal is told by the system that it is gone.
                            os.kill(os.getpid(), signal.SIGHUP)
                    # To the parser an empty text, such as half a letter is as yet, would be the end.
                    elif text := decode(data):
                        for event in parser.feed(text):
                            self.process_message(event)
            for event in parser.tick():
                self.process_message(event)

        with selectors.SelectSelector() as selector:
            selector.register(self.fileno, selectors.EVENT_READ)
            selector.register(self._ending, selectors.EVENT_READ)
            while not self.exit_event.is_set():
                take(None if parser._timeout_time is None else LOOK_SECONDS)
            selector.unregister(self._ending)
            take(LAST_SECONDS)

    def _read(self) -> bytes:
        try:
            return os.read(self.fileno, READ_BYTES)
        except OSError:
            return b""

    def disable_input(self) -> None:
        """Wake who waits for keys, to end."""
        os.write(self._end, b".")
        super().disable_input()
        os.read(self._ending, 1)
