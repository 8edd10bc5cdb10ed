"""``jobdeck serve`` when it cannot."""

import socket
from pathlib import Path

import pytest

from jobdeck.cli.commands import serve
from tests.cli.harness import environment, jobdeck


def test_without_the_extra_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(serve, "NEEDED", ("no_such_package",))
    ran = jobdeck("serve", env=environment("http://127.0.0.1:9", tmp_path))
    assert (ran.code, ran.out) == (2, "")
    assert "pip install 'jobdeck[serve]'" in ran.err


def test_a_port_that_is_taken_is_named(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        ran = jobdeck("serve", "--port", str(port), "op_a", env=environment("http://127.0.0.1:9", tmp_path))
    assert (ran.code, ran.out) == (2, "")
    assert f"cannot listen on port {port}: Address already in use" in ran.err
