"""Run the command line as its user does: a process, an environment, a server."""

import io
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import chdir, contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

from jobdeck.cli.main import main
from jobdeck.simulator.scenario import Scenario
from jobdeck.simulator.server import ThreadedSimulator

GROUP = "507f1f77bcf86cd799439011"


@dataclass(frozen=True)
class Ran:
    code: int
    out: str
    err: str

    @property
    def objects(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.out.splitlines()]

    @property
    def object(self) -> dict[str, Any]:
        (only,) = self.objects
        return only


HOST = {name: os.environ[name] for name in ("SYSTEMROOT", "TEMP") if name in os.environ}
"""What no process does without on Windows."""

if sys.platform != "linux":
    # There is a clipboard, and it is that of whoever runs the tests; over SSH it is left alone.
    HOST["SSH_TTY"] = "/dev/tty"


def environment(url: str, home: Path) -> dict[str, str]:
    """An environment with nothing of the developer's in it but the way to Python."""
    return {
        **HOST,
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "XDG_CONFIG_HOME": str(home / "config"),
        "JOBDECK_DATA_DIR": str(home / "data"),
        "THEHOG_BASE_URL": url,
        "THE_HOG_ACCESS_KEY": "ak_canary_0123456789",
        "THE_HOG_SECRET_KEY": "sk_canary_0123456789",
        "SONARLY_BASE_URL": url,
        "SONARLY_API_KEY": "sk_live_canary_0123456789",
    }


def jobdeck(
    *arguments: str, env: Mapping[str, str], stdin: str | bytes = "", cwd: Path | None = None, process: bool = False
) -> Ran:
    """Run jobdeck to its end with its standard streams captured.

    In this process unless a whole `process` is asked for: starting Python and importing the HTTP client takes half a
    second, and a hundred times that is a minute.
    """
    data = stdin.encode() if isinstance(stdin, str) else stdin
    ran = _in_a_process(arguments, env, data, cwd) if process else _in_this_process(arguments, env, data, cwd)
    assert "canary" not in ran.out + ran.err, "a credential leaked"
    assert "Traceback" not in ran.err, ran.err
    return ran


def _in_a_process(arguments: Sequence[str], env: Mapping[str, str], stdin: bytes, cwd: Path | None) -> Ran:
    command = [sys.executable, "-m", "jobdeck", *arguments]
    run = subprocess.run(command, env=dict(env), input=stdin, capture_output=True, timeout=150, check=False, cwd=cwd)
    return Ran(run.returncode, run.stdout.decode(), run.stderr.decode())


def _in_this_process(arguments: Sequence[str], env: Mapping[str, str], stdin: bytes, cwd: Path | None) -> Ran:
    out, err = io.StringIO(), io.StringIO()
    with (
        mock.patch.dict(os.environ, env, clear=True),
        mock.patch.object(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin))),
        chdir(cwd or Path.cwd()),
        redirect_stdout(out),
        redirect_stderr(err),
    ):
        try:
            code = main(arguments)
        except SystemExit as error:
            code = error.code if isinstance(error.code, int) else 1
    return Ran(int(code), out.getvalue(), err.getvalue())


@contextmanager
def simulator(scenario: Scenario) -> Iterator[ThreadedSimulator]:
    with ThreadedSimulator(scenario) as running:
        yield running
