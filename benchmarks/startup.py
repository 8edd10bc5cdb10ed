"""The startup time of headless commands."""

import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from time import perf_counter

from benchmarks.goal import Goal, Number
from benchmarks.terminal import cpu_seconds, environment

ROUNDS = 7
VERSION = Goal("jobdeck --version", 5.0, "×", "python -c pass")
STATUS = Goal("jobdeck status, until its first request", 0.5, "s")
WAIT = Goal("jobdeck wait, until its first request", 0.5, "s")
WATCH = Goal("jobdeck watch, until its first request", 0.5, "s")
GOALS = (VERSION, STATUS, WAIT, WATCH)


def measure() -> Iterator[Number]:
    """Start each command a few times and take the shortest, because other processes only ever add time."""
    with tempfile.TemporaryDirectory() as folder, socket.create_server(("127.0.0.1", 0)) as server:
        env = environment(Path(folder), server.getsockname()[1])
        bare = _least(lambda _: _ended([sys.executable, "-c", "pass"], env))[0]
        version = _least(lambda _: _ended(command("--version"), env))[0]
        yield VERSION.found(version / bare, f"{version * 1_000:.0f} ms")
        for name, goal in (("status", STATUS), ("wait", WAIT), ("watch", WATCH)):
            # A different job each time: the lease of a killed process expires only later.
            took, cpu = _least(lambda n, name=name: _asked(command(name, f"op_{name}_{n}"), env, server))
            yield goal.found(took, f"{cpu:.2f} s of CPU time, {took / bare:.0f} × python -c pass")


def command(*arguments: str) -> list[str]:
    """Return the command line of the jobdeck installed beside this interpreter."""
    return [str(Path(sys.executable).with_name("jobdeck")), *arguments]


def _least(run: Callable[[int], tuple[float, float]]) -> tuple[float, float]:
    """Return the minimum of each number over several rounds, after one that fills the caches."""
    rounds = [run(number) for number in range(ROUNDS + 1)][1:]
    return min(took for took, _ in rounds), min(cpu for _, cpu in rounds)


def _ended(arguments: list[str], env: Mapping[str, str]) -> tuple[float, float]:
    begun = perf_counter()
    subprocess.run(arguments, env=env, check=True, stdout=subprocess.DEVNULL)
    return perf_counter() - begun, 0.0


def _asked(arguments: list[str], env: Mapping[str, str], server: socket.socket) -> tuple[float, float]:
    begun = perf_counter()
    process = subprocess.Popen(arguments, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    connection, _ = server.accept()
    took, cpu = perf_counter() - begun, cpu_seconds(process.pid)
    process.kill()
    process.wait()
    connection.close()
    return took, cpu
