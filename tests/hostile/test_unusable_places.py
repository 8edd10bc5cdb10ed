"""Rule 16: a data or configuration directory that is not the user's costs memory, a line and a remedy, no command."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from jobdeck.access import explain_access
from jobdeck.simulator.scenario import JobScript, Scenario
from jobdeck.simulator.server import ThreadedSimulator
from tests.cli.harness import Ran, environment, jobdeck

NOBODY = 65_534
pytestmark = [
    pytest.mark.posix,
    pytest.mark.skipif(not hasattr(os, "getuid") or os.getuid() != 0, reason="only root can become somebody else"),
]


@dataclass(frozen=True)
class Case:
    """A way in which a home is not usable: how it is made, what the message names, and the remedy."""

    make: Callable[[Path], object]
    place: str
    remedy: str
    config: bool = False


def directory(home: Path, place: str, mode: int, owner: int = NOBODY) -> None:
    path = home / place
    for each in (*reversed([above for above in path.parents if home in above.parents]), path):
        if not each.exists():
            each.mkdir()
            os.chown(each, NOBODY, NOBODY)
    path.chmod(mode)
    os.chown(path, owner, owner)


def foreign_home(home: Path) -> None:
    os.chown(home, 0, 0)
    home.chmod(0o700)


def a_file(home: Path, place: str) -> None:
    directory(home, str(Path(place).parent), 0o755)
    (home / place).write_text("the user's own")


def a_link(home: Path, place: str) -> None:
    directory(home, str(Path(place).parent), 0o755)
    (home / place).symlink_to(home / "gone")


def a_config(home: Path, mode: int, owner: int) -> None:
    directory(home, ".config/jobdeck", 0o755)
    path = home / ".config/jobdeck/config.toml"
    path.write_text('[profiles.thehog]\nprovider = "thehog"\ntoken = "env:THE_HOG_ACCESS_KEY"\n')
    path.chmod(mode)
    os.chown(path, owner, owner)


def a_database(home: Path, mode: int, owner: int, name: str = "jobdeck.db") -> None:
    directory(home, DATA, 0o700)
    path = home / DATA / name
    path.touch()
    path.chmod(mode)
    os.chown(path, owner, owner)


DATA = ".local/share/jobdeck"
CHOWN = 'sudo chown -R "$(id -un)"'
CASES = {
    "root's after one sudo": Case(lambda home: directory(home, DATA, 0o700, 0), DATA, CHOWN),
    "root's, and anybody may look": Case(lambda home: directory(home, DATA, 0o755, 0), DATA, CHOWN),
    "below root's": Case(lambda home: directory(home, ".local/share", 0o755, 0), ".local/share", CHOWN),
    "below root's that may not be searched": Case(lambda home: directory(home, ".local", 0o700, 0), ".local", CHOWN),
    "not writable": Case(lambda home: directory(home, DATA, 0o500), DATA, "chmod u+rwx"),
    "nothing allowed": Case(lambda home: directory(home, DATA, 0o000), DATA, "chmod u+rwx"),
    "not readable": Case(lambda home: directory(home, DATA, 0o300), DATA, "chmod u+rwx"),
    "a file": Case(lambda home: a_file(home, DATA), DATA, "move it out of the way"),
    "a file above": Case(lambda home: a_file(home, ".local"), ".local", "move it out of the way"),
    "a link to nothing": Case(lambda home: a_link(home, DATA), DATA, "mkdir -p"),
    "a link to nothing above": Case(lambda home: a_link(home, ".local/share"), ".local/share", "mkdir -p"),
    "root's database": Case(lambda home: a_database(home, 0o600, 0), f"{DATA}/jobdeck.db", 'sudo chown "$(id -un)"'),
    "root's, that anybody may read": Case(
        lambda home: a_database(home, 0o644, 0), f"{DATA}/jobdeck.db", 'sudo chown "$(id -un)"'
    ),
    "a database that may only be read": Case(
        lambda home: a_database(home, 0o400, NOBODY), f"{DATA}/jobdeck.db", "chmod u+rw"
    ),
    "somebody else's home": Case(foreign_home, "", "set HOME to your own"),
    "root's configuration": Case(
        lambda home: directory(home, ".config/jobdeck", 0o700, 0), ".config/jobdeck", CHOWN, config=True
    ),
    "root's .config": Case(lambda home: directory(home, ".config", 0o700, 0), ".config", CHOWN, config=True),
    "a file for configuration": Case(lambda home: a_file(home, ".config"), ".config", "move it", config=True),
    "a configuration that is a link to nothing": Case(
        lambda home: a_link(home, ".config/jobdeck/config.toml"),
        ".config/jobdeck/config.toml",
        "is a broken symlink",
        config=True,
    ),
}  # fmt: skip

ASKING, READING = ("status op_done", "wait op_done", "ticket op_done"), ("history", "requests")
ASKED = {name: (ASKING[at % 3], READING[at % 2], "doctor --json") for at, name in enumerate(CASES)}
"""In each place one command that asks, one that reads what is remembered, and the one that explains."""

AS_NOBODY = """
import io, json, os, sys
from contextlib import redirect_stderr, redirect_stdout
from jobdeck.cli.main import main

def run(command):
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        try:
            code = main(command.split())
        except SystemExit as error:
            code = error.code
    return [int(code), out.getvalue(), err.getvalue()]

homes, commands = json.loads(sys.argv[1]), json.loads(sys.argv[2])
# What is imported late may not be read by whom we become.
for command in {command for each in commands.values() for command in each}:
    run(command)
