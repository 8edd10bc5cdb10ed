"""The way to a terminal on Unix, with keys that are waited for."""

import os
import selectors
from codecs import getincrementaldecoder
from typing import Any

from textual._xterm_parser import XTermParser
from textual.drivers.linux_driver import LinuxDriver

LOOK_SECONDS = 0.1
"""How often it is looked, after an escape, whether more of a sequence comes or it was a key by itself."""

LAST_SECONDS = 0.1
"""How long what the terminal still answers is taken in at the end: the shell would get it as if it had been typed."""

READ_BYTES = 4_096


class RestingDriver(LinuxDriver):
    """Sleeps until something is typed.

    Textual's own looks ten times a second whether it is to end: 0.1 % of a CPU, for as long as nobody does anything.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._ending, self._end = os.pipe()

    def run_input_thread(self) -> None:
        """Tell the app what is typed, until the input is disabled."""
        parser = XTermParser(self._debug)
        decode = getincrementaldecoder("utf-8")().decode

        def take(seconds: float | None) -> None:
            for ready, _ in selector.select(seconds):
                if ready.fileobj == self.fileno:
                    data = os.read(self.fileno, READ_BYTES)
                    if not data:
                        # Nothing will ever be typed again: what has ended is always ready to be read.
                        selector.unregister(self.fileno)
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

    def disable_input(self) -> None:
        """Wake who waits for keys, to end."""
        os.write(self._end, b".")
        super().disable_input()
        os.read(self._ending, 1)
