"""How long a headless command takes to begin: `python -m benchmarks.startup`."""

import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from statistics import median
from time import perf_counter

ROUNDS = 7
RATIO = 5.0
SECONDS = 0.5


def main() -> bool:
    """Measure, print each number with its budget, and return whether one was missed."""
    with tempfile.TemporaryDirectory() as folder, socket.create_server(("127.0.0.1", 0)) as server:
        env = environment(server.getsockname()[1], Path(folder))
        ended, asked = _to_its_end(env), _to_its_first_request(env, server)
        bare = middle(lambda _: ended([sys.executable, "-c", "pass"]))
        version = middle(lambda _: ended(command("--version")))
        missed = line("jobdeck --version", version, bare, f"<= {RATIO:g} x", version <= RATIO * bare)
        for name in ("status", "wait", "watch"):
            # Another job each time: one that a killed process was asking for stays leased to it for a while.
            took = middle(lambda n, name=name: asked(command(name, f"op_{name}_{n}")))
            missed |= line(f"jobdeck {name}, to its first request", took, bare, f"<= {SECONDS:g} s", took <= SECONDS)
    return missed


def environment(port: int, folder: Path) -> dict[str, str]:
    """Return an environment whose only profile asks this machine, with a budget that is never spent."""
    config = folder / "config.toml"
    config.write_text(
        f'[profiles.hog]\nprovider = "thehog"\nbase_url = "http://127.0.0.1:{port}"\n'
        'token = "env:BENCHMARK_KEY"\nrequests_per_minute = 60000\n'
    )
    data = {"JOBDECK_CONFIG": str(config), "JOBDECK_DATA_DIR": str(folder / "data")}
    return {**os.environ, **data, "BENCHMARK_KEY": "hog_live_benchmark"}


def command(*arguments: str) -> list[str]:
    """Return the command line of jobdeck in this interpreter."""
    return [sys.executable, "-m", "jobdeck", *arguments]


def middle(measure: Callable[[int], float]) -> float:
    """Return the median of some rounds, after one that fills the caches."""
    return median([measure(number) for number in range(ROUNDS + 1)][1:])


def line(what: str, took: float, bare: float, budget: str, met: bool) -> bool:
    """Print one number; returns whether it missed its budget."""
    print(
        f"{'met   ' if met else 'MISSED'}  {what:<40} budget {budget:>8}"
        f"  measured {took * 1000:4.0f} ms = {took / bare:4.1f} x python -c pass"
    )
    return not met


def _to_its_end(env: dict[str, str]) -> Callable[[list[str]], float]:
    def measure(arguments: list[str]) -> float:
        begun = perf_counter()
        subprocess.run(arguments, env=env, check=True, stdout=subprocess.DEVNULL)
        return perf_counter() - begun

    return measure


def _to_its_first_request(env: dict[str, str], server: socket.socket) -> Callable[[list[str]], float]:
    def measure(arguments: list[str]) -> float:
        begun = perf_counter()
        process = subprocess.Popen(arguments, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        connection, _ = server.accept()
        took = perf_counter() - begun
        process.kill()
        process.wait()
        connection.close()
        return took

    return measure


if __name__ == "__main__":
    sys.exit(main())
