"""A process on a real terminal: every byte it writes, its screen, and the terminal's modes before and after."""

import os
import signal
import subprocess
import sys
import termios
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.pty_screen import PtyScreen

ROOT = Path(__file__).parents[2]
OWN_THE_TERMINAL = "import fcntl, termios; fcntl.ioctl(2, termios.TIOCSCTTY, 0)"
UNSET = ""
"""As the value of a variable: it is not there at all."""


class OnTerminal(PtyScreen):
    """Runs ``jobdeck`` with arguments on a terminal of its own, which is its controlling one unless told otherwise.

    `before` is Python that runs in the child first, to break what is to be broken. The streams named in `streams`
    are the terminal; the others are what is given. `inside` is a program that runs ``jobdeck`` on a terminal that it
    makes (tmux, GNU screen), with its arguments.
    """

    def __init__(
        self,
        *arguments: str,
        env: Mapping[str, str],
        before: str = "",
        size: tuple[int, int] = (100, 30),
        stdin: int | None = None,
        stdout: int | None = None,
        controlling: bool = True,
        inside: Sequence[str] = (),
    ) -> None:
        super().__init__(size)
        self._modes = termios.tcgetattr(self._slave)
        own = OWN_THE_TERMINAL if controlling and not inside else ""
        code = f"import sys; sys.argv[0] = 'jobdeck'\n{own}\n{before}\nfrom jobdeck.__main__ import run\nrun()"
        around = f"import os, sys; {OWN_THE_TERMINAL}; os.execvp(sys.argv[1], sys.argv[1:])"
        environ = {"TERM": "xterm-256color", **env}
        self.process = subprocess.Popen(
            [*([sys.executable, "-c", around, *inside] if inside else []), sys.executable, "-c", code, *arguments],
            stdin=self._slave if stdin is None else stdin,
            stdout=self._slave if stdout is None else stdout,
            stderr=self._slave,
            env={name: value for name, value in environ.items() if value != UNSET},
            cwd=ROOT,
            start_new_session=True,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self.process.kill()
        self.process.wait()
        for descriptor in (self._master, self._slave):
            with suppress(OSError):
                os.close(descriptor)

    @property
    def restored(self) -> bool:
        """Whether the terminal's modes are as before, and every mode that a sequence turned on was turned off."""
        same = termios.tcgetattr(self._slave) == self._modes
        left_on = [mode for mode in (b"1049", b"1000", b"1003", b"1006", b"2004", b"1004") if self._is_on(mode)]
        shown = self.data.rfind(b"\x1b[?25h") >= self.data.rfind(b"\x1b[?25l")
        return same and not left_on and shown

    def resize(self, columns: int, lines: int) -> None:
        """Change the terminal's size, absurd ones too: the screen of the test stays as large as it is."""
        termios.tcsetwinsize(self._slave, (lines, columns))

    def press_bytes(self, data: bytes) -> None:
        """Send what need not be text."""
        os.write(self._master, data)

    def close(self) -> None:
        """Close the terminal, as its window is closed: who runs on it is hung up on."""
        os.close(self._slave)
        os.close(self._master)

    def signal(self, number: signal.Signals) -> float:
        """Send a signal; returns the seconds until the process had ended."""
        sent = time.monotonic()
        self.process.send_signal(number)
        self.leave()
        return time.monotonic() - sent

    def _is_on(self, mode: bytes) -> bool:
        return self.data.rfind(b"\x1b[?" + mode + b"h") > self.data.rfind(b"\x1b[?" + mode + b"l")
