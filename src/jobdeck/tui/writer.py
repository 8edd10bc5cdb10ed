"""What is drawn on its way to a terminal that may read slowly, stop reading, or be gone."""

import os
from collections.abc import Callable
from contextlib import suppress
from queue import Queue
from typing import TextIO

from textual.drivers._writer_thread import WriterThread

BEHIND_WRITES = 30
"""So many writes that nobody has read yet are a terminal that does not keep up: about three seconds of frames."""

LEAVE_SECONDS = 0.5
"""How long the last of what is drawn is waited for."""


class PatientWriter(WriterThread):
    """Takes whatever is written at once, and never makes the event loop wait.

    Textual's own holds the loop after 30 writes, and with it every poll and every signal, for as long as the terminal
    is stuck. Whoever draws asks `behind` first, and draws the whole screen again when `caught_up` was called, in the
    thread of the writer.
    """

    def __init__(self, file: TextIO, caught_up: Callable[[], object]) -> None:
        super().__init__(file)
        self._queue: Queue[str | None] = Queue()
        self._terminal = file
        self._caught_up = caught_up
        self._was_behind = False

    @property
    def behind(self) -> bool:
        """Whether the terminal does not keep up, so that nothing more should be drawn."""
        if not self._was_behind and self._queue.qsize() > BEHIND_WRITES:
            self._was_behind = True
            # The writer may have written all before it could know: with one thing more it looks again.
            self._queue.put("")
        return self._was_behind

    def run(self) -> None:
        """Write until `stop`, or until the terminal is gone."""
        with suppress(OSError):
            while (text := self._queue.get()) is not None:
                self._write_all(text)
                if self._was_behind and self._queue.empty():
                    self._was_behind = False
                    self._caught_up()

    def stop(self) -> None:
        """Write out what there is, as far as it is read."""
        self._queue.put(None)
        self.join(LEAVE_SECONDS)

    def _write_all(self, text: str) -> None:
        # To the descriptor itself: a stream whose buffer is being written cannot be flushed at the exit.
        data = memoryview(text.encode(self._terminal.encoding, self._terminal.errors or "backslashreplace"))
        while data:
            data = data[os.write(self._terminal.fileno(), data) :]
