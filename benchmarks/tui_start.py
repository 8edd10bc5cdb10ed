"""Starting on 10,000 remembered jobs, through a real pty: the first frame, the rows, and memory."""

import fcntl
import os
import pty
import re
import select
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import termios
import time
from pathlib import Path
from statistics import median
from typing import Self

JOBS = 10_000
ROUNDS = 5
COLUMNS, LINES = 120, 40
RATIO = 1.3
FILLED_SECONDS = 1.0
MEGABYTES = 90.0
CSI = re.compile(rb"\x1b\[[0-9;?<>=]*[A-Za-z]|\x1b[()][A-Z0-9]|\x1b\][^\x07]*\x07")
BARE = """
from textual.app import App
from textual.widgets import Static
class Bare(App):
    def compose(self):
        yield Static("open" + "ing")
Bare().run()
"""


def main() -> bool:
    """Print each figure beside its budget; true when one is missed."""
    with tempfile.TemporaryDirectory() as folder, socket.create_server(("127.0.0.1", 0)) as server:
        env = environment(server.getsockname()[1], Path(folder))
        fill(Path(folder) / "data")
        bares: list[float] = []
        firsts: list[float] = []
        rows: list[float] = []
        sizes: list[float] = []
        for _ in range(ROUNDS):
            with Sitting([sys.executable, "-c", BARE], env) as sitting:
                bares.append(sitting.until(rb"opening"))
            with Sitting([sys.executable, "-m", "jobdeck"], env) as sitting:
                firsts.append(sitting.until(rb"opening"))
                rows.append(sitting.until(rb"10,?000|op_0\d{4}"))
                sitting.drain(3.0)
                sizes.append(sitting.megabytes())
    bare = median(bares)
    missed = line("first frame", median(firsts), "s", RATIO * bare, f"= {median(firsts) / bare:.2f} x a bare app")
    missed |= line("rows after the first frame", median(rows) - median(firsts), "s", FILLED_SECONDS, "")
    missed |= line("resident memory", median(sizes), "MB", MEGABYTES, "")
    return missed


def environment(port: int, folder: Path) -> dict[str, str]:
    """Return an environment whose only profile asks a server that never answers."""
    config = folder / "config.toml"
    config.write_text(
        f'[profiles.hog]\nprovider = "thehog"\nbase_url = "http://127.0.0.1:{port}"\ntoken = "env:BENCHMARK_KEY"\n'
    )
    data = {"JOBDECK_CONFIG": str(config), "JOBDECK_DATA_DIR": str(folder / "data")}
    terminal = {"TERM": "xterm-256color", "COLORTERM": "truecolor"}
    env = {**os.environ, **data, **terminal, "BENCHMARK_KEY": "hog_live_benchmark"}
    env.pop("NO_COLOR", None)
    return env


def fill(folder: Path) -> None:
    """Remember jobs, each looked at once."""
    from jobdeck.domain.exchange import Exchange
    from jobdeck.domain.instant import Instant
    from jobdeck.domain.job import JobKey, Observation, Resource, Stage, Target
    from jobdeck.domain.phase import Phase
    from jobdeck.store import LIST, open_store
    from jobdeck.store.records import Spent

    folder.mkdir(mode=0o700)
    store = open_store(folder / "jobdeck.db", "benchmark").store
    now_us = time.time_ns() // 1_000 - 200_000_000
    names = [f"op_{number:05d}" for number in range(JOBS)]
    store.watch([Target(JobKey("hog", None, name), "thehog", Resource.OPERATION) for name in names], now_us)
    store.set_limit("hog", LIST, 1_000, now_us)
    stages = (Stage("import", "succeeded", Phase.SUCCEEDED, 1.0), Stage("enrichment", "running", Phase.RUNNING, 0.4))
    for start in range(0, JOBS, 100):
        rows = [Observation(name, "processing", Phase.RUNNING, 0.5, stages) for name in names[start : start + 100]]
        now_us += 1_000_000
        granted = store.spend("hog", LIST, now_us)
        assert isinstance(granted, Spent)
        at = Instant(now_us, 1.0)
        store.complete(granted, Exchange("hog", "GET", "https://x/api/operations", at, 0.1), rows, None, now_us)
    store.close()


def line(what: str, found: float, unit: str, budget: float, note: str) -> bool:
    """Print one figure; returns whether it missed its budget."""
    missed = found > budget
    print(f"{'MISSED' if missed else 'met   '}  {what:<28} {found:6.2f} {unit}  budget {budget:6.2f} {unit}  {note}")
    return missed


class Sitting:
    """A program behind a pty."""

    def __init__(self, command: list[str], env: dict[str, str]) -> None:
        self._master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", LINES, COLUMNS, 0, 0))
        self._begun = time.perf_counter()
        self._process = subprocess.Popen(
            command, stdin=slave, stdout=slave, stderr=slave, env=env, start_new_session=True
        )
        os.close(slave)
        self._data = b""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.end()

    def until(self, pattern: bytes) -> float:
        """Return the seconds from the start until a text was on the screen."""
        wanted = re.compile(pattern)
        while not wanted.search(CSI.sub(b"", self._data)):
            if not self._read(0.5) and (self._process.poll() is not None or time.perf_counter() - self._begun > 60):
                raise TimeoutError(CSI.sub(b"", self._data[-2_000:]).decode("utf-8", "replace"))
        return time.perf_counter() - self._begun

    def drain(self, seconds: float) -> None:
        """Read what is drawn for a while."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self._read(0.1)

    def megabytes(self) -> float:
        """Return the memory that is resident."""
        text = Path(f"/proc/{self._process.pid}/status").read_text(encoding="ascii")
        return int(text.split("VmRSS:")[1].split()[0]) / 1_024

    def end(self) -> None:
        """Quit."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
            end = time.monotonic() + 5
            while self._process.poll() is None and time.monotonic() < end:
                self._read(0.05)
            self._process.kill()
        self._process.wait()

    def _read(self, seconds: float) -> bool:
        if not select.select([self._master], [], [], seconds)[0]:
            return False
        try:
            self._data += os.read(self._master, 65_536)
        except OSError:
            return False
        return True


if __name__ == "__main__":
    sys.exit(int(main()))
