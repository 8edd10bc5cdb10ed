"""Real shells on terminals of their own, typed into as a person does."""

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

import pytest

from tests.pty_screen import PtyScreen

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


class Shell(PtyScreen):
    """An interactive shell in which ``jobdeck`` is the one under test."""

    def __init__(self, name: str, env: Mapping[str, str], cwd: Path) -> None:
        super().__init__((120, 40))
        tty = os.ttyname(self._slave)
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
        os.close(self._slave)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self.process.kill()
        with suppress(OSError):
            os.close(self._master)  # which hangs up on whatever it has started
        self.process.wait()

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