os.environ["HOME"] = "/nonexistent"
run("status op_done")
from jobdeck.store.sqlite import opening
shipped = opening.load_migrations()
opening.load_migrations = lambda: shipped
import pwd, jobdeck.access, jobdeck.config.settings
os.environ.pop("JOBDECK_DATA_DIR")
os.environ.pop("XDG_CONFIG_HOME")
os.setgid(65534)
os.setuid(65534)
os.chdir("/")
results = {}
for name, home in homes.items():
    os.environ["HOME"] = home
    results[name] = {command: run(command) for command in commands[name]}
print(json.dumps(results))
"""


@pytest.fixture(scope="module")
def results() -> Iterator[dict[str, tuple[Path, dict[str, Ran]]]]:
    """What is asked in every home, as a user without rights: one process for all of them."""
    with (
        ThreadedSimulator(Scenario(jobs=(JobScript(id="op_done", arrival=-60.0, duration=10.0),))) as running,
        tempfile.TemporaryDirectory() as folder,
    ):
        Path(folder).chmod(0o755)
        homes = {name: Path(folder, f"home{number}") for number, name in enumerate(CASES)}
        for name, home in homes.items():
            home.mkdir(mode=0o755)
            os.chown(home, NOBODY, NOBODY)
            CASES[name].make(home)
        arguments = [json.dumps({name: str(home) for name, home in homes.items()}), json.dumps(ASKED)]
        ran = subprocess.run(
            [sys.executable, "-c", AS_NOBODY, *arguments],
            env=environment(running.url, Path(folder, "first")),
            capture_output=True,
            text=True,
            timeout=110,
            check=False,
        )
        assert ran.returncode == 0, ran.stderr
        found: dict[str, dict[str, list[Any]]] = json.loads(ran.stdout)
        yield {
            name: (homes[name], {command: Ran(*parts) for command, parts in commands.items()})
            for name, commands in found.items()
        }


@pytest.mark.parametrize("name", CASES)
def test_a_command_goes_on_and_names_the_place_with_the_remedy(
    name: str, results: dict[str, tuple[Path, dict[str, Ran]]]
) -> None:
    case, (home, ran) = CASES[name], results[name]
    place = str(home / case.place)
    for command in ran.keys() & set(ASKING):
        assert ran[command].code == 0, (command, ran[command])
        assert place in ran[command].err, command
        assert case.remedy in ran[command].err, command
    for command in ran.keys() & set(READING):
        assert ran[command].code not in {1} | ({0} if not case.config else set()), (command, ran[command])
        assert case.config or place in ran[command].err, command
    checks = {check["check"]: check for check in ran["doctor --json"].objects}
    assert ran["doctor --json"].code == 0
    check = checks["configuration" if case.config else "store"]
    assert check["verdict"] == "warning"
    assert place in check["found"]
    assert case.remedy in check["found"]
    for one in ran.values():
        assert "Traceback" not in one.err
        assert "cannot continue" not in one.err


def test_a_configuration_that_is_there_and_may_not_be_read_ends_with_the_remedy(tmp_path: Path) -> None:
    for name, mode, owner in (("root's", 0o600, 0), ("nobody may", 0o000, NOBODY)):
        with tempfile.TemporaryDirectory() as folder:
            home = Path(folder)
            os.chown(home, NOBODY, NOBODY)
            a_config(home, mode, owner)
            script = "import os, sys, pwd, jobdeck.config.settings as s, platformdirs\nfrom pathlib import Path\n"
            script += "os.setuid(65534)\ntry: s.load_settings({})\nexcept s.ConfigError as error: print(error)"
            ran = subprocess.run(
                [sys.executable, "-c", script],
                env={"HOME": folder, "PATH": os.environ["PATH"]},
                capture_output=True,
                text=True,
                check=True,
            )
            assert f"cannot read {home}/.config/jobdeck/config.toml" in ran.stdout, name
            assert 'sudo chown "$(id -un)"' in ran.stdout


@pytest.mark.parametrize("kind", ["pipe", "device", "pipe for its log", "pipe for its journal", "directory"])
def test_a_database_that_is_no_file_is_left_as_it_is(tmp_path: Path, kind: str) -> None:
    with ThreadedSimulator(Scenario(jobs=(JobScript(id="op_done", arrival=-60.0, duration=10.0),))) as running:
        env = environment(running.url, tmp_path)
        data = tmp_path / "data"
        data.mkdir()
        path = data / f"jobdeck.db{'-wal' if 'log' in kind else '-journal' if 'journal' in kind else ''}"
        if kind == "device":
            device = tmp_path / "zero"
            os.mknod(device, 0o020666, os.makedev(1, 5))
            device.chmod(0o666)
            path.symlink_to(device)
        elif kind == "directory":
            path.mkdir()
        else:
            os.mkfifo(path, 0o666)
        mode = path.stat().st_mode
        ran = jobdeck("status", "--json", "op_done", env=env)
        assert (ran.code, ran.object["phase"]) == (0, "succeeded")
        assert f"{path} is a {kind.partition(' ')[0]}, not a file. Continuing in memory" in ran.err
        assert path.stat().st_mode == mode
        assert {file.name for file in tmp_path.iterdir()} <= {"data", "zero"}


def test_a_place_that_can_be_used_or_made_needs_no_explanation(tmp_path: Path) -> None:
    assert explain_access(tmp_path) == ""
    assert explain_access(tmp_path / "not" / "yet") == ""
    (tmp_path / "loop").symlink_to("loop")
    assert str(tmp_path / "loop") in explain_access(tmp_path / "loop" / "x")
