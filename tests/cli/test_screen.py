"""The screen as a person starts it: a real terminal, a real pipe, a real server."""

import subprocess
import sys
from pathlib import Path

import pytest

from jobdeck.simulator.scenario import JobScript, Outcome, Resource, Scenario
from jobdeck.simulator.server import ThreadedSimulator
from tests.cli.harness import environment
from tests.support.terminal import OnTerminal, ShellTerminal

JOBS = tuple(
    JobScript(id=f"en_{number}", resource=Resource.ENRICHMENT, outcome=Outcome.NEVER, duration=1e6)
    for number in range(3)
)


@pytest.fixture
def env(tmp_path: Path) -> dict[str, str]:
    return environment("http://127.0.0.1:9", tmp_path)


def test_piped_targets_are_shown_and_keys_still_work_and_the_next_start_remembers_them(env: dict[str, str]) -> None:
    with ThreadedSimulator(Scenario(jobs=JOBS)) as server:
        env["THEHOG_BASE_URL"] = server.url
        names = " ".join(f"/api/enrichments/{job.id}" for job in JOBS)
        line = f"printf '%s\\n' {names} | {sys.executable} -m jobdeck -"
        with ShellTerminal("sh", "-c", line, env=env) as piped:
            piped.until("en_0", "en_1", "en_2", "● run", "0%")
            piped.press("q")
            assert piped.leave() == 0
            assert b"\x1b[?1049l" in piped.data
        with OnTerminal(env=env) as again:
            again.until("en_0", "en_1", "en_2", "● run")
            again.press("\x1a")
            again.until("not suspended: not started from a shell")
            again.press("q")
            assert again.leave() == 0


def test_the_demo_shows_moving_jobs_of_both_apis_and_goes_on_after_a_look_at_the_shell(env: dict[str, str]) -> None:
    line = f"set -m; {sys.executable} -m jobdeck demo; echo AT THE SHELL; read line; fg >/dev/null"
    with ShellTerminal("sh", "-c", line, env=env) as demo:
        demo.until("hog", "sonarly", "● running", "%", "REASON")
        demo.press("\x1a")
        demo.until("AT THE SHELL")
        assert demo.data.count(b"\x1b[?1049l") == 1
        demo.press("\n")
        demo.until("hog", "sonarly", "● run", "? help")
        before = demo.text
        demo.until_true(lambda: demo.text.split("\n")[2:14] != before.split("\n")[2:14])
        demo.press("q")
        assert demo.leave() == 0


def test_a_burst_of_keys_is_for_the_input_that_its_first_opens(env: dict[str, str]) -> None:
    with ThreadedSimulator(Scenario(jobs=JOBS)) as server:
        env["THEHOG_BASE_URL"] = server.url
        with OnTerminal(*(f"/api/enrichments/{job.id}" for job in JOBS), env=env) as screen:
            screen.until("en_0", "en_1", "en_2", "● run")
            screen.press("/sk_live_pasted")
            screen.until("/ sk_live_pasted", "0 of 3")
            screen.press("\x1b")
            screen.until("en_0", "en_1", "en_2")
            screen.press("aop_x")
            screen.until("op_x", "1 job")
            screen.press("\x03")
            assert screen.leave() == 130


def test_a_key_that_is_to_be_typed_is_asked_for_once_before_the_screen_and_never_without_a_terminal(
    env: dict[str, str], tmp_path: Path
) -> None:
    config = tmp_path / "config.toml"
    with ThreadedSimulator(Scenario(jobs=JOBS)) as server:
        config.write_text(
            f'[profiles.hog]\nprovider = "thehog"\nbase_url = "{server.url}"\naccess_key = "prompt"\n'
            'secret_key = "env:THE_HOG_SECRET_KEY"\n'
        )
        command = [sys.executable, "-m", "jobdeck", "--config", config.name]
        target = "/api/enrichments/en_0"
        with ShellTerminal("sh", "-c", f"printf {target} | {' '.join(command)} -", env=env, cwd=tmp_path) as screen:
            screen.until("config.toml: [profiles.hog]: access_key: ")
            screen.press("ak_canary_typed_0123\n")
            screen.until("en_0", "● run")
            screen.press("q")
            assert screen.leave() == 0
            assert b"canary" not in screen.data
            assert screen.data.count(b"access_key: ") == 1
        nobody = subprocess.run(
            [*command[:3], "status", *command[3:], target],
            env=env,
            cwd=tmp_path,
            stdin=subprocess.PIPE,
            capture_output=True,
            text=True,
            timeout=150,
            check=False,
            start_new_session=True,
        )
        assert (nobody.returncode, nobody.stdout) == (2, "")
        assert "access_key must be entered at a terminal, but there is none" in nobody.stderr
