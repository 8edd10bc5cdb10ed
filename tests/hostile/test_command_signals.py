"""Rule 13: a signal ends every headless command within two seconds, with its code and all on record."""

import signal
import socket
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.busyness import busyness
from tests.cli.harness import environment, jobdeck
from tests.support.forked import Piped

SIGNALS = {signal.SIGINT: 130, signal.SIGTERM: 143, signal.SIGHUP: 129}
WITHIN = 2.0
EVERY_COMMAND = (
    (["status", "op_1"], signal.SIGINT),
    (["status", "op_1"], signal.SIGTERM),
    (["status", "op_1"], signal.SIGHUP),
    (["watch", "--json", "op_1"], signal.SIGINT),
    (["watch", "--json", "op_1"], signal.SIGTERM),
    (["wait", "op_1"], signal.SIGHUP),
    (["ticket", "op_1"], signal.SIGTERM),
    (["discover"], signal.SIGINT),
)
"""Each command with a signal, and each signal with three: one handler is theirs all."""


@pytest.fixture
def silent() -> Iterator[socket.socket]:
    """A server that takes requests and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(30)
        yield server


@pytest.mark.parametrize(
    ("arguments", "number"), EVERY_COMMAND, ids=[f"{' '.join(command)}-{sent.name}" for command, sent in EVERY_COMMAND]
)
def test_a_signal_ends_a_command_whose_request_hangs(
    silent: socket.socket, tmp_path: Path, arguments: list[str], number: signal.Signals
) -> None:
    env = environment(f"http://127.0.0.1:{silent.getsockname()[1]}", tmp_path)
    del env["SONARLY_API_KEY"]
    with closing(Piped(*arguments, env=env)) as process:
        connection, _ = silent.accept()
        with connection:
            assert connection.recv(4096).startswith(b"GET ")
            sent = time.monotonic()
            process.send_signal(number)
            assert process.wait(150) == SIGNALS[number]
            took = time.monotonic() - sent
        assert took < WITHIN or took < WITHIN * busyness()
        assert process.said == ""
    (entry,) = jobdeck("requests", "--json", env=env).objects
    assert entry["state"] == "abandoned"
