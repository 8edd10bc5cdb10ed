"""Real shells on terminals of their own, typed into as a person does."""

import os
import pty
import select
import shutil
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

import pyte
import pytest

PATIENCE = 30.0

INTERACTIVE = {
    "bash": ["bash", "--norc", "--noprofile", "-i"],
    "zsh": ["zsh", "--no-rcs", "-i"],
    "fish": ["fish", "--no-config", "-i"],
    "dash": ["dash", "-i"],
}


def needs(shell: str) -> pytest.MarkDecorator:
    """Return the mark of a test that is skipped, by name, where a shell is missing."""
    return pytest.mark.skipif(shutil.which(shell) is None, reason=f"there is no {shell} here")


def shells(*names: str) -> list[object]:
    """Return the parameters for a test in several shells."""
    return [pytest.param(name, marks=needs(name)) for name in names]


class Shell:
    """An interactive shell in which ``jobdeck`` is the one under test."""

    def __init__(self, name: str, env: Mapping[str, str], cwd: Path) -> None:
        self.data = b""
        self.screen = pyte.Screen(120, 40)
        self._stream = pyte.ByteStream(self.screen)
        self._master, slave = pty.openpty()
        termios.tcsetwinsize(slave, (40, 120))
        tty = os.ttyname(slave)
        home = Path(env["HOME"])
        environ = {
            **env,
            "TERM": "xterm",
            "PS1": "$ ",
            "PATH": f"{_bin(home)}:{env['PATH']}",
            "fish_features": "no-query-term",
        }
        # The leader of a new session gets the first terminal that it opens as its controlling one.
        script = f'exec <{tty} >{tty} 2>&1; exec "$@"'
        self.process = subprocess.Popen(
            ["/bin/sh", "-c", script, "sh", *INTERACTIVE[name]], env=environ, cwd=cwd, start_new_session=True
        )
        os.close(slave)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self.process.kill()
        with suppress(OSError):
            os.close(self._master)  # which hangs up on whatever it has started
        self.process.wait()

    @property
    def text(self) -> str:
        """What the screen shows."""
        return "\n".join(self.screen.display)

    def type(self, keys: str) -> None:
        """Type, without Enter unless `keys` has it."""
        os.write(self._master, keys.encode())

    def until(self, *words: str) -> None:
        """Read until the screen shows all of `words`."""
        self.until_true(lambda: all(word in self.text for word in words))

    def until_true(self, condition: Callable[[], bool]) -> None:
        """Read until something is so."""
        end = time.monotonic() + PATIENCE
        while not condition():
            assert time.monotonic() < end, self.text
            self.read()

    def read(self) -> None:
        """Take what has been written; waits for 20 ms at most."""
        while select.select([self._master], [], [], 0.02)[0]:
            try:
                chunk = os.read(self._master, 65_536)
            except OSError:
                return
            self.data += chunk
            self._stream.feed(chunk)

    def hang_up(self) -> None:
        """Close the terminal, as its window is closed."""
        os.close(self._master)


def _bin(home: Path) -> Path:
    folder = home / "bin"
    folder.mkdir(exist_ok=True)
    script = folder / "jobdeck"
    script.write_text(f'#!/bin/sh\nexec {sys.executable} -m jobdeck "$@"\n')
    script.chmod(0o755)
    return folder
