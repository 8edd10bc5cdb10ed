import base64
import sys
from pathlib import Path

import pytest

from jobdeck.domain.problem import ProblemKind
from jobdeck.tui.clipboard import ClipboardError, clipboard, load_tmux_buffer, osc52
from jobdeck.tui.copying import Copy, Nothing, id_of_exchange, id_of_job
from tests.tui.world import UUID, exchange, job, problem


async def test_a_text_leaves_as_osc_52_that_bel_ends() -> None:
    written: list[str] = []
    await clipboard(written.append, {})("héllo")
    (sequence,) = written
    assert sequence == osc52("héllo")
    assert sequence.startswith("\x1b]52;c;")
    assert sequence.endswith("\a")
    assert base64.b64decode(sequence[7:-1]).decode() == "héllo"


async def test_inside_tmux_the_text_goes_through_tmux(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tmux = tmp_path / "tmux"
    tmux.write_text(f'#!/bin/sh\necho "$@" > {tmp_path}/args\ncat > {tmp_path}/text\n')
    tmux.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    written: list[str] = []
    await clipboard(written.append, {"TMUX": "/tmp/tmux-0/default,1,0"})(UUID)
    assert (tmp_path / "args").read_text().split() == ["load-buffer", "-w", "-"]
    assert (tmp_path / "text").read_text() == UUID
    assert written == []


async def test_a_tmux_that_fails_is_named() -> None:
    with pytest.raises(ClipboardError, match="failed with code 3"):
        await load_tmux_buffer("x", sys.executable, "-c", "import sys; sys.stdin.read(); sys.exit(3)")
    with pytest.raises(ClipboardError, match="could not be started"):
        await load_tmux_buffer("x", "/nowhere/tmux")


async def test_a_tmux_that_hangs_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("jobdeck.tui.clipboard.TMUX_SECONDS", 0.05)
    with pytest.raises(ClipboardError, match="did not answer"):
        await load_tmux_buffer("x", sys.executable, "-c", "import time; time.sleep(60)")


def test_the_request_id_of_a_job_is_named_as_one() -> None:
    assert id_of_job(job("op_a")) == Copy(UUID, "request ID of op_a")


def test_a_trace_id_is_said_to_be_one() -> None:
    found = id_of_job(job("507f1f77", profile="sonarly"))
    assert isinstance(found, Copy)
    assert found.what.startswith("trace ID (this API has no request ID)")


def test_why_there_is_no_id_is_said() -> None:
    nothing = {"request_id": None, "http_status": None}
    assert id_of_job(None) == Nothing("no job is selected")
    assert id_of_job(job("op_a", **nothing)) == Nothing("no request ID yet: the first answer has not come")
    unreachable = job("op_a", **nothing, problem=problem(ProblemKind.NETWORK))
    assert id_of_job(unreachable) == Nothing("no request ID yet: unreachable, so no answer has come")
    assert id_of_exchange(exchange("op_a", **nothing)) == Nothing("no request ID: this request had no answer")


def test_what_is_sent_is_one_clean_line() -> None:
    found = id_of_job(job("op_a", request_id="3f7a\n\x1b]52;c;eA==\x07"))
    assert found == Copy("3f7a \\x1b]52;c;eA==\\x07", "request ID of op_a")
