"""Real shells on terminals of their own, typed into as a person does."""

import shutil
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.support.forked import ROOT
from tests.support.terminal import ShellTerminal

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


class Shell(ShellTerminal):
    """An interactive shell in which ``jobdeck`` is the one under test."""

    def __init__(self, name: str, env: Mapping[str, str], cwd: Path) -> None:
        environ = {
            **env,
            "TERM": "xterm",
            "PS1": "$ ",
            "PATH": f"{_bin(Path(env['HOME']))}:{env['PATH']}",
            "fish_features": "no-query-term",
        }
        super().__init__(*INTERACTIVE[name], env=environ, cwd=cwd, size=(120, 40))


def _bin(home: Path) -> Path:
    folder = home / "bin"
    folder.mkdir(exist_ok=True)
    script = folder / "jobdeck"
    script.write_text(f'#!/bin/sh\nPYTHONPATH={ROOT} exec {sys.executable} -m tests.support.hurried "$@"\n')
    script.chmod(0o755)
    return folder
