"""Run the command line as its user does: a process, an environment, a server."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jobdeck.simulator.scenario import Scenario
from jobdeck.simulator.threaded import ThreadedSimulator

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


def environment(url: str, home: Path) -> dict[str, str]:
    """An environment with nothing of the developer's in it but the way to Python."""
    return {
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
    *arguments: str, env: Mapping[str, str], stdin: str | bytes = "", cwd: Path | None = None, seconds: float = 40
) -> Ran:
    """Run jobdeck to its end with its standard streams piped."""
    run = subprocess.run(
        [sys.executable, "-m", "jobdeck", *arguments],
        env=dict(env),
        input=stdin.encode() if isinstance(stdin, str) else stdin,
        capture_output=True,
        timeout=seconds,
        check=False,
        cwd=cwd,
    )
    ran = Ran(run.returncode, run.stdout.decode(), run.stderr.decode())
    assert "canary" not in ran.out + ran.err, "a credential leaked"
    assert "Traceback" not in ran.err, ran.err
    return ran


@contextmanager
def simulator(scenario: Scenario) -> Iterator[ThreadedSimulator]:
    with ThreadedSimulator(scenario) as running:
        yield running
