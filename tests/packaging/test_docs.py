"""What the documentation says is so: the reference is made from the code, links lead somewhere, commands run."""

import os
import re
import runpy
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import get_type_hints

import pytest

from jobdeck.app.json_shapes import HistoryObject, JobObject, RequestObject
from jobdeck.cli.parser import COMMANDS
from jobdeck.simulator.scenario import Api, JobScript, Resource, Scenario
from jobdeck.simulator.server import ThreadedSimulator
from tests.cli.harness import GROUP, environment, jobdeck
from tests.support.terminal import OnTerminal

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "SECURITY.md", *sorted((ROOT / "docs").glob("*.md"))]
OPERATION = "op_01HZ9K2QW3RV4M5N6P7Q8R9S0T"
PROSPECTING = "507f1f77bcf86cd799439012"
ACCEPTED = f'{{"success": true, "requestId": "req_1", "data": {{"operationId": "{OPERATION}", "status": "queued"}}}}'
SCENARIO = Scenario(
    jobs=(
        JobScript(id=OPERATION, duration=1.0, arrival=-60.0),
        JobScript(id=PROSPECTING, api=Api.SONARLY, resource=Resource.PROSPECTING, duration=1.0, arrival=-60.0),
    )
)
STUBS = {
    "jobdeck": f'exec "{sys.executable}" -m jobdeck "$@"',
    "curl": f"echo '{ACCEPTED}'",
    "jq": "exec cat",
    "notify-slack": "exec cat",
}
SET_UP = ("git ", "make ", "export ", "pipx ", "pip ")
"""Commands that make the ones that follow possible; CI has done so when it comes here."""


def commands(path: Path) -> Iterator[str]:
    for block in re.findall(r"```console\n(.*?)```", path.read_text(encoding="utf-8"), re.DOTALL):
        for line in re.findall(r"^\$ (.*)", block, re.MULTILINE):
            command = re.split(r"\s+# ", line)[0].strip()
            if not command.startswith(SET_UP):
                yield command


COMMAND_LINES = sorted({command for path in PAGES for command in commands(path)})
HEADLESS = tuple(name for name in COMMANDS if name not in {"demo", "replay", "serve", "simulate"})


@pytest.mark.parametrize("name", ["apis.md", "configuration.md", "output.md", "output.schema.json", "commands.md"])
def test_the_reference_is_what_the_code_says(name: str) -> None:
    made = runpy.run_path(str(ROOT / "docs" / "make.py"))["PAGES"][name]()
    kept = (ROOT / "docs" / name).read_text(encoding="utf-8")
    if name == "commands.md" and sys.version_info[:2] != (3, 11):
        # argparse writes otherwise in every version.
        assert re.findall(r"^## .*$", made, re.MULTILINE) == re.findall(r"^## .*$", kept, re.MULTILINE)
        return
    assert made.split() == kept.split(), "run `make docs`"


def test_every_link_leads_somewhere() -> None:
    for page in PAGES:
        for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8")):
            place = target.partition("#")[0]
            if place and "://" not in place:
                assert (page.parent / place).exists(), f"{page.name} leads to {target}"


def test_what_commands_write_has_the_keys_of_the_reference(tmp_path: Path) -> None:
    with ThreadedSimulator(SCENARIO) as simulator:
        env = environment(simulator.url, tmp_path)
        told = {
            "status": (jobdeck("status", "--json", OPERATION, env=env).object, JobObject),
            "history": (jobdeck("history", "--json", env=env).objects[0], HistoryObject),
            "requests": (jobdeck("requests", "--json", env=env).objects[0], RequestObject),
        }
    for name, (written, shape) in told.items():
        assert list(written) == list(get_type_hints(shape)), name


def test_there_are_commands_to_run() -> None:
    assert len(COMMAND_LINES) >= 14
    told = {name for name in HEADLESS if any(re.search(rf"jobdeck {name}\b", line) for line in COMMAND_LINES)}
    assert {"status", "wait", "ticket", "requests"} <= told


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, dict[str, str], str]]:
    """A folder with what the commands speak of, an environment in which they run, and the origin of the API."""
    folder = tmp_path_factory.mktemp("docs")
    programs = folder / "bin"
    programs.mkdir()
    for name, body in STUBS.items():
        _script(programs / name, body)
    _script(programs / "pbcopy", "cat >/dev/null")
    _script(folder / "import-results", "true")
    (folder / "ids.txt").write_text(f"{OPERATION}\n{GROUP}/{PROSPECTING}\n")
    (folder / "import.json").write_text("{}")
    (folder / "poll.json").write_text('{"name": "operations/1", "done": false}')
    with ThreadedSimulator(SCENARIO) as simulator:
        env = environment(simulator.url, folder)
        env["PATH"] = f"{programs}:{os.environ['PATH']}"
        subprocess.run(
            [programs / "jobdeck", "status", OPERATION], env=env, check=True, capture_output=True, timeout=50
        )
        yield folder, env, simulator.url


def _script(path: Path, body: str) -> None:
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)


def _is_screen(command: str) -> bool:
    last = command.rsplit("|", maxsplit=1)[-1].strip()
    words = [word for word in last.split()[1:] if not word.startswith("-")]
    return last.startswith("jobdeck") and (not words or words[0] not in HEADLESS)


@pytest.mark.parametrize("command", [one for one in COMMAND_LINES if not _is_screen(one)])
def test_a_command_of_the_documentation_runs(command: str, place: tuple[Path, dict[str, str], str]) -> None:
    folder, env, url = place
    line = command.replace("https://developer.thehog.ai", url)
    ran = subprocess.run(["/bin/sh", "-c", line], cwd=folder, env=env, capture_output=True, timeout=150, check=False)
    assert ran.returncode == 0, ran.stderr.decode()


def _asked_for(line: str, folder: Path, env: dict[str, str]) -> tuple[list[str], bytes]:
    """Return what a shell makes of a line: the arguments of its jobdeck, and what that is sent."""
    programs = folder / "asking"
    programs.mkdir(exist_ok=True)
    _script(programs / "jobdeck", 'for each; do printf "%s\\0" "$each"; done > asked; test "$1" != - || cat')
    path = f"{programs}:{env['PATH']}"
    ran = subprocess.run(
        ["/bin/sh", "-c", line], cwd=folder, env={**env, "PATH": path}, capture_output=True, check=True
    )
    return (folder / "asked").read_text().split("\0")[:-1], ran.stdout


@contextmanager
def _a_pipe(data: bytes) -> Iterator[int]:
    reading, writing = os.pipe()
    os.write(writing, data)
    os.close(writing)
    yield reading
    os.close(reading)


@pytest.mark.parametrize("command", [one for one in COMMAND_LINES if _is_screen(one)])
def test_a_screen_of_the_documentation_opens(command: str, place: tuple[Path, dict[str, str], str]) -> None:
    folder, env, url = place
    (folder / "night.jobdeck").unlink(missing_ok=True)
    if "replay" in command:
        assert jobdeck("wait", "--record", "night.jobdeck", OPERATION, env=env, cwd=folder).code == 0
    line = command.replace("https://developer.thehog.ai", url)
    arguments, piped = _asked_for(line, folder, env)
    with (
        _a_pipe(piped) as reading,
        OnTerminal(*arguments, env=env, cwd=folder, stdin=reading if "-" in arguments else None) as terminal,
    ):
        if " serve" in command:
            terminal.until("/?token=")
            terminal.press("\x03")
            assert terminal.leave() == 130
            return
        terminal.until(" jobdeck ", "? help")
        terminal.press("q")
        assert terminal.leave() == 0
