"""Rule 15: standard output is JSON in ASCII and nothing else, whoever closes, fills or narrows a stream."""

import json
import os
import pty
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryFile

import pytest

from jobdeck.simulator.scenario import JobFailure, JobScript, Outcome, Resource, Scenario
from jobdeck.simulator.server import ThreadedSimulator
from tests.cli.harness import environment, jobdeck
from tests.support.forked import ROOT, RUN, Forked, forked
from tests.support.hurried import RUN_HURRIED

WORDS = "häßlich \u202e\x1b]52;c;aGk=\x07 🙂"
SCENARIO = Scenario(
    jobs=(
        JobScript(id="op_done", arrival=-60.0, duration=10.0),
        JobScript(id="op_bad", arrival=-60.0, duration=9.0, outcome=Outcome.FAILED, error=JobFailure("É", WORDS)),
        JobScript(id="en_never", resource=Resource.ENRICHMENT, outcome=Outcome.NEVER, duration=1e6),
    )
)
NEVER = "/api/enrichments/en_never"
READING = (
    *("watch --json op_done", "wait --json op_done"),
    *("--version", "completion zsh", "history", "doctor", "ticket op_done", "simulate"),
)


@pytest.fixture(scope="module")
def server() -> Iterator[ThreadedSimulator]:
    with ThreadedSimulator(SCENARIO) as running:
        yield running


@pytest.fixture
def env(server: ThreadedSimulator, tmp_path: Path) -> dict[str, str]:
    return environment(server.url, tmp_path)


def shell(script: str, env: dict[str, str]) -> subprocess.CompletedProcess[bytes]:
    """Run a line of shell in which ``"$@"`` is jobdeck."""
    command = ["sh", "-c", script, "sh", sys.executable, "-m", "jobdeck"]
    return subprocess.run(command, env=env, capture_output=True, timeout=150, check=False, stdin=subprocess.DEVNULL)


def test_json_is_ascii_and_one_object_a_line_whatever_the_server_says(env: dict[str, str]) -> None:
    for command in (["status", "--json"], ["watch", "--json"], ["wait", "--json"]):
        ran = jobdeck(*command, "op_done", "op_bad", env=env)
        assert ran.code == 1
        assert ran.out.isascii()
        assert "\x1b" not in ran.out
        assert {item["id"] for item in ran.objects} == {"op_done", "op_bad"}
    assert jobdeck("ticket", "--format", "json", "op_bad", env=env).out.isascii()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
@pytest.mark.parametrize("arguments", ["status op_done", "--help"])
def test_a_full_disk_behind_standard_output_is_one_line_and_no_success(env: dict[str, str], arguments: str) -> None:
    ran = shell(f'"$@" {arguments} > /dev/full', env)
    assert (ran.returncode, ran.stderr) == (70, b"jobdeck: cannot write to standard output: No space left on device\n")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
def test_a_full_disk_is_so_for_every_command(env: dict[str, str]) -> None:
    jobdeck("status", "op_done", env=env)
    for arguments in READING:
        with Path("/dev/full").open("wb") as full:
            ran = forked(*arguments.split(), env=env, stdout=full.fileno())
        assert ran.returncode == 70, arguments
        assert re.search(r"jobdeck: cannot write( to standard output)?: No space left on device\n\Z", ran.stderr)
        assert ran.stderr.count("\n") == 1 or arguments == "simulate"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
def test_a_full_disk_behind_an_output_file_is_a_fault_and_a_wrong_path_a_mistake(
    env: dict[str, str], tmp_path: Path
) -> None:
    jobdeck("status", "op_done", env=env)
    full = jobdeck("ticket", "op_done", "--output", "/dev/full", env=env)
    assert (full.code, full.err) == (70, "jobdeck: cannot write /dev/full: No space left on device\n")
    assert jobdeck("ticket", "op_done", "--output", str(tmp_path / "none" / "ticket.md"), env=env).code == 2


@pytest.mark.parametrize("descriptors", [5, 6, 8, 14])
def test_too_few_descriptors_are_a_fault_of_our_own_and_no_job_that_failed(
    env: dict[str, str], descriptors: int
) -> None:
    ran = shell(f'ulimit -n {descriptors}; "$@" wait op_done', env)
    assert ran.returncode in {0, 70}
    assert ran.returncode == 0 or ran.stderr.endswith(b": Too many open files\n")
    assert b"Traceback" not in ran.stderr


def test_too_little_memory_is_a_fault_of_our_own_and_no_job_that_failed(env: dict[str, str]) -> None:
    ran = shell('ulimit -v 60000; "$@" status op_done', env)
    assert ran.returncode == 70
    assert ran.stderr.startswith(b"jobdeck: ")
    assert ran.stderr.count(b"\n") == 1


BROKEN = {
    "import of jobdeck": ("sys.modules['jobdeck.cli.main'] = None", "cannot continue: import of jobdeck.cli.main"),
    "no such module": ("sys.modules['argparse'] = None", "cannot continue: import of argparse"),
    "no style sheets": (
        "import jobdeck.cli.main as m\ndef f(_): raise FileNotFoundError('the style sheets are gone')\nm.parse = f",
        "cannot continue: the style sheets are gone",
    ),
    "an error without words": (
        "import jobdeck.cli.main as m\ndef f(_): raise OSError\nm.parse = f",
        "cannot continue: OSError",
    ),
    "recursion": ("import jobdeck.cli.main as m; m.parse = lambda _: m.parse(_)", "unexpected RecursionError"),
    "a word": ("import jobdeck.cli.main as m; m.parse = lambda _: sys.exit('gone')", ""),
}


