"""Rule 13: a signal ends every headless command within two seconds, with its code and all on record."""

import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.harness import environment, jobdeck

SIGNALS = {signal.SIGINT: 130, signal.SIGTERM: 143, signal.SIGHUP: 129}
COMMANDS = (["status", "op_1"], ["watch", "--json", "op_1"], ["wait", "op_1"], ["ticket", "op_1"], ["discover"])


@pytest.fixture
def silent() -> Iterator[socket.socket]:
    """A server that takes requests and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(30)
        yield server


@pytest.mark.parametrize(("number", "code"), SIGNALS.items(), ids=[number.name for number in SIGNALS])
@pytest.mark.parametrize("arguments", COMMANDS, ids=[" ".join(command) for command in COMMANDS])
def test_a_signal_ends_a_command_whose_request_hangs(
    silent: socket.socket, tmp_path: Path, arguments: list[str], number: signal.Signals, code: int
) -> None:
    env = environment(f"http://127.0.0.1:{silent.getsockname()[1]}", tmp_path)
    del env["SONARLY_API_KEY"]
    command = [sys.executable, "-m", "jobdeck", *arguments]
    process = subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    connection, _ = silent.accept()
    with connection:
        assert connection.recv(4096).startswith(b"GET ")
        sent = time.monotonic()
        process.send_signal(number)
        _, err = process.communicate(timeout=20)
        assert time.monotonic() - sent < 2.0
    assert (process.returncode, err) == (code, b"")
    (entry,) = jobdeck("requests", "--json", env=env).objects
    assert entry["state"] == "abandoned"
