"""Programs in a real pty: their output and its cost."""

import compileall
import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Self

ROOT = Path(__file__).parents[1]
CSI = re.compile(rb"\x1b\[[0-9;?<>=]*[A-Za-z]|\x1b[()][A-Z0-9]|\x1b\][^\x07]*\x07")
PATIENCE = 60.0


def environment(folder: Path, port: int) -> dict[str, str]:
    """Return an environment with a profile for a port of this machine, and a store below `folder`."""
    config = folder / "config.toml"
    config.write_text(
        f'[profiles.hog]\nprovider = "thehog"\nbase_url = "http://127.0.0.1:{port}"\n'
        'token = "env:BENCHMARK_KEY"\nrequests_per_minute = 60000\n'
    )
    data = {"JOBDECK_CONFIG": str(config), "JOBDECK_DATA_DIR": str(folder / "data")}
    return {**as_installed(), **data, "BENCHMARK_KEY": "hog_live_benchmark"}


def as_installed() -> dict[str, str]:
    """Return the environment of a user: a capable terminal, and modules compiled as by an installer."""
    compileall.compile_dir(ROOT / "src", quiet=1)
    env = {**os.environ, "TERM": "xterm-256color", "COLORTERM": "truecolor"}
    for name in ("NO_COLOR", "TEXTUAL_THEME", "PYTHONDONTWRITEBYTECODE"):
        env.pop(name, None)
    return env


def cpu_seconds(pid: int) -> float:
    """Return the CPU seconds of a process's threads, as exact as the scheduler counts them."""
    spent = 0
    for task in Path(f"/proc/{pid}/task").iterdir():
        with suppress(FileNotFoundError, ProcessLookupError):
            spent += int((task / "schedstat").read_text(encoding="ascii").split()[0])
    return spent / 1e9


def megabytes(pid: int) -> float:
    """Return the resident memory of a process."""
    text = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    return int(text.split("VmRSS:")[1].split()[0]) / 1_024


class Terminal:
    """A program in another process, behind a pty."""

    def __init__(self, command: Sequence[str], env: Mapping[str, str], columns: int = 120, lines: int = 40) -> None:
        self._master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
        self._begun = time.perf_counter()
        self._process = subprocess.Popen(
            command, stdin=slave, stdout=slave, stderr=slave, env=env, cwd=ROOT, start_new_session=True
        )
        os.close(slave)
        self._data = b""

    def __enter__(self) -> Self:
        """Return the running program."""
        return self

    def __exit__(self, *_: object) -> None:
        """End the program."""
        self.end()

    def end(self) -> None:
        """Ask the program to quit, and kill it if it does not."""
        self._process.send_signal(signal.SIGTERM)
        end = time.monotonic() + 5
        while self._process.poll() is None and time.monotonic() < end:
            self.drain(0.05)
        self._process.kill()
        self._process.wait()
        os.close(self._master)

    @property
    def cpu(self) -> float:
        """The CPU seconds of the program."""
        return cpu_seconds(self._process.pid)

    @property
    def megabytes(self) -> float:
        """The resident memory in MB."""
        return megabytes(self._process.pid)

    def type(self, keys: bytes) -> None:
        """Press keys, and drop earlier output."""
        self._data = b""
        os.write(self._master, keys)

    def until(self, pattern: bytes, *, raw: bool = False) -> float:
        """Read until a text is drawn (`raw`: with its escape sequences); returns the seconds since the start."""
        wanted = re.compile(pattern)
        end = time.monotonic() + PATIENCE
        while not wanted.search(self._data if raw else CSI.sub(b"", self._data)):
            if not self._read(0.5) and (self._process.poll() is not None or time.monotonic() > end):
                raise TimeoutError(CSI.sub(b"", self._data[-2_000:]).decode("utf-8", "replace"))
        return time.perf_counter() - self._begun

    def drain(self, seconds: float) -> int:
        """Read output for a while; returns the number of bytes."""
        before = len(self._data)
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            if not self._read(left) and self._process.poll() is not None:
                break
        return len(self._data) - before

    def watch(self, seconds: float) -> tuple[float, float]:
        """Return percent of a core, and kilobytes per second, over a while."""
        self._data = b""
        cpu, begun = self.cpu, time.perf_counter()
        count = self.drain(seconds)
        took = time.perf_counter() - begun
        return (self.cpu - cpu) / took * 100, count / took / 1_000

    def _read(self, seconds: float) -> bool:
        if not select.select([self._master], [], [], seconds)[0]:
            return False
        try:
            self._data += os.read(self._master, 65_536)
        except OSError:  # the error of a pty whose other end is closed
            return False
        return True
