"""The cost of one more viewer of `jobdeck serve`: a screen of 100 jobs with ticking ages."""

import subprocess
import sys
from collections.abc import Iterator
from statistics import median

from benchmarks.goal import Goal, Number
from benchmarks.terminal import ROOT, as_installed

ROUNDS = 3
FEW, MANY = 1, 4
CPU = Goal("one more viewer of jobdeck serve: CPU", 2.0, "%")
MEMORY = Goal("one more viewer of jobdeck serve: memory", 10.0, "MB")
GOALS = (CPU, MEMORY)


def measure() -> Iterator[Number]:
    """Show one screen, then four, each time in a new process."""
    few, many = ([_seen(count) for _ in range(ROUNDS)] for count in (FEW, MANY))
    for goal, place in ((CPU, 0), (MEMORY, 1)):
        one, four = (median(each[place] for each in found) for found in (few, many))
        yield goal.found((four - one) / (MANY - FEW), f"the first: {one:.1f} {goal.unit}, including the server")


def _seen(viewers: int) -> tuple[float, float]:
    """Return the percentage of a core and the megabytes of a process with this many viewers."""
    command = [sys.executable, "-m", "benchmarks.screens", "viewers", str(viewers)]
    told = subprocess.run(command, env=as_installed(), cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True).stdout
    cpu, size = told.split()[-2:]
    return float(cpu), float(size)
