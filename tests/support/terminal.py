"""A real terminal and a process on it: every byte that is written, the screen that a person sees, and the modes."""

import os
import pty
import select
import signal
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import pyte

from tests.support.forked import ROOT, RUN, Forked

PATIENCE = 150.0
OWN_THE_TERMINAL = "import fcntl, termios; fcntl.ioctl(2, termios.TIOCSCTTY, 0)"
UNSET = ""
"""As the value of a variable: it is not there at all."""


class Terminal:
    """A pseudo-terminal of (columns, lines) and its screen; a subclass starts `process` on `_slave`."""

    process: subprocess.Popen[bytes] | Forked

    def __init__(self, size: tuple[int, int]) -> None:
        columns, lines = size
        self.data = b""
        self._text: str | None = None
        self.screen = pyte.Screen(columns, lines)
        self._stream = pyte.ByteStream(self.screen)
        self._master, self._slave = self._open = list(pty.openpty())
        termios.tcsetwinsize(self._slave, (lines, columns))
        self._modes = termios.tcgetattr(self._slave)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self.process.kill()
        self.close()  # which hangs up on whatever the process has started
        self.process.wait()

    @property
    def text(self) -> str:
        """What the screen shows."""
        if self._text is None:
            self._text = "\n".join(self.screen.display)
        return self._text

    @property
    def restored(self) -> bool:
        """Whether the terminal's modes are as before, and every mode that a sequence turned on was turned off."""
        same = termios.tcgetattr(self._slave) == self._modes
        left_on = [mode for mode in (b"1049", b"1000", b"1003", b"1006", b"2004", b"1004") if self._is_on(mode)]
        shown = self.data.rfind(b"\x1b[?25h") >= self.data.rfind(b"\x1b[?25l")
        return same and not left_on and shown

    def press(self, keys: str | bytes) -> None:
        """Type, without Enter unless `keys` has it; bytes need not be text."""
        os.write(self._master, keys.encode() if isinstance(keys, str) else keys)

    def resize(self, columns: int, lines: int) -> None:
        """Change the terminal's size, absurd ones too: the screen of the test stays as large as it is."""
        termios.tcsetwinsize(self._slave, (lines, columns))

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

    def signal(self, number: signal.Signals) -> float:
        """Send a signal; returns the seconds until the process had ended."""
        sent = time.monotonic()
        self.process.send_signal(number)
        self.leave()
        return time.monotonic() - sent

    def close(self) -> None:
        """Close the terminal, as its window is closed: who runs on it is hung up on."""
        # Each once: its number may be another's by then.
        while self._open:
            os.close(self._open.pop())

    def read(self) -> None:
        """Take what has been written; waits for 20 ms at most."""
        while select.select([self._master], [], [], 0.02)[0]:
            try:
                chunk = os.read(self._master, 65_536)
            except OSError:
                return
            self.data += chunk
            self._stream.feed(chunk)
            self._text = None

    def _is_on(self, mode: bytes) -> bool:
        return self.data.rfind(b"\x1b[?" + mode + b"h") > self.data.rfind(b"\x1b[?" + mode + b"l")


class OnTerminal(Terminal):
    """Runs ``jobdeck`` with arguments on a terminal of its own, which is its controlling one unless told otherwise.

    `before` is Python that runs in the process first, to break what is to be broken; in a `fresh` one nothing of
    jobdeck has been imported then. `code` is run instead of ``jobdeck``. Standard input is the terminal unless given.
    `inside` is a program that runs ``jobdeck`` on a terminal that it makes (tmux, GNU screen), with its
    arguments.
    """

    def __init__(
        self,
        *arguments: str,
        env: Mapping[str, str],
        before: str = "",
        code: str = RUN,
        fresh: bool = False,
        size: tuple[int, int] = (100, 30),
        stdin: int | None = None,
        cwd: Path = ROOT,
        controlling: bool = True,
        inside: Sequence[str] = (),
    ) -> None:
        super().__init__(size)
        own = OWN_THE_TERMINAL if controlling and not inside else ""
        code = f"{own}\n{before}\n{code}"
        environ = {"TERM": "xterm-256color", **env}
        environ = {name: value for name, value in environ.items() if value != UNSET}
        streams = (self._slave if stdin is None else stdin, self._slave, self._slave)
        if not fresh and not inside:
            self.process = Forked(code, arguments, env=environ, cwd=cwd, streams=streams)
            return
        around = f"import os, sys; {OWN_THE_TERMINAL}; os.execvp(sys.argv[1], sys.argv[1:])"
        wrapped = [sys.executable, "-c", around, *inside] if inside else []
        self.process = subprocess.Popen(
            [*wrapped, sys.executable, "-c", f"import sys; sys.argv[0] = 'jobdeck'\n{code}", *arguments],
            stdin=streams[0],
            stdout=streams[1],
            stderr=streams[2],
            env=environ,
            cwd=cwd,
            start_new_session=True,
        )


class ShellTerminal(Terminal):
    """A shell, with its arguments, that leads the session of a terminal of its own."""

    def __init__(
        self, *command: str, env: Mapping[str, str], size: tuple[int, int] = (100, 30), cwd: Path | None = None
    ) -> None:
        super().__init__(size)
        # The leader of a new session gets the first terminal that it opens as its controlling one.
        tty = os.ttyname(self._slave)
        script = f'exec <{tty} >{tty} 2>&1; exec "$@"'
        self.process = subprocess.Popen(
            ["/bin/sh", "-c", script, "sh", *command],
            env={"TERM": "xterm-256color", **env},
            cwd=cwd,
            start_new_session=True,
        )
        self._open.remove(self._slave)
        os.close(self._slave)
