"""What a process writes to a real terminal, as bytes and as the screen that a person sees."""

import os
import pty
import select
import subprocess
import termios
import time
from collections.abc import Callable

import pyte

PATIENCE = 150.0


class PtyScreen:
    """A pseudo-terminal of (columns, lines) and its screen; a subclass starts `process` on `_slave`."""

    process: subprocess.Popen[bytes]

    def __init__(self, size: tuple[int, int]) -> None:
        columns, lines = size
        self.data = b""
        self.screen = pyte.Screen(columns, lines)
        self._stream = pyte.ByteStream(self.screen)
        self._master, self._slave = pty.openpty()
        termios.tcsetwinsize(self._slave, (lines, columns))

    @property
    def text(self) -> str:
        """What the screen shows."""
        return "\n".join(self.screen.display)

    def press(self, keys: str) -> None:
        """Type, without Enter unless `keys` has it."""
        os.write(self._master, keys.encode())

    def until(self, *words: str) -> None:
        """Read until the screen shows all of `words`."""
        self.until_true(lambda: all(word in self.text for word in words))

    def until_true(self, condition: Callable[[], bool]) -> None:
        """Read until something is so; fails when the process has ended before."""
        end = time.monotonic() + PATIENCE
        while not condition():
            assert time.monotonic() < end, self.text
            ended = self.process.poll() is not None
            self.read()
            assert not ended or condition(), self.text

    def leave(self) -> int:
        """Read to the end and return the exit code."""
        end = time.monotonic() + PATIENCE
        while self.process.poll() is None:
            assert time.monotonic() < end, self.text
            self.read()
        self.read()
        assert self.process.returncode is not None
        return self.process.returncode

    def read(self) -> None:
        """Take what has been written; waits for 20 ms at most."""
        while select.select([self._master], [], [], 0.02)[0]:
            try:
                chunk = os.read(self._master, 65_536)
            except OSError:
                return
            self.data += chunk
            self._stream.feed(chunk)
