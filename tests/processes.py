"""Which processes there are, on any system of the POSIX kind."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

PROC = Path("/proc")


def members(group: int) -> list[int]:
    """Return the processes of a group that still run."""
    return [number for number, its_group, state in _processes() if its_group == group and state != "Z"]


def runs(number: int) -> bool:
    """Whether a process still runs; one that waits for its parent to hear of its end does not."""
    return any(found == number and state != "Z" for found, _, state in _processes())


def _processes() -> Iterator[tuple[int, int, str]]:
    """Number, group and state of every process: from Linux' files, for a small image has no `ps`, else from `ps`."""
    if not PROC.joinpath("self", "stat").exists():
        listed = subprocess.run(["ps", "-A", "-o", "pid=,pgid=,stat="], capture_output=True, text=True, check=True)
        for line in listed.stdout.splitlines():
            number, group, state = line.split()[:3]
            yield int(number), int(group), state[0]
        return
    for stat in PROC.glob("[0-9]*/stat"):
        try:
            state, _, group = stat.read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()[:3]
        except OSError:
            continue
        yield int(stat.parent.name), int(group), state
