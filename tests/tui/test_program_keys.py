"""Keys of the user's own: read from the configuration, never a built-in one, and run as hooks are."""

import json
import os
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from jobdeck.app.hooks import HookRunner
from jobdeck.app.session import ProgramKey, ReadOnly
from jobdeck.cli.commands.open import _refuse_built_in
from jobdeck.config import ConfigError, load_settings
from jobdeck.config.programs import UserKey
from jobdeck.tui.program_keys import taken_key
from tests.tui.drive import driven, toasts
from tests.tui.fake import FakeEngine, FakeSession
from tests.tui.world import clock_at_noon, job

TELL = (
    "import json, os, sys; json.dump({'env': dict(os.environ), 'stdin': json.load(sys.stdin)}, open(sys.argv[1], 'w'))"
)


def settings_of(tmp_path: Path, text: str) -> object:
    path = tmp_path / "config.toml"
    path.write_text(text)
    path.chmod(0o600)
    return load_settings({"JOBDECK_CONFIG": str(path)}).keys


def test_keys_are_read_with_their_label_or_the_name_of_the_program(tmp_path: Path) -> None:
    keys = settings_of(
        tmp_path, '[keys]\n"ctrl+o" = { run = ["/usr/bin/open-it", "-x"], label = "open" }\nx.run = ["y"]'
    )
    assert [(one.key, one.run, one.label) for one in keys] == [  # type: ignore[attr-defined] - keys of the settings
        ("ctrl+o", ("/usr/bin/open-it", "-x"), "open"),
        ("x", ("y",), "y"),
    ]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("keys = 3", "keys must be tables"),
        ('[keys]\n"ctrl+o" = "rm -rf"', "keys must be tables"),
        ('[keys]\n"ctrl+o" = { run = "rm -rf" }', "run must be a list"),
        ('[keys]\n"ctrl+o" = { run = [] }', "run must be a program"),
        ('[keys]\n"ctrl+o" = { run = ["x"], lable = "y" }', "did you mean label"),
        ('[keys]\n"ctrl+o" = { run = ["x"], label = 3 }', "label must be a non-empty string"),
        ('[keys]\n"escape" = { run = ["x"] }', "must be a letter"),
        ('[keys]\n"ctrl+é" = { run = ["x"] }', "must be a letter"),
    ],
)
def test_what_is_wrong_with_a_key_is_named(tmp_path: Path, text: str, reason: str) -> None:
    with pytest.raises(ConfigError, match=reason):
        settings_of(tmp_path, text)


def test_a_built_in_key_cannot_be_taken() -> None:
    assert taken_key(["ctrl+o", "y"]) == ("y", "copy ID")
    assert taken_key(["ctrl+c"]) == ("ctrl+c", "reserved")
    assert taken_key(["ctrl+o", "x", "f5"]) is None
    settings = SimpleNamespace(path="config.toml", keys=(UserKey("y", ("tool",), "tool"),))
    with pytest.raises(ConfigError, match=r"config.toml: \[keys\] y: built in \(copy ID\), choose another key"):
        _refuse_built_in(SimpleNamespace(settings=settings))  # type: ignore[arg-type] - all of it that is read


async def test_a_key_runs_its_program_with_all_that_is_selected() -> None:
    session = FakeSession(FakeEngine(clock_at_noon(), [job("op_a"), job("op_b")]))
    session.program_keys = (ProgramKey("ctrl+o", "open in tool"), ProgramKey("x", "X-ray"))
    async with driven(session=session, size=(120, 40)) as run:
        await run.press("ctrl+o")
        assert toasts(run.app) == [f"open in tool: started for {session.programs[0][1][0].id}"]
        await run.press("g", "space", "space", "x", "slash", "x")
        assert [(key, len(keys)) for key, keys in session.programs] == [("ctrl+o", 1), ("x", 2)]
        await run.press("escape", "question_mark", *"tool")
        await run.shows("ctrl+o  open in tool")
        await run.press("escape", "escape", "colon", *"open in")
        await run.shows("ctrl+o: runs your program")
    session.access = ReadOnly("look only")
    async with driven(session=session) as run:
        await run.press("ctrl+o")
        assert len(session.programs) == 2


async def test_the_program_gets_the_job_and_no_key(tmp_path: Path) -> None:
    complaints: list[str] = []
    environ = {**os.environ, "THE_HOG_ACCESS_KEY": "ak_canary_0123456789", "COPY": "Bearer ak_canary_0123456789"}
    runner = HookRunner(
        [], environ, frozenset({"THE_HOG_ACCESS_KEY"}), lambda one: {"id": one.key.id, "result": 1}, complaints.append
    )
    told = tmp_path / "told"
    await runner.run_program([sys.executable, "-c", TELL, str(told), "$(touch x)"], "open", job("op_a"))
    assert complaints == []
    read = json.loads(told.read_text())
    assert read["stdin"] == {"id": "op_a"}
    assert read["env"]["JOBDECK_JOB_ID"] == "op_a"
    assert "canary" not in json.dumps(read)
    await runner.run_program([str(tmp_path / "missing")], "open", job("op_a"))
    assert complaints == ["open: could not start: No such file or directory"]


async def test_the_palette_shows_a_label_as_it_is_and_finds_it() -> None:
    session = FakeSession(FakeEngine(clock_at_noon(), [job("op_a")]))
    session.program_keys = (ProgramKey("x", "[/x] open [$primary] it"),)
    async with driven(session=session, size=(100, 50)) as run:
        await run.press("colon")
        await run.shows("Search for commands")
        await run.press(*"open [$pri")
        await run.shows("[/x] open [$primary] it")
        await run.shows("x: runs your program")
        await run.press("escape", "colon", *"previous tab")
        await run.shows("[ ←: previous tab")
