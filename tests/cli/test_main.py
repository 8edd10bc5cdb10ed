"""The command line itself: help, versions, streams."""

import contextlib
import io
import os
import subprocess
import sys
from pathlib import Path

import pytest

from jobdeck import __version__
from jobdeck.app.context import AppContext
from jobdeck.cli.exit_codes import CommandError, ExitCode, worst
from jobdeck.cli.parser import COMMANDS, parse
from jobdeck.cli.targets import gather_targets
from tests.cli.harness import environment, jobdeck


@pytest.fixture
def env(tmp_path: Path) -> dict[str, str]:
    return environment("http://127.0.0.1:9", tmp_path)


def test_the_version_is_told(env: dict[str, str]) -> None:
    assert jobdeck("--version", env=env, process=True).out == f"jobdeck {__version__}\n"


def test_help_names_every_command_and_the_exit_codes(env: dict[str, str]) -> None:
    out = jobdeck("--help", env=env).out
    assert all(f"\n    {command}" in out for command in COMMANDS)
    assert "124 timed out" in out


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_with_an_example(env: dict[str, str], command: str) -> None:
    ran = jobdeck(command, "--help", env=env)
    assert ran.out.startswith(f"usage: jobdeck {command}")
    assert f"example: jobdeck {command}" in ran.out


def test_words_that_are_no_command_are_targets() -> None:
    assert parse(["op_1", "op_2"]).targets == ["op_1", "op_2"]
    assert parse(["--config", "x.toml", "op_1"]).config == "x.toml"
    assert parse(["--config=x.toml", "status", "op_1"]).config == "x.toml"
    assert parse(["--", "demo"]).targets == ["demo"]
    assert parse([]).targets == []


@pytest.mark.parametrize(
    ("typed", "meant"),
    [("statsu", "status"), ("wach", "watch"), ("histry", "history"), ("Status", "status"), ("WAIT", "wait")],
)
def test_a_mistyped_command_is_no_job(env: dict[str, str], typed: str, meant: str) -> None:
    ran = jobdeck(typed, "--json", "op_1", env=env)
    assert (ran.code, ran.out) == (2, "")
    assert f"unknown command '{typed}': did you mean '{meant}'? (if it is an ID, write PROFILE:{typed})" in ran.err


def test_what_may_be_a_target_is_never_taken_for_a_mistyped_command(tmp_path: Path) -> None:
    file = tmp_path / "waits"
    file.touch()
    real = [
        "op_01HZ9K2QW3RV4M5N6P7Q8R9S0T",
        "deadbeefdeadbeefdeadbeef",
        "507f1f77bcf86cd799439012",
        "-",
        "demo1",
    ]
    for target in [*real, "import", "watcher", "thehog:statsu", "owner/repo/waits", str(file)]:
        assert parse([target, "statsu"]).targets == [target, "statsu"]
    assert parse(["--", "statsu"]).targets == ["statsu"]
    with contextlib.chdir(tmp_path):
        assert parse(["waits"]).targets == ["waits"]


def test_a_closed_pipe_is_no_fault(env: dict[str, str]) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    command = [sys.executable, "-m", "jobdeck", "status", "--json", "op_1", "op_2"]
    run = subprocess.run(command, env=env, stdout=writing, stderr=subprocess.PIPE, timeout=150, check=False)
    os.close(writing)
    assert b"Traceback" not in run.stderr
    assert b"Exception ignored" not in run.stderr


@pytest.mark.posix
def test_an_interrupt_before_the_command_has_begun_leaves_no_traceback(env: dict[str, str]) -> None:
    code = (
        "import builtins, os, signal, jobdeck.__main__ as entry; of_python = builtins.__import__\n"
        "def interrupted(*given, **named):\n"
        "    builtins.__import__ = of_python\n"
        "    os.kill(os.getpid(), signal.SIGINT)\n"
        "    return of_python(*given, **named)\n"
        "builtins.__import__ = interrupted\n"
        "entry.run()"
    )
    run = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, timeout=150, check=False)
    assert (run.returncode, run.stdout, run.stderr) == (130, b"", b"")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["help"], "\n    watch "),
        (["help", "watch"], "usage: jobdeck watch "),
        (["version"], f"jobdeck {__version__}\n"),
        (["--no-store", "version"], f"jobdeck {__version__}\n"),
    ],
)
def test_help_and_version_are_words_too(env: dict[str, str], words: list[str], said: str) -> None:
    ran = jobdeck(*words, env=env)
    assert (ran.code, ran.err) == (0, "")
    assert said in ran.out


@pytest.mark.parametrize(
    "words",
    ["ls", "quit", "open op_1", "help nothing", "status help", "watch Status op_1", "op_1 status", "requests wait"],
)
def test_a_command_that_is_none_or_stands_elsewhere_is_no_job(env: dict[str, str], words: str) -> None:
    ran = jobdeck(*words.split(), env=env)
    assert (ran.code, ran.out) == (2, "")
    assert "command" in ran.err


def test_behind_two_hyphens_every_word_is_a_target() -> None:
    assert parse(["status", "--", "help", "wait"]).targets == ["help", "wait"]


def test_an_id_is_one_in_a_folder_that_may_not_be_searched_too(monkeypatch: pytest.MonkeyPatch) -> None:
    registry = AppContext({"THE_HOG_API_KEY": "hog_live_0123456789"}).registry

    def refuse(_: Path) -> bool:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "stat", refuse)
    monkeypatch.setattr(os, "access", lambda *_: False)
    assert [target.key.id for target in gather_targets(["op_1"], registry).targets] == ["op_1"]
    with pytest.raises(CommandError, match=r"cannot read mine/ids\.txt: Permission denied"):
        gather_targets(["mine/ids.txt"], registry)


def test_of_several_problems_the_worst_is_the_exit_code() -> None:
    assert worst([ExitCode.UNREACHABLE, ExitCode.NOT_ALLOWED, ExitCode.UNREACHABLE]) is ExitCode.NOT_ALLOWED
    assert worst([ExitCode.OK, ExitCode.PARTIAL]) is ExitCode.PARTIAL
    assert worst([]) is ExitCode.OK


def test_what_a_command_does_not_take_is_refused_with_its_own_usage(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parse(["ticket", "op_1", "op_2"])
    errors = capsys.readouterr().err
    assert errors.startswith("usage: jobdeck ticket ")
    assert errors.endswith("jobdeck ticket: error: unrecognized arguments: op_2\n")


def test_without_a_command_a_mistake_is_that_of_jobdeck(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parse(["--batch", ""])
    errors = capsys.readouterr().err
    assert errors.startswith("usage: jobdeck [OPTION …] [TARGET …]\n")
    assert errors.endswith("jobdeck: error: argument --batch: a batch needs a name\n")


@pytest.mark.parametrize("command", ["apis", "store", "history", "requests"])
def test_no_store_is_taken_but_not_offered_where_nothing_is_saved(command: str) -> None:
    words = ["--no-store", command, *(["status"] if command == "store" else [])]
    assert parse(words).no_store
    with contextlib.redirect_stdout(io.StringIO()) as out, pytest.raises(SystemExit):
        parse([command, "--help"])
    assert "--no-store" not in out.getvalue()
