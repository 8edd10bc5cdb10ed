"""Rules 4 and 13 when the fault is our own: the terminal is given back, one line names a private file, code 70."""

import asyncio
import logging
import re
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from jobdeck.simulator.scenario import JobScript, Outcome, Resource, Scenario
from jobdeck.simulator.server import ThreadedSimulator
from tests.cli.harness import environment, jobdeck
from tests.support.terminal import OnTerminal

JOB = JobScript(id="en_0", resource=Resource.ENRICHMENT, outcome=Outcome.NEVER, duration=1e6)
TARGET = "/api/enrichments/en_0"
CANARY = "sk_canary_0123456789"
STATUS_LINE = re.compile(r"jobdeck: unexpected (\w+): this is a bug in jobdeck\. Details for a bug report: (\S+)\r?\n")

BREAK = f"""
def broken(*_, **__):
    key = {CANARY!r}
    raise ZeroDivisionError('no \\x1b[31mway with ' + key)
async def broken_later(*_, **__):
    broken()
"""
IN_A_HANDLER = BREAK + "from jobdeck.tui.screens.deck import Deck; Deck.action_add = broken"
IN_A_WORKER = (
    BREAK + "from jobdeck.tui.screens.deck import Deck; Deck.action_add = lambda s: s.run_worker(broken_later())"
)
IN_THE_ENGINE = BREAK + "from jobdeck.engine.worker import ProfileWorker; ProfileWorker.run = broken_later"


@pytest.fixture
def env(tmp_path: Path) -> dict[str, str]:
    return environment("http://127.0.0.1:9", tmp_path)


def the_file(said: str, folder: Path) -> str:
    """Return what is in the file that the one line names, which is private and names no secret."""
    found = STATUS_LINE.fullmatch(said)
    assert found is not None, said
    assert found[1] == "ZeroDivisionError"
    path = Path(found[2])
    assert path.parent == folder / "data"
    assert path.name.startswith("crash-")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    text = path.read_text()
    assert "canary" not in text
    assert "\x1b" not in text
    assert "ZeroDivisionError: no \\x1b[31mway with [redacted]" in text
    for fact in ("jobdeck 0", "Python 3.", "textual 8.", "in broken", "command: "):
        assert fact in text
    return text


@pytest.mark.parametrize(
    ("fault", "keys"),
    [(IN_A_HANDLER, ("a",)), (IN_A_WORKER, ("a",)), (IN_THE_ENGINE, ("", "the engine stopped", "q"))],
    ids=["handler", "worker", "engine"],
)
def test_a_crash_of_the_screen_gives_the_terminal_back_and_names_a_file(
    tmp_path: Path, fault: str, keys: tuple[str, ...]
) -> None:
    with ThreadedSimulator(Scenario(jobs=(JOB,))) as server:
        env = environment(server.url, tmp_path)
        log = tmp_path / "keys.log"
        # Textual reads its variables when it is imported.
        fresh = fault is IN_THE_ENGINE
        recording = {"TEXTUAL_LOG": str(log), "TEXTUAL": "debug,devtools"} if fresh else {}
        with OnTerminal(TARGET, env={**env, **recording}, before=fault, fresh=fresh) as run:
            first, *rest = keys
            run.until("en_0", *([] if rest else ["● run"]))
            assert all(f"ignoring {name}".encode() in run.data for name in recording)
            run.press("/")
            run.until("clears")
            run.press("sk_live_pasted")
            run.until("sk_live_pasted")
            run.press("\x1b")
            run.until_true(lambda: "sk_live_pasted" not in run.text)
            run.press(first)
            if rest:
                shown, last = rest
                run.until(shown)
                assert "canary" not in run.text
                run.press(last)
            assert run.leave() == 70
            assert run.restored
            assert b"canary" not in run.data
            _, _, said = run.data.decode().rpartition("\x1b")
            text = the_file(said[said.index("jobdeck: ") :], tmp_path)
        assert "command: open" in text
        assert not log.exists(), "what is typed is recorded for nobody"
        if not rest:
            (entry, *_) = jobdeck("requests", "--json", env=env).objects
            assert entry["state"] == "answered", "the database was flushed"


@pytest.mark.parametrize("command", ["status", "watch", "wait"])
def test_a_crash_of_a_command_is_one_line_and_a_file_without_secrets(
    env: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    space: dict[str, Callable[..., None]] = {}
    exec(BREAK, space)
    monkeypatch.setattr("jobdeck.engine.registry.Registry.apply", space["broken"])
    ran = jobdeck(command, "--json", TARGET, env=env)
    assert ran.code == 70
    assert all(item["phase"] == "unknown" for item in ran.objects), "nothing was told as if it had been seen"
    assert f"command: {command}" in the_file(ran.err, tmp_path)


def test_a_crash_file_goes_where_files_can_be_written(
    env: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("jobdeck.cli.commands.history.run", lambda _: 1 / 0)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    (tmp_path / "data").write_text("in the way")
    ran = jobdeck("history", env=env)
    assert ran.code == 70
    (file,) = tmp_path.glob("crash-*")
    assert str(file) in ran.err
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "nowhere"))
    ran = jobdeck("history", env=env)
    assert ran.code == 70
    assert "The details could not be saved: cannot write" in ran.err


def test_a_fault_that_is_survived_leaves_a_file_and_no_traceback(
    env: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(*_: object) -> None:
        await asyncio.sleep(0)
        raise ZeroDivisionError(CANARY)

    monkeypatch.setattr("jobdeck.apis.client.ApiClient.poll", broken)
    ran = jobdeck("status", "--json", TARGET, env=env)
    assert ran.code == 7
    assert ran.object["problem"]["message"] == "internal error (ZeroDivisionError): please report it"
    (file,) = (tmp_path / "data").glob("crash-*")
    assert ran.err == f"jobdeck: unexpected ZeroDivisionError was handled. Details for a bug report: {file}\n"
    assert "canary" not in file.read_text()
    assert logging.getLogger("jobdeck").handlers == [], "what is logged after the command is not the command's"


def test_a_crash_of_the_demo_names_the_demo(env: dict[str, str], tmp_path: Path) -> None:
    fault = "from jobdeck.tui.screens.deck import Deck; Deck.action_add = lambda self: 1 / 0"
    with OnTerminal("demo", "--jobs", "1", env=env, before=fault) as run:
        run.until("? help")
        run.press("a")
        assert run.leave() == 70
    (report,) = (tmp_path / "data").glob("crash-*")
    assert "command: demo" in report.read_text()
