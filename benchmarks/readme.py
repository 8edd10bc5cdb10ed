"""The numbers in the README: a table between two marks, generated from the latest measurements."""

import importlib
import os
import platform
import re
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.goal import Goal, Number

README = Path(__file__).parents[1] / "README.md"
NUMBERED = ("tui_start", "tui_terminal", "tui_list", "result", "startup", "polling", "replay", "serve", "store", "team")
"""The benchmarks with goals, in the order of the table."""

BEGIN = "<!-- numbers: made by `python -m benchmarks --readme` -->"
END = "<!-- end of numbers -->"
HEAD = "| what | goal | measured |\n|---|---|---|"
NOT_YET = "–"

_BLOCK = re.compile(re.escape(BEGIN) + ".*?" + re.escape(END), re.DOTALL)
_ROW = re.compile(r"^\| (.+?) \| (.+?) \| (.+?) \|$", re.MULTILINE)


def goals() -> list[Goal]:
    """Return every goal, in the order of the table."""
    return [goal for name in NUMBERED for goal in importlib.import_module(f"benchmarks.{name}").GOALS]


def rows_of(text: str) -> dict[tuple[str, str], str]:
    """Return the measurements in the README's table by name and goal; empty if there is no table."""
    block = _BLOCK.search(text)
    rows = _ROW.findall(block[0]) if block is not None else []
    return {(name, goal): measured for name, goal, measured in rows if name not in {"what", "---"}}


def table(numbers: Iterable[Number]) -> str:
    """Return numbers as a Markdown table, marking missed goals."""
    return "\n".join([HEAD, *(_row(number.goal, _words(number)) for number in numbers)])


def with_numbers(text: str, numbers: Iterable[Number]) -> str:
    """Return the README with new numbers in its table; rows that were not measured stay unchanged."""
    before = rows_of(text)
    new = {number.goal: _words(number) for number in numbers}
    rows = [_row(goal, new.get(goal) or before.get((goal.name, goal.text), NOT_YET)) for goal in goals()]
    block = "\n".join([BEGIN, f"{machine()}.", "", HEAD, *rows, END])
    return _BLOCK.sub(lambda _: block, text)


def machine() -> str:
    """Return a line about the machine and the date of the measurement."""
    cpu = re.search(r"^model name\s*:\s*(.+)$", _read("/proc/cpuinfo"), re.MULTILINE)
    system = re.search(r'^PRETTY_NAME="?([^"\n]+)', _read("/etc/os-release"), re.MULTILINE)
    name = f"{cpu[1] if cpu else platform.machine()}, {os.cpu_count()} cores"
    python = f"Python {platform.python_version()}"
    today = datetime.now(UTC).date().isoformat()
    return f"{name}, {system[1] if system else platform.platform()}, {python}, {today}, load {os.getloadavg()[0]:.1f}"


def _words(number: Number) -> str:
    return number.measured if number.met else f"{number.measured}, missed"


def _row(goal: Goal, measured: str) -> str:
    return f"| {goal.name} | {goal.text} | {measured} |"


def _read(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8")
    except OSError:
        return ""
