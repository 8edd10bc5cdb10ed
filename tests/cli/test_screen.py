"""The screen as a person starts it: a real terminal, a real pipe, a real server."""

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from jobdeck.simulator.scenario import JobScript, Outcome, Resource, Scenario
from jobdeck.simulator.threaded import ThreadedSimulator
from tests.cli.harness import environment
from tests.pty_screen import PtyScreen

JOBS = tuple(
    JobScript(id=f"en_{number}", resource=Resource.ENRICHMENT, outcome=Outcome.NEVER, duration=1e6)
    for number in range(3)
)


class Terminal(PtyScreen):
    """A shell command on a terminal of its own, and what its screen shows."""

    def __init__(self, command: str, env: Mapping[str, str]) -> None:
        super().__init__((100, 30))
        environ = {**env, "TERM": "xterm-256color", "COLUMNS": "100", "LINES": "30"}
        # The leader of a new session gets the first terminal it opens as its controlling one.
        tty = os.ttyname(self._slave)
        script = f"exec <{tty} >{tty} 2>&1; {command}"
        self.process = subprocess.Popen(["/bin/sh", "-c", script], env=environ, start_new_session=True)
        os.close(self._slave)

    def leave(self) -> int:
        """Read to the end, close the terminal and return the exit code."""
        code = super().leave()
        os.close(self._master)
        return code


@pytest.fixture
def env(tmp_path: Path) -> dict[str, str]:
    return environment("http://127.0.0.1:9", tmp_path)


def test_piped_targets_are_shown_and_keys_still_work_and_the_next_start_remembers_them(env: dict[str, str]) -> None:
    jobdeck = f"{sys.executable} -m jobdeck"
    with ThreadedSimulator(Scenario(jobs=JOBS)) as server:
        env["THEHOG_BASE_URL"] = server.url
        names = " ".join(f"/api/enrichments/{job.id}" for job in JOBS)
        piped = Terminal(f"printf '%s\\n' {names} | {jobdeck} -", env)
        piped.until("en_0", "en_1", "en_2", "● run", "0%")
        piped.press("q")
        assert piped.leave() == 0
        assert b"\x1b[?1049l" in piped.data
        again = Terminal(jobdeck, env)
        again.until("en_0", "en_1", "en_2", "● run")
        again.press("\x1a")
        again.until("not suspended: no shell has started this screen")
        again.press("q")
        assert again.leave() == 0


def test_the_demo_shows_moving_jobs_of_both_apis_and_goes_on_after_a_look_at_the_shell(env: dict[str, str]) -> None:
    demo = Terminal(f"set -m; {sys.executable} -m jobdeck demo; echo AT THE SHELL; read line; fg >/dev/null", env)
    demo.until("hog", "sonarly", "● running", "%", "REASON")
    demo.press("\x1a")
    demo.until("AT THE SHELL")
    assert demo.data.count(b"\x1b[?1049l") == 1
    demo.press("\n")
    demo.until("hog", "sonarly", "● run", "q quit")
    before = demo.text
    while demo.text.split("\n")[2:14] == before.split("\n")[2:14]:
        demo.read()
    demo.press("q")
    assert demo.leave() == 0


def test_a_burst_of_keys_is_for_the_input_that_its_first_opens(env: dict[str, str]) -> None:
    with ThreadedSimulator(Scenario(jobs=JOBS)) as server:
        env["THEHOG_BASE_URL"] = server.url
        names = " ".join(f"/api/enrichments/{job.id}" for job in JOBS)
        screen = Terminal(f"{sys.executable} -m jobdeck {names}", env)
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
        screen = Terminal(f"cd {tmp_path}; printf {target} | {' '.join(command)} -", env)
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
        assert "access_key is to be typed at a terminal, and there is none" in nobody.stderr
