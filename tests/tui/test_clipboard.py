import base64
import sys
from functools import partial
from pathlib import Path

import pytest

from jobdeck.domain.problem import ProblemKind
from jobdeck.tui.clipboard import ClipboardError, TooBigError, Tool, clipboard, give, native_tool, osc52
from jobdeck.tui.copyable import Copyable, NothingToCopy, curl_of, id_of_exchange, id_of_job
from tests.builders import make_target
from tests.tui.world import UUID, exchange, job, problem

pytestmark = pytest.mark.posix

on_linux = partial(clipboard, platform="linux")


async def test_a_text_leaves_as_osc_52_that_bel_ends() -> None:
    written: list[str] = []
    await on_linux(written.append, {})("héllo")
    (sequence,) = written
    assert sequence == osc52("héllo")
    assert sequence.startswith("\x1b]52;c;")
    assert sequence.endswith("\a")
    assert base64.b64decode(sequence[7:-1]).decode() == "héllo"


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Stand-ins that write down what they are given: their arguments, and the bytes on their input."""
    for name in ("tmux", "xclip", "wl-copy", "clip.exe"):
        program = tmp_path / name
        program.write_text(f'#!/bin/sh\necho "$@" > {tmp_path}/{name}.args\ncat > {tmp_path}/{name}.text\n')
        program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    return tmp_path


async def test_inside_tmux_the_text_goes_through_tmux(programs: Path) -> None:
    written: list[str] = []
    assert await on_linux(written.append, {"TMUX": "/tmp/tmux-0/default,1,0"})(UUID) == "tmux"
    assert (programs / "tmux.args").read_text().split() == ["load-buffer", "-w", "-"]
    assert (programs / "tmux.text").read_text() == UUID
    assert written == []


async def test_at_a_desktop_the_text_goes_to_its_own_program_and_inside_tmux_to_both(programs: Path) -> None:
    written: list[str] = []
    assert await on_linux(written.append, {"DISPLAY": ":0"})("héllo") == "xclip"
    assert (programs / "xclip.args").read_text().split() == ["-selection", "clipboard", "-in"]
    assert (programs / "xclip.text").read_bytes() == "héllo".encode()
    assert await on_linux(written.append, {"WAYLAND_DISPLAY": "wayland-0", "TMUX": "x"})("both") == "tmux and wl-copy"
    assert (programs / "wl-copy.text").read_text() == (programs / "tmux.text").read_text() == "both"
    await on_linux(written.append, {"WSL_DISTRO_NAME": "Debian"})("héllo")
    assert (programs / "clip.exe.text").read_bytes().decode("utf-16") == "héllo"
    assert written == []


@pytest.mark.parametrize("name", ["SSH_CONNECTION", "SSH_TTY", "SSH_CLIENT"])
async def test_over_ssh_the_text_goes_to_the_terminal_whatever_display_there_is(programs: Path, name: str) -> None:
    written: list[str] = []
    assert (
        await on_linux(written.append, {"DISPLAY": "localhost:10.0", name: "10.0.0.1 1 10.0.0.2 22"})(UUID) == "OSC 52"
    )
    assert written == [osc52(UUID)]


def test_each_desktop_has_its_program_where_it_is_installed() -> None:
    everything = {"DISPLAY": ":0", "WAYLAND_DISPLAY": "w"}

    def found(platform: str, *installed: str) -> str | None:
        tool = native_tool(everything, lambda name: name if name in installed else None, platform)
        return tool.name if tool is not None else None

    assert found("darwin", "pbcopy", "xclip") == "pbcopy"
    assert found("linux", "wl-copy", "xclip") == "wl-copy"
    assert found("linux", "xclip", "xsel") == "xclip"
    assert found("linux", "xsel") == "xsel"
    assert found("linux") is None
    assert native_tool({}, str, "linux") is None


async def test_a_program_that_fails_gives_way_to_osc_52_and_is_named(programs: Path) -> None:
    (programs / "tmux").write_text("#!/bin/sh\ncat > /dev/null\nexit 3\n")
    written: list[str] = []
    assert await on_linux(written.append, {"TMUX": "x"})(UUID) == "OSC 52, because tmux failed with code 3"
    assert written == [osc52(UUID)]


async def test_gnu_screen_is_given_pieces_that_it_hands_on() -> None:
    written: list[str] = []
    text = "ticket " * 500
    assert await on_linux(written.append, {"STY": "1.it", "SSH_TTY": "x"})(text) == "OSC 52"
    pieces = written[0].split("\x1b\\")
    assert pieces.pop() == ""
    assert len(pieces) > 5
    assert max(len(piece) + 2 for piece in pieces) <= 700
    assert all(piece.startswith("\x1bP") for piece in pieces)
    assert "".join(piece.removeprefix("\x1bP") for piece in pieces) == osc52(text)


async def test_a_program_that_cannot_be_started_or_hangs_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ClipboardError, match="could not start"):
        await give(Tool("nothing", ("/nowhere/nothing",)), "x")
    monkeypatch.setattr("jobdeck.tui.clipboard.TOOL_SECONDS", 0.05)
    with pytest.raises(ClipboardError, match="did not respond"):
        await give(Tool("python", (sys.executable, "-c", "import time; time.sleep(60)")), "x")


async def test_a_text_that_is_too_big_for_a_terminal_is_not_sent_in_part(programs: Path) -> None:
    written: list[str] = []
    with pytest.raises(TooBigError, match="60001 bytes"):
        await on_linux(written.append, {})("x" * 60_001)
    await on_linux(written.append, {})("x" * 60_000)
    assert len(written) == 1
    assert await on_linux(written.append, {"TMUX": "x"})("x" * 60_001) == "tmux"
    with pytest.raises(TooBigError, match="tmux"):
        await on_linux(written.append, {"TMUX": "x"})("x" * 500_001)
    assert len(written) == 1


def test_the_request_id_of_a_job_is_named_as_one() -> None:
    assert id_of_job(job("op_a")) == Copyable(UUID, "request ID of op_a (latest poll)")


def test_a_trace_id_is_said_to_be_one() -> None:
    found = id_of_job(job("507f1f77", profile="sonarly"))
    assert isinstance(found, Copyable)
    assert found.what.startswith("trace ID (this API has no request ID)")


def test_why_there_is_no_id_is_said() -> None:
    nothing = {"request_id": None, "http_status": None}
    new = {**nothing, "observed": None}
    assert id_of_job(None) == NothingToCopy("no job selected")
    assert id_of_job(job("op_a", **nothing)) == NothingToCopy("no request ID: no response to the latest request")
    assert id_of_job(job("op_a", **new)) == NothingToCopy("no request ID yet: waiting for the first response")
    unreachable = job("op_a", **new, problem=problem(ProblemKind.NETWORK))
    assert id_of_job(unreachable) == NothingToCopy("no request ID yet: unreachable")
    assert id_of_exchange(exchange("op_a", **nothing)) == NothingToCopy("no request ID: no response")


def test_a_curl_line_is_one_clean_line_or_there_is_none() -> None:
    assert curl_of(None, "") == NothingToCopy("no curl command: no job selected")
    assert curl_of(make_target(), "") == NothingToCopy("no curl command: the request is not known")
    assert curl_of(make_target(), "curl x") == Copyable("curl x", "curl command for op_1")
    assert curl_of(exchange("op_a", url=""), "curl") == NothingToCopy("no curl command: the request is not known")
    assert curl_of(exchange("op_a"), "curl 'a\x1b\nb'") == Copyable(
        "curl 'a\\x1b b'", "curl command for the request at 14:01:56Z"
    )


def test_what_is_sent_is_one_clean_line() -> None:
    found = id_of_job(job("op_a", request_id="3f7a\n\x1b]52;c;eA==\x07"))
    assert found == Copyable("3f7a \\x1b]52;c;eA==\\x07", "request ID of op_a (latest poll)")