@pytest.mark.parametrize(("before", "said"), BROKEN.values(), ids=BROKEN)
def test_what_breaks_before_a_command_has_begun_is_a_fault_of_our_own(
    env: dict[str, str], before: str, said: str
) -> None:
    code = f"import sys; from jobdeck.__main__ import run\n{before}\nrun()"
    ran = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, timeout=40, check=False)
    assert ran.returncode == 70
    assert said.encode() in ran.stderr
    assert b"Traceback" not in ran.stderr


def test_a_directory_that_is_gone_is_none_that_is_needed(env: dict[str, str], tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    ran = shell(f'mkdir {gone} && cd {gone} && rmdir {gone} && "$@" status op_done', env)
    assert (ran.returncode, ran.stderr) == (0, b"")


@pytest.mark.parametrize(
    ("command", "gone"),
    [
        ("watch", "pipe"),
        ("watch --json", "socket"),
        ("wait", "standard error"),
        ("wait --json", "terminal"),
        ("wait --json", "pipe"),
    ],
)
def test_a_reader_who_leaves_ends_a_command_before_it_has_more_to_print(
    server: ThreadedSimulator, env: dict[str, str], command: str, gone: str
) -> None:
    reading, writing, quiet = _stream(gone)
    before = len(server.requests)
    with TemporaryFile() as other:
        streams = (0, other.fileno(), writing) if quiet else (0, writing, other.fileno())
        process = Forked(RUN_HURRIED, [*command.split(), NEVER], env=env, cwd=ROOT, streams=streams)
        os.close(writing)
        try:
            while len(server.requests) < before + 3:  # when all there is to print has been
                assert process.poll() is None
                time.sleep(0.02)
            os.close(reading)
            assert process.wait(150) == 141
        finally:
            process.kill()
        assert quiet or os.fstat(other.fileno()).st_size == 0, "nothing is said"


def _stream(gone: str) -> tuple[int, int, bool]:
    """Return the two ends of a stream, and whether it is the one of errors."""
    if gone == "socket":
        ours, theirs = socket.socketpair()
        return ours.detach(), theirs.detach(), False
    return (*(pty.openpty() if gone == "terminal" else os.pipe()), gone == "standard error")


@pytest.mark.parametrize(("arguments", "code"), [("watch --json /api/enrichments/en_never", 141), ("history", 0)])
def test_a_reader_who_leaves_ends_a_command_in_silence_and_never_as_a_success_of_jobs(
    env: dict[str, str], arguments: str, code: int
) -> None:
    jobdeck("status", "op_done", env=env)
    reading, writing = os.pipe()
    os.close(reading)
    run = forked(*arguments.split(), env=env, stdout=writing)
    os.close(writing)
    assert (run.returncode, run.stderr) == (code, "")


def test_a_reader_who_takes_one_line_gets_one_whole_line(env: dict[str, str]) -> None:
    ran = shell('{ "$@" status --json op_done op_bad /api/enrichments/en_never; echo $? >&2; } | head -n 1', env)
    (line,) = ran.stdout.splitlines()
    assert json.loads(line)["id"].startswith(("op_", "en_"))
    # Whether somebody still reads the last line is a matter of moments.
    assert ran.stderr in {b"141\n", b"1\n"}


def test_a_locale_without_glyphs_gets_others_and_escapes_for_the_rest(env: dict[str, str]) -> None:
    ascii_only = {**env, "PYTHONIOENCODING": "ascii"}
    ran = shell('"$@" status op_done op_bad', ascii_only)
    assert (ran.returncode, ran.stderr) == (1, b"")
    assert b"\nv succeeded" in ran.stdout
    assert rb"\U0001f642" in ran.stdout
    assert shell('"$@" --help', ascii_only).returncode == 0
    for encoding in ("latin-1", "cp1252"):
        narrow = f"sys.stdout.reconfigure(encoding={encoding!r})\n{RUN}"
        ran = forked("status", "op_done", "op_bad", env=env, code=f"import sys; {narrow}", encoding=encoding)
        assert (ran.returncode, ran.stderr) == (1, "")
        assert "\nv succeeded" in ran.stdout
        assert r"\U0001f642" in ran.stdout


@pytest.mark.parametrize(
    ("script", "code"),
    [
        ('"$@" status --json op_done >&-', 0),
        ('"$@" status --json - <&-', 2),
        ('"$@" status --json nobody:op_done 2>&-', 2),
        ('"$@" status --json op_done <&- 2>&-', 0),
    ],
)
def test_closed_streams_are_no_fault(env: dict[str, str], script: str, code: int) -> None:
    ran = shell(script, env)
    assert ran.returncode == code
    assert b"Traceback" not in ran.stderr
    assert jobdeck("doctor", "--json", env=env).code == 0, "the database was not written over"
