"""The soak itself, for a few seconds: whether memory stays flat for hours is for `make soak` to say."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_a_short_soak_sees_no_false_end_and_leaves_nothing_over() -> None:
    run = subprocess.run(
        [sys.executable, "-m", "benchmarks.soak", "--short"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=150,
        check=False,
    )
    assert run.returncode == 0, run.stdout + run.stderr
    assert "left over     nothing" in run.stdout
    assert "false 0" in run.stdout
